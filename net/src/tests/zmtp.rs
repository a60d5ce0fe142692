//! The filter's state machines: each input whole, byte by byte, and cut in two at every place.

use crate::limits;
use crate::zmtp::*;

pub(super) fn greeting(mechanism: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 64];
    (out[0], out[9], out[10]) = (0xff, 0x7f, 3);
    out[12..12 + mechanism.len()].copy_from_slice(mechanism);
    out
}

pub(super) fn ready(properties: &[(&str, &str)]) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in properties {
        body.push(name.len() as u8);
        body.extend(name.as_bytes());
        body.extend((value.len() as u32).to_be_bytes());
        body.extend(value.as_bytes());
    }
    [vec![4, body.len() as u8], body].concat()
}

pub(crate) fn shake(kind: &str) -> Vec<u8> {
    [greeting(b"NULL"), ready(&[("Socket-Type", kind)])].concat()
}

/// A frame with these flags and this announced length.
pub(super) fn frame(flags: u8, length: u64, body: &[u8]) -> Vec<u8> {
    let mut out = vec![flags];
    if flags & 2 == 0 {
        out.push(u8::try_from(length).unwrap());
    } else {
        out.extend(length.to_be_bytes());
    }
    out.extend(body);
    out
}

fn long(flags: u8, body: &[u8]) -> Vec<u8> {
    frame(flags | 2, body.len() as u64, body)
}

pub(super) fn subscription(first: u8, topic: u8) -> Vec<u8> {
    [vec![0, 33, first], vec![topic; 32]].concat()
}

pub(super) fn message(topic: u8, from: &[u8; 32], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, &[topic; 32], from, payload);
    out
}

/// Cuts the input in many ways and hands each piece to a fresh machine.
fn pieces(input: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut ways = vec![vec![input], input.chunks(1).collect()];
    // Every cut of short inputs, the first and last few hundred of long ones.
    let cuts = (0..=input.len()).filter(|at| *at < 300 || input.len() - at < 300);
    ways.extend(cuts.map(|at| vec![&input[..at], &input[at..]]));
    ways
}

/// From a SUB: what passes at once, and what is wished.
fn up(input: &[u8], expect: Result<&[Wish], Cut>) {
    for way in pieces(input) {
        let (mut out, mut wishes) = (Vec::new(), Vec::new());
        let mut machine = Upstream::new();
        let got = way
            .iter()
            .try_for_each(|piece| machine.push(piece, &mut out, &mut wishes));
        assert_eq!(got, expect.map(|_| ()), "{} pieces", way.len());
        if let Ok(expect) = expect {
            assert_eq!(wishes, expect);
            assert_eq!(out, shake("SUB"));
            assert!(machine.is_ready());
        }
    }
}

const FROM: [u8; 32] = [9; 32];

/// From a PUB: topic 1 passes, others are dropped.
fn down(input: &[u8], expect: Result<&[u8], Cut>) {
    for way in pieces(input) {
        let (mut out, mut probes) = (Vec::new(), Vec::new());
        let mut machine = Downstream::new(FROM);
        let got = way.iter().try_for_each(|piece| {
            machine.push(
                piece,
                &mut out,
                &mut |topic| {
                    if *topic == [1; 32] {
                        Verdict::Pass
                    } else {
                        Verdict::Drop
                    }
                },
                &mut |number, value, at| probes.push((number, value, at)),
            )
        });
        assert_eq!(got, expect.map(|_| ()), "{} pieces", way.len());
        if let Ok(expect) = expect {
            assert_eq!(out, [&shake("PUB"), expect].concat());
        }
    }
}

#[test]
fn a_sub_may_greet_and_subscribe() {
    let wish = [
        Wish::Subscribe([1; 32]),
        Wish::Subscribe([2; 32]),
        Wish::Unsubscribe([1; 32]),
    ];
    let input = [
        shake("SUB"),
        subscription(1, 1),
        subscription(1, 2),
        subscription(0, 1),
    ]
    .concat();
    up(&input, Ok(&wish));
    up(&shake("SUB"), Ok(&[]));
    // The long form of a short frame is the same frame.
    up(
        &[shake("SUB"), long(0, &[&[1][..], &[7; 32]].concat())].concat(),
        Ok(&[Wish::Subscribe([7; 32])]),
    );
    // What other libraries add to a greeting and READY.
    let mut padded = greeting(b"NULL");
    padded[8] = 1;
    padded[11] = 1;
    let libzmq = [padded.clone(), ready(&[("Socket-Type", "SUB"), ("Identity", "")])].concat();
    let (mut out, mut wishes) = (Vec::new(), Vec::new());
    Upstream::new().push(&libzmq, &mut out, &mut wishes).unwrap();
    assert_eq!(out, libzmq);
}

#[test]
fn a_sub_may_do_nothing_else() {
    let after = |rest: Vec<u8>| [shake("SUB"), rest].concat();
    for (input, cut) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), Cut::Greeting),
        (greeting(b"PLAIN"), Cut::Greeting),
        (greeting(b"CURVE"), Cut::Greeting),
        (greeting(b"NULLX"), Cut::Greeting),
        (
            [&greeting(b"NULL")[..10], &[2], &greeting(b"NULL")[11..]].concat(),
            Cut::Greeting,
        ),
        (
            [&greeting(b"NULL")[..32], &[1], &greeting(b"NULL")[33..]].concat(),
            Cut::Greeting,
        ),
        (shake("PUB"), Cut::Ready),
        (shake("XSUB"), Cut::Ready),
        (shake("SU"), Cut::Ready),
        ([greeting(b"NULL"), ready(&[])].concat(), Cut::Ready),
        (
            [
                greeting(b"NULL"),
                ready(&[("Socket-Type", "SUB"), ("Socket-Type", "SUB")]),
            ]
            .concat(),
            Cut::Ready,
        ),
        (
            [
                greeting(b"NULL"),
                ready(&[("Socket-Type", "SUB"), ("Identity", "x")]),
            ]
            .concat(),
            Cut::Ready,
        ),
        (
            [greeting(b"NULL"), ready(&[("Socket-Type", "SUB"), ("X-Y", "")])].concat(),
            Cut::Ready,
        ),
        ([greeting(b"NULL"), frame(4, 0, b"")].concat(), Cut::Ready),
        (
            [greeting(b"NULL"), frame(4, 6, b"\x05READ!")].concat(),
            Cut::Ready,
        ),
        (
            [greeting(b"NULL"), frame(4, 8, b"\x05READY\x0bS")].concat(),
            Cut::Ready,
        ),
        (
            [greeting(b"NULL"), frame(4, 6, b"\xffREADY")].concat(),
            Cut::Ready,
        ),
        ([greeting(b"NULL"), subscription(1, 1)].concat(), Cut::Ready),
        ([greeting(b"NULL"), frame(6, 1 << 40, b"")].concat(), Cut::Ready),
        (after(frame(4, 7, b"\x04PING\0\0")), Cut::Command),
        (after(ready(&[("Socket-Type", "SUB")])), Cut::Command),
        (after(frame(6, u64::MAX, b"")), Cut::Command),
        (after(frame(2, 1 << 40, b"")), Cut::Subscription),
        (after(frame(2, (1 << 63) - 1, b"")), Cut::Subscription),
        (after(frame(0, 0, b"")), Cut::Subscription),
        (after(frame(0, 1, &[1])), Cut::Subscription),
        (after(frame(0, 32, &[1; 32])), Cut::Subscription),
        (after(frame(0, 34, &[1; 34])), Cut::Subscription),
        (after(frame(1, 33, &[1; 33])), Cut::Subscription),
        (after(frame(8, 33, &[1; 33])), Cut::Subscription),
        (after(subscription(2, 1)), Cut::Subscription),
    ] {
        up(&input, Err(cut));
    }
}

/// READY has a length of one byte, so 255 at most: such a one is read to its end, a longer is refused at its head.
#[test]
fn a_ready_has_255_bytes_at_most() {
    let most = limits::READY_BYTES_MAX;
    let at = [greeting(b"NULL"), frame(4, most as u64, &vec![0; most])].concat();
    let (mut out, mut wishes) = (Vec::new(), Vec::new());
    let mut machine = Upstream::new();
    let (last, before) = at.split_last().unwrap();
    machine.push(before, &mut out, &mut wishes).unwrap();
    assert_eq!(machine.push(&[*last], &mut out, &mut wishes), Err(Cut::Ready));
    let past = [greeting(b"NULL"), frame(6, most as u64 + 1, b"")].concat();
    let mut machine = Upstream::new();
    assert_eq!(machine.push(&past, &mut out, &mut wishes), Err(Cut::Ready));
}

#[test]
fn a_pub_may_greet_and_publish_three_parts_in_its_name() {
    let ours = message(1, &FROM, b"payload");
    let others = message(2, &FROM, &[0; 1000]);
    down(&shake("PUB"), Ok(&[]));
    down(
        &[shake("PUB"), ours.clone(), others, ours.clone()].concat(),
        Ok(&ours.repeat(2)),
    );
    let empty = message(1, &FROM, b"");
    down(&[shake("PUB"), empty.clone()].concat(), Ok(&empty));
    // Long forms of short frames pass as short ones.
    let lengthy = [long(1, &[1; 32]), long(1, &FROM), long(0, b"payload")].concat();
    down(&[shake("PUB"), lengthy].concat(), Ok(&ours));
}

#[test]
fn a_payload_may_have_a_mebibyte_and_not_a_byte_more() {
    let most = limits::GOSSIP_PAYLOAD_BYTES_MAX;
    for (bytes, expect) in [(most, Ok(())), (most + 1, Err(Cut::PartLength(most as u64 + 1)))] {
        let input = [shake("PUB"), message(1, &FROM, &vec![3; bytes])].concat();
        let mut out = Vec::new();
        let mut machine = Downstream::new(FROM);
        let got = input
            .chunks(1000)
            .try_for_each(|piece| machine.push(piece, &mut out, &mut |_| Verdict::Pass, &mut |_, _, _| {}));
        assert_eq!(got, expect);
        assert_eq!(out.len() > most, expect.is_ok());
    }
}

#[test]
fn a_pub_may_do_nothing_else() {
    let after = |rest: Vec<u8>| [shake("PUB"), rest].concat();
    let (topic, from) = (frame(1, 32, &[1; 32]), frame(1, 32, &FROM));
    let two = [topic.clone(), from.clone()].concat();
    let mut forged = FROM;
    forged[31] ^= 1;
    let huge = |length| after([two.clone(), frame(2, length, b"")].concat());
    for (input, cut) in [
        (b"\0".to_vec(), Cut::Greeting),
        (shake("SUB"), Cut::Ready),
        (shake("XPUB"), Cut::Ready),
        (after(frame(4, 7, b"\x04PING\0\0")), Cut::Command),
        (
            after([two.clone(), frame(4, 7, b"\x04PING\0\0")].concat()),
            Cut::Command,
        ),
        (after(frame(0, 32, &[1; 32])), Cut::Parts),
        (after([topic.clone(), frame(0, 32, &FROM)].concat()), Cut::Parts),
        (after([two.clone(), frame(1, 1, b"x")].concat()), Cut::Parts),
        (
            after([two.clone(), frame(1, 0, b"")].concat().repeat(1000)),
            Cut::Parts,
        ),
        (after(frame(1, 0, b"")), Cut::PartLength(0)),
        (after(frame(1, 31, &[1; 31])), Cut::PartLength(31)),
        (after(frame(1, 33, &[1; 33])), Cut::PartLength(33)),
        (
            after([topic.clone(), frame(1, 31, &[9; 31])].concat()),
            Cut::PartLength(31),
        ),
        (after(frame(3, 1 << 40, b"")), Cut::PartLength(1 << 40)),
        (huge(1 << 40), Cut::PartLength(1 << 40)),
        (huge((1 << 63) - 1), Cut::PartLength((1 << 63) - 1)),
        (huge(u64::MAX), Cut::PartLength(u64::MAX)),
        (after(frame(0x11, 32, &[1; 32])), Cut::Flags),
        (after(message(1, &forged, b"x")), Cut::Forged),
        (after(message(2, &forged, b"x")), Cut::Forged),
        (
            after([message(1, &FROM, b"x"), message(1, &[0; 32], b"x")].concat()),
            Cut::Forged,
        ),
        (after(message(0, &FROM, b"x")), Cut::PartLength(1)),
    ] {
        down(&input, Err(cut));
    }
}

#[test]
fn probes_are_taken_out() {
    let mut input = shake("PUB");
    let first = message(1, &FROM, b"a");
    input.extend(&first);
    put_message(&mut input, &probe_topic(7), &FROM, &[]);
    put_message(&mut input, &probe_topic(u64::MAX), &FROM, &5u64.to_be_bytes());
    input.extend(message(1, &FROM, b"b"));
    let (mut out, mut probes) = (Vec::new(), Vec::new());
    let mut machine = Downstream::new(FROM);
    let mut probe = |number, value, at| probes.push((number, value, at));
    machine
        .push(&input, &mut out, &mut |_| Verdict::Pass, &mut probe)
        .unwrap();
    let at = shake("PUB").len() + first.len();
    assert_eq!(probes, [(7, None, at), (u64::MAX, Some(5), at)]);
    assert_eq!(out.len(), at + first.len());
    assert_eq!(probe_number(&[1; 32]), None);
}

/// Random bytes after a proper handshake: an error or nothing, never much memory.
#[test]
fn noise_is_survived() {
    use rand::{Rng as _, SeedableRng as _};
    for seed in 0..2_000 {
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        let noise: Vec<u8> = (0..rng.gen_range(0..200)).map(|_| rng.gen_range(0..36)).collect();
        let (mut out, mut wishes) = (Vec::new(), Vec::new());
        let mut machine = Upstream::new();
        machine.push(&shake("SUB"), &mut out, &mut wishes).unwrap();
        let _ = machine.push(&noise, &mut out, &mut wishes);
        assert!(
            out.len() == shake("SUB").len() && wishes.len() <= 6,
            "seed {seed}"
        );
        let mut machine = Downstream::new([1; 32]);
        machine
            .push(&shake("PUB"), &mut out, &mut |_| Verdict::Pass, &mut |_, _, _| {})
            .unwrap();
        let before = out.len();
        let _ = machine.push(&noise, &mut out, &mut |_| Verdict::Pass, &mut |_, _, _| {});
        assert!(out.len() <= before + noise.len() + 9, "seed {seed}");
    }
}
