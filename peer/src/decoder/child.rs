//! The decoder itself: a process of this program that takes limits on itself, reads a file from its standard input and writes
//! the pixels to its standard output. It has no keys, no album, no socket, no file and no environment.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::process::ExitCode;

use codec::{Decoded, Metadata};
use filters::{Raster, Samples};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::limits::{Limits, METADATA_BYTES_MAX};
use super::wire::{self, ARGUMENT, GO, Head, Rest, Want};

/// A decoder opens nothing: every number below is taken when the limit is set.
const FILES: u64 = 3;
/// From the signal that the processor time is over to the one that cannot be missed, seconds.
const GRACE: u64 = 1;
/// What process lists show; as long as Linux shows.
#[cfg(target_os = "linux")]
const NAME: &std::ffi::CStr = c"calotype-decode";

/// The decoder's exit code, if this process was started to be one.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut words = words.into_iter().skip(1);
    if words.next()? != ARGUMENT {
        return None;
    }
    let arguments: Option<Vec<String>> = words.map(|word| word.into_string().ok()).collect();
    let limits = arguments.and_then(|arguments| wire::limits(&arguments));
    // Nobody reads words: whoever started it sees the code.
    Some(
        match limits.ok_or(ErrorKind::InvalidInput.into()).and_then(work) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
    )
}

fn work(limits: Limits) -> io::Result<()> {
    // Standard output without the buffer that looks for ends of lines.
    let mut to = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let memory = Memory::of_this_process();
    confine(&limits)?;
    decode(&limits, &memory, &mut io::stdin().lock(), &mut to)
}

/// Takes on every limit that does not depend on the file.
fn confine(limits: &Limits) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        rustix::thread::set_name(NAME)?;
        rustix::thread::set_no_new_privs(true)?;
    }
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Fsize, 0, 0)?;
    limit(Resource::Nofile, FILES, FILES)?;
    limit(Resource::Cpu, limits.cpu_seconds, limits.cpu_seconds + GRACE)?;
    limit_memory(limits.before_header(limits.codec.file_bytes_max), u64::MAX)
}

/// Never more than whoever started the program allows it.
fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let allowed = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let some = |most: u64| Some(most.min(allowed)).filter(|most| *most < u64::MAX);
    let limit = Rlimit {
        current: some(soft),
        maximum: some(hard),
    };
    Ok(setrlimit(resource, limit)?)
}

/// Linux holds a process to its address space; other systems may not know the limit.
fn limit_memory(soft: u64, hard: u64) -> io::Result<()> {
    match limit(Resource::As, soft, hard) {
        Err(_) if !cfg!(target_os = "linux") => Ok(()),
        done => done,
    }
}

/// One file, from the question to the last sample.
fn decode(limits: &Limits, memory: &Memory, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut question = [0; 9];
    from.read_exact(&mut question)?;
    let [want, len @ ..] = question;
    let want = Want::of(want).ok_or(ErrorKind::InvalidInput)?;
    let len = u64::from_le_bytes(len);
    if len > limits.codec.file_bytes_max {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut file = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    from.read_exact(&mut file)?;

    let head = codec::probe(&file, &limits.codec);
    to.write_all(&wire::frame(
        &head.as_ref().map(Head::new).map_err(|error| error.clone().into()),
    ))?;
    let Ok(head) = head else { return Ok(()) };
    let mut go = [0];
    from.read_exact(&mut go)?;
    if go != [GO] {
        return Err(ErrorKind::InvalidInput.into());
    }
    // From here on no more than a picture of this size explains.
    let most = limits.after_header(len, head.decoded_bytes);
    limit_memory(most, most)?;
    let refused = |error: codec::CodecError| wire::frame::<Rest>(&Err(error.into()));
    if want == Want::Glance {
        return match codec::decode_small(&file, &limits.codec) {
            Ok(raster) => preview(&raster, None, Vec::new(), memory, to),
            Err(error) => to.write_all(&refused(error)),
        };
    }
    let decoded = match codec::decode(&file, &limits.codec) {
        Ok(decoded) => decoded,
        Err(error) => return to.write_all(&refused(error)),
    };
    drop(file);
    match want {
        Want::Pixels => pixels(decoded, memory, to),
        _ => preview(&decoded.raster, decoded.damaged, decoded.notes, memory, to),
    }
}

fn preview(
    raster: &Raster,
    damaged: Option<String>,
    notes: Vec<String>,
    memory: &Memory,
    to: &mut impl Write,
) -> io::Result<()> {
    let preview = codec::preview(raster).map_err(io::Error::other)?;
    let rest = Rest {
        damaged,
        notes,
        preview: Some(preview.len() as u64),
        peak_bytes: memory.peak(),
        ..Rest::default()
    };
    to.write_all(&wire::frame(&Ok(rest)))?;
    to.write_all(&preview)
}

fn pixels(decoded: Decoded, memory: &Memory, to: &mut impl Write) -> io::Result<()> {
    let Decoded {
        raster,
        damaged,
        mut notes,
        metadata: Metadata { exif, icc, xmp, iptc },
        ..
    } = decoded;
    let mut bounded = |what: &str, block: Option<Vec<u8>>| {
        let fits = block
            .as_ref()
            .is_none_or(|block| block.len() as u64 <= METADATA_BYTES_MAX);
        if !fits {
            notes.push(format!("its {what} is too large and was left out"));
        }
        block.filter(|_| fits)
    };
    let (exif, icc) = (bounded("EXIF block", exif), bounded("colour profile", icc));
    let (xmp, iptc) = (bounded("XMP", xmp), bounded("IPTC", iptc));
    let len = |block: &Option<Vec<u8>>| block.as_ref().map(|block| block.len() as u64);
    let rest = Rest {
        damaged,
        notes,
        exif: len(&exif),
        icc: len(&icc),
        xmp: len(&xmp),
        iptc: len(&iptc),
        preview: None,
        pixels: Some((raster.channels.count() as u8, raster.samples.bits())),
        peak_bytes: memory.peak(),
    };
    to.write_all(&wire::frame(&Ok(rest)))?;
    for block in [exif, icc, xmp, iptc].into_iter().flatten() {
        to.write_all(&block)?;
    }
    match raster.samples {
        Samples::U8(samples) => give(samples, to, |piece| Cow::Borrowed(piece)),
        Samples::U16(samples) => give(samples, to, |piece| {
            piece.iter().flat_map(|sample| sample.to_ne_bytes()).collect()
        }),
    }
}

/// Sends the samples from the last to the first and gives back their memory on the way: while one process lets go, the other
/// fills its own, and the picture is there once.
fn give<T>(
    mut samples: Vec<T>,
    to: &mut impl Write,
    bytes: impl Fn(&[T]) -> Cow<'_, [u8]>,
) -> io::Result<()> {
    for piece in wire::pieces(samples.len() * size_of::<T>()) {
        let start = piece.start / size_of::<T>();
        to.write_all(&bytes(&samples[start..]))?;
        samples.truncate(start);
        samples.shrink_to_fit();
    }
    Ok(())
}

/// How much memory a process takes, by proc(5), where there is such a thing.
pub struct Memory(Option<File>);

impl Memory {
    /// Of this one; what it opens now it can read later.
    pub fn of_this_process() -> Memory {
        Memory(File::open("/proc/self/status").ok())
    }

    /// Most bytes that it had at once: `VmHWM`.
    pub fn peak(&self) -> Option<u64> {
        let mut text = [0; 4096];
        let len = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..len]).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }
}
