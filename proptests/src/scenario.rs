//! Runs as data: a scenario is a list of steps, one a line (docs/simulation.md has the language). Numbers of peers, albums
//! and images are taken modulo what exists when the step comes, so a list with steps left out is still a run.

use std::fmt;
use std::str::FromStr;

use crdt::fact::Role;
use engine::Strategy;

use crate::world::{Evil, Mood, Shape};

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Of latencies, losses and all that a step leaves open.
    pub seed: u64,
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// So many more persons, each with a device. `None`: strategies in turn.
    People(usize, Option<Strategy>),
    Links(Shape),
    Net(Knob, u64, u64),
    Mute(bool),
    /// Something a peer does, or that is done to it.
    Peer(usize, Act),
    Cut(usize, usize),
    Partition(Vec<usize>),
    Heal,
    Wait(u64),
    /// Faults end and all honest members become equal.
    Settle,
    /// Every honest replica shows what the plain model says, now.
    Check,
    Expect {
        peer: usize,
        album: usize,
        what: What,
        relation: Relation,
        number: u64,
    },
}

/// What may be set about the net. Chances are per cent, ranges milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    Loss,
    Duplicates,
    Flips,
    Broken,
    Fetches,
    Latency,
    Sync,
    Told,
}

/// What a peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Its person gets one more device, the next peer.
    Device,
    Create,
    /// Names everybody a member and everybody opens the album.
    Share(usize, Role),
    Open(usize),
    Grant(usize, usize, Role),
    Limit(usize, usize, Role),
    Rename(usize),
    Add(usize),
    Version(usize, usize),
    Remove(usize, usize),
    Rate(usize, usize, u64),
    Say(usize),
    /// Accepts what is held of another's ops.
    Accept(usize, usize),
    /// Its root revokes the n-th of its person's devices.
    Revoke(usize, usize),
    /// Its clock is wrong by so many days.
    Clock(i64),
    /// Dies; with a number, so many of the writes under way were durable.
    Crash(Option<usize>),
    /// Dies at the call of its store after so many more.
    CrashAt(u32),
    Start,
    Leave,
    Full,
    FullAt(u32),
    Room,
    Backup,
    Restore,
    Turn(Mood),
    Evil(Evil, usize, usize),
}

/// What of an album is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Images,
    Lines,
    Ratings,
    Ops,
    Held,
    Waiting,
    Forks,
    /// Members with a role above none.
    Members,
    /// Blobs of the album that are here.
    Blobs,
    /// What was refused or skipped since the peer started.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Equal,
    Below,
    Above,
}

/// A line that is no step.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {text:?} is no step of a scenario (docs/simulation.md)")]
pub struct Unreadable {
    pub line: usize,
    pub text: String,
}

/// Words for values, both ways.
struct Words<T: 'static>(&'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Words<T> {
    fn read(&self, word: &str) -> Option<T> {
        let found = self.0.iter().find(|(name, _)| *name == word);
        found.map(|(_, value)| *value)
    }

    fn name(&self, value: T) -> &'static str {
        let found = self.0.iter().find(|(_, of)| *of == value);
        found.map_or("?", |(name, _)| name)
    }
}

const ROLES: Words<Role> = Words(&[
    ("none", Role::None),
    ("viewer", Role::Viewer),
    ("contributor", Role::Contributor),
    ("curator", Role::Curator),
]);
const STRATEGIES: Words<Option<Strategy>> = Words(&[
    ("mixed", None),
    ("op", Some(Strategy::Op)),
    ("delta", Some(Strategy::Delta)),
    ("state", Some(Strategy::State)),
]);
const SHAPES: Words<Shape> = Words(&[
    ("all", Shape::All),
    ("chords", Shape::Chords),
    ("line", Shape::Line),
]);
const KNOBS: Words<Knob> = Words(&[
    ("loss", Knob::Loss),
    ("duplicates", Knob::Duplicates),
    ("flips", Knob::Flips),
    ("broken", Knob::Broken),
    ("fetches", Knob::Fetches),
    ("latency", Knob::Latency),
    ("sync", Knob::Sync),
    ("told", Knob::Told),
]);
const MOODS: Words<Mood> = Words(&[
    ("plain", Mood::Plain),
    ("withhold", Mood::Withhold),
    ("lie", Mood::Lie),
    ("endless", Mood::Endless),
    ("garbage", Mood::Garbage),
]);
const EVILS: Words<Evil> = Words(&[
    ("forge", Evil::Forge),
    ("steal", Evil::Steal),
    ("replay", Evil::Replay),
    ("fork", Evil::Fork),
    ("backdate", Evil::Backdate),
    ("evade", Evil::Evade),
    ("usurp", Evil::Usurp),
    ("spite", Evil::Spite),
    ("stranger", Evil::Stranger),
    ("foreign", Evil::Foreign),
    ("junk", Evil::Junk),
    ("early", Evil::Early),
    ("claim", Evil::Claim),
    ("overflow", Evil::Overflow),
    ("certify", Evil::Certify),
    ("unseat", Evil::Unseat),
    ("invite", Evil::Invite),
]);
const WHATS: Words<What> = Words(&[
    ("images", What::Images),
    ("lines", What::Lines),
    ("ratings", What::Ratings),
    ("ops", What::Ops),
    ("held", What::Held),
    ("waiting", What::Waiting),
    ("forks", What::Forks),
    ("members", What::Members),
    ("blobs", What::Blobs),
    ("refused", What::Refused),
]);
const RELATIONS: Words<Relation> = Words(&[
    ("=", Relation::Equal),
    ("<", Relation::Below),
    (">", Relation::Above),
]);

/// All evil acts and moods, for generators.
pub fn evils() -> impl Iterator<Item = Evil> {
    EVILS.0.iter().map(|(_, evil)| *evil)
}

pub fn moods() -> impl Iterator<Item = Mood> {
    MOODS.0.iter().map(|(_, mood)| *mood)
}

fn number<T: FromStr>(word: &str) -> Option<T> {
    word.parse().ok()
}

/// `p3`, `a0`, `i7`: the number after its letter.
fn tagged(letter: char, word: &str) -> Option<usize> {
    word.strip_prefix(letter).and_then(number)
}

fn peer(word: &str) -> Option<usize> {
    tagged('p', word)
}

fn album(word: &str) -> Option<usize> {
    tagged('a', word)
}

fn image(word: &str) -> Option<usize> {
    tagged('i', word)
}

impl Step {
    fn read(line: &str) -> Option<Step> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(match words[..] {
            ["people", count, strategy] => Step::People(number(count)?, STRATEGIES.read(strategy)?),
            ["links", shape] => Step::Links(SHAPES.read(shape)?),
            ["net", setting] => {
                let (knob, value) = setting.split_once('=')?;
                let (low, high) = value.split_once("..").unwrap_or((value, value));
                let (low, high) = (number(low)?, number(high)?);
                let knob = KNOBS.read(knob)?;
                let is_range = matches!(knob, Knob::Latency | Knob::Sync | Knob::Told);
                if low > high || !is_range && high > 100 {
                    return None;
                }
                Step::Net(knob, low, high)
            }
            ["mute", "on"] => Step::Mute(true),
            ["mute", "off"] => Step::Mute(false),
            ["cut", one, other] => Step::Cut(peer(one)?, peer(other)?),
            ["partition", ref group @ ..] => {
                Step::Partition(group.iter().map(|word| peer(word)).collect::<Option<_>>()?)
            }
            ["heal"] => Step::Heal,
            ["wait", ms] => Step::Wait(number(ms)?),
            ["settle"] => Step::Settle,
            ["check"] => Step::Check,
            ["expect", who, of, what, relation, count] => Step::Expect {
                peer: peer(who)?,
                album: album(of)?,
                what: WHATS.read(what)?,
                relation: RELATIONS.read(relation)?,
                number: number(count)?,
            },
            [who, ref act @ ..] => Step::Peer(peer(who)?, Act::read(act)?),
            [] => return None,
        })
    }
}

impl Act {
    fn read(words: &[&str]) -> Option<Act> {
        Some(match *words {
            ["device"] => Act::Device,
            ["create"] => Act::Create,
            ["share", of, role] => Act::Share(album(of)?, ROLES.read(role)?),
            ["open", of] => Act::Open(album(of)?),
            ["grant", of, who, role] => Act::Grant(album(of)?, peer(who)?, ROLES.read(role)?),
            ["role", of, who, role] => Act::Limit(album(of)?, peer(who)?, ROLES.read(role)?),
            ["rename", of] => Act::Rename(album(of)?),
            ["add", of] => Act::Add(album(of)?),
            ["version", of, which] => Act::Version(album(of)?, image(which)?),
            ["remove", of, which] => Act::Remove(album(of)?, image(which)?),
            ["rate", of, which, stars] => Act::Rate(album(of)?, image(which)?, number(stars)?),
            ["say", of] => Act::Say(album(of)?),
            ["accept", of, who] => Act::Accept(album(of)?, peer(who)?),
            ["revoke", of, which] => Act::Revoke(album(of)?, tagged('d', which)?),
            ["clock", days] => Act::Clock(number(days)?),
            ["crash"] => Act::Crash(None),
            ["crash", kept] => Act::Crash(Some(number(kept)?)),
            ["crash-at", calls] => Act::CrashAt(number(calls)?),
            ["start"] => Act::Start,
            ["leave"] => Act::Leave,
            ["full"] => Act::Full,
            ["full-at", writes] => Act::FullAt(number(writes)?),
            ["room"] => Act::Room,
            ["backup"] => Act::Backup,
            ["restore"] => Act::Restore,
            ["turns", mood] => Act::Turn(MOODS.read(mood)?),
            ["evil", act, of, who] => Act::Evil(EVILS.read(act)?, album(of)?, peer(who)?),
            _ => return None,
        })
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Device => write!(f, "device"),
            Act::Create => write!(f, "create"),
            Act::Share(of, role) => write!(f, "share a{of} {}", ROLES.name(*role)),
            Act::Open(of) => write!(f, "open a{of}"),
            Act::Grant(of, who, role) => write!(f, "grant a{of} p{who} {}", ROLES.name(*role)),
            Act::Limit(of, who, role) => write!(f, "role a{of} p{who} {}", ROLES.name(*role)),
            Act::Rename(of) => write!(f, "rename a{of}"),
            Act::Add(of) => write!(f, "add a{of}"),
            Act::Version(of, which) => write!(f, "version a{of} i{which}"),
            Act::Remove(of, which) => write!(f, "remove a{of} i{which}"),
            Act::Rate(of, which, stars) => write!(f, "rate a{of} i{which} {stars}"),
            Act::Say(of) => write!(f, "say a{of}"),
            Act::Accept(of, who) => write!(f, "accept a{of} p{who}"),
            Act::Revoke(of, which) => write!(f, "revoke a{of} d{which}"),
            Act::Clock(days) => write!(f, "clock {days:+}"),
            Act::Crash(None) => write!(f, "crash"),
            Act::Crash(Some(kept)) => write!(f, "crash {kept}"),
            Act::CrashAt(calls) => write!(f, "crash-at {calls}"),
            Act::Start => write!(f, "start"),
            Act::Leave => write!(f, "leave"),
            Act::Full => write!(f, "full"),
            Act::FullAt(writes) => write!(f, "full-at {writes}"),
            Act::Room => write!(f, "room"),
            Act::Backup => write!(f, "backup"),
            Act::Restore => write!(f, "restore"),
            Act::Turn(mood) => write!(f, "turns {}", MOODS.name(*mood)),
            Act::Evil(evil, of, who) => write!(f, "evil {} a{of} p{who}", EVILS.name(*evil)),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::People(count, strategy) => write!(f, "people {count} {}", STRATEGIES.name(*strategy)),
            Step::Links(shape) => write!(f, "links {}", SHAPES.name(*shape)),
            Step::Net(knob, low, high) if low == high => write!(f, "net {}={low}", KNOBS.name(*knob)),
            Step::Net(knob, low, high) => write!(f, "net {}={low}..{high}", KNOBS.name(*knob)),
            Step::Mute(on) => write!(f, "mute {}", if *on { "on" } else { "off" }),
            Step::Peer(who, act) => write!(f, "p{who} {act}"),
            Step::Cut(one, other) => write!(f, "cut p{one} p{other}"),
            Step::Partition(group) => {
                write!(f, "partition")?;
                group.iter().try_for_each(|who| write!(f, " p{who}"))
            }
            Step::Heal => write!(f, "heal"),
            Step::Wait(ms) => write!(f, "wait {ms}"),
            Step::Settle => write!(f, "settle"),
            Step::Check => write!(f, "check"),
            Step::Expect {
                peer,
                album,
                what,
                relation,
                number,
            } => {
                let (what, relation) = (WHATS.name(*what), RELATIONS.name(*relation));
                write!(f, "expect p{peer} a{album} {what} {relation} {number}")
            }
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl FromStr for Scenario {
    type Err = Unreadable;

    /// Text after `#` is for people.
    fn from_str(text: &str) -> Result<Scenario, Unreadable> {
        let (mut seed, mut steps) = (1, Vec::new());
        for (number, line) in text.lines().enumerate() {
            let words = line.split('#').next().unwrap_or_default().trim();
            if words.is_empty() {
                continue;
            }
            let seed_here = words
                .strip_prefix("seed ")
                .and_then(|word| word.trim().parse().ok());
            match (seed_here, Step::read(words)) {
                (Some(here), _) => seed = here,
                (None, Some(step)) => steps.push(step),
                (None, None) => {
                    return Err(Unreadable {
                        line: number + 1,
                        text: line.to_owned(),
                    });
                }
            }
        }
        Ok(Scenario { seed, steps })
    }
}
