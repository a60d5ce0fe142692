//! What is set, and where: a flag beats the environment, which beats config.toml, which beats the default.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Color, NodeArgs, Process, Replication};
use crate::api::{Code, Failure};
use crate::decoder::Decoder;
use crate::node::CentralChoice;
use crate::node::watchdog::Pace;

/// A value and its origin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Set<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// Nobody said anything.
    #[default]
    Default,
    /// The file.
    File(PathBuf),
    /// An environment variable.
    Env(&'static str),
    /// The command line.
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Env(name) => write!(f, "environment {name}"),
            Origin::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name in config.toml.
    pub key: &'static str,
    /// Its value, as text.
    pub value: String,
    /// Where it comes from, in words.
    pub origin: String,
}

/// Everything that can be set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Home folder.
    pub home: Set<PathBuf>,
    /// Central elsewhere; none: the embedded one.
    pub central: Set<Option<String>>,
    /// Folder of the embedded central.
    pub central_dir: Set<PathBuf>,
    /// Live replication.
    pub replication: Set<Replication>,
    /// The guard's address.
    pub listen: Set<Option<SocketAddr>>,
    /// Whether the local network is told of this node, and listened to.
    pub mdns: Set<bool>,
    /// Whether versions that others made are checked in spare time.
    pub verify: Set<bool>,
    /// Colours.
    pub color: Set<Color>,
    /// Whether images are added without where they were taken.
    pub strip_gps: Set<bool>,
    /// What this device is called.
    pub device_name: Set<String>,
    /// The file that was read, or would be.
    pub file: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    home: Option<PathBuf>,
    central: Option<String>,
    central_dir: Option<PathBuf>,
    replication: Option<Replication>,
    listen: Option<SocketAddr>,
    mdns: Option<bool>,
    verify: Option<bool>,
    color: Option<Color>,
    strip_gps: Option<bool>,
    device_name: Option<String>,
}

impl Settings {
    /// Puts everything together; `var` reads the environment, `cwd` is where relative folders start.
    ///
    /// # Errors
    /// `usage` for a file that cannot be read or understood, or an address without a port.
    pub fn read(
        process: &Process,
        node: &NodeArgs,
        cwd: &Path,
        var: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        let var = |name: &'static str| var(name).filter(|value| !value.is_empty());
        let user_home = var("HOME")
            .map(PathBuf::from)
            .unwrap_or_else(|| PathBuf::from("/"));
        let absolute = |path: PathBuf| match path.strip_prefix("~") {
            Ok(rest) => user_home.join(rest),
            Err(_) => cwd.join(path),
        };
        let xdg = |name: &'static str, under: &str| {
            var(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
                .unwrap_or_else(|| user_home.join(under))
        };
        let path = xdg("XDG_CONFIG_HOME", ".config").join("calotype/config.toml");
        let file = File::read(&path)?;
        let from_file = Origin::File(path.clone());
        let data = xdg("XDG_DATA_HOME", ".local/share").join("calotype");
        let env_text = |name| var(name).map(|v| v.to_string_lossy().into_owned());

        let home = pick(process.home.clone(), "--home")
            .or_else(|| env(var("CALOTYPE_HOME").map(PathBuf::from), "CALOTYPE_HOME"))
            .or_else(|| {
                file.home.map(|value| Set {
                    value,
                    origin: from_file.clone(),
                })
            })
            .unwrap_or_else(|| Set {
                value: data.join("home"),
                origin: Origin::Default,
            });
        let central = pick(process.central.clone(), "--central")
            .or_else(|| env(env_text("CALOTYPE_CENTRAL"), "CALOTYPE_CENTRAL"))
            .or_else(|| {
                file.central.map(|value| Set {
                    value,
                    origin: from_file.clone(),
                })
            });
        let central = match central {
            Some(set) => Set {
                value: Some(address(set.value, &set.origin)?),
                origin: set.origin,
            },
            None => Set::default(),
        };
        let central_dir = env(
            var("CALOTYPE_CENTRAL_DIR").map(PathBuf::from),
            "CALOTYPE_CENTRAL_DIR",
        )
        .or_else(|| {
            file.central_dir.map(|value| Set {
                value,
                origin: from_file.clone(),
            })
        })
        .unwrap_or_else(|| Set {
            value: data.join("central"),
            origin: Origin::Default,
        });
        let of_file = |present: bool| {
            if present {
                from_file.clone()
            } else {
                Origin::Default
            }
        };
        let replication = pick(node.replication, "--replication").unwrap_or_else(|| Set {
            value: file.replication.unwrap_or_default(),
            origin: of_file(file.replication.is_some()),
        });
        let listen = match node.listen {
            Some(address) => Set {
                value: Some(address),
                origin: Origin::Flag("--listen"),
            },
            None => Set {
                value: file.listen,
                origin: of_file(file.listen.is_some()),
            },
        };
        let mdns = match node.no_mdns {
            true => Set {
                value: false,
                origin: Origin::Flag("--no-mdns"),
            },
            false => Set {
                value: file.mdns.unwrap_or(true),
                origin: of_file(file.mdns.is_some()),
            },
        };
        let verify = Set {
            value: file.verify.unwrap_or(true),
            origin: of_file(file.verify.is_some()),
        };
        let color = pick(process.color, "--color").unwrap_or_else(|| Set {
            value: file.color.unwrap_or_default(),
            origin: of_file(file.color.is_some()),
        });
        let device_name = pick(process.device_name.clone(), "--device-name")
            .or_else(|| env(env_text("CALOTYPE_DEVICE_NAME"), "CALOTYPE_DEVICE_NAME"))
            .or_else(|| {
                file.device_name.map(|value| Set {
                    value,
                    origin: from_file.clone(),
                })
            });
        let device_name = match device_name {
            Some(set) => Set {
                value: device(&set.value, &set.origin)?,
                origin: set.origin,
            },
            None => Set {
                value: host_name(),
                origin: Origin::Default,
            },
        };
        Ok(Settings {
            home: Set {
                value: absolute(home.value),
                origin: home.origin,
            },
            central,
            central_dir: Set {
                value: absolute(central_dir.value),
                origin: central_dir.origin,
            },
            replication,
            listen,
            mdns,
            verify,
            color,
            strip_gps: Set {
                value: file.strip_gps.unwrap_or_default(),
                origin: of_file(file.strip_gps.is_some()),
            },
            device_name,
            file: path,
        })
    }

    /// Every setting, for `config show`.
    pub fn list(&self) -> Vec<Setting> {
        let line = |key, value: String, origin: &Origin| Setting {
            key,
            value,
            origin: origin.to_string(),
        };
        let or = |value: Option<String>, other: &str| value.unwrap_or_else(|| other.to_owned());
        vec![
            line("home", self.home.value.display().to_string(), &self.home.origin),
            line(
                "central",
                or(self.central.value.clone(), "embedded"),
                &self.central.origin,
            ),
            line(
                "central_dir",
                self.central_dir.value.display().to_string(),
                &self.central_dir.origin,
            ),
            line(
                "replication",
                format!("{:?}", self.replication.value).to_lowercase(),
                &self.replication.origin,
            ),
            line(
                "listen",
                or(self.listen.value.map(|a| a.to_string()), "automatic"),
                &self.listen.origin,
            ),
            line("mdns", self.mdns.value.to_string(), &self.mdns.origin),
            line("verify", self.verify.value.to_string(), &self.verify.origin),
            line(
                "color",
                format!("{:?}", self.color.value).to_lowercase(),
                &self.color.origin,
            ),
            line(
                "strip_gps",
                self.strip_gps.value.to_string(),
                &self.strip_gps.origin,
            ),
            line(
                "device_name",
                self.device_name.value.clone(),
                &self.device_name.origin,
            ),
        ]
    }

    /// What a node of this home is started with.
    pub fn node(&self, lock_wait: Duration) -> crate::node::Config {
        crate::node::Config {
            home: self.home.value.clone(),
            decoder: Decoder::own(),
            central: match &self.central.value {
                Some(address) => CentralChoice::Address(address.clone()),
                None => CentralChoice::Embedded {
                    dir: self.central_dir.value.clone(),
                },
            },
            listen: self.listen.value,
            device_name: self.device_name.value.clone(),
            replication: self.replication.value.into(),
            lock_wait,
            mdns: self.mdns.value,
            verify: self.verify.value,
            anti_entropy: std::env::var_os("CALOTYPE_TEST_GOSSIP_ONLY").is_none(),
            watchdog: watchdog(std::env::var("CALOTYPE_TEST_WATCHDOG").ok().as_deref()),
        }
    }
}

/// The watchdog's pace, `PERIOD_MS:TICKS` in tests.
fn watchdog(test: Option<&str>) -> Pace {
    let given = test.and_then(|text| text.split_once(':'));
    let given = given.and_then(|(period, ticks)| Some((period.parse().ok()?, ticks.parse().ok()?)));
    given.map_or_else(Pace::default, |(ms, ticks)| Pace {
        period: Duration::from_millis(ms),
        ticks,
    })
}

impl File {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(Self::default());
            }
            Err(e) => {
                let why = format!("cannot read {}: {e}", path.display());
                return Err(Failure::new(
                    Code::Usage,
                    why,
                    "make it readable, or move it away",
                ));
            }
        };
        toml::from_str(&text).map_err(|wrong| {
            let line = wrong
                .span()
                .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            Failure::new(
                Code::Usage,
                format!("{}, line {line}: {}", path.display(), wrong.message()),
                "its keys are home, central, central_dir, replication, listen, mdns, verify, color, strip_gps and device_name",
            )
        })
    }
}

fn pick<T>(value: Option<T>, flag: &'static str) -> Option<Set<T>> {
    value.map(|value| Set {
        value,
        origin: Origin::Flag(flag),
    })
}

fn env<T>(value: Option<T>, name: &'static str) -> Option<Set<T>> {
    value.map(|value| Set {
        value,
        origin: Origin::Env(name),
    })
}

/// A device's name in its one spelling, or a failure that says where the wrong one stands.
fn device(text: &str, origin: &Origin) -> Result<String, Failure> {
    crdt::name::album_name(text).map_err(|error| {
        Failure::new(
            Code::Usage,
            format!("{text:?} cannot be a device's name ({origin}): {error}"),
            "for example: laptop",
        )
    })
}

/// The machine's name without its domain, where that is a name.
fn host_name() -> String {
    let system = rustix::system::uname();
    let full = system.nodename().to_string_lossy();
    let host = full.split('.').next().unwrap_or_default();
    crdt::name::album_name(host).unwrap_or_else(|_| "device".to_owned())
}

/// `HOST:PORT`, or a failure that says where the wrong one stands.
fn address(text: String, origin: &Origin) -> Result<String, Failure> {
    let fits = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0));
    if fits {
        return Ok(text);
    }
    let why = format!(
        "\"{}\" is no address of a central ({origin})",
        text.escape_debug()
    );
    Err(Failure::new(
        Code::Usage,
        why,
        "write it as HOST:PORT, for example 127.0.0.1:7400",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(process: &Process, file: Option<&str>, vars: &[(&str, &str)]) -> Result<Settings, Failure> {
        let dir = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            std::fs::create_dir_all(dir.path().join("calotype")).unwrap();
            std::fs::write(dir.path().join("calotype/config.toml"), text).unwrap();
        }
        let var = |name: &str| match name {
            "XDG_CONFIG_HOME" => Some(dir.path().as_os_str().to_owned()),
            "HOME" => Some("/home/alice".into()),
            _ => vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()),
        };
        Settings::read(process, &NodeArgs::default(), Path::new("/here"), &var)
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let file = Some("home = \"~/from-file\"\ncolor = \"never\"");
        let env = [("CALOTYPE_HOME", "from-env")];
        let flag = Process {
            home: Some("from-flag".into()),
            ..Process::default()
        };
        let check = |s: Settings, value: &str, origin: &str| {
            assert_eq!(s.home.value, Path::new(value));
            assert!(s.home.origin.to_string().ends_with(origin), "{}", s.home.origin);
        };
        check(read(&flag, file, &env).unwrap(), "/here/from-flag", "flag --home");
        check(
            read(&Process::default(), file, &env).unwrap(),
            "/here/from-env",
            "environment CALOTYPE_HOME",
        );
        check(
            read(&Process::default(), file, &[]).unwrap(),
            "/home/alice/from-file",
            "config.toml",
        );
        check(
            read(&Process::default(), None, &[]).unwrap(),
            "/home/alice/.local/share/calotype/home",
            "default",
        );
        check(
            read(&Process::default(), None, &[("XDG_DATA_HOME", "/data")]).unwrap(),
            "/data/calotype/home",
            "default",
        );
        let s = read(&Process::default(), file, &[("CALOTYPE_HOME", "")]).unwrap();
        assert_eq!(s.home.value, Path::new("/home/alice/from-file"));
        assert_eq!(s.color.value, Color::Never);
    }

    #[test]
    fn wrong_settings_say_where_they_stand() {
        let check = |file: Option<&str>, vars: &[(&str, &str)], message: &str| {
            let failure = read(&Process::default(), file, vars).unwrap_err();
            assert_eq!(failure.code, Code::Usage);
            assert!(failure.message.contains(message), "{}", failure.message);
        };
        check(
            Some("hone = \"x\""),
            &[],
            "config.toml, line 1: unknown field `hone`",
        );
        check(Some("color = \"never\"\ncolor = "), &[], "line 2");
        check(Some("color = \"pink\""), &[], "unknown variant `pink`");
        check(Some("strip_gps = 1"), &[], "expected a boolean");
        check(
            Some("central = \"nowhere\""),
            &[],
            "\"nowhere\" is no address of a central",
        );
        check(
            None,
            &[("CALOTYPE_CENTRAL", "h:0")],
            "(environment CALOTYPE_CENTRAL)",
        );
        let long = "x".repeat(65);
        check(
            None,
            &[("CALOTYPE_DEVICE_NAME", &long)],
            "cannot be a device's name",
        );
        check(
            Some("device_name = \"a\\u001bb\""),
            &[],
            "cannot be a device's name",
        );
    }

    #[test]
    fn the_list_names_every_key() {
        let name = [("CALOTYPE_DEVICE_NAME", "laptop")];
        let list = read(&Process::default(), None, &name).unwrap().list();
        let text: Vec<String> = list
            .iter()
            .map(|s| format!("{}={} ({})", s.key, s.value, s.origin))
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        home=/home/alice/.local/share/calotype/home (default)
        central=embedded (default)
        central_dir=/home/alice/.local/share/calotype/central (default)
        replication=op (default)
        listen=automatic (default)
        mdns=true (default)
        verify=true (default)
        color=auto (default)
        strip_gps=false (default)
        device_name=laptop (environment CALOTYPE_DEVICE_NAME)
        ");
    }
}
