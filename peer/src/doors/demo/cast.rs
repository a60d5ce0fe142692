//! The demo's peers: processes of this very program, each with a home of its own, spoken to through their sockets.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::process::{Child, Command};

use crate::api::{Added, Code, Failure, ImageEntry, Images, OrSet, PeerEntry, Reply, Request, Status};
use crate::doors::control::Control;

/// Longest wait for anything that ought to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// SIGTERM to the end of a process, by contract, and some for a machine that is busy.
const DRAIN: Duration = Duration::from_secs(8);

/// Waits until `look` says `Ok`; what it says otherwise is what was seen last.
///
/// # Errors
/// The deadline passed.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> Result<T, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = match look().await {
            Ok(value) => return Ok(value),
            Err(seen) => seen,
        };
        if Instant::now() >= deadline {
            let why = format!("{what}: not within {} s; last seen: {seen}", PATIENCE.as_secs());
            return Err(Failure::new(Code::Internal, why, ""));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What a process says once it can serve.
#[derive(Debug, Deserialize)]
pub struct Ready {
    control: PathBuf,
    /// Its process.
    pub pid: u32,
    /// Who it is.
    pub user: Option<String>,
    /// Where it is.
    pub album: Option<String>,
}

/// One peer, running or not.
pub struct Peer {
    /// Account, folder and everything else are called so.
    pub name: &'static str,
    dir: PathBuf,
    child: Option<Child>,
    control: Control,
    pid: u32,
}

impl Peer {
    /// A peer of this name in the demo's folder; nothing runs yet.
    pub fn new(name: &'static str, dir: &Path) -> Self {
        Peer {
            name,
            dir: dir.to_owned(),
            child: None,
            control: Control::at(dir.join("nowhere")),
            pid: 0,
        }
    }

    /// Where it keeps everything.
    pub fn home(&self) -> PathBuf {
        self.dir.join("homes").join(self.name)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Starts the process and waits until it can serve. `first`: it makes its account; later starts need no word.
    ///
    /// # Errors
    /// The process cannot be started, or ends, or does not get ready.
    pub async fn start(&mut self, first: bool) -> Result<Ready, Failure> {
        let ready_file = self.dir.join(format!("{}.json", self.name));
        let _ = std::fs::remove_file(&ready_file);
        let mut command = command(&self.dir, &self.home(), self.name)?;
        command.arg("up").arg("--ready-file").arg(&ready_file);
        if first {
            command.args(["--register", "--user", self.name, "--password-file"]);
            command.arg(self.dir.join("password"));
        }
        let mut child = command
            .spawn()
            .map_err(|e| cannot(&format!("start {}", self.name), &e))?;
        let ready: Ready = until(&format!("{} gets ready", self.name), async || {
            if let Ok(Some(status)) = child.try_wait() {
                return Ok(Err(self.ended(status)));
            }
            let text = std::fs::read(&ready_file).map_err(|_| "no ready file".to_owned())?;
            serde_json::from_slice(&text).map(Ok).map_err(|e| e.to_string())
        })
        .await??;
        self.control = Control::at(&ready.control);
        self.pid = ready.pid;
        self.child = Some(child);
        Ok(ready)
    }

    fn ended(&self, status: std::process::ExitStatus) -> Failure {
        let log = std::fs::read_to_string(self.dir.join(format!("{}.log", self.name))).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(4).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        let why = format!(
            "{} ended at its start ({status}): {}",
            self.name,
            last.join(" / ")
        );
        Failure::new(Code::Internal, why, "")
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// The process is not ours to end.
    pub async fn kill(&mut self) -> Result<(), Failure> {
        if let Some(mut child) = self.child.take() {
            child
                .kill()
                .await
                .map_err(|e| cannot(&format!("kill {}", self.name), &e))?;
        }
        Ok(())
    }

    /// Ends it as an administrator would; whether it ended with 0 in time. One that does not is killed.
    pub async fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else {
            return true;
        };
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        match tokio::time::timeout(DRAIN, child.wait()).await {
            Ok(Ok(status)) => status.success(),
            _ => {
                let _ = child.kill().await;
                false
            }
        }
    }

    /// Removes what it keeps outside its home: the folder of its sockets, if it is not in the demo's.
    pub fn tidy(&self) {
        let sockets = crate::node::control_path(&self.home());
        if let Some(folder) = sockets.parent().filter(|folder| !folder.starts_with(&self.dir)) {
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    /// Asks for something that ought to work.
    ///
    /// # Errors
    /// The node's, with the peer's name.
    pub async fn ask(&self, request: Request) -> Result<Reply, Failure> {
        self.control.quick(request).await.map_err(|mut failure| {
            failure.message = format!("{}: {}", self.name, failure.message);
            failure.reply = None;
            failure
        })
    }

    /// The inner state, digest included.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn or_set(&self) -> Result<OrSet, Failure> {
        match self
            .ask(Request::GetOrSet {
                album: None,
                limit: Some(0),
                skip: 0,
                behind: 0,
            })
            .await?
        {
            Reply::OrSet(it) => Ok(it),
            _ => Err(strange(self.name)),
        }
    }

    /// The images as shown here.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn images(&self) -> Result<Vec<ImageEntry>, Failure> {
        match self
            .ask(Request::GetImages {
                album: None,
                select: Default::default(),
            })
            .await?
        {
            Reply::Images(Images { images, .. }) => Ok(images),
            _ => Err(strange(self.name)),
        }
    }

    /// The image of this name, if there is one.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn image(&self, name: &str) -> Result<Option<ImageEntry>, Failure> {
        Ok(self.images().await?.into_iter().find(|image| image.name == name))
    }

    /// The node's state.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn status(&self) -> Result<Status, Failure> {
        match self.ask(Request::Status).await? {
            Reply::Status(it) => Ok(*it),
            _ => Err(strange(self.name)),
        }
    }

    /// The other members' devices.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn peers(&self) -> Result<Vec<PeerEntry>, Failure> {
        match self.ask(Request::Peers).await? {
            Reply::Peers(it) => Ok(it.peers),
            _ => Err(strange(self.name)),
        }
    }

    /// Users linked with this peer now.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn linked(&self) -> Result<Vec<String>, Failure> {
        let linked = self
            .peers()
            .await?
            .into_iter()
            .filter(|peer| peer.state == "linked");
        Ok(linked.map(|peer| peer.user).collect())
    }

    /// Adds files; those that cannot be read are left out, unless none is left.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn add_all(&self, paths: Vec<PathBuf>) -> Result<Added, Failure> {
        let request = Request::AddImage {
            album: None,
            paths,
            name: None,
            strip_gps: false,
        };
        match self.control.quick(request).await {
            Ok(Reply::Added(it)) => Ok(it),
            Err(mut failure) => match failure.reply.take().map(|reply| *reply) {
                Some(Reply::Added(it)) if !it.added.is_empty() => Ok(it),
                _ => Err(failure),
            },
            Ok(_) => Err(strange(self.name)),
        }
    }

    /// Adds a file under a name; its entry.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn add(&self, path: &Path, name: &str) -> Result<ImageEntry, Failure> {
        let request = Request::AddImage {
            album: None,
            paths: vec![path.to_owned()],
            name: Some(name.to_owned()),
            strip_gps: false,
        };
        match self.ask(request).await? {
            Reply::Added(mut it) if it.added.len() == 1 => Ok(it.added.remove(0)),
            _ => Err(strange(self.name)),
        }
    }
}

/// This program with a home in the demo's folder and nothing of the user's own.
fn command(dir: &Path, home: &Path, name: &str) -> Result<Command, Failure> {
    let program = std::env::current_exe().map_err(|e| cannot("find this program", &e))?;
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join(format!("{name}.log")))
        .map_err(|e| cannot(&format!("write the log of {name}"), &e))?;
    let mut command = Command::new(program);
    for (variable, folder) in [
        ("HOME", "user"),
        ("XDG_CONFIG_HOME", "user/config"),
        ("XDG_DATA_HOME", "user/data"),
        ("XDG_STATE_HOME", "user/state"),
        ("XDG_CACHE_HOME", "user/cache"),
        ("XDG_RUNTIME_DIR", "run"),
        ("CALOTYPE_CENTRAL_DIR", "central"),
    ] {
        command.env(variable, dir.join(folder));
    }
    for variable in ["CALOTYPE_HOME", "CALOTYPE_CENTRAL"] {
        command.env_remove(variable);
    }
    command
        .arg("--home")
        .arg(home)
        .arg("--no-input")
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // Whatever becomes of the demo, its peers end with it.
        .kill_on_drop(true);
    Ok(command)
}

fn cannot(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Code::Internal, format!("cannot {what}: {error}"), "")
}

fn strange(name: &str) -> Failure {
    Failure::new(
        Code::Internal,
        format!("{name} gave another answer than was asked for"),
        "",
    )
}
