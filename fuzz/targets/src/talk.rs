//! Alice's engine and a peer who says what he likes: Bob, whose lines come from the input.
//!
//! A line begins with what it is: `g` gossip, `?` a call, `!` a frame of the answer to the oldest question, `.` that
//! answer ends as it should, `x` it breaks off, `~` time passes until the next timer is due.

use std::collections::{BTreeSet, VecDeque};

use crdt::id::HeaderHash;
use engine::limits::{ANSWER_BYTES_MAX, FRAME_BYTES_MAX, GOSSIP_BYTES_MAX};
use engine::wire::{Call, decode_call, decode_message};
use engine::{Action, AskId, CallId, Config, Engine, Event, Me, Strategy};
use serde_json::value::RawValue;

use crate::album::{ALICE, BOB, author, scene};
use crate::op::{look, same_elsewhere};

/// Lines of one input; more are not said.
const LINES_MAX: usize = 64;

pub(crate) struct Talk {
    engine: Engine,
    now: u64,
    calls: u64,
    /// Questions under way, oldest first.
    asked: VecDeque<(AskId, Call)>,
    known: BTreeSet<HeaderHash>,
}

impl Talk {
    pub(crate) fn new() -> Talk {
        let config = Config {
            strategy: Strategy::Op,
            anti_entropy: true,
        };
        let mut engine = Engine::new(config, [1; 32]);
        engine.sign_in(Some(Me {
            author: author(ALICE),
            name: "alice".to_owned(),
        }));
        let mut talk = Talk {
            engine,
            now: 0,
            calls: 0,
            asked: VecDeque::new(),
            known: scene().ops.iter().map(|op| op.hash).collect(),
        };
        let (album, ops) = (scene().album.id(), scene().ops.clone());
        talk.feed(Event::Loaded { album, ops });
        let certificate = author(BOB).certificate;
        talk.feed(Event::LinkUp {
            peer: certificate.device,
            certificate,
        });
        talk
    }

    /// All lines of an input, as they are and once more with their ops signed again.
    pub(crate) fn hear(&mut self, lines: &[u8]) {
        for line in lines.split(|byte| *byte == b'\n').take(LINES_MAX) {
            let Some((kind, body)) = line.split_first() else {
                continue;
            };
            self.line(*kind, body.to_vec());
            if let (b'g' | b'!', Some(signed)) = (kind, ops_signed_again(body)) {
                self.line(*kind, signed);
            }
        }
    }

    fn line(&mut self, kind: u8, body: Vec<u8>) {
        let peer = author(BOB).certificate.device;
        match kind {
            b'g' => self.feed(Event::Gossip {
                album: scene().album.id(),
                from: peer,
                payload: body,
            }),
            b'?' => {
                self.calls += 1;
                let call = CallId(self.calls);
                self.feed(Event::Called { call, peer, body });
            }
            b'!' => {
                if let Some((ask, _)) = self.asked.front() {
                    let ask = *ask;
                    self.feed(Event::Frame { ask, frame: body });
                }
            }
            b'.' | b'x' => {
                if let Some((ask, _)) = self.asked.pop_front() {
                    let whole = kind == b'.';
                    self.feed(Event::Ended { ask, whole });
                }
            }
            b'~' => {
                if let Some(due) = self.engine.next_timer() {
                    self.now = self.now.max(due);
                    self.feed(Event::Tick);
                }
            }
            _ => {}
        }
    }

    /// What the engine does; its writes succeed at once.
    fn feed(&mut self, event: Event) {
        self.engine.handle(self.now, event);
        while let Some(action) = self.engine.poll() {
            match action {
                Action::Persist { token, ops, .. } => {
                    for op in ops {
                        assert!(self.known.insert(op.hash), "written twice");
                        assert!(!scene().is_forged(&op), "a forged op is written");
                    }
                    self.engine.handle(self.now, Event::Persisted { token });
                }
                Action::Ask { ask, body, .. } => {
                    let call = decode_call(&body).expect("an engine asks what it understands");
                    self.asked.push_back((ask, call));
                }
                Action::Answer { frames, .. } => {
                    assert!(
                        frames.iter().all(|frame| frame.len() <= FRAME_BYTES_MAX),
                        "a frame too long"
                    );
                    assert!(
                        frames.iter().map(Vec::len).sum::<usize>() <= ANSWER_BYTES_MAX,
                        "an answer too long"
                    );
                }
                Action::Publish { payload, .. } => {
                    assert!(payload.len() <= GOSSIP_BYTES_MAX && decode_message(&payload).is_ok());
                }
                _ => {}
            }
        }
        self.engine.check_invariants();
        let due = self.engine.next_timer();
        assert!(due.is_none_or(|due| due > self.now), "due at once: a hot loop");
    }

    /// The oldest question that waits for an answer.
    pub(crate) fn question(&self) -> Option<&Call> {
        self.asked.front().map(|(_, call)| call)
    }

    /// What all of it has led to is a state like any other.
    pub(crate) fn check(mut self) {
        // Questions are answered or given up; none is lost, none is endless.
        for _ in 0..LINES_MAX {
            self.line(b'x', vec![]);
        }
        let id = scene().album.id();
        let mut album = self.engine.album(&id).expect("the album stays").clone();
        album.check_invariants().unwrap();
        if self.known.len() > scene().ops.len() {
            same_elsewhere(&album);
            look(&mut album);
        }
        self.engine.obtainable(&id);
        self.engine.access();
        self.engine.standing(&id);
    }
}

/// A message or answer frame whose ops are signed again, if it carries any that can be.
fn ops_signed_again(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let (head, rest) = text.split_once(r#""ops":["#)?;
    let list = format!("[{rest}");
    let mut values = serde_json::Deserializer::from_str(&list).into_iter::<Vec<Box<RawValue>>>();
    let ops = values.next()?.ok()?;
    let tail = &list[values.byte_offset()..];
    let signed = ops.iter().take(16).map(|op| scene().signed_again(op.get()));
    let signed: Vec<String> = signed.collect::<Option<_>>()?;
    (!signed.is_empty()).then(|| format!(r#"{head}"ops":[{}]{tail}"#, signed.join(",")).into_bytes())
}
