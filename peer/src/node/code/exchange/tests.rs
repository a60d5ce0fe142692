//! Both sides of an exchange, and what somebody in between may try.

use rand::rngs::OsRng;

use super::*;

const CENTRAL: Digest = Digest([9; 32]);

struct Side {
    device: KeyPair,
    cert: Certificate,
}

fn side(person: u8) -> Side {
    let (root, device) = (
        KeyPair::from_seed(&[person; 32]),
        KeyPair::from_seed(&[person + 100; 32]),
    );
    Side {
        cert: Certificate::issue(&root, &device.public()),
        device,
    }
}

fn code(words: &str) -> Code {
    Code::new(7, words)
}

fn person(name: &str) -> Person {
    Person {
        name: name.to_owned(),
        root: PublicKey([3; 32]),
    }
}

fn album() -> About {
    About::Album(AlbumOffer {
        id: AlbumId([5; 32]),
        name: "trip".to_owned(),
        owner: person("alice"),
        role: Role::Contributor,
        by: person("carol"),
    })
}

fn account() -> About {
    About::Account(person("alice"))
}

fn respond(code: &Code, first: &[u8], about: About) -> Result<(Responder, Vec<u8>), Fault> {
    let alice = side(1);
    Responder::new(code, first, (about, CENTRAL), (&alice.device, alice.cert), OsRng)
}

/// All four messages.
#[test]
fn the_right_code_brings_both_together() {
    let (bob, right) = (side(2), code("carpet-monday-lamp"));
    let joiner = Joiner::new(right.clone(), [4; 32]);
    let (responder, second) = respond(&right, &joiner.first(), album()).unwrap();
    let met = joiner.meet(MailboxKind::Album, &second).unwrap();
    assert_eq!((&met.about, met.central), (&album(), CENTRAL));
    assert_eq!(met.cert, side(1).cert);
    let third = met.claim(CENTRAL, "bob", &bob.device, Some(bob.cert.clone()));
    let claim = responder.claim(&third).unwrap();
    assert_eq!((claim.cert, &*claim.name), (Some(bob.cert), "bob"));
    let answer = Answer::granted(vec!["127.0.0.1:1".to_owned()]);
    let fourth = responder.answer(&answer);
    assert_eq!(met.answer(&fourth), Ok(answer));

    // And a machine into an account.
    let (responder, second) = respond(&right, &joiner.first(), account()).unwrap();
    let met = joiner.meet(MailboxKind::Device, &second).unwrap();
    let claim = responder
        .claim(&met.claim(CENTRAL, "laptop", &bob.device, None))
        .unwrap();
    assert_eq!((claim.device, claim.cert), (Some(bob.device.public()), None));
    let refused = Answer::refused("denied", "no");
    assert_eq!(met.answer(&responder.answer(&refused)), Ok(refused));
}

/// One word else, one number else: neither side learns more than that, and whoever answered knows that somebody guessed.
#[test]
fn another_code_opens_nothing() {
    let right = code("carpet-monday-lamp");
    for other in [
        code("carpet-monday-lamb"),
        code("abandon-monday-lamp"),
        code("monday-carpet-lamp"),
        Code::new(8, "carpet-monday-lamp"),
    ] {
        let (guesser, bob) = (Joiner::new(other.clone(), [4; 32]), side(2));
        let (responder, second) = respond(&right, &guesser.first(), album()).unwrap();
        assert!(matches!(
            guesser.meet(MailboxKind::Album, &second),
            Err(Fault::Words)
        ));
        // The guesser pretends to have understood.
        let (_, own) = respond(&other, &guesser.first(), album()).unwrap();
        let met = guesser.meet(MailboxKind::Album, &own).unwrap();
        let third = met.claim(CENTRAL, "bob", &bob.device, Some(bob.cert));
        assert_eq!(responder.claim(&third), Err(Fault::Words));
    }
}

/// The same try repeated is the same first message, so the same guess; each answer to it has another key.
#[test]
fn a_try_repeated_is_the_same_guess() {
    let right = code("carpet-monday-lamp");
    let first = Joiner::new(right.clone(), [4; 32]).first();
    assert_eq!(first, Joiner::new(right.clone(), [4; 32]).first());
    assert_ne!(first, Joiner::new(right.clone(), [5; 32]).first());
    let (one, second) = respond(&right, &first, album()).unwrap();
    let (other, again) = respond(&right, &first, album()).unwrap();
    assert_ne!(second, again);
    let (joiner, bob) = (Joiner::new(right, [4; 32]), side(2));
    let met = joiner.meet(MailboxKind::Album, &second).unwrap();
    let third = met.claim(CENTRAL, "bob", &bob.device, Some(bob.cert.clone()));
    // Nothing sealed for one answer opens for the other.
    assert_eq!(other.claim(&third), Err(Fault::Words));
    assert!(one.claim(&third).is_ok());
    let fourth = other.answer(&Answer::granted(vec![]));
    assert_eq!(met.answer(&fourth), Err(Fault::Words));
}

/// Every bit of every message counts, and so does its place: turned, cut, replayed, or in another's place it opens nothing.
#[test]
fn a_message_changed_on_the_way_is_noticed() {
    let (bob, right) = (side(2), code("carpet-monday-lamp"));
    let joiner = Joiner::new(right.clone(), [4; 32]);
    let first = joiner.first();
    let (responder, second) = respond(&right, &first, album()).unwrap();
    let met = joiner.meet(MailboxKind::Album, &second).unwrap();
    let third = met.claim(CENTRAL, "bob", &bob.device, Some(bob.cert.clone()));
    let turned = |bytes: &[u8], at: usize, bit: u8| {
        let mut turned = bytes.to_vec();
        turned[at] ^= 1 << bit;
        turned
    };
    for bit in 0..8 {
        for at in 0..first.len() {
            if let Ok((_, second)) = respond(&right, &turned(&first, at, bit), album()) {
                assert!(
                    joiner.meet(MailboxKind::Album, &second).is_err(),
                    "first, {at}, {bit}"
                );
            }
        }
    }
    // Within the text of JSON a bit may be no other message; what is read is never another one.
    for at in 0..second.len() {
        if let Ok(read) = joiner.meet(MailboxKind::Album, &turned(&second, at, 0)) {
            assert_eq!((read.about, read.cert), (album(), side(1).cert), "second, {at}");
        }
        assert!(joiner.meet(MailboxKind::Album, &second[..at]).is_err());
    }
    for at in 0..third.len() {
        if let Ok(read) = responder.claim(&turned(&third, at, 0)) {
            assert_eq!(read.cert, Some(bob.cert.clone()), "third, {at}");
        }
        assert!(responder.claim(&third[..at]).is_err());
    }
    assert!(responder.claim(&second).is_err());
    assert!(met.answer(&third).is_err());
    assert!(joiner.meet(MailboxKind::Album, &third).is_err());
    // The joiner's own message comes back as the answer.
    let mirrored = to_json(&SecondBody {
        pake: Bytes(first.clone()),
        sealed: Bytes(vec![0; 100]),
    });
    assert!(matches!(
        joiner.meet(MailboxKind::Album, &mirrored),
        Err(Fault::Words)
    ));
    assert!(respond(&right, &[], album()).is_err());
    assert!(
        respond(
            &right,
            &serde_json::from_slice::<SecondBody>(&second).unwrap().pake.0,
            album()
        )
        .is_err()
    );
}

/// Who knows the code still cannot speak for another's device: signatures are over this exchange, and each side's its own.
#[test]
fn who_knows_the_code_signs_with_his_own_device() {
    let (alice, bob, right) = (side(1), side(2), code("carpet-monday-lamp"));
    let joiner = Joiner::new(right.clone(), [4; 32]);
    let (responder, second) = respond(&right, &joiner.first(), album()).unwrap();
    let met = joiner.meet(MailboxKind::Album, &second).unwrap();
    let claim = |cert: Certificate, sig: Signature| {
        let claim = Claim {
            v: VERSION,
            central: CENTRAL,
            cert: Some(cert),
            device: None,
            name: "alice".to_owned(),
            sig,
        };
        let sealed = met.shared.seal(CLAIM, &claim);
        responder.claim(&to_json(&Body { sealed }))
    };
    assert!(claim(bob.cert.clone(), met.shared.sign(JOINER, &bob.device)).is_ok());
    // The responder's own signature, shown back to him.
    let body: SecondBody = from_json(&second).unwrap();
    let offer: Offer = met.shared.open(OFFER, &body.sealed).unwrap();
    assert_eq!(claim(alice.cert.clone(), offer.sig), Err(Fault::Signature));
    assert_eq!(
        claim(alice.cert.clone(), met.shared.sign(JOINER, &bob.device)),
        Err(Fault::Signature)
    );
    let forged = Certificate {
        root: alice.cert.root,
        ..bob.cert.clone()
    };
    let sig = met.shared.sign(JOINER, &bob.device);
    assert_eq!(claim(forged, sig), Err(Fault::Signature));
    // An answerer who shows another's certificate.
    let shown = |cert: Certificate, sig: Signature| {
        let offer = Offer {
            cert,
            sig,
            ..offer.clone()
        };
        let body = SecondBody {
            pake: body.pake.clone(),
            sealed: met.shared.seal(OFFER, &offer),
        };
        joiner.meet(MailboxKind::Album, &to_json(&body)).map(|_| ())
    };
    assert_eq!(shown(alice.cert.clone(), offer.sig), Ok(()));
    assert_eq!(shown(bob.cert.clone(), offer.sig), Err(Fault::Signature));
    let joiners = met.shared.sign(JOINER, &alice.device);
    assert_eq!(shown(alice.cert, joiners), Err(Fault::Signature));
}

/// A code for an album is none for an account: a central that says the other kind is noticed by both.
#[test]
fn kinds_do_not_mix() {
    let (bob, right) = (side(2), code("carpet-monday-lamp"));
    let joiner = Joiner::new(right.clone(), [4; 32]);
    for (about, kind, other) in [
        (album(), MailboxKind::Album, MailboxKind::Device),
        (account(), MailboxKind::Device, MailboxKind::Album),
    ] {
        let (responder, second) = respond(&right, &joiner.first(), about).unwrap();
        assert!(matches!(joiner.meet(other, &second), Err(Fault::Kind)));
        let met = joiner.meet(kind, &second).unwrap();
        let cert = (kind == MailboxKind::Device).then(|| bob.cert.clone());
        let wrong = met.claim(CENTRAL, "bob", &bob.device, cert);
        assert_eq!(responder.claim(&wrong), Err(Fault::Kind));
        let wrong = match kind {
            MailboxKind::Album => Answer::certified(bob.cert.clone(), None),
            MailboxKind::Device => Answer::granted(vec![]),
        };
        assert_eq!(met.answer(&responder.answer(&wrong)), Err(Fault::Form));
    }
}

/// The texts of docs/protocol.md §11, and what the keys are made of.
#[test]
fn golden() {
    let key = |byte: u8| serde_json::to_string(&PublicKey([byte; 32])).unwrap();
    let sig = serde_json::to_string(&Signature([8; 64])).unwrap();
    let cert = Certificate {
        root: PublicKey([1; 32]),
        device: PublicKey([2; 32]),
        sig: Signature([8; 64]),
    };
    let cert_text = format!(r#"{{"root":{},"device":{},"sig":{sig}}}"#, key(1), key(2));
    let text = |value: Vec<u8>| String::from_utf8(value).unwrap();
    let About::Album(trip) = album() else {
        unreachable!()
    };
    let mut offer = Offer {
        v: 1,
        central: CENTRAL,
        cert: cert.clone(),
        sig: Signature([8; 64]),
        album: Some(trip),
        account: None,
    };
    let head = format!(r#"{{"v":1,"central":{},"cert":{cert_text},"sig":{sig}"#, key(9));
    let root = key(3);
    assert_eq!(
        text(to_json(&offer)),
        format!(
            r#"{head},"album":{{"id":{},"name":"trip","owner":{{"name":"alice","root":{root}}},"role":"contributor","by":{{"name":"carol","root":{root}}}}}}}"#,
            key(5)
        )
    );
    (offer.album, offer.account) = (None, Some(person("alice")));
    assert_eq!(
        text(to_json(&offer)),
        format!(r#"{head},"account":{{"name":"alice","root":{root}}}}}"#)
    );
    let mut claim = Claim {
        v: 1,
        central: CENTRAL,
        cert: Some(cert.clone()),
        device: None,
        name: "bob".to_owned(),
        sig: Signature([8; 64]),
    };
    let head = format!(r#"{{"v":1,"central":{}"#, key(9));
    assert_eq!(
        text(to_json(&claim)),
        format!(r#"{head},"cert":{cert_text},"name":"bob","sig":{sig}}}"#)
    );
    (claim.cert, claim.device) = (None, Some(PublicKey([2; 32])));
    assert_eq!(
        text(to_json(&claim)),
        format!(r#"{head},"device":{},"name":"bob","sig":{sig}}}"#, key(2))
    );
    for (answer, expect) in [
        (
            Answer::granted(vec!["127.0.0.1:1".to_owned()]),
            r#"{"v":1,"addresses":["127.0.0.1:1"]}"#.to_owned(),
        ),
        (
            Answer::certified(cert, Some(Bytes(vec![255, 0]))),
            format!(r#"{{"v":1,"cert":{cert_text},"sealed_root":"_wA"}}"#),
        ),
        (
            Answer::refused("denied", "no"),
            r#"{"v":1,"refused":{"code":"denied","message":"no"}}"#.to_owned(),
        ),
    ] {
        assert_eq!(text(to_json(&answer)), expect);
    }
    // The first message of a seed, the transcript, and one sealed part.
    let joiner = Joiner::new(code("carpet-monday-lamp"), [4; 32]);
    let shared = Shared::new(&joiner.code, vec![1; 32], &joiner.first(), b"B");
    let sealed = shared.seal(ANSWER, &Answer::granted(vec![]));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    insta::assert_snapshot!(
        [
            format!("first {}", hex(&joiner.first())),
            format!("transcript {}", hex(&shared.transcript)),
            format!("answer {}", hex(&sealed.0)),
        ]
        .join("\n")
    );
}
