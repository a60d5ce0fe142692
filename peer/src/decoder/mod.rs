//! Foreign bytes to pixels, in a process of its own: a child of this very program that has taken limits on itself and holds
//! nothing worth stealing. Whatever a file does to the decoder, it costs one error.
//!
//! `child` is that process, `wire` what is said between the two, `limits` what a decoding may take.

pub mod child;
mod limits;
mod wire;

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use codec::{CodecError, Decoded, Metadata, Probe};
use filters::{Raster, Samples};
use rustix::process::Signal;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, interval};

pub use limits::{ADMITTED_BYTES, ADMITTED_TIMES, AT_ONCE_MAX, Limits};
use wire::{ARGUMENT, Answer, GO, Head, Layout, Rest, Want};

/// How finely patience is counted.
const TICK: Duration = Duration::from_millis(100);
/// What memory is admitted in.
const UNIT: u64 = 1 << 20;

/// Starts decoders, a few at a time, as far as memory goes. Cheap to clone; clones share both bounds.
#[derive(Clone, Debug)]
pub struct Decoder {
    program: PathBuf,
    limits: Limits,
    at_once: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

/// A decoded picture. Its memory stays admitted as long as it lives.
#[derive(Debug)]
pub struct Picture {
    /// The pixels and what goes with them.
    pub decoded: Decoded,
    /// Most memory that the decoder had at once, bytes; `None` where the system does not tell.
    pub peak_bytes: Option<u64>,
    _admitted: Option<OwnedSemaphorePermit>,
}

/// One that was decoded elsewhere.
impl From<Decoded> for Picture {
    fn from(decoded: Decoded) -> Self {
        Picture {
            decoded,
            peak_bytes: None,
            _admitted: None,
        }
    }
}

/// A file that can be decoded.
#[derive(Debug)]
pub struct Looked {
    /// What its header says.
    pub probe: Probe,
    /// Why some of the pixels may be wrong, if so.
    pub damaged: Option<String>,
    /// What people should know, in whole sentences without a full stop.
    pub notes: Vec<String>,
    /// A small JPEG of it.
    pub preview: Vec<u8>,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// What the file is, or is not.
    #[error(transparent)]
    File(#[from] CodecError),
    /// The decoder ran into its memory limit.
    #[error("the decoder was killed (memory): it needed more than the size of the picture explains")]
    Memory,
    /// The decoder ran into its time limit.
    #[error("the decoder was killed (time): no picture came within its limit")]
    Time,
    /// Somebody or something ended the decoder.
    #[error("the decoder was killed ({0})")]
    Killed(String),
    /// The decoder said what cannot be.
    #[error("the decoder cannot be believed: it gave {0}")]
    Disbelieved(&'static str),
    /// There is no decoder to ask.
    #[error("the decoder does not start: {0}")]
    NotStarted(String),
}

/// Why a conversation ended early.
enum Broken {
    /// The other side fell silent or went away: its end says why.
    Gone,
    /// It took too long.
    Late,
    /// A reason of its own.
    Wrong(DecodeError),
}

impl From<std::io::Error> for Broken {
    fn from(_: std::io::Error) -> Broken {
        Broken::Gone
    }
}

impl From<&'static str> for Broken {
    fn from(what: &'static str) -> Broken {
        Broken::Wrong(DecodeError::Disbelieved(what))
    }
}

impl From<wire::Wrong> for Broken {
    fn from(wrong: wire::Wrong) -> Broken {
        Broken::Wrong(CodecError::from(wrong).into())
    }
}

impl Decoder {
    /// Decoders of the program that runs here.
    pub fn own() -> Decoder {
        // On Linux the name of the file that runs, even where an update has replaced it since.
        let program = if cfg!(target_os = "linux") {
            Ok(PathBuf::from("/proc/self/exe"))
        } else {
            std::env::current_exe()
        };
        Decoder::new(program.unwrap_or_else(|_| "calotype".into()), Limits::default())
    }

    /// Decoders of a program, which is a `calotype` of this version.
    pub fn new(program: PathBuf, limits: Limits) -> Decoder {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Decoder {
            program,
            limits,
            at_once: Arc::new(Semaphore::new(processors.clamp(2, AT_ONCE_MAX))),
            memory: Arc::new(Semaphore::new((ADMITTED_BYTES / UNIT) as usize)),
        }
    }

    /// The same decoders for pictures of at most so many pixels.
    pub fn up_to(&self, pixels_max: u64) -> Decoder {
        let mut decoder = self.clone();
        let most = &mut decoder.limits.codec.pixels_max;
        *most = pixels_max.min(*most);
        decoder
    }

    /// The limits that decoders of this one keep.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Keeps all memory for decoded pictures until what is given back is dropped: decoders wait with their headers told.
    pub async fn hold_memory(&self) -> impl Drop + use<> {
        self.admit(ADMITTED_BYTES).await
    }

    /// The pixels of a file, upright. Dropping the future ends the decoder. Who keeps one picture and wants another asks for it
    /// by [`Decoder::beside`]: here he might wait for himself.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub async fn pixels(&self, file: &[u8]) -> Result<Picture, DecodeError> {
        Self::picture(self.ask(file, Want::Pixels, true).await?)
    }

    /// A second picture for one that is kept: both count as the first does.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub async fn beside(&self, _kept: &Picture, file: &[u8]) -> Result<Picture, DecodeError> {
        Self::picture(self.ask(file, Want::Pixels, false).await?)
    }

    fn picture(answered: Answered) -> Result<Picture, DecodeError> {
        let Some(raster) = answered.raster else {
            return Err(DecodeError::Disbelieved("no pixels"));
        };
        Ok(Picture {
            decoded: Decoded {
                raster,
                probe: answered.probe,
                damaged: answered.rest.damaged,
                notes: answered.rest.notes,
                metadata: answered.metadata,
            },
            peak_bytes: answered.rest.peak_bytes,
            _admitted: Some(answered.admitted),
        })
    }

    /// Decodes a file as a check and for its preview; its pixels stay where they are. Dropping the future ends the decoder.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub async fn look(&self, file: &[u8]) -> Result<Looked, DecodeError> {
        let answered = self.ask(file, Want::Preview, true).await?;
        Ok(Looked {
            probe: answered.probe,
            damaged: answered.rest.damaged,
            notes: answered.rest.notes,
            preview: answered.preview,
        })
    }

    /// A small JPEG of a file that is only looked at; that all of it can be decoded is not said. Dropping the future ends the decoder.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub async fn glance(&self, file: &[u8]) -> Result<Vec<u8>, DecodeError> {
        Ok(self.ask(file, Want::Glance, true).await?.preview)
    }

    async fn ask(&self, file: &[u8], want: Want, counts: bool) -> Result<Answered, DecodeError> {
        let (bytes, limit) = (file.len() as u64, self.limits.codec.file_bytes_max);
        if bytes > limit {
            return Err(CodecError::FileTooLarge { bytes, limit }.into());
        }
        let _turn = self.at_once.acquire().await.expect("never closed");
        let (mut child, stdin, stdout) = self.start()?;
        let done = self.converse(file, (want, counts), stdin, stdout).await;
        let broken = match done {
            // All is here; how it ends does not matter.
            Ok(answered) => {
                end(&mut child).await;
                return Ok(answered);
            }
            Err(broken) => broken,
        };
        let status = end(&mut child).await;
        Err(match broken {
            Broken::Wrong(error) => error,
            Broken::Late => DecodeError::Time,
            Broken::Gone => why(status),
        })
    }

    fn start(&self) -> Result<(Child, ChildStdin, ChildStdout), DecodeError> {
        let mut command = Command::new(&self.program);
        command
            .arg0("calotype")
            .arg(ARGUMENT)
            .args(wire::arguments(&self.limits))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C and Ctrl-Z at the terminal are for the program.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| DecodeError::NotStarted(error.to_string()))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(stdin), Some(stdout)) => Ok((child, stdin, stdout)),
            _ => Err(DecodeError::NotStarted("it has no pipes".to_owned())),
        }
    }

    async fn admit(&self, bytes: u64) -> OwnedSemaphorePermit {
        let units = bytes.min(ADMITTED_BYTES).div_ceil(UNIT) as u32;
        let memory = self.memory.clone();
        memory.acquire_many_owned(units).await.expect("never closed")
    }

    async fn converse(
        &self,
        file: &[u8],
        (want, counts): (Want, bool),
        mut stdin: ChildStdin,
        mut stdout: ChildStdout,
    ) -> Result<Answered, Broken> {
        let head = async {
            let mut question = vec![want.byte()];
            question.extend((file.len() as u64).to_le_bytes());
            stdin.write_all(&question).await?;
            stdin.write_all(file).await?;
            answer::<Head>(&mut stdout).await
        };
        let head = within(self.limits.patience, head).await??;
        let probe = head?.checked(&self.limits)?;
        // Its own memory and ours: it waits until there is room for both.
        let counted = if counts {
            probe.decoded_bytes * ADMITTED_TIMES
        } else {
            0
        };
        let admitted = self.admit(counted).await;
        let rest = async {
            stdin.write_all(&[GO]).await?;
            let rest: Rest = answer::<Rest>(&mut stdout).await??.checked(want)?;
            let layout = rest.layout(&probe)?;
            let metadata = Metadata {
                exif: block(&mut stdout, rest.exif).await?,
                icc: block(&mut stdout, rest.icc).await?,
                xmp: block(&mut stdout, rest.xmp).await?,
                iptc: block(&mut stdout, rest.iptc).await?,
            };
            let preview = block(&mut stdout, rest.preview).await?.unwrap_or_default();
            let raster = match layout {
                Some(layout) => Some(raster(&mut stdout, &probe, layout).await?),
                None => None,
            };
            Ok(Answered {
                probe,
                rest,
                metadata,
                preview,
                raster,
                admitted,
            })
        };
        within(self.limits.patience, rest).await?
    }
}

/// All that a decoder said.
struct Answered {
    probe: Probe,
    rest: Rest,
    metadata: Metadata,
    preview: Vec<u8>,
    raster: Option<Raster>,
    admitted: OwnedSemaphorePermit,
}

/// The work's result, if it comes in time. Only time in which this process ran counts: a person may have stopped it.
async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T, Broken> {
    tokio::pin!(work);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut left = patience.as_millis() / TICK.as_millis();
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            _ = ticks.tick() => left = left.checked_sub(1).ok_or(Broken::Late)?,
        }
    }
}

/// The next frame.
async fn answer<T: DeserializeOwned>(from: &mut ChildStdout) -> Result<Answer<T>, Broken> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let mut json = vec![0; wire::frame_len(head)?];
    from.read_exact(&mut json).await?;
    Ok(wire::answer(&json)?)
}

/// A block whose length was checked.
async fn block(from: &mut ChildStdout, len: Option<u64>) -> Result<Option<Vec<u8>>, Broken> {
    let Some(len) = len else { return Ok(None) };
    let mut block = vec![0; len as usize];
    from.read_exact(&mut block).await?;
    Ok(Some(block))
}

/// The samples, into the memory where they stay.
async fn raster(from: &mut ChildStdout, probe: &Probe, layout: Layout) -> Result<Raster, Broken> {
    let samples = if layout.deep {
        // Zeroed by the system, page by page as they fill.
        let mut samples = vec![0_u16; layout.samples];
        let mut bytes = Vec::new();
        for piece in wire::pieces(2 * layout.samples) {
            bytes.resize(piece.len(), 0);
            from.read_exact(&mut bytes).await?;
            let pairs = bytes.as_chunks::<2>().0;
            for (sample, pair) in samples[piece.start / 2..piece.end / 2].iter_mut().zip(pairs) {
                *sample = u16::from_ne_bytes(*pair);
            }
        }
        Samples::U16(samples)
    } else {
        let mut samples = vec![0; layout.samples];
        for piece in wire::pieces(layout.samples) {
            from.read_exact(&mut samples[piece]).await?;
        }
        Samples::U8(samples)
    };
    Ok(Raster {
        width: probe.width,
        height: probe.height,
        channels: layout.channels,
        samples,
    })
}

/// Ends a decoder that is not needed any more, or never will be, and says how it ended.
async fn end(child: &mut Child) -> Option<ExitStatus> {
    // It has closed its side or is stuck; a moment to say why it went.
    let status = within(TICK, child.wait()).await;
    if let Ok(Ok(status)) = status {
        return Some(status);
    }
    let _ = child.start_kill();
    child.wait().await.ok()
}

/// What the end of a decoder means that broke off its answer.
fn why(status: Option<ExitStatus>) -> DecodeError {
    let Some(status) = status else {
        return DecodeError::Killed("it cannot be said how".to_owned());
    };
    let is = |signal: Signal| status.signal() == Some(signal.as_raw());
    if is(Signal::XCPU) {
        DecodeError::Time
    } else if is(Signal::ABORT) || is(Signal::SEGV) {
        // An allocation that is refused aborts; a stack that may not grow is an access to nowhere.
        DecodeError::Memory
    } else if let Some(signal) = status.signal() {
        DecodeError::Killed(format!("signal {signal}"))
    } else {
        DecodeError::Killed(format!("it gave up, {status}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory is admitted by size, in whole units; the largest picture of all is admitted alone.
    #[tokio::test]
    async fn memory_is_admitted_by_size() {
        let decoder = Decoder::own();
        let left = || decoder.memory.available_permits() as u64;
        let all = ADMITTED_BYTES / UNIT;
        let one = decoder.admit(1).await;
        assert_eq!(left(), all - 1);
        let two = decoder.admit(UNIT + 1).await;
        assert_eq!(left(), all - 3);
        drop((one, two));
        let most = decoder
            .admit(Limits::default().codec.decoded_bytes_max * ADMITTED_TIMES)
            .await;
        assert_eq!(left(), 0);
        drop(most);
        drop(decoder.admit(u64::MAX).await);
        assert_eq!(left(), all);
    }

    /// Work that is done is done, however late; patience is for what never comes.
    #[tokio::test]
    async fn patience_ends() {
        assert!(within(Duration::ZERO, std::future::ready(())).await.is_ok());
        let never = std::future::pending::<()>();
        assert!(matches!(within(TICK, never).await, Err(Broken::Late)));
    }
}
