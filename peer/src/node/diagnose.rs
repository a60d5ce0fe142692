//! What follows from what `doctor` saw: which of it keeps this node from meeting others, why, and what to do. Pure.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use net::DialError;

use super::run::rfc3339;
use crate::api::{Diagnosis, Finding, Looked};

/// Clocks that are this far apart are told, milliseconds. Nothing here is decided by a clock, but times of chat and
/// images are shown by their authors' ones.
pub(super) const CLOCK_APART_MS: u64 = 120_000;
/// Free bytes of the home's disk below which its end is near.
pub(super) const DISK_FREE_MIN: u64 = 64 * 1024 * 1024;
/// Files that a node may need open: a hundred links of five each, and the rest.
pub(super) const FILES_MIN: u64 = 640;

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) account: Who,
    /// Bytes free on the home's disk, and bytes of images still to come.
    pub(super) disk: Option<(u64, u64)>,
    /// Files that this process may have open.
    pub(super) files: Option<u64>,
    /// Where the guard listens.
    pub(super) listens: Option<SocketAddr>,
    /// What came of dialling the guard at the addresses that others are given.
    pub(super) own: Vec<(SocketAddr, Result<(), DialError>)>,
    pub(super) central: Central,
    /// Where the central was told to find this very device, besides here.
    pub(super) elsewhere: Vec<String>,
    /// Lists and addresses of the central's that nobody signed.
    pub(super) unsigned: u64,
    pub(super) members: Vec<Member>,
}

/// Who this home is.
#[derive(Debug, Default)]
pub(super) enum Who {
    /// No account yet.
    #[default]
    Nobody,
    /// The account is there and logged out.
    Out(String),
    /// Logged in.
    In(String),
}

/// What became of the central.
#[derive(Debug, Default)]
pub(super) enum Central {
    /// Not asked.
    #[default]
    Unasked,
    /// There is a connection, and a session if `refused` is none.
    Up {
        address: String,
        /// Program and version.
        server: String,
        ahead_ms: Option<i64>,
        /// Why there is no session.
        refused: Option<String>,
        /// Whether it calls somebody else by this home's account name.
        another: bool,
    },
    /// Nobody there.
    Away { address: String, why: String },
    /// Another key than before.
    Key { address: String },
    /// It says what this program does not understand.
    Strange { address: String, why: String },
}

/// Another member of an album here.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) meets: Meets,
    /// When a link was last up, milliseconds since 1970.
    pub(super) seen: Option<u64>,
    /// Whether the central knows where he is now; none where it was not asked.
    pub(super) announced: Option<bool>,
    /// What was refused of his devices, by kind.
    pub(super) refused: BTreeMap<String, u64>,
}

/// Whether a member and this node meet.
#[derive(Debug)]
pub(super) enum Meets {
    /// They do.
    Linked,
    /// A person here does not want it.
    Blocked,
    /// No device of his is known.
    Unknown,
    /// A device is known, no address.
    Nowhere,
    /// What came of each address.
    Tried(Vec<(SocketAddr, DialError)>),
}

/// Kinds of refusals that a program of another version causes.
const NEWER: [&str; 5] = [
    "op_version",
    "op_fact",
    "gossip_unknown",
    "request_form",
    "stream_kind",
];

/// Finds out.
pub(super) fn diagnose(facts: &Facts) -> Diagnosis {
    let mut it = Diagnosis::default();
    account(facts, &mut it);
    machine(facts, &mut it);
    listens(facts, &mut it);
    central(facts, &mut it);
    for member in &facts.members {
        meets(member, facts, &mut it);
    }
    if facts.members.is_empty() && matches!(facts.account, Who::In(_)) {
        it.well("member", "your albums have no other members yet".into());
    }
    it.healthy = it.findings.is_empty();
    it
}

impl Diagnosis {
    fn well(&mut self, check: &str, what: String) {
        self.well.push(Looked {
            check: check.into(),
            what,
        });
    }

    fn find(
        &mut self,
        (check, kind): (&str, &str),
        about: Option<&str>,
        (what, why, next): (String, String, String),
    ) {
        self.findings.push(Finding {
            check: check.into(),
            kind: kind.into(),
            about: about.map(str::to_owned),
            what,
            why,
            next,
        });
    }
}

fn account(facts: &Facts, it: &mut Diagnosis) {
    match &facts.account {
        Who::In(name) => it.well("account", format!("logged in as {name}")),
        Who::Out(name) => it.find(
            ("account", "logged-out"),
            Some(name),
            (
                format!("{name} is logged out"),
                "a node links with others only while somebody is logged in".into(),
                format!("/login {name}"),
            ),
        ),
        Who::Nobody => it.find(
            ("account", "nobody"),
            None,
            (
                "this home has no account".into(),
                "members know each other by their accounts' keys".into(),
                "/register NAME".into(),
            ),
        ),
    }
}

fn machine(facts: &Facts, it: &mut Diagnosis) {
    if let Some((free, wanted)) = facts.disk {
        let short = free < DISK_FREE_MIN.max(wanted);
        let free = crate::ui::bytes(free);
        match short {
            true => it.find(
                ("disk", "full"),
                None,
                (
                    format!("the home's disk has {free} left"),
                    match wanted {
                        0 => "what comes from others needs room".into(),
                        wanted => format!("images of {} are still to come", crate::ui::bytes(wanted)),
                    },
                    "free some space; nothing that is here is lost".into(),
                ),
            ),
            false => it.well("disk", "there is room on the home's disk".into()),
        }
    }
    match facts.files {
        Some(files) if files < FILES_MIN => it.find(
            ("files", "few"),
            None,
            (
                format!("this process may have {files} files open"),
                format!("a hundred links and an album need about {FILES_MIN}"),
                format!("raise the limit before starting: ulimit -n {FILES_MIN}"),
            ),
        ),
        Some(_) => it.well("files", "enough files may be open".into()),
        None => {}
    }
}

fn listens(facts: &Facts, it: &mut Diagnosis) {
    let Some(listens) = facts.listens else {
        return;
    };
    let outside = |address: &SocketAddr| !address.ip().is_loopback();
    let tried = |member: &Member| match &member.meets {
        Meets::Tried(tried) => tried.iter().any(|(address, _)| outside(address)),
        _ => false,
    };
    let others = facts.members.iter().any(tried);
    match listens.ip().is_loopback() && others {
        true => it.find(
            ("listen", "loopback"),
            Some(&listens.to_string()),
            (
                format!("this node listens on {listens} only"),
                "members on other machines cannot reach that address".into(),
                "start it with --listen 0.0.0.0:0, or set listen in config.toml".into(),
            ),
        ),
        false => it.well("listen", format!("listening on {listens}")),
    }
    for (address, came) in &facts.own {
        let Err(error) = came else {
            it.well("port", format!("{address} leads here"));
            continue;
        };
        let (what, why) = match error {
            DialError::Refused => ("is refused", "nothing listens there, or a firewall rejects it"),
            DialError::Another(_) => ("leads to another program", "it did not prove this device's key"),
            _ => (
                "does not answer",
                "a firewall of this machine drops what is sent there",
            ),
        };
        it.find(
            ("port", "own"),
            Some(&address.to_string()),
            (
                format!("this node's own address {address} {what}"),
                format!("{why} ({error}); members are given this address"),
                format!("open TCP port {} in this machine's firewall", address.port()),
            ),
        );
    }
}

fn central(facts: &Facts, it: &mut Diagnosis) {
    match &facts.central {
        Central::Unasked => {}
        Central::Up {
            address,
            server,
            ahead_ms,
            refused,
            another,
        } => {
            it.well("central", format!("{server} at {address}"));
            if *another {
                it.find(
                    ("key", "another-account"),
                    Some(address),
                    (
                        "the central has another account of your name".into(),
                        "it lost its accounts and somebody else took the name, or it lies".into(),
                        "ask who runs it; members go on knowing you by your key".into(),
                    ),
                );
            } else if let Some(why) = refused {
                it.find(
                    ("central", "no-session"),
                    Some(address),
                    (
                        "the central does not let this device in".into(),
                        why.clone(),
                        "/login NAME asks for the password and tells more".into(),
                    ),
                );
            }
            if let Some(ahead) = ahead_ms {
                clock(*ahead, it);
            }
        }
        Central::Away { address, why } => it.find(
            ("central", "away"),
            Some(address),
            (
                format!("the central at {address} cannot be reached"),
                why.clone(),
                "is it running, and is its port open? Members who know each other's address go on without it"
                    .into(),
            ),
        ),
        Central::Key { address } => it.find(
            ("key", "central"),
            Some(address),
            (
                format!("the central at {address} has another key than before"),
                "it was set up anew, or somebody else answers at its address".into(),
                "ask who runs it for the six words of its key, then: /central trust WORDS".into(),
            ),
        ),
        Central::Strange { address, why } => it.find(
            ("version", "central"),
            Some(address),
            (
                format!("the central at {address} speaks another language"),
                why.clone(),
                "use programs of the same version on both machines".into(),
            ),
        ),
    }
    if facts.unsigned > 0 {
        it.find(
            ("key", "unsigned"),
            None,
            (
                "the central handed out what nobody signed".into(),
                format!(
                    "{} lists or addresses were refused; no honest central makes them up",
                    facts.unsigned
                ),
                "ask who runs it; your albums do not rely on it".into(),
            ),
        );
    }
    if !facts.elsewhere.is_empty() {
        let where_ = facts.elsewhere.join(", ");
        it.find(
            ("copy", "two-homes"),
            Some(&where_),
            (
                format!("this device is also at {where_}"),
                "a copy of this home runs there: members link with one of the two only".into(),
                "end one of them; for a second machine use a home of its own".into(),
            ),
        );
    }
}

fn clock(ahead_ms: i64, it: &mut Diagnosis) {
    if ahead_ms.unsigned_abs() < CLOCK_APART_MS {
        return it.well("clock", "the central's clock and this one agree".into());
    }
    let minutes = ahead_ms.unsigned_abs() / 60_000;
    let (here, there) = match ahead_ms > 0 {
        true => ("behind", "ahead"),
        false => ("ahead", "behind"),
    };
    it.find(
        ("clock", "apart"),
        None,
        (
            format!("this machine's clock is {minutes} min {here} of the central's"),
            format!("one of the two is wrong; what you write is shown to others {minutes} min {there} of what they see"),
            "let the machine set its clock by the network (NTP)".into(),
        ),
    );
}

fn meets(member: &Member, facts: &Facts, it: &mut Diagnosis) {
    let name = &member.name;
    let newer = NEWER
        .iter()
        .filter_map(|kind| Some((kind, member.refused.get(*kind)?)));
    if let Some((kind, count)) = newer.max_by_key(|(_, count)| **count) {
        it.find(
            ("version", "member"),
            Some(name),
            (
                format!("{name} says what this program does not understand"),
                format!("{count} times {kind}: the program there is newer, or this one is"),
                "use programs of the same version on both machines".into(),
            ),
        );
    }
    let last = match member.seen {
        Some(ms) => format!(
            "last linked {}",
            rfc3339(ms).get(..16).unwrap_or_default().replace('T', " ")
        ),
        None => "never linked".into(),
    };
    let mut find = |kind: &str, texts: (String, String, String)| it.find(("member", kind), Some(name), texts);
    match &member.meets {
        Meets::Linked => it.well("member", format!("{name} is linked")),
        Meets::Blocked => find(
            "blocked",
            (
                format!("you have blocked {name}"),
                "this node refuses links with blocked members".into(),
                format!("/unblock {name}"),
            ),
        ),
        Meets::Unknown => find(
            "unknown",
            (
                format!("{name} has not been seen yet"),
                "neither the central nor another member has told of a device of that member".into(),
                format!(
                    "ask {name} to log in once; a central that both can reach, or a common member, introduces you"
                ),
            ),
        ),
        Meets::Nowhere => find(
            "nowhere",
            (
                format!("nobody knows where {name} is"),
                match member.announced {
                    Some(false) => {
                        format!("the central knows no address now, so calotype does not run there ({last})")
                    }
                    _ => format!("no address was ever told ({last})"),
                },
                format!("ask {name} to start calotype"),
            ),
        ),
        Meets::Tried(tried) => {
            // A node gives out loopback too, for others on its machine: that tells nothing where it has another address.
            // Of the rest the most that was reached tells the most.
            let key =
                |(address, error): &(SocketAddr, DialError)| (!address.ip().is_loopback(), reach(error));
            let Some((address, error)) = tried.iter().max_by_key(|tried| key(tried)) else {
                return;
            };
            let (kind, what, why, next) = unmet(member, facts, *address, error);
            find(kind, (what, format!("{why} ({last})"), next));
        }
    }
}

/// How far a try came.
fn reach(error: &DialError) -> u8 {
    match error {
        DialError::NoWay(_) => 0,
        DialError::Silent => 1,
        DialError::Refused => 2,
        DialError::Another(_) => 3,
        DialError::Stuck => 4,
        DialError::Unwelcome(_) => 5,
        DialError::Unwanted(_) => 6,
    }
}

type Unmet = (&'static str, String, String, String);

fn unmet(member: &Member, facts: &Facts, address: SocketAddr, error: &DialError) -> Unmet {
    let name = &member.name;
    let ask = || format!("ask {name} to start calotype, and what `calotype doctor` says there");
    let theirs_is_loopback =
        address.ip().is_loopback() && facts.listens.is_some_and(|listens| !listens.ip().is_loopback());
    match error {
        DialError::Refused | DialError::Silent | DialError::Another(_) if theirs_is_loopback => (
            "loopback",
            format!("{name} gives out {address}, an address of one machine only"),
            "calotype there listens on loopback".into(),
            format!("ask {name} to start it with --listen 0.0.0.0:0"),
        ),
        DialError::Refused if member.announced == Some(false) => (
            "away",
            format!("{name} is away: nothing listens at {address} any more"),
            "the central does not know where that member is now, so calotype does not run there".into(),
            format!("ask {name} to start calotype"),
        ),
        DialError::Refused => (
            "refused",
            format!("{name}: {address} refuses connections"),
            "the machine is there, but nothing listens on that port, or a firewall rejects it".into(),
            ask(),
        ),
        DialError::Silent => (
            "silent",
            format!("{name}: nothing comes back from {address}"),
            "the machine is off or in another network, or a firewall drops what is sent there".into(),
            format!("are both in one network? Open TCP port {} where {name} is", address.port()),
        ),
        DialError::NoWay(why) => (
            "no-way",
            format!("{name}: there is no way to {address}"),
            format!("this machine's network says: {why}"),
            "is the network up? Is the address one of your network?".into(),
        ),
        DialError::Another(why) => (
            "another",
            format!("{name}: somebody else answers at {address}"),
            format!("what listens there did not prove {name}'s key ({why}): the address is another machine's or program's by now"),
            ask(),
        ),
        DialError::Stuck => (
            "stuck",
            format!("{name}: {address} takes the connection and says nothing"),
            "calotype there hangs, or something in between (a proxy, a firewall) holds what is sent".into(),
            format!("ask {name} to start calotype again"),
        ),
        DialError::Unwelcome(reason) if reason.is_empty() => (
            "unwelcome",
            format!("{name} closes every link of this device without a word"),
            "that is what a node does with a device that it has blocked, or that it cut three times for faults".into(),
            format!("ask {name} for /unblock, or wait an hour"),
        ),
        DialError::Unwelcome(reason) => (
            "unwelcome",
            format!("{name} refuses this device: {}", crate::ui::clean(reason)),
            "the album there may not have heard yet that you are a member, or that you are one no longer".into(),
            "/members tells who let you in: that member has to meet both of you once".into(),
        ),
        DialError::Unwanted("banned_link") => (
            "banned",
            format!("this node cut {name} three times and waits an hour"),
            format!("it was sent what no honest program sends: {}", kinds(&member.refused)),
            format!("wait; if it goes on, /block {name}, or tell {name}"),
        ),
        DialError::Unwanted("links_full") => (
            "full",
            format!("no room for a link with {name}"),
            "this node has a hundred links already".into(),
            "it comes when another ends".into(),
        ),
        DialError::Unwanted(kind) => (
            "unwanted",
            format!("this node does not link with {name}: {kind}"),
            "no album here lets that device in".into(),
            "/members tells who is one; an album that has not arrived yet may change that".into(),
        ),
    }
}

fn kinds(refused: &BTreeMap<String, u64>) -> String {
    let all = refused.iter().map(|(kind, count)| format!("{count} {kind}"));
    match refused.is_empty() {
        true => "see /status".into(),
        false => all.collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: &str = "192.0.2.9:40124";

    fn well() -> Facts {
        Facts {
            account: Who::In("alice".into()),
            disk: Some((1 << 40, 0)),
            files: Some(4096),
            listens: Some("0.0.0.0:40123".parse().unwrap()),
            own: vec![("192.0.2.8:40123".parse().unwrap(), Ok(()))],
            central: up(Some(0)),
            members: vec![bob(Meets::Linked)],
            ..Facts::default()
        }
    }

    fn up(ahead_ms: Option<i64>) -> Central {
        Central::Up {
            address: "192.0.2.7:7440".into(),
            server: "calotype-central 0.1.0".into(),
            ahead_ms,
            refused: None,
            another: false,
        }
    }

    fn bob(meets: Meets) -> Member {
        Member {
            name: "bob".into(),
            meets,
            seen: Some(1_795_305_600_000),
            announced: Some(true),
            refused: BTreeMap::new(),
        }
    }

    fn tried(error: DialError) -> Meets {
        Meets::Tried(vec![(AWAY.parse().unwrap(), error)])
    }

    /// `check/kind` of each finding.
    fn found(facts: &Facts) -> Vec<String> {
        let it = diagnose(facts);
        assert_eq!(it.healthy, it.findings.is_empty());
        for finding in &it.findings {
            assert!(
                !finding.what.is_empty() && !finding.why.is_empty() && !finding.next.is_empty(),
                "{finding:?}"
            );
        }
        let words = it.findings.iter().map(|it| format!("{}/{}", it.check, it.kind));
        words.collect()
    }

    #[test]
    fn all_is_well() {
        let it = diagnose(&well());
        assert_eq!(it.findings, []);
        let checks: Vec<&str> = it.well.iter().map(|it| &*it.check).collect();
        let expect = [
            "account", "disk", "files", "listen", "port", "central", "clock", "member",
        ];
        assert_eq!(checks, expect);
    }

    /// One thing is wrong at a time, and that is found and nothing else.
    #[test]
    fn each_cause_has_its_finding() {
        let refused = |kind: &str| Member {
            refused: BTreeMap::from([(kind.to_owned(), 3)]),
            ..bob(Meets::Linked)
        };
        let of = |change: &dyn Fn(&mut Facts)| {
            let mut facts = well();
            change(&mut facts);
            found(&facts)
        };
        let central = |central: Central| {
            let mut facts = well();
            facts.central = central;
            found(&facts)
        };
        let (address, why) = (|| "192.0.2.7:7440".to_owned(), || "x".to_owned());
        assert_eq!(of(&|facts| facts.account = Who::Nobody), ["account/nobody"]);
        assert_eq!(
            of(&|facts| facts.account = Who::Out("alice".into())),
            ["account/logged-out"]
        );
        assert_eq!(of(&|facts| facts.unsigned = 1), ["key/unsigned"]);
        assert_eq!(
            of(&|facts| facts.elsewhere = vec![AWAY.into()]),
            ["copy/two-homes"]
        );
        assert_eq!(
            of(&|facts| facts.members = vec![refused("op_version")]),
            ["version/member"]
        );
        assert_eq!(
            of(&|facts| facts.members = vec![refused("gossip_denied")]),
            [""; 0]
        );
        for error in [DialError::Refused, DialError::Silent, DialError::Another(why())] {
            let own = vec![("192.0.2.8:40123".parse().unwrap(), Err(error))];
            assert_eq!(of(&|facts| facts.own.clone_from(&own)), ["port/own"]);
        }
        assert_eq!(
            central(Central::Away {
                address: address(),
                why: why()
            }),
            ["central/away"]
        );
        assert_eq!(central(Central::Key { address: address() }), ["key/central"]);
        assert_eq!(
            central(Central::Strange {
                address: address(),
                why: why()
            }),
            ["version/central"]
        );
    }

    /// Refused, no answer, and somebody else there are three different stories.
    #[test]
    fn a_member_who_is_not_met_is_not_met_for_a_reason() {
        let of = |meets| {
            let mut facts = well();
            facts.members = vec![bob(meets)];
            found(&facts)
        };
        assert_eq!(of(Meets::Blocked), ["member/blocked"]);
        assert_eq!(of(Meets::Unknown), ["member/unknown"]);
        assert_eq!(of(Meets::Nowhere), ["member/nowhere"]);
        for (error, kind) in [
            (DialError::Refused, "member/refused"),
            (DialError::Silent, "member/silent"),
            (DialError::NoWay("x".into()), "member/no-way"),
            (DialError::Another("x".into()), "member/another"),
            (DialError::Stuck, "member/stuck"),
            (DialError::Unwelcome(String::new()), "member/unwelcome"),
            (
                DialError::Unwelcome("the device may not be here".into()),
                "member/unwelcome",
            ),
            (DialError::Unwanted("banned_link"), "member/banned"),
            (DialError::Unwanted("links_full"), "member/full"),
            (DialError::Unwanted("unknown_key"), "member/unwanted"),
        ] {
            assert_eq!(of(tried(error)), [kind]);
        }
        // Of several addresses the one that came farthest tells.
        let two = Meets::Tried(vec![
            (AWAY.parse().unwrap(), DialError::Refused),
            ("192.0.2.10:1".parse().unwrap(), DialError::Silent),
        ]);
        assert_eq!(of(two), ["member/refused"]);
        let with_loopback = Meets::Tried(vec![
            ("127.0.0.1:1".parse().unwrap(), DialError::Refused),
            (AWAY.parse().unwrap(), DialError::Silent),
        ]);
        assert_eq!(of(with_loopback), ["member/silent"]);
    }

    /// Bob's calotype is not running: the central knows no address of his any more.
    #[test]
    fn who_is_not_there_is_no_firewall() {
        let mut facts = well();
        facts.members = vec![Member {
            announced: Some(false),
            ..bob(tried(DialError::Refused))
        }];
        assert_eq!(found(&facts), ["member/away"]);
        facts.members[0].announced = None;
        assert_eq!(found(&facts), ["member/refused"]);
    }

    #[test]
    fn a_loopback_address_is_told_on_the_side_that_has_it() {
        let mut facts = well();
        facts.members = vec![bob(tried(DialError::Silent))];
        facts.listens = Some("127.0.0.1:40123".parse().unwrap());
        assert_eq!(found(&facts), ["listen/loopback", "member/silent"]);
        let theirs = Meets::Tried(vec![("127.0.0.1:9".parse().unwrap(), DialError::Refused)]);
        facts.members = vec![bob(theirs)];
        assert_eq!(found(&facts), ["member/refused"], "both are on one machine");
        facts.listens = Some("192.0.2.8:40123".parse().unwrap());
        assert_eq!(found(&facts), ["member/loopback"]);
    }

    #[test]
    fn limits_are_at_their_names() {
        let of = |change: &dyn Fn(&mut Facts)| {
            let mut facts = well();
            change(&mut facts);
            found(&facts)
        };
        let apart = CLOCK_APART_MS as i64;
        for (ahead, is_apart) in [
            (apart, true),
            (-apart, true),
            (apart - 1, false),
            (1 - apart, false),
            (i64::MIN, true),
        ] {
            let expect = if is_apart { vec!["clock/apart"] } else { vec![] };
            assert_eq!(of(&|facts| facts.central = up(Some(ahead))), expect, "{ahead}");
        }
        assert_eq!(of(&|facts| facts.central = up(None)), [""; 0]);
        assert_eq!(of(&|facts| facts.disk = Some((DISK_FREE_MIN, 0))), [""; 0]);
        assert_eq!(
            of(&|facts| facts.disk = Some((DISK_FREE_MIN - 1, 0))),
            ["disk/full"]
        );
        let much = 10 * DISK_FREE_MIN;
        assert_eq!(of(&|facts| facts.disk = Some((much, much))), [""; 0]);
        assert_eq!(of(&|facts| facts.disk = Some((much - 1, much))), ["disk/full"]);
        assert_eq!(of(&|facts| facts.files = Some(FILES_MIN)), [""; 0]);
        assert_eq!(of(&|facts| facts.files = Some(FILES_MIN - 1)), ["files/few"]);
    }

    /// What a peer says in his goodbye is shown, without what acts on a terminal.
    #[test]
    fn a_goodbye_does_not_act_on_a_terminal() {
        let mut facts = well();
        facts.members = vec![bob(tried(DialError::Unwelcome("\u{1b}[2J\u{202e}no".into())))];
        let it = diagnose(&facts);
        assert!(!it.findings[0].what.contains(['\u{1b}', '\u{202e}']));
    }
}
