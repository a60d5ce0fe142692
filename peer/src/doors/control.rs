//! The client of a node's control socket: one connection a request, JSON Lines, hung up to cancel.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use crate::api::{Answer, Ask, Code, Failure, Notice, Progress, Reply, Request};

/// Where a node listens for its doors.
#[derive(Debug, Clone)]
pub struct Control {
    path: PathBuf,
}

impl Control {
    /// The node of this home, if one answers.
    pub async fn attach(home: &Path) -> Option<Self> {
        let control = Control::at(crate::node::control_path(home));
        control.connect().await.ok().map(|_| control)
    }

    /// A node that is known to run.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Control { path: path.into() }
    }

    /// Whether the node is still there.
    pub async fn answers(&self) -> bool {
        self.connect().await.is_ok()
    }

    /// Asks, hears of progress, returns the reply. Dropping the future cancels the request.
    ///
    /// # Errors
    /// The node's failure; `unreachable` if it ended before it answered.
    pub async fn ask(&self, request: Request, progress: impl FnMut(&Progress)) -> Result<Reply, Failure> {
        self.ask_until(request, &CancellationToken::new(), progress).await
    }

    /// The same; once `stop` is cancelled the node is told to come to an end and answers with what was done by then.
    ///
    /// # Errors
    /// As [`Control::ask`].
    pub async fn ask_until(
        &self,
        request: Request,
        stop: &CancellationToken,
        mut progress: impl FnMut(&Progress),
    ) -> Result<Reply, Failure> {
        let mut answers = self.send(request).await?;
        let (mut told, mut taken) = (false, false);
        loop {
            let answer = tokio::select! {
                answer = answers.next() => answer?,
                () = stop.cancelled(), if !told => {
                    told = true;
                    let _ = answers.lines.get_mut().write_all(b"\n").await;
                    continue;
                }
            };
            match answer {
                Some(Answer::Reply(reply)) => return Ok(reply),
                Some(Answer::Failure(failure)) => return Err(failure),
                Some(Answer::Progress(how_far)) => progress(&how_far),
                Some(Answer::Taken) => taken = true,
                Some(Answer::Notice(_)) => {}
                None if taken => return Err(gone()),
                None => return Err(ending()),
            }
        }
    }

    /// Asks for something that takes no time.
    ///
    /// # Errors
    /// As [`Control::ask`].
    pub async fn quick(&self, request: Request) -> Result<Reply, Failure> {
        self.ask(request, |_| {}).await
    }

    /// News from now on.
    ///
    /// # Errors
    /// As [`Control::ask`].
    pub async fn watch(&self) -> Result<Watching, Failure> {
        Ok(Watching {
            answers: self.send(Request::Watch).await?,
            taken: false,
        })
    }

    async fn send(&self, request: Request) -> Result<Answers, Failure> {
        let mut stream = self.connect().await?;
        let mut line = serde_json::to_string(&Ask { request }).map_err(|e| {
            Failure::new(
                Code::Usage,
                format!("this cannot be sent to the node: {e}"),
                "use names that are plain text",
            )
        })?;
        line.push('\n');
        let sent = stream.write_all(line.as_bytes()).await;
        zeroize::Zeroize::zeroize(&mut line);
        sent.map_err(|_| ending())?;
        Ok(Answers {
            lines: BufReader::new(stream),
            line: Vec::new(),
        })
    }

    async fn connect(&self) -> Result<UnixStream, Failure> {
        self.is_ours()?;
        let stream = UnixStream::connect(&self.path).await.map_err(|_| ending())?;
        let uid = stream.peer_cred().map_err(|_| gone())?.uid();
        if uid == rustix::process::geteuid().as_raw() {
            Ok(stream)
        } else {
            Err(strange(&self.path))
        }
    }

    /// The socket's folder must be ours alone: in a shared `/tmp` anybody could have made one of that name.
    fn is_ours(&self) -> Result<(), Failure> {
        let folder = self.path.parent().unwrap_or(&self.path);
        let about = std::fs::symlink_metadata(folder).map_err(|_| ending())?;
        let ours =
            about.is_dir() && about.uid() == rustix::process::geteuid().as_raw() && about.mode() & 0o077 == 0;
        if ours { Ok(()) } else { Err(strange(folder)) }
    }
}

/// A stream of news.
pub struct Watching {
    answers: Answers,
    taken: bool,
}

impl Watching {
    /// Waits until nothing that happens from now on is missed.
    ///
    /// # Errors
    /// The node's failure.
    pub async fn begun(&mut self) -> Result<(), Failure> {
        while !self.taken {
            match self.answers.next().await? {
                Some(Answer::Failure(failure)) => return Err(failure),
                Some(answer) => self.taken = matches!(answer, Answer::Taken),
                None => return Err(ending()),
            }
        }
        Ok(())
    }

    /// The next piece; none when the node ended.
    ///
    /// # Errors
    /// The node's failure.
    pub async fn next(&mut self) -> Result<Option<Notice>, Failure> {
        loop {
            match self.answers.next().await? {
                Some(Answer::Notice(notice)) => return Ok(Some(notice)),
                Some(Answer::Failure(failure)) => return Err(failure),
                Some(Answer::Taken) => self.taken = true,
                Some(Answer::Reply(_) | Answer::Progress(_)) => {}
                None if self.taken => return Ok(None),
                None => return Err(ending()),
            }
        }
    }
}

struct Answers {
    lines: BufReader<UnixStream>,
    /// A line in the making survives a cancelled `next`.
    line: Vec<u8>,
}

impl Answers {
    async fn next(&mut self) -> Result<Option<Answer>, Failure> {
        let read = self.lines.read_until(b'\n', &mut self.line).await;
        if read.is_err() || self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let answer = serde_json::from_slice(&self.line);
        self.line.clear();
        answer.map(Some).map_err(|e| {
            let why =
                format!("the node of this home answered in a way this program does not understand: {e}");
            Failure::new(
                Code::Internal,
                why,
                "it may be another version: end it and start it again",
            )
        })
    }
}

const ENDING: &str = "the node of this home was just ending";

/// The node ended before it took the request: nothing of it was done, and another node may take it.
fn ending() -> Failure {
    Failure::new(Code::Unreachable, ENDING, "try again; a new one starts by itself")
}

/// Whether a request failed because its node was just ending, so that it can be asked again.
pub fn was_ending(failure: &Failure) -> bool {
    failure.message == ENDING
}

fn gone() -> Failure {
    Failure::new(
        Code::Unreachable,
        "the node of this home ended before it answered",
        "try again; a new one starts by itself",
    )
}

fn strange(path: &Path) -> Failure {
    let why = format!("{} is not ours alone, so nothing is said to it", path.display());
    Failure::new(
        Code::Denied,
        why,
        "remove it, or set XDG_RUNTIME_DIR to a folder of yours",
    )
}
