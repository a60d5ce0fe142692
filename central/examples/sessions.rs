//! How a central bears many: idle sessions, all of them coming back after a restart, and a storm of logins.
//!
//! `cargo run --release -p central --example sessions -- [SESSIONS] [STORM_SECONDS]`. The central is a process of its own
//! (this program with `serve`), so that its memory is its own. Bounded by the descriptors that this user may have.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use central::password::LoggingIn;
use central::proto::{Ask, HelloOk, Request};
use central::{Client, Pin, cli, frame};
use crdt::keys::{Certificate, KeyPair};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Handshakes under way at once: below what a central bears from one address before it drops the oldest.
const CONNECTING: usize = 12;
/// Connections of the storm.
const STORMERS: usize = 8;
/// Descriptors for everything else.
const OTHER_FILES: u64 = 100;

struct Central {
    process: Child,
    address: String,
    key: [u8; 32],
}

impl Central {
    async fn start(data: &Path, listen: &str) -> Result<Self> {
        let ready = data.with_extension("ready");
        let _ = std::fs::remove_file(&ready);
        let process = Command::new(std::env::current_exe()?)
            .args([
                "serve".as_ref(),
                listen.as_ref(),
                data.as_os_str(),
                ready.as_os_str(),
            ])
            .stderr(Stdio::null())
            .spawn()?;
        let end = Instant::now() + Duration::from_secs(30);
        while !ready.exists() {
            ensure!(Instant::now() < end, "the central does not start");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(ready)?)?;
        let text = |key: &str| json[key].as_str().map(str::to_owned).context("a ready file");
        Ok(Self {
            process,
            address: text("address")?,
            key: *blake3::Hash::from_hex(text("key")?)?.as_bytes(),
        })
    }

    /// Resident memory, KiB.
    fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(kib.context("VmRSS")?.parse()?)
    }

    fn stop(mut self) -> Result<()> {
        let pid = Pid::from_raw(self.process.id().cast_signed()).context("a process")?;
        kill_process(pid, Signal::TERM)?;
        self.process.wait()?;
        Ok(())
    }
}

struct User {
    name: String,
    device: KeyPair,
    cert: Certificate,
}

/// A session of each user, and how long that took.
async fn all_in(central: &Central, users: &Arc<Vec<User>>) -> Result<(Vec<Client>, Duration)> {
    let start = Instant::now();
    let (places, mut tasks) = (Arc::new(Semaphore::new(CONNECTING)), JoinSet::new());
    for number in 0..users.len() {
        let (users, places) = (users.clone(), places.clone());
        let (address, pin) = (central.address.clone(), Pin::Key(central.key));
        tasks.spawn(async move {
            let _place = places.acquire().await?;
            let user = &users[number];
            let (client, _) = Client::connect(&address, pin).await?;
            client
                .resume_or_reclaim(&user.name, &user.cert, &user.device)
                .await?;
            anyhow::Ok(client)
        });
    }
    let mut clients = Vec::new();
    while let Some(client) = tasks.join_next().await {
        clients.push(client??);
    }
    Ok((clients, start.elapsed()))
}

/// Looks names up on ten sessions for so long, one after the other on each; the slowest but one in a hundred.
async fn p99(clients: &[Client], seconds: u64) -> Result<Duration> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut tasks = JoinSet::new();
    for client in clients.iter().take(10) {
        let client = client.clone();
        tasks.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                let start = Instant::now();
                client.lookup("user0").await?;
                took.push(start.elapsed());
                // Below the rate at which a connection is read more slowly.
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            anyhow::Ok(took)
        });
    }
    let mut took = Vec::new();
    while let Some(some) = tasks.join_next().await {
        took.extend(some??);
    }
    took.sort();
    Ok(took[took.len() - 1 - took.len() / 100])
}

async fn tls(address: &str, key: [u8; 32]) -> Result<TlsStream<TcpStream>> {
    let (config, _) = central::tls::client_config(Pin::Key(key))?;
    let tcp = TcpStream::connect(address).await?;
    let name = "central.invalid".try_into()?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, tcp).await?)
}

/// Begins logins under names that nobody has, on connection after connection, until the end; how many.
async fn storm(address: String, key: [u8; 32], stormer: usize, end: Instant) -> Result<u64> {
    let mut logins = 0;
    while Instant::now() < end {
        let mut stream = tls(&address, key).await?;
        let hello = Request {
            id: 0,
            ask: Ask::Hello { v: 1 },
        };
        frame::write(&mut stream, &hello.encode()).await?;
        let answer: central::proto::Answer = serde_json::from_slice(&frame::read(&mut stream).await?)?;
        let hello: HelloOk = answer.into_result()??;
        // One costs the client as much as the server; said again and again it costs the server alone.
        let (_, request) = LoggingIn::start("somebody", "a guess", hello.nonce)?;
        for _ in 0..200 {
            logins += 1;
            let ask = Ask::LoginStart {
                name: format!("nobody{stormer}-{logins}"),
                request: central::proto::Bytes(request.clone()),
            };
            frame::write(&mut stream, &Request { id: logins, ask }.encode()).await?;
            frame::read(&mut stream).await?;
            if Instant::now() >= end {
                break;
            }
        }
    }
    Ok(logins)
}

async fn run(sessions: usize, seconds: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )?;
    let room = usize::try_from(limit.maximum.unwrap_or(u64::MAX).saturating_sub(OTHER_FILES))?;
    let sessions = if sessions > room {
        println!("{room} sessions instead of {sessions}: a process may have no more descriptors here");
        room
    } else {
        sessions
    };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let central = Central::start(&data, "127.0.0.1:0").await?;
    let users: Vec<User> = (0..sessions)
        .map(|number| {
            let (root, device) = (
                KeyPair::from_seed(&rand::random()),
                KeyPair::from_seed(&rand::random()),
            );
            let cert = Certificate::issue(&root, &device.public());
            User {
                name: format!("user{number}"),
                device,
                cert,
            }
        })
        .collect();
    let users = Arc::new(users);
    let before = central.memory()?;
    let (clients, took) = all_in(&central, &users).await?;
    let kib = (central.memory()? - before) as f64 / sessions as f64;
    println!(
        "{sessions} idle sessions: {kib:.1} KiB each, all new accounts there in {:.1} s",
        took.as_secs_f64()
    );

    let address = central.address.clone();
    central.stop()?;
    drop(clients);
    let central = Central::start(&data, &address).await?;
    let before = central.memory()?;
    let (clients, took) = all_in(&central, &users).await?;
    let kib = (central.memory()? - before) as f64 / sessions as f64;
    println!("{kib:.1} KiB each without their accounts");
    println!(
        "{sessions} sessions are back {:.1} s after a restart",
        took.as_secs_f64()
    );

    let quiet = p99(&clients, seconds).await?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut stormers = JoinSet::new();
    for stormer in 0..STORMERS {
        stormers.spawn(storm(central.address.clone(), central.key, stormer, end));
    }
    let loud = p99(&clients, seconds).await?;
    let mut logins = 0;
    while let Some(some) = stormers.join_next().await {
        logins += some??;
    }
    println!(
        "others' lookups, p99: {:.1} ms, and {:.1} ms in a storm of {} logins/s",
        quiet.as_secs_f64() * 1e3,
        loud.as_secs_f64() * 1e3,
        logins / seconds
    );
    drop(clients);
    central.stop()
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    if let [serve, listen, data, ready] = &args[..]
        && serve == "serve"
    {
        let args = cli::Args {
            listen: listen.clone(),
            data: Some(data.into()),
            no_mdns: true,
            ready_file: Some(ready.into()),
            verbose: 0,
        };
        return Ok(runtime.block_on(cli::run(args))?);
    }
    let number = |at: usize, usual: u64| args.get(at).map_or(Ok(usual), |text| text.parse());
    runtime.block_on(run(usize::try_from(number(0, 10_000)?)?, number(1, 5)?.max(1)))
}
