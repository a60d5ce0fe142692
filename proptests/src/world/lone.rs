//! One engine of Alice's and a script in the place of everyone else: Bob, a member who may lie.

use std::collections::BTreeMap;

use crdt::fact::Role;
use crdt::id::{AlbumId, Incarnation, PublicKey};
use engine::wire::{Call, Epoch, decode_call, encode_answer, encode_call, encode_message};
use engine::{Action, AskId, CallId, Config, Engine, Event, FetchId, Me, Strategy};

use super::people;

/// The engine, its time, and what it has asked.
pub struct Lone {
    pub engine: Engine,
    pub now: u64,
    pub album: AlbumId,
    calls: u64,
    seq: u64,
}

impl Default for Lone {
    fn default() -> Lone {
        Lone::new()
    }
}

impl Lone {
    /// Alice's album with Bob as a curator, linked.
    pub fn new() -> Lone {
        Lone::with(Strategy::Op)
    }

    /// The same with another strategy.
    pub fn with(strategy: Strategy) -> Lone {
        let mut engine = Engine::new(
            Config {
                strategy,
                anti_entropy: true,
            },
            [1; 32],
        );
        let author = people::device(b'a', Incarnation([1; 16]));
        engine.sign_in(Some(Me {
            author,
            name: "alice".to_owned(),
        }));
        let (album, _) = engine.create("trip", people::AT).unwrap();
        let mut lone = Lone {
            engine,
            now: 0,
            album,
            calls: 0,
            seq: 0,
        };
        lone.engine
            .edit(0, album, vec![people::grant(b'b', Role::Curator)], vec![])
            .unwrap();
        // The first round finds nothing to tell.
        let actions = lone.link(b'b');
        let here = lone.engine.album(&album).unwrap();
        let roots = encode_answer::roots(here.heads_root(), here.facts_root());
        for (ask, _) in asks(&actions) {
            lone.answer(ask, vec![roots.clone()], true);
        }
        lone
    }

    pub fn link(&mut self, person: u8) -> Vec<Action> {
        let certificate = people::certificate(person);
        self.feed(Event::LinkUp {
            peer: certificate.device,
            certificate,
        })
    }

    /// What the engine does; its writes succeed at once.
    pub fn feed(&mut self, event: Event) -> Vec<Action> {
        self.engine.handle(self.now, event);
        self.drain()
    }

    pub fn drain(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(action) = self.engine.poll() {
            if let Action::Persist { token, .. } = &action {
                self.engine.handle(self.now, Event::Persisted { token: *token });
            }
            actions.push(action);
        }
        self.engine.check_invariants();
        assert!(
            self.engine.next_timer().is_none_or(|due| due > self.now),
            "due at once: a hot loop"
        );
        actions
    }

    /// So many milliseconds pass, timer by timer.
    pub fn wait(&mut self, ms: u64) -> Vec<Action> {
        let until = self.now + ms;
        let mut actions = Vec::new();
        while let Some(due) = self.engine.next_timer().filter(|due| *due <= until) {
            self.now = due;
            actions.extend(self.feed(Event::Tick));
        }
        self.now = until;
        actions
    }

    /// Bob's gossip, with these ops.
    pub fn gossip(&mut self, heads: crdt::id::Digest, ops: &[std::sync::Arc<crdt::op::Op>]) -> Vec<Action> {
        self.seq += 1;
        let payload = encode_message(Epoch([9; 8]), self.seq, &heads, ops);
        self.feed(Event::Gossip {
            album: self.album,
            from: bob(),
            payload,
        })
    }

    /// Bob asks; what he is answered.
    pub fn call(&mut self, call: &Call) -> Vec<Vec<u8>> {
        let body = encode_call(call);
        self.call_raw(body)
    }

    pub fn call_raw(&mut self, body: Vec<u8>) -> Vec<Vec<u8>> {
        self.calls += 1;
        let call = CallId(self.calls);
        let actions = self.feed(Event::Called {
            call,
            peer: bob(),
            body,
        });
        let answers = actions.into_iter().filter_map(|action| match action {
            Action::Answer { call: of, frames } if of == call => Some(frames),
            _ => None,
        });
        answers.last().unwrap_or_default()
    }

    /// Answers a request with these frames and ends it.
    pub fn answer(&mut self, ask: AskId, frames: Vec<Vec<u8>>, whole: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        for frame in frames {
            actions.extend(self.feed(Event::Frame { ask, frame }));
        }
        actions.extend(self.feed(Event::Ended { ask, whole }));
        actions
    }

    /// Answers every request as `bob_says`, for so many milliseconds; how many there were, by kind.
    pub fn talk(
        &mut self,
        ms: u64,
        first: Vec<Action>,
        mut bob_says: impl FnMut(&Call) -> Vec<Vec<u8>>,
    ) -> BTreeMap<&'static str, usize> {
        let until = self.now + ms;
        let mut counts = BTreeMap::new();
        let mut actions = first;
        while self.now < until {
            let mut next = Vec::new();
            for (ask, call) in asks(&actions) {
                *counts.entry(kind(&call)).or_default() += 1;
                let frames = bob_says(&call);
                self.now += 1;
                next.extend(self.answer(ask, frames, true));
            }
            if next.is_empty() {
                let Some(due) = self.engine.next_timer().filter(|due| *due <= until) else {
                    break;
                };
                self.now = self.now.max(due);
                next = self.feed(Event::Tick);
            }
            actions = next;
        }
        counts
    }
}

pub fn bob() -> PublicKey {
    people::device_key(b'b')
}

/// The requests among these.
pub fn asks(actions: &[Action]) -> Vec<(AskId, Call)> {
    let asks = actions.iter().filter_map(|action| match action {
        Action::Ask { ask, body, .. } => Some((
            *ask,
            decode_call(body).expect("an engine asks what it understands"),
        )),
        _ => None,
    });
    asks.collect()
}

/// The transfers among these: (id, from, blob, album).
pub fn fetches(actions: &[Action]) -> Vec<(FetchId, PublicKey, crdt::id::BlobHash, AlbumId)> {
    let fetches = actions.iter().filter_map(|action| match action {
        Action::Fetch {
            fetch,
            peer,
            blob,
            album,
            ..
        } => Some((*fetch, *peer, *blob, *album)),
        _ => None,
    });
    fetches.collect()
}

fn kind(call: &Call) -> &'static str {
    match call {
        Call::Hello { .. } => "hello",
        Call::Tree { .. } => "tree",
        Call::Heads { .. } => "heads",
        Call::Ops { .. } => "ops",
        Call::Refs { .. } => "refs",
        Call::Have { .. } => "have",
        Call::Chunks { .. } | Call::Blob { .. } => "blob",
    }
}
