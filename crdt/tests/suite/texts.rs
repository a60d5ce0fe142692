//! Texts that an album does not keep: it writes them again, and they are what was signed, byte for byte.

use std::sync::Arc;

use crdt::fact::{Fact, Role};
use crdt::id::AlbumId;
use crdt::keys::Domain;
use crdt::op::{Op, fact_hash, facts_root};
use crdt::{Album, Receipt, Trust};

use crate::world::{Peer, Pen, blob, chat, grant, image, peers, rating};

/// The spellings of one op that the text rule allows beside the usual one.
#[derive(Clone, Copy, Debug)]
enum Odd {
    /// White space in the header, which is signed with it.
    Header,
    /// The header's keys in another order.
    Order,
    /// White space between the parts, which nobody signs.
    Envelope,
    /// A key that this program does not know, as a later one may write it.
    Fact,
    /// An escape where none is needed.
    Escape,
}

fn odd(pen: &Pen, odd: Odd) -> Arc<Op> {
    let texts = pen.facts.iter().map(Fact::to_text).map(|text| match odd {
        Odd::Fact => text.replace("{\"kind\"", "{\"later\":[1,{\"x\":null}],\"kind\""),
        Odd::Escape => text.replace("image", "im\\u0061ge"),
        _ => text,
    });
    let texts: Vec<String> = texts.collect();
    let mut header = pen.header();
    header.root = Some(facts_root(texts.iter().map(|text| fact_hash(text))));
    let header = match odd {
        Odd::Header => header.to_text().replace(",\"count\"", " ,\n\"count\""),
        Odd::Order => {
            let swapped = header.to_text().replace("{\"v\":1,", "{");
            swapped.replace("\"first\"", "\"v\":1,\"first\"")
        }
        _ => header.to_text(),
    };
    let sig = pen.author.device.sign(Domain::Op, header.as_bytes());
    let comma = if matches!(odd, Odd::Envelope) { " ,\t" } else { "," };
    let text = format!(
        r#"{{"header":{header},"sig":"{sig}"{comma}"facts":[{}]}}"#,
        texts.join(comma)
    );
    Arc::new(Op::decode(&text).unwrap())
}

/// All ways by which an op leaves an album.
fn check_served(album: &Album, op: &Op) {
    let id = (op.header.actor, op.hash, 0);
    let last = |ops: Vec<Arc<Op>>| ops.last().unwrap().bytes().to_owned();
    assert_eq!(album.op(&op.hash).unwrap().bytes(), op.bytes());
    assert_eq!(last(album.ops_back(&op.header.actor, &op.hash, 0)), op.bytes());
    assert_eq!(last(album.ops_by_refs(&[op.reference()])), op.bytes());
    assert_eq!(last(album.ops_wanted(&[id]).collect()), op.bytes());
    assert!(album.needed_ops().any(|kept| kept.bytes() == op.bytes()));
    assert!(album.ops().any(|kept| **kept == *op));
    for place in 0..op.facts.len() {
        let text = op.fact_text(place).unwrap();
        assert!(album.elements().any(|element| element.text == text), "{text}");
    }
}

fn copy(of: &Album, id: AlbumId) -> Album {
    let mut album = Album::empty(id);
    for op in of.ops() {
        // As from a store: the texts alone.
        let op = Arc::new(Op::decode(op.bytes()).unwrap());
        assert!(matches!(album.receive(op, Trust::Verify), Receipt::Received(_)));
    }
    album.check_texts().unwrap();
    album.check_invariants().unwrap();
    assert_eq!(album.digest(), of.digest());
    album
}

/// Ada's program spells an op unlike ours. Bob keeps it, shows it, goes on from it, and gives it to Carol byte for byte;
/// its images are found by name, by file and in the lists like any other.
#[test]
fn an_odd_spelling_goes_through_byte_for_byte() {
    for spelling in [Odd::Header, Odd::Order, Odd::Envelope, Odd::Fact, Odd::Escape] {
        let mut all = peers(&[(b'A', Role::Contributor), (b'B', Role::Curator)]);
        let (id, base) = (all[0].album.id(), all[0].album.ops().last().unwrap().clone());
        let ada = all[1].author.clone();
        let facts = [image("a.jpg"), rating("a.jpg", 4), image("b.jpg"), chat("hello")];
        let op = odd(&Pen::new(&ada, id, None, &[&base]).facts(&facts), spelling);
        let bob: &mut Peer = &mut all[2];
        let receipt = bob.album.receive(op.clone(), Trust::Verify);
        assert_eq!(receipt, Receipt::Received(vec![op.clone()]), "{spelling:?}");
        check_served(&bob.album, &op);
        let usual = bob.say(image("a.jpg"));
        assert_eq!(bob.names()[1..].len(), 2);
        assert_eq!(bob.album.images_of_blob(&blob("b.jpg")).len(), 1, "{spelling:?}");
        let carol = copy(&bob.album, id);
        check_served(&carol, &op);
        check_served(&carol, &usual);
        // It dies like any other.
        let dead = bob.album.images().next().unwrap().id;
        bob.kill(dead);
        copy(&bob.album, id);
    }
}

/// An album of all these spellings, with images, ratings, chat, previews, removals and a fork.
pub fn an_album_of_odd_texts() -> Album {
    let mut all = peers(&[(b'A', Role::Contributor), (b'B', Role::Curator)]);
    let (id, base) = (all[0].album.id(), all[0].album.ops().last().unwrap().clone());
    let ada = all[1].author.clone();
    for spelling in [Odd::Header, Odd::Order, Odd::Envelope, Odd::Fact, Odd::Escape] {
        let facts = [image("a.jpg"), rating("a.jpg", 4), image("b.jpg"), chat("hello")];
        let op = odd(&Pen::new(&ada, id, None, &[&base]).facts(&facts), spelling);
        all[2].album.receive(op, Trust::Verify);
    }
    let dead = all[2].album.images().next().unwrap().id;
    all[2].kill(dead);
    all[2].say(image("c.jpg"));
    assert!(all[2].album.op_count() >= 8);
    all.remove(2).album
}

/// A member signs two first ops with two certificates, both good: each is given on with its own.
#[test]
fn two_first_ops_keep_their_own_intro() {
    let mut all = peers(&[(b'A', Role::Contributor)]);
    let (id, base) = (all[0].album.id(), all[0].album.ops().last().unwrap().clone());
    let ada = all[1].author.clone();
    let one = Pen::new(&ada, id, None, &[&base]).facts(&[image("one")]).sign();
    let pen = Pen::new(&ada, id, None, &[&base]).facts(&[image("two")]);
    let mut header = pen.header();
    // Not a certificate at all, but a store that trusts itself does not look.
    header.intro.as_mut().unwrap().cert.0[0] ^= 1;
    let two = pen.sign_as(&header);
    for op in [&one, &two] {
        let receipt = all[0].album.receive(op.clone(), Trust::Stored);
        assert!(matches!(receipt, Receipt::Received(_)));
        check_served(&all[0].album, op);
    }
    check_served(&all[0].album, &one);
    all[0].album.check_texts().unwrap();
}

/// Every kind of op that our own program writes is in the usual spelling: none of their texts is kept.
#[test]
fn what_we_write_is_usual() {
    let mut all = peers(&[(b'A', Role::Contributor)]);
    let many: Vec<Fact> = (0..300).map(|n| image(&format!("quote \" {n} é"))).collect();
    let ops = all[0].write(&many, &[]);
    assert_eq!(ops.len(), 2, "more than one op holds, joined by batch");
    let id = all[0].album.images().next().unwrap().id;
    all[0].kill(id);
    all[0].say(grant(b'B', Role::Viewer));
    all[0].say(chat("a \"line\"\n"));
    assert_eq!(all[0].album.odd_count(), 0);
    all[0].album.check_texts().unwrap();
    copy(&all[0].album, all[0].album.id());
}
