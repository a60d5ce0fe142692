//! The spelling that this program writes: keys in the order of docs/protocol.md §2, no white space, no escapes.
//!
//! Most ops are spelt so, and are read here in one pass, without building JSON. What is read here is one spelling for
//! one value: writing the value gives the same text again, so an album need not keep the text. Whatever departs from it
//! in one byte is none of this reader's: it says nothing, and the strict JSON reader decides (`op::Op::decode`).

use crate::fact::{self, Fact, Image, Preview, Shape, Version};
use crate::header::{DotRun, Header, Intro, OpRef};
use crate::id::{
    self, ActorId, AlbumId, BlobHash, Digest, HeaderHash, HeaderRef, Incarnation, PublicKey, Signature,
};
use crate::limits::{CHAT_BYTES_MAX, DEPS_EMPTY_MAX, INTEGER_MAX, REMOVE_RUNS_MAX, STARS_MAX};

/// A place in a text. Each method takes what it is named for, or returns none: then the text is not so spelt.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Reader { text, at: 0 }
    }

    /// Bytes taken so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// These very bytes.
    pub(crate) fn word(&mut self, word: &str) -> Option<()> {
        self.rest()
            .starts_with(word.as_bytes())
            .then(|| self.at += word.len())
    }

    /// A key that may be left out, and its value.
    fn optional<T>(&mut self, key: &str, value: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.word(key) {
            Some(()) => value(self).map(Some),
            None => Some(None),
        }
    }

    fn integer(&mut self) -> Option<u64> {
        let digits = self
            .rest()
            .iter()
            .take(17)
            .take_while(|c| c.is_ascii_digit())
            .count();
        let text = self.text.get(self.at..self.at + digits)?;
        let one_spelling = digits == 1 || !text.starts_with('0');
        let value = text
            .parse()
            .ok()
            .filter(|value| *value <= INTEGER_MAX && one_spelling)?;
        self.at += digits;
        Some(value)
    }

    /// A string without escapes.
    fn string(&mut self) -> Option<&'a str> {
        self.word("\"")?;
        let plain = |c: &u8| *c >= 0x20 && *c != b'"' && *c != b'\\';
        let length = self.rest().iter().take_while(|c| plain(c)).count();
        let string = self.text.get(self.at..self.at + length)?;
        self.at += length;
        self.word("\"")?;
        Some(string)
    }

    /// `N` bytes of base64url, the one spelling that the decoder takes.
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.word("\"")?;
        let digits = (N * 8).div_ceil(6);
        let out = id::from_digits(self.rest().get(..digits)?)?;
        self.at += digits;
        self.word("\"")?;
        Some(out)
    }

    /// `[…,…]` with at least one item and at most `most`.
    fn list<T>(&mut self, most: usize, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.word("[")?;
        let mut items = vec![item(self)?];
        while self.word(",").is_some() {
            if items.len() == most {
                return None;
            }
            items.push(item(self)?);
        }
        self.word("]")?;
        Some(items)
    }

    /// A header; its keys fit each other, as far as a header alone can show.
    pub(crate) fn header(&mut self) -> Option<Header> {
        self.word(r#"{"v":1"#)?;
        let album = self.optional(r#","album":"#, Self::bytes)?.map(AlbumId);
        self.word(r#","actor":"#)?;
        let actor = ActorId(self.bytes()?);
        self.word(r#","first":"#)?;
        let first = self.integer()?;
        self.word(r#","count":"#)?;
        let count = self.integer()?;
        self.word(r#","lamport":"#)?;
        let lamport = self.integer()?;
        let prev = self.optional(r#","prev":"#, Self::bytes)?.map(HeaderHash);
        let deps = self.optional(r#","deps":"#, |reader| reader.list(DEPS_EMPTY_MAX, Self::dep))?;
        let root = self.optional(r#","root":"#, Self::bytes)?.map(Digest);
        let removes = self.optional(r#","removes":"#, |reader| reader.list(REMOVE_RUNS_MAX, Self::run))?;
        let batch = self.optional(r#","batch":"#, Self::bytes)?.map(HeaderRef);
        let intro = self.optional(r#","intro":"#, Self::intro)?;
        self.word("}")?;
        let header = Header {
            album,
            actor,
            first,
            count,
            lamport,
            prev,
            deps: deps.unwrap_or_default(),
            root,
            removes: removes.unwrap_or_default(),
            batch,
            intro,
        };
        header.check().ok().map(|()| header)
    }

    fn dep(&mut self) -> Option<OpRef> {
        self.word("[")?;
        let actor = ActorId(self.bytes()?);
        self.word(",")?;
        let seq = self.integer()?;
        self.word(",")?;
        let header = HeaderRef(self.bytes()?);
        self.word("]")?;
        Some(OpRef { actor, seq, header })
    }

    fn run(&mut self) -> Option<DotRun> {
        self.word("[")?;
        let actor = ActorId(self.bytes()?);
        self.word(",")?;
        let first = self.integer()?;
        self.word(",")?;
        let count = self.integer()?;
        self.word("]")?;
        Some(DotRun { actor, first, count })
    }

    fn intro(&mut self) -> Option<Intro> {
        self.word(r#"{"device":"#)?;
        let device = PublicKey(self.bytes()?);
        self.word(r#","incarnation":"#)?;
        let incarnation = Incarnation(self.bytes()?);
        self.word(r#","root":"#)?;
        let root = PublicKey(self.bytes()?);
        self.word(r#","cert":"#)?;
        let cert = self.signature()?;
        self.word("}")?;
        Some(Intro {
            device,
            incarnation,
            root,
            cert,
        })
    }

    pub(crate) fn signature(&mut self) -> Option<Signature> {
        self.bytes().map(Signature)
    }

    /// An image, a rating or a line of chat. The other kinds are few.
    pub(crate) fn fact(&mut self) -> Option<Fact> {
        self.word(r#"{"kind":""#)?;
        if self.word(r#"image","name":"#).is_some() {
            return self.image();
        }
        if self.word(r#"rating","image":"#).is_some() {
            let image = BlobHash(self.bytes()?);
            self.word(r#","stars":"#)?;
            let stars = self.integer().filter(|stars| *stars <= STARS_MAX)? as u8;
            let at = self.time()?;
            return Some(Fact::Rating { image, stars, at });
        }
        self.word(r#"chat","text":"#)?;
        let text = self
            .string()
            .filter(|text| text.len() <= CHAT_BYTES_MAX)?
            .to_owned();
        let at = self.time()?;
        Some(Fact::Chat { text, at })
    }

    fn time(&mut self) -> Option<u64> {
        self.word(r#","at":"#)?;
        let at = self.integer()?;
        self.word("}")?;
        Some(at)
    }

    fn image(&mut self) -> Option<Fact> {
        let name = self.string()?.to_owned();
        self.word(r#","hash":"#)?;
        let hash = BlobHash(self.bytes()?);
        self.word(r#","size":"#)?;
        let size = self.integer()?;
        self.word(r#","at":"#)?;
        let at = self.integer()?;
        let shape = self.optional(r#","media":"#, Self::shape)?;
        let taken = self.optional(r#","taken":"#, Self::string)?.map(str::to_owned);
        let damaged = self.word(r#","damaged":true"#).is_some();
        let preview = self.optional(r#","preview":{"hash":"#, Self::preview)?;
        let version = self.optional(r#","source":"#, Self::version)?;
        self.word("}")?;
        let image = Image {
            name,
            hash,
            size,
            at,
            shape,
            taken,
            damaged,
            preview,
            version: version.map(Box::new),
        };
        fact::checked_image(image).ok().map(Fact::Image)
    }

    fn shape(&mut self) -> Option<Shape> {
        let media = self.string()?.to_owned();
        self.word(r#","width":"#)?;
        let width = self.integer()?.try_into().ok()?;
        self.word(r#","height":"#)?;
        let height = self.integer()?.try_into().ok()?;
        Some(Shape { media, width, height })
    }

    fn preview(&mut self) -> Option<Preview> {
        let hash = BlobHash(self.bytes()?);
        self.word(r#","size":"#)?;
        let size = self.integer()?;
        self.word("}")?;
        Some(Preview { hash, size })
    }

    fn version(&mut self) -> Option<Version> {
        let source = BlobHash(self.bytes()?);
        self.word(r#","recipe":"#)?;
        let recipe = self.string()?.to_owned();
        self.word(r#","pixel_engine":"#)?;
        let pixel_engine = self.string()?.to_owned();
        self.word(r#","encoder":"#)?;
        let encoder = self.string()?.to_owned();
        self.word(r#","pixels":"#)?;
        let pixels = Digest(self.bytes()?);
        Some(Version {
            source,
            recipe,
            pixel_engine,
            encoder,
            pixels,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::FactHash;
    use crate::keys::KeyPair;
    use crate::op::{Op, fact_hash, facts_root};

    fn id<const N: usize>() -> impl Strategy<Value = [u8; N]> {
        any::<[u8; 32]>().prop_map(|seed| {
            let mut out = [0; N];
            let mut reader = blake3::Hasher::new().update(&seed).finalize_xof();
            reader.fill(&mut out);
            out
        })
    }

    /// Names as people type them: also some that need escapes in JSON, and some that are none of ours.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{1,9}\\.jpg",
            "[ -~é写\u{301}]{0,12}",
            Just("a\u{7f}\n".to_owned())
        ]
    }

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0..200u64, any::<u64>(), Just(INTEGER_MAX), Just(INTEGER_MAX + 1)]
    }

    fn image() -> impl Strategy<Value = Fact> {
        let media = prop_oneof![Just("image/jpeg".to_owned()), word()];
        let shape = proptest::option::of((media, any::<[u32; 2]>()));
        let preview = proptest::option::of((id(), number()));
        let version = proptest::option::of((id(), id(), word(), word(), word()));
        let taken = proptest::option::of(prop_oneof![Just("2020-01-02T03:04:05".to_owned()), word()]);
        let plain = (word(), id(), number(), number(), any::<bool>());
        (plain, shape, taken, preview, version).prop_map(|(plain, shape, taken, preview, version)| {
            let (name, hash, size, at, damaged) = plain;
            Fact::Image(Image {
                name,
                hash: BlobHash(hash),
                size,
                at,
                shape: shape.map(|(media, [width, height])| Shape { media, width, height }),
                taken,
                damaged,
                preview: preview.map(|(hash, size)| Preview {
                    hash: BlobHash(hash),
                    size,
                }),
                version: version.map(|(source, pixels, recipe, pixel_engine, encoder)| {
                    Box::new(Version {
                        source: BlobHash(source),
                        pixels: Digest(pixels),
                        recipe,
                        pixel_engine,
                        encoder,
                    })
                }),
            })
        })
    }

    fn fact() -> impl Strategy<Value = Fact> {
        prop_oneof![
            4 => image(),
            1 => (id(), 0..7u8, number()).prop_map(|(image, stars, at)| Fact::Rating {
                image: BlobHash(image),
                stars,
                at
            }),
            1 => (word(), number()).prop_map(|(text, at)| Fact::Chat { text, at }),
            1 => (word(), number()).prop_map(|(name, at)| Fact::Album { name, at }),
        ]
    }

    /// An envelope, mostly in the usual spelling; its op is mostly sound.
    fn envelope() -> impl Strategy<Value = String> {
        let facts = proptest::collection::vec(fact(), 0..4);
        let deps = proptest::collection::vec((id(), 1..90u64, id()), 0..4);
        let removes = proptest::collection::vec((id(), 1..90u64, 1..9u64), 0..3);
        let batch = proptest::option::of(id());
        let ids = (id(), id(), id(), any::<[u8; 32]>());
        let numbers = (number(), number(), any::<bool>());
        (facts, deps, removes, batch, ids, numbers).prop_map(|(facts, deps, removes, batch, ids, numbers)| {
            let (album, actor, prev, seed) = ids;
            let (mut first, lamport, begins) = numbers;
            let texts: Vec<String> = facts.iter().map(Fact::to_text).collect();
            let device = KeyPair::from_seed(&seed);
            let intro = Intro {
                device: device.public(),
                incarnation: Incarnation([3; 16]),
                root: device.public(),
                cert: Signature([9; 64]),
            };
            let intro = (begins && texts.is_empty()).then_some(intro);
            if intro.is_some() {
                first = 1;
            }
            let mut deps: Vec<OpRef> = deps
                .into_iter()
                .map(|(actor, seq, header)| OpRef {
                    actor: ActorId(actor),
                    seq,
                    header: HeaderRef(header),
                })
                .collect();
            deps.sort_unstable();
            let run = |(actor, first, count)| DotRun {
                actor: ActorId(actor),
                first,
                count,
            };
            let header = Header {
                album: Some(AlbumId(album)),
                actor: intro.map_or(ActorId(actor), |intro| intro.actor()),
                first,
                count: texts.len() as u64,
                lamport,
                prev: intro.is_none().then_some(HeaderHash(prev)),
                deps,
                root: (!texts.is_empty()).then(|| facts_root(texts.iter().map(|text| fact_hash(text)))),
                removes: if intro.is_some() {
                    vec![]
                } else {
                    removes.into_iter().map(run).collect()
                },
                batch: batch.map(HeaderRef),
                intro,
            };
            let (header, sig) = (header.to_text(), Signature([7; 64]));
            format!(
                r#"{{"header":{header},"sig":"{sig}","facts":[{}]}}"#,
                texts.join(",")
            )
        })
    }

    /// What one reader says is what the other says, and what is kept of an op gives its text again.
    fn agree(text: &str) {
        let any = Op::read_any(text);
        if let Some(usual) = Op::read_usual(text) {
            assert_eq!(Ok(&usual), any.as_ref(), "{text}");
        }
        let Ok(op) = any else { return };
        let mut parts: Vec<(FactHash, Fact, bool, String)> = Vec::new();
        for (place, fact) in op.facts.iter().enumerate() {
            let mut bytes = Vec::new();
            crate::packed::write(&mut bytes, &fact.fact, fact.usual, op.fact_text(place).unwrap());
            let packed = crate::packed::Packed(&bytes);
            assert_eq!(Some(&*packed.text()), op.fact_text(place));
            assert_eq!(
                (packed.fact(), packed.is_short()),
                (fact.fact.clone(), fact.usual)
            );
            for own in [true, false] {
                assert_eq!(packed.remove_need(own), fact.fact.remove_need(own));
            }
            assert_eq!(packed.is_member(), fact.fact.is_member());
            let keys = packed
                .image_keys()
                .map(|keys| (keys.name, keys.hash, keys.preview));
            let expect = match &fact.fact {
                Fact::Image(image) => Some((
                    &*image.name,
                    image.hash,
                    image.preview.map(|preview| preview.hash),
                )),
                _ => None,
            };
            assert_eq!(keys, expect);
            parts.push((
                fact.hash,
                packed.fact(),
                packed.is_short(),
                packed.text().into_owned(),
            ));
        }
        let again = Op::from_parts(op.header.clone(), op.hash, op.sig, parts);
        assert_eq!(op.usual, again.bytes() == text);
        if op.usual {
            assert_eq!(again, op);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn both_readers_agree(
            text in envelope(),
            edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 1..4),
        ) {
            agree(&text);
            let mut odd = text.into_bytes();
            for (place, kind, byte) in edits {
                let place = place.index(odd.len());
                match kind {
                    0 => drop(odd.remove(place)),
                    1 => odd.insert(place, b' '),
                    2 => odd[place] = byte & 0x7f,
                    _ => odd[place] ^= 1,
                }
                if let Ok(text) = std::str::from_utf8(&odd) {
                    agree(text);
                }
            }
        }
    }

    #[test]
    fn the_usual_op_is_read_in_one_pass_and_the_odd_one_is_not() {
        let header = r#"{"v":1,"album":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","actor":"AAAAAAAAAAAAAAAAAAAAAA","first":2,"count":0,"lamport":2,"prev":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
        let sig = "A".repeat(86);
        let usual = format!(r#"{{"header":{header},"sig":"{sig}","facts":[]}}"#);
        let others = [
            format!(r#"{{"sig":"{sig}","header":{header},"facts":[]}}"#),
            format!(r#"{{"header":{header},"facts":[],"sig":"{sig}"}}"#),
            format!(r#"{{"header":{header},"sig":"{sig}","facts":[ ]}}"#),
            format!(r#" {{"header":{header},"sig":"{sig}","facts":[]}}"#),
            usual.replace(r#""v":1,"#, r#""v": 1,"#),
            usual.replace(r#""first":2,"count":0"#, r#""count":0,"first":2"#),
            usual.replace("lamport", "l\\u0061mport"),
        ];
        assert!(Op::read_usual(&usual).is_some_and(|op| op.usual));
        for text in others {
            assert!(Op::read_usual(&text).is_none(), "{text}");
            let op = Op::decode(&text).unwrap();
            assert!(!op.usual && op.bytes() == text, "{text}");
        }
    }
}
