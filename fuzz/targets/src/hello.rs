//! What a link's streams carry: control frames, length-prefixed frames, and a whole multiplexed link without its TLS.
//! The first byte says which.

use net::fuzzing::{control, frames, hello, link};
use net::limits::{
    CONTROL_FRAME_BYTES_MAX, HELLO_EXTRA_BYTES_MAX, REQUEST_FRAME_BYTES_MAX, STREAMS_INCOMING_MAX,
};

use crate::album::{BOB, author};
use crate::{Seed, seed};

pub fn run(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else {
        return;
    };
    match which % 3 {
        0 => {
            let extra = control(bytes);
            assert!(extra.is_none_or(|extra| extra.len() <= HELLO_EXTRA_BYTES_MAX));
        }
        1 => {
            for max in [CONTROL_FRAME_BYTES_MAX, REQUEST_FRAME_BYTES_MAX] {
                let (read, _) = frames(bytes, max);
                assert!(read.iter().all(|frame| frame.len() <= max));
                let taken: usize = read.iter().map(|frame| frame.len() + 4).sum();
                assert!(taken <= bytes.len(), "more was read than was sent");
            }
        }
        _ => {
            let linked = link(bytes);
            assert!(linked.frames.1 <= bytes.len() && linked.streams <= bytes.len() / 12);
            assert!(linked.control <= linked.streams && linked.frames.0 * 4 <= bytes.len());
        }
    }
}

pub fn seeds() -> Vec<Seed> {
    let certificate = author(BOB).certificate;
    let hello = |extra: usize| hello(certificate.clone(), &vec![0xff; extra], u32::MAX);
    let with = |which: u8, rest: &[&[u8]]| [&[which], &rest.concat()[..]].concat();
    let request = [&[2][..], &framed(br#"{"v":1,"do":"hello"}"#)].concat();
    let end = u32::MAX.to_be_bytes();
    vec![
        seed("hello", with(0, &[&hello(40)])),
        seed("hello-longest", with(0, &[&hello(HELLO_EXTRA_BYTES_MAX)])),
        seed("bye", with(0, &[br#"{"bye":"full"}"#])),
        seed("beat", with(0, &[br#"{"beat":7}"#])),
        seed(
            "frames",
            with(1, &[&framed(b"one"), &framed(b""), &framed(&[7; 300]), &end]),
        ),
        seed("frame-cut", with(1, &[&framed(&[7; 300])[..100]])),
        seed("frame-huge", with(1, &[&[0xff, 0xff, 0xff, 0xfe, 1, 2, 3]])),
        seed(
            "link",
            with(
                2,
                &[
                    &data_frame(1, 1, &[&[0][..], &framed(&hello(8))].concat()),
                    &data_frame(3, 1, &request),
                    &data_frame(3, 4, &end),
                    &data_frame(5, 1, b"\x01\xff"),
                    &header(1, 0, 1, 4096),
                    &header(2, 1, 0, 77),
                    &header(1, 8, 5, 0),
                    &header(3, 0, 0, 0),
                ],
            ),
        ),
        seed(
            "link-streams",
            with(
                2,
                &(0..40)
                    .map(|n| header(1, 1, 2 * n + 1, 0))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(Vec::as_slice)
                    .collect::<Vec<_>>(),
            ),
        ),
        seed("link-wide", with(2, &[&header(1, 1, 1, u32::MAX)])),
        seed(
            "link-split",
            with(
                2,
                &[
                    &data_frame(1, 1, &request[..9]),
                    &data_frame(1, 0, &request[9..]),
                    &data_frame(1, 4, &end),
                ],
            ),
        ),
    ]
}

pub fn large() -> Vec<Vec<u8>> {
    let of = |which: u8, rest: Vec<u8>| [&[which][..], &rest].concat();
    let open: Vec<u8> = (0..STREAMS_INCOMING_MAX as u32)
        .flat_map(|n| data_frame(2 * n + 1, 1, &[&[2][..], &(256u32 << 10).to_be_bytes()].concat()))
        .collect();
    let fill: Vec<u8> = (0..STREAMS_INCOMING_MAX as u32)
        .flat_map(|n| data_frame(2 * n + 1, 0, &[5; 8000]))
        .collect();
    // A byte a frame: each costs the receiver more than it carries.
    let drip: Vec<u8> = (0..9_000)
        .flat_map(|n: u32| data_frame(2 * (n % 32) + 1, 0, &[5]))
        .collect();
    vec![
        of(0, format!(r#"{{"hello":"{}"}}"#, "A".repeat(2000)).into_bytes()),
        of(1, framed(&vec![7; REQUEST_FRAME_BYTES_MAX])),
        of(1, [0, 0, 0, 0].repeat(60_000)),
        of(2, [&open[..], &fill].concat()),
        of(2, [&open[..], &drip].concat()),
        of(2, (0..5_000).flat_map(|n| header(1, 1, 2 * n + 1, 0)).collect()),
    ]
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

/// A yamux header: kind (0 data, 1 window, 2 ping, 3 go away), flags (1 SYN, 2 ACK, 4 FIN, 8 RST), stream, length.
fn header(kind: u8, flags: u16, stream: u32, length: u32) -> Vec<u8> {
    [
        &[0, kind][..],
        &flags.to_be_bytes(),
        &stream.to_be_bytes(),
        &length.to_be_bytes(),
    ]
    .concat()
}

fn data_frame(stream: u32, flags: u16, body: &[u8]) -> Vec<u8> {
    [&header(0, flags, stream, body.len() as u32)[..], body].concat()
}
