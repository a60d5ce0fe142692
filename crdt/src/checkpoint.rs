//! A checkpoint: an album's received and judged ops as one run of bytes, so that a start need not read them one by one.
//!
//! It says nothing that the ops do not say, and is nobody's only copy: whoever cannot use one reads the ops. In it are
//! what costs time to find out (hashes, values, who is valid, the order of the indices, the digest's buckets); counts,
//! rights and lists are made anew from that. The layout is this version's own (docs/protocol.md does not know it), so
//! another version's is not read. All numbers are little-endian.
//!
//! ```text
//! MAGIC ‖ BLAKE3 of all that follows ‖ album ‖ length of the data, u64 ‖ data of each op
//! users ‖ actors ‖ ops, a column for each of their parts ‖ removes ‖ odd texts ‖ digest ‖ indices of images
//! ```

use std::sync::Arc;

use crate::album::Album;
use crate::deps::{Deps, NO_OP};
use crate::fact::{Fact, Role};
use crate::graph::{Actor, FactAt, Graph, More, Own, prefix};
use crate::header::{DotRun, Intro};
use crate::id::{ActorId, AlbumId, Digest, HeaderHash, HeaderRef, Incarnation, PublicKey, Signature, UserId};
use crate::index::Index;
use crate::limits::{CHECKPOINT_BYTES_MAX, DEPS_EMPTY_MAX, FACTS_PER_OP_MAX};
use crate::live;
use crate::op::Op;
use crate::rights::Standing;
use crate::tree::{BUCKETS, Tree, WIDTH};

/// The last three digits are the layout's version.
const MAGIC: &[u8; 24] = b"calotype checkpoint 001\n";
const CHECKED_FROM: usize = MAGIC.len() + Digest::LEN;
/// Where the ops' data begin: after album and length.
const DATA_FROM: usize = CHECKED_FROM + AlbumId::LEN + 8;

const VALID: u8 = 1;
const STANDING_AT: u8 = 1;
const NEED_AT: u8 = 3;
const MORE: u8 = 0x40;
const STANDINGS: [Standing; 3] = [Standing::Member, Standing::Curator, Standing::Owner];
const ROLES: [Role; 5] = [
    Role::None,
    Role::Viewer,
    Role::Contributor,
    Role::Curator,
    Role::Owner,
];

/// Why bytes are no checkpoint of an album.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// No checkpoint, or another version's.
    #[error("no checkpoint of this version")]
    Version,
    /// Some of its bytes are not those that were written.
    #[error("its bytes do not fit their checksum")]
    Checksum,
    /// Another album's.
    #[error("another album's")]
    Album,
    /// The parts do not fit each other.
    #[error("malformed: {0}")]
    Form(&'static str),
}

use CheckpointError::Form;

type Read<T> = Result<T, CheckpointError>;

impl Album {
    /// The received ops as judged now; what waits for its past is left out. None before the genesis is here, and where
    /// it would be larger than [`CHECKPOINT_BYTES_MAX`].
    pub fn to_checkpoint(&self) -> Option<Vec<u8>> {
        self.genesis?;
        let graph = &self.graph;
        let data: usize = graph.numbers().map(|at| graph.data(at).len()).sum();
        // Columns and indices of an entry are some 130 bytes.
        let mut out = Vec::with_capacity(DATA_FROM + data + 130 * (graph.len() + self.live.tree.len()));
        out.extend(MAGIC);
        out.extend([0; Digest::LEN]);
        out.extend(self.id().0);
        out.extend((data as u64).to_le_bytes());
        graph.numbers().for_each(|at| out.extend(graph.data(at)));
        write_people(&mut out, graph);
        write_ops(&mut out, graph);
        write_digest(&mut out, self);
        for index in [&self.live.names, &self.live.images, &self.live.previews] {
            put(&mut out, index.len() as u32);
            for (prefix, at) in index.slots() {
                out.extend(prefix.to_le_bytes());
                put_fact(&mut out, at);
            }
        }
        let lists = self.live.listed();
        put(&mut out, lists.len() as u32);
        lists.iter().for_each(|at| put_fact(&mut out, *at));
        if out.len() > CHECKPOINT_BYTES_MAX {
            return None;
        }
        let sum = blake3::hash(&out[CHECKED_FROM..]);
        out[MAGIC.len()..CHECKED_FROM].copy_from_slice(sum.as_bytes());
        Some(out)
    }

    /// The album that a checkpoint is of. Its bytes are kept, as the values of its ops.
    ///
    /// # Errors
    /// [`CheckpointError`]: then the ops themselves are to be read.
    pub fn from_checkpoint(id: AlbumId, bytes: Vec<u8>) -> Result<Album, CheckpointError> {
        if !bytes.starts_with(MAGIC) || bytes.len() < DATA_FROM || bytes.len() > CHECKPOINT_BYTES_MAX {
            return Err(CheckpointError::Version);
        }
        if blake3::hash(&bytes[CHECKED_FROM..]).as_bytes()[..] != bytes[MAGIC.len()..CHECKED_FROM] {
            return Err(CheckpointError::Checksum);
        }
        let mut from = Reader(&bytes[CHECKED_FROM..]);
        if AlbumId(from.array()?) != id {
            return Err(CheckpointError::Album);
        }
        let data = usize::try_from(from.u64()?).map_err(|_| Form("length"))?;
        from.take(data)?;
        let mut album = Album::empty(id);
        read_people(&mut from, &mut album.graph)?;
        let ops = Ops::read(&mut from)?;
        ops.hang(&mut album, DATA_FROM + data)?;
        ops.read_rest(&mut from, &mut album.graph)?;
        album.live.tree = read_digest(&mut from, &ops)?;
        let live = &mut album.live;
        for index in [&mut live.names, &mut live.images, &mut live.previews] {
            *index = read_index(&mut from, &ops)?;
        }
        let count = from.count()?;
        let listed = from.column::<6>(count)?.iter().map(fact_at);
        if !from.0.is_empty() {
            return Err(Form("end"));
        }
        let mores: Vec<u32> = ops.with_more().collect();
        let live = Lists {
            valid: ops.flags.iter().map(|[flags]| flags & VALID != 0).collect(),
            facts: ops.valid_facts(),
            listed: listed.filter(|at| ops.has(*at)).collect(),
        };
        let mut bytes = bytes;
        bytes.truncate(DATA_FROM + data);
        bytes.shrink_to_fit();
        album.graph.base = Arc::new(bytes);
        album.make_rest(&mores)?;
        album.list_live(&live)?;
        Ok(album)
    }

    /// Hashes of the received ops' headers, in the order of receipt.
    pub fn hashes(&self) -> impl Iterator<Item = HeaderHash> + '_ {
        self.graph.numbers().map(|at| self.graph.node(at).hash)
    }
}

fn put(out: &mut Vec<u8>, number: u32) {
    out.extend(number.to_le_bytes());
}

fn put_fact(out: &mut Vec<u8>, at: FactAt) {
    put(out, at.node);
    out.extend(at.place.to_le_bytes());
}

fn write_people(out: &mut Vec<u8>, graph: &Graph) {
    put(out, graph.users.len() as u32);
    graph.users.iter().for_each(|user| out.extend(user.0));
    put(out, graph.actors.len() as u32);
    for Actor { intro, .. } in &graph.actors {
        out.extend(intro.device.0);
        out.extend(intro.incarnation.0);
        out.extend(intro.root.0);
        out.extend(intro.cert.0);
    }
}

fn write_ops(out: &mut Vec<u8>, graph: &Graph) {
    let nodes = || graph.numbers().map(|at| graph.node(at));
    let place = |of: &[Standing], one| of.iter().position(|other| *other == one).unwrap_or(0) as u8;
    put(out, graph.len() as u32);
    nodes().for_each(|node| out.extend(node.hash.0));
    for node in nodes() {
        let need = ROLES.iter().position(|role| *role == node.need).unwrap_or(0) as u8;
        let more = if node.more().is_some() { MORE } else { 0 };
        out.push(
            u8::from(node.valid) | place(&STANDINGS, node.standing) << STANDING_AT | need << NEED_AT | more,
        );
    }
    nodes().for_each(|node| out.extend(node.count.to_le_bytes()));
    nodes().for_each(|node| put(out, node.prev.unwrap_or(NO_OP)));
    // Of an actor's first op: whose it is.
    nodes()
        .filter(|node| node.prev.is_none())
        .for_each(|node| put(out, node.actor));
    nodes().for_each(|node| out.push(node.deps.len() as u8));
    nodes().for_each(|node| node.deps.iter().for_each(|dep| put(out, *dep)));
    graph
        .numbers()
        .for_each(|at| put(out, graph.data(at).len() as u32));
    graph.by_hash.iter().for_each(|(_, at)| put(out, *at));
    for more in nodes().filter_map(|node| node.more()) {
        put(out, more.kills.len() as u32);
        more.kills.iter().for_each(|kill| put_fact(out, *kill));
        put(out, more.removes.len() as u32);
        for run in &more.removes {
            out.extend(run.actor.0);
            out.extend(run.first.to_le_bytes());
            out.extend(run.count.to_le_bytes());
        }
        out.push(u8::from(more.batch.is_some()));
        out.extend(more.batch.iter().flat_map(|batch| batch.0));
    }
    put(out, graph.odd.len() as u32);
    for (at, text) in &graph.odd {
        put(out, *at);
        put(out, text.len() as u32);
        out.extend(text.as_bytes());
    }
}

fn write_digest(out: &mut Vec<u8>, album: &Album) {
    let tree = &album.live.tree;
    let buckets = 0..BUCKETS as u16;
    buckets
        .clone()
        .for_each(|bucket| put(out, tree.handles(bucket).len() as u32));
    for bucket in buckets {
        tree.handles(bucket).iter().for_each(|at| put_fact(out, *at));
    }
    for node in 0..WIDTH as u8 {
        let hashes = tree.leaf_hashes(node, |at| live::entry(&album.graph, at));
        hashes
            .iter()
            .filter(|hash| hash.0 != [0; 32])
            .for_each(|hash| out.extend(hash.0));
    }
}

/// Takes parts off the front; each says so where they are not there.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Form("length"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.first_chunk().copied().ok_or(Form("length"))
    }

    fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// `count` parts of `N` bytes, which are all there: whoever makes room for them makes no more than there are bytes.
    fn column<const N: usize>(&mut self, count: usize) -> Read<&'a [[u8; N]]> {
        let bytes = self.take(count.checked_mul(N).ok_or(Form("length"))?)?;
        Ok(bytes.as_chunks().0)
    }

    fn count(&mut self) -> Read<usize> {
        self.u32().map(|count| count as usize)
    }
}

fn fact_at(bytes: &[u8; 6]) -> FactAt {
    let [a, b, c, d, e, f] = *bytes;
    FactAt {
        node: u32::from_le_bytes([a, b, c, d]),
        place: u16::from_le_bytes([e, f]),
    }
}

fn read_people(from: &mut Reader<'_>, graph: &mut Graph) -> Read<()> {
    let count = from.count()?;
    for user in from.column::<32>(count)? {
        graph.intern_user(&UserId(*user));
    }
    if graph.users.len() != count {
        return Err(Form("users"));
    }
    let count = from.count()?;
    for _ in 0..count {
        let intro = Intro {
            device: PublicKey(from.array()?),
            incarnation: Incarnation(from.array()?),
            root: PublicKey(from.array()?),
            cert: Signature(from.array()?),
        };
        let user = graph.user(&intro.user()).ok_or(Form("an actor's user"))?;
        graph.known_actor(intro.actor(), user, intro);
    }
    match graph.actors.len() == count {
        true => Ok(()),
        false => Err(Form("actors")),
    }
}

/// The columns of ops.
struct Ops<'a> {
    hashes: &'a [[u8; 32]],
    flags: &'a [[u8; 1]],
    facts: &'a [[u8; 2]],
    prevs: &'a [[u8; 4]],
    /// Of first ops, each in its turn.
    actors: &'a [[u8; 4]],
    dep_counts: &'a [[u8; 1]],
    deps: &'a [[u8; 4]],
    lengths: &'a [[u8; 4]],
    by_hash: &'a [[u8; 4]],
}

impl<'a> Ops<'a> {
    fn read(from: &mut Reader<'a>) -> Read<Ops<'a>> {
        let count = from.count()?;
        let (hashes, flags) = (from.column(count)?, from.column(count)?);
        let (facts, prevs) = (from.column(count)?, from.column::<4>(count)?);
        let first = |prev: &&[u8; 4]| u32::from_le_bytes(**prev) == NO_OP;
        let actors = from.column(prevs.iter().filter(first).count())?;
        let dep_counts = from.column::<1>(count)?;
        let deps = from.column(dep_counts.iter().map(|[count]| usize::from(*count)).sum())?;
        let (lengths, by_hash) = (from.column(count)?, from.column(count)?);
        Ok(Ops {
            hashes,
            flags,
            facts,
            prevs,
            actors,
            dep_counts,
            deps,
            lengths,
            by_hash,
        })
    }

    /// Whether there is such a fact.
    fn has(&self, at: FactAt) -> bool {
        let facts = self.facts.get(at.node as usize);
        facts.is_some_and(|facts| at.place < u16::from_le_bytes(*facts))
    }

    /// How many facts valid ops have.
    fn valid_facts(&self) -> usize {
        let all = self.flags.iter().zip(self.facts);
        let valid = all.filter(|([flags], _)| flags & VALID != 0);
        valid
            .map(|(_, facts)| usize::from(u16::from_le_bytes(*facts)))
            .sum()
    }

    fn with_more(&self) -> impl Iterator<Item = u32> + '_ {
        (0..)
            .zip(self.flags)
            .filter(|(_, [flags])| flags & MORE != 0)
            .map(|(at, _)| at)
    }

    /// Parents, each op's `prev` first; they have lower numbers.
    fn parents(&self) -> Read<Vec<(Option<u32>, Deps)>> {
        let mut deps = self.deps;
        let mut parents = Vec::with_capacity(self.prevs.len());
        for (at, (prev, [count])) in (0..).zip(self.prevs.iter().zip(self.dep_counts)) {
            let prev = Some(u32::from_le_bytes(*prev)).filter(|prev| *prev != NO_OP);
            let (mine, rest) = deps.split_at(usize::from(*count));
            deps = rest;
            let mine: Deps = mine.iter().map(|dep| u32::from_le_bytes(*dep)).collect();
            let fit = mine.len() == usize::from(*count) && mine.len() <= DEPS_EMPTY_MAX;
            if !fit || !prev.iter().chain(&*mine).all(|parent| *parent < at) {
                return Err(Form("parents"));
            }
            parents.push((prev, mine));
        }
        Ok(parents)
    }

    /// Hangs all ops into an empty album's graph, with what follows from their places: who needs whom, heads, tips.
    fn hang(&self, album: &mut Album, data_end: usize) -> Read<()> {
        if self.hashes.first() != Some(&album.id().0) {
            return Err(Form("genesis"));
        }
        let parents = self.parents()?;
        let is_valid = |at: usize| self.flags[at][0] & VALID != 0;
        let mut needed = vec![(0u32, 0u32); parents.len()];
        let mut has_child = vec![false; parents.len()];
        for (at, (prev, deps)) in parents.iter().enumerate().rev() {
            needed[at].0 += u32::from(is_valid(at));
            let is_needed = u32::from(needed[at].0 > 0);
            for parent in prev.iter().chain(&**deps) {
                needed[*parent as usize].0 += is_needed;
                has_child[*parent as usize] = true;
            }
            if let Some(prev) = prev {
                needed[*prev as usize].1 += is_needed;
            }
        }
        let graph = &mut album.graph;
        let mut actors = self.actors.iter();
        let mut data_at = DATA_FROM;
        graph.begin(album.id);
        for (at, (prev, deps)) in parents.into_iter().enumerate() {
            let (first, actor) = match prev.map(|prev| graph.node(prev)) {
                Some(prev) => (prev.last_seq() + 1, prev.actor),
                None => (1, actors.next().map_or(NO_OP, |actor| u32::from_le_bytes(*actor))),
            };
            let Some(known) = graph.actors.get(actor as usize) else {
                return Err(Form("an op's actor"));
            };
            let (user, bucket) = (known.user, known.bucket);
            let [flags] = self.flags[at];
            let standing = STANDINGS.get(usize::from(flags >> STANDING_AT & 3));
            let need = ROLES.get(usize::from(flags >> NEED_AT & 7));
            let facts = u16::from_le_bytes(self.facts[at]);
            let (Some(standing), Some(need), true) = (standing, need, usize::from(facts) <= FACTS_PER_OP_MAX)
            else {
                return Err(Form("an op"));
            };
            let own = Own {
                hash: HeaderHash(self.hashes[at]),
                first,
                count: facts,
                actor,
                need: *need,
                judged: (is_valid(at), *standing),
                needed: needed[at],
                more: None,
            };
            let begin = data_at;
            data_at += u32::from_le_bytes(self.lengths[at]) as usize;
            if data_at > data_end {
                return Err(Form("data"));
            }
            graph.hang_again(own, prev, deps, (begin as u32, data_at as u32));
            album.rights.member(user).ops.push(at as u32);
            album.held += usize::from(!is_valid(at));
            if needed[at].0 > 0 && needed[at].1 == 0 {
                album.heads.insert(bucket, at as u32);
            }
        }
        graph.tips = (0..)
            .zip(has_child)
            .filter(|(_, has)| !has)
            .map(|(at, _)| at)
            .collect();
        match data_at == data_end {
            true => Ok(()),
            false => Err(Form("data")),
        }
    }

    /// The order of hashes, what few ops have, and texts that are kept.
    fn read_rest(&self, from: &mut Reader<'_>, graph: &mut Graph) -> Read<()> {
        let mut by_hash: Vec<(u64, u32)> = Vec::with_capacity(self.by_hash.len());
        let mut last: Option<&[u8; 32]> = None;
        for at in self.by_hash.iter().map(|at| u32::from_le_bytes(*at)) {
            let hash = self.hashes.get(at as usize).ok_or(Form("order"))?;
            let next = (prefix(hash), at);
            if by_hash.last().is_some_and(|before| *before >= next) || last == Some(hash) {
                return Err(Form("order"));
            }
            last = Some(hash);
            by_hash.push(next);
        }
        graph.by_hash = by_hash.into_iter().collect();
        for at in self.with_more() {
            let more = self.read_more(from, at)?;
            graph.set_more(at, more);
        }
        for _ in 0..from.count()? {
            let at = from.u32()?;
            let length = from.count()?;
            let text = std::str::from_utf8(from.take(length)?).map_err(|_| Form("text"))?;
            let hash = self.hashes.get(at as usize).copied().map(HeaderHash);
            if hash.is_none() || Op::decode(text).ok().map(|op| op.hash) != hash {
                return Err(Form("text"));
            }
            graph.odd.insert(at, text.into());
        }
        Ok(())
    }

    fn read_more(&self, from: &mut Reader<'_>, at: u32) -> Read<More> {
        let count = from.count()?;
        let kills: Box<[FactAt]> = from.column::<6>(count)?.iter().map(fact_at).collect();
        if !kills.iter().all(|kill| kill.node < at && self.has(*kill)) {
            return Err(Form("kills"));
        }
        let count = from.count()?;
        let runs = from.column::<32>(count)?.iter().map(|run| {
            let mut run = Reader(run);
            Ok(DotRun {
                actor: ActorId(run.array()?),
                first: run.u64()?,
                count: run.u64()?,
            })
        });
        let removes = runs.collect::<Read<Box<[DotRun]>>>()?;
        let batch = match from.array()? {
            [0] => None,
            _ => Some(HeaderRef(from.array()?)),
        };
        Ok(More {
            kills,
            removes,
            batch,
            members: Arc::default(),
        })
    }
}

fn read_digest(from: &mut Reader<'_>, ops: &Ops<'_>) -> Read<Tree<FactAt, { live::FACT_ENTRY }>> {
    let counts = from.column::<4>(BUCKETS)?;
    let counts = counts.iter().map(|count| u32::from_le_bytes(*count) as usize);
    let mut handles = from.column::<6>(counts.clone().sum())?;
    let mut tree = Tree::new();
    for (bucket, count) in (0..).zip(counts) {
        if count == 0 {
            continue;
        }
        let (mine, rest) = handles.split_at(count);
        handles = rest;
        let mine: Vec<FactAt> = mine.iter().map(fact_at).collect();
        if !mine.is_sorted_by(|a, b| a < b) || !mine.iter().all(|at| ops.has(*at)) {
            return Err(Form("digest"));
        }
        tree.set(bucket, mine);
    }
    for bucket in 0..BUCKETS as u16 {
        if !tree.handles(bucket).is_empty() {
            tree.set_hash(bucket, Digest(from.array()?));
        }
    }
    Ok(tree)
}

fn read_index(from: &mut Reader<'_>, ops: &Ops<'_>) -> Read<Index> {
    let count = from.count()?;
    let slots = from.column::<14>(count)?.iter().map(|slot| {
        let [p @ .., a, b, c, d, e, f] = *slot;
        (u64::from_le_bytes(p), fact_at(&[a, b, c, d, e, f]))
    });
    if !slots.clone().is_sorted_by_key(|(prefix, _)| prefix) || !slots.clone().all(|(_, at)| ops.has(at)) {
        return Err(Form("index"));
    }
    Ok(Index::of(slots))
}

/// What tells which facts are live.
struct Lists {
    valid: Vec<bool>,
    /// How many facts valid ops have.
    facts: usize,
    /// Ratings, chat and settings that are live.
    listed: Vec<FactAt>,
}

impl Album {
    /// All that follows from ops with removes or member facts (`mores`), and from which of them are valid.
    fn make_rest(&mut self, mores: &[u32]) -> Read<()> {
        self.genesis = Some(0);
        self.rights.set_owner(self.graph.user_of(0));
        for at in mores.iter().copied() {
            self.read_members(at)?;
            let (user, node) = (self.graph.user_of(at), self.graph.node(at));
            for kill in node.kills().iter().filter(|_| node.valid) {
                *self.killers.entry(*kill).or_default() += 1;
            }
            let is_in_force = node.valid && node.standing > Standing::Member;
            let members = node.shared_members();
            for (_, fact) in &*members {
                self.note_grant(at, fact);
                if let Fact::Revoke { device, .. } = fact {
                    self.rights.add_revoke(user, *device, at);
                }
            }
            if is_in_force {
                let users = self.graph.users.len();
                self.rights.set_force(&mut self.graph, at, true, false);
                if self.graph.users.len() != users {
                    return Err(Form("users"));
                }
            }
        }
        for user in self.rights.named().collect::<Vec<_>>() {
            let role = self.rights.present(&self.graph, user);
            if role > Role::None {
                self.roles.insert(user, role);
            }
        }
        Ok(())
    }

    /// Member facts are read from their texts.
    fn read_members(&mut self, at: u32) -> Read<()> {
        let places = (0..self.graph.node(at).count).map(|place| FactAt { node: at, place });
        let members = places
            .filter(|fact| self.graph.packed(*fact).is_member())
            .map(|fact| {
                let read = Fact::read(&self.graph.packed(fact).text());
                match read {
                    Ok(read) if read.is_member() => Ok((fact.place, read)),
                    _ => Err(Form("a member fact")),
                }
            });
        let members = members.collect::<Read<Arc<[_]>>>()?;
        let mut more = self.graph.node(at).more().cloned().unwrap_or_default();
        more.members = members;
        self.graph.set_more(at, more);
        Ok(())
    }

    /// The lists of live facts that are few; that the digest's buckets hold the live ones and no others.
    fn list_live(&mut self, lists: &Lists) -> Read<()> {
        let is_valid = |at: FactAt| lists.valid.get(at.node as usize).copied().unwrap_or(false);
        let is_live =
            |at: FactAt| is_valid(at) && (self.killers.is_empty() || !self.killers.contains_key(&at));
        let dead = self.killers.keys().filter(|at| is_valid(**at)).count();
        let images = self.live.names.len();
        let fits = self.live.tree.len() == lists.facts - dead
            && self.live.tree.all().all(is_live)
            && self.live.images.len() == images
            && self.live.previews.len() <= images
            && images + lists.listed.len() <= self.live.tree.len()
            && lists.listed.iter().copied().all(is_live);
        if !fits {
            return Err(Form("live facts"));
        }
        for at in &lists.listed {
            self.live.set_listed(&self.graph, *at, true);
        }
        self.rename();
        Ok(())
    }
}
