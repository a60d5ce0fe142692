//! What people see of an album (docs/protocol.md §4): entries by name, ratings, chat, members.

use std::collections::{BTreeMap, BTreeSet};

use crate::album::{Album, FactId};
use crate::fact::{Fact, Image, Role};
use crate::graph::FactAt;
use crate::id::{ActorId, BlobHash, HeaderHash, InviteId, PublicKey, UserId};
use crate::limits::HASH_DIGITS_MIN;
use crate::live;
use crate::name::clean_for_display;

/// A live entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageView {
    /// Its identity.
    pub id: FactId,
    /// The name it shows under, `NAME~6hex` where others have the same.
    pub name: String,
    /// What it says.
    pub image: Image,
    /// Who added it.
    pub user: UserId,
    /// Its op's lamport clock.
    pub lamport: u64,
}

/// Outcome of a search for one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    /// This one.
    One(T),
    /// These fit.
    Ambiguous(Vec<T>),
    /// Nothing fits.
    None,
}

/// The votes for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RatingView {
    /// Sum of the stars.
    pub stars: u64,
    /// Number of votes.
    pub count: u64,
}

impl RatingView {
    /// Mean of the stars; none without a vote.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.stars as f64 / self.count as f64)
    }
}

/// A line of chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatLine {
    /// Its identity.
    pub id: FactId,
    /// Who wrote it.
    pub user: UserId,
    /// The line as written; clean it for display.
    pub text: String,
    /// The author's clock, ms since 1970.
    pub at: u64,
    /// Its op's lamport clock.
    pub lamport: u64,
}

/// A member, present or former.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// Who.
    pub user: UserId,
    /// His label, fit to be shown.
    pub name: String,
    /// His present role.
    pub role: Role,
}

/// An element of the set: a live fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its identity.
    pub id: FactId,
    /// What it says.
    pub fact: Fact,
    /// Its text as signed.
    pub text: String,
}

impl Album {
    /// The live entries, by name, and within a name by the total order.
    pub fn images(&self) -> impl Iterator<Item = ImageView> + '_ {
        let mut all = self.live.names.iter().peekable();
        let groups = std::iter::from_fn(move || {
            let first = all.next()?;
            let name = live::keys(&self.graph, first).name;
            let mut group = vec![first];
            while let Some(at) = all.next_if(|at| live::keys(&self.graph, *at).name == name) {
                group.push(at);
            }
            Some(group)
        });
        groups.flat_map(|group| {
            let names = self.shown(&group);
            let views = group.into_iter().zip(names);
            views.filter_map(|(at, name)| self.image_view(at, name))
        })
    }

    /// Number of live entries.
    pub fn image_count(&self) -> usize {
        self.live.names.len()
    }

    /// Searches a live entry by the name it shows under, else by the first digits (6 or more) of its blob hash.
    pub fn image_named(&self, text: &str) -> Found<ImageView> {
        if let Some(view) = self.image_shown_as(text) {
            return Found::One(view);
        }
        let digits = text.to_ascii_lowercase();
        let is_hash =
            digits.len() >= HASH_DIGITS_MIN && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_hash {
            return Found::None;
        }
        let Some(low) = BlobHash::from_hex(&format!("{digits:0<64}")) else {
            return Found::None;
        };
        let fits = |at: &FactAt| live::keys(&self.graph, *at).hash.hex().starts_with(&digits);
        let near = self.live.files_from(&self.graph, &low).take_while(fits);
        let mut views: Vec<ImageView> = near.filter_map(|at| self.view_of(at)).collect();
        match views.len() {
            0 => Found::None,
            1 => views.pop().map_or(Found::None, Found::One),
            _ => Found::Ambiguous(views),
        }
    }

    /// A literal name goes before a resolved one that happens to read the same.
    fn image_shown_as(&self, text: &str) -> Option<ImageView> {
        if let Some(first) = self.live.named(&self.graph, text).first() {
            return self.image_view(*first, text.to_owned());
        }
        let cuts = text
            .char_indices()
            .filter(|(_, c)| *c == '~')
            .map(|(place, _)| &text[..place]);
        let groups = cuts.map(|name| self.live.named(&self.graph, name));
        let shown = groups.flat_map(|group| {
            let names = self.shown(&group);
            group.into_iter().zip(names)
        });
        let mut fitting = shown.filter(|(_, shown)| shown == text);
        fitting.next().and_then(|(at, name)| self.image_view(at, name))
    }

    /// A live entry by its identity.
    pub fn image(&self, id: &FactId) -> Option<ImageView> {
        self.find_fact(id)
            .filter(|at| self.is_live(*at))
            .and_then(|at| self.view_of(at))
    }

    /// The live entries with this file, the first added first.
    pub fn images_of_blob(&self, blob: &BlobHash) -> Vec<ImageView> {
        let group = self.live.of_file(&self.graph, blob).into_iter();
        group.filter_map(|at| self.view_of(at)).collect()
    }

    /// The live entries whose file's hash is not below this one, in its order, without the names they show under, which
    /// cost more: their identity, what they say, and who added them.
    pub fn entries_from(&self, hash: &BlobHash) -> impl Iterator<Item = (FactId, Image, UserId)> + '_ {
        let from = self.live.files_from(&self.graph, hash);
        from.filter_map(|at| match self.graph.fact(at) {
            Fact::Image(image) => Some((self.fact_id(at), image, self.user_of(at))),
            _ => None,
        })
    }

    /// Whether a live entry names this file, as image or as preview.
    pub fn names_blob(&self, blob: &BlobHash) -> bool {
        self.live.has_file(&self.graph, blob) || self.live.has_preview(&self.graph, blob)
    }

    /// The files of live entries with their sizes as first stated: images, then previews.
    pub fn blobs(&self) -> impl Iterator<Item = (BlobHash, u64)> + '_ {
        let image = |at: FactAt| match self.graph.fact(at) {
            Fact::Image(image) => Some(image),
            _ => None,
        };
        let images = self
            .live
            .images
            .iter()
            .filter_map(move |at| image(at).map(|image| (image.hash, image.size)));
        let previews = self.live.previews.iter().filter_map(move |at| {
            let preview = image(at)?.preview?;
            Some((preview.hash, preview.size))
        });
        let first_of_each = |mut last: Option<BlobHash>| {
            move |(hash, _): &(BlobHash, u64)| last.replace(*hash) != Some(*hash)
        };
        images
            .filter(first_of_each(None))
            .chain(previews.filter(first_of_each(None)))
    }

    fn view_of(&self, at: FactAt) -> Option<ImageView> {
        let group = self.live.named(&self.graph, live::keys(&self.graph, at).name);
        let place = group.iter().position(|other| *other == at)?;
        let name = self.shown(&group).into_iter().nth(place)?;
        self.image_view(at, name)
    }

    fn image_view(&self, at: FactAt, name: String) -> Option<ImageView> {
        let Fact::Image(image) = self.graph.fact(at) else {
            return None;
        };
        let lamport = self.graph.node(at.node).lamport;
        Some(ImageView {
            id: self.fact_id(at),
            name,
            image,
            user: self.user_of(at),
            lamport,
        })
    }

    /// The names that entries of one name show under, in their order. The first keeps it; the others add digits of
    /// their blob hash; those still equal add digits of the header hash, and twins of one op their seq.
    pub(crate) fn shown(&self, group: &[FactAt]) -> Vec<String> {
        if let [at] = group {
            return vec![self.base(*at, false)];
        }
        let mut by_base: BTreeMap<String, Vec<HeaderHash>> = BTreeMap::new();
        let bases: Vec<String> = group
            .iter()
            .enumerate()
            .map(|(place, at)| self.base(*at, place > 0))
            .collect();
        for (at, base) in group.iter().zip(&bases).skip(1) {
            by_base
                .entry(base.clone())
                .or_default()
                .push(self.graph.node(at.node).hash);
        }
        let tails: BTreeMap<String, (usize, bool)> = by_base
            .into_iter()
            .map(|(base, hashes)| (base, tail(hashes)))
            .collect();
        let named = group
            .iter()
            .zip(bases)
            .enumerate()
            .map(|(place, (at, base))| match tails.get(&base) {
                Some((digits, twins)) if place > 0 && *digits > 0 => {
                    let hex = self.graph.node(at.node).hash.hex();
                    let twin = if *twins {
                        format!("~{}", self.graph.seq(*at))
                    } else {
                        String::new()
                    };
                    format!("{base}~{}{twin}", &hex[..*digits])
                }
                _ => base,
            });
        named.collect()
    }

    fn base(&self, at: FactAt, add_digits: bool) -> String {
        let keys = live::keys(&self.graph, at);
        if add_digits {
            format!("{}~{}", keys.name, &keys.hash.hex()[..HASH_DIGITS_MIN])
        } else {
            keys.name.to_owned()
        }
    }

    pub(crate) fn user_of(&self, at: FactAt) -> UserId {
        self.graph.users[self.graph.user_of(at.node) as usize]
    }

    /// The votes for a file; none unless a live entry has it.
    pub fn rating(&self, blob: &BlobHash) -> Option<RatingView> {
        self.live.has_file(&self.graph, blob).then(|| {
            self.ratings(blob)
                .fold(RatingView::default(), |sum, (_, stars)| RatingView {
                    stars: sum.stars + u64::from(stars),
                    count: sum.count + 1,
                })
        })
    }

    /// Each user's stars for a file, whether or not a live entry has it: of several live ratings the highest in the
    /// total order.
    pub fn ratings(&self, blob: &BlobHash) -> impl Iterator<Item = (UserId, u8)> + '_ {
        let of_image = self.live.ratings.get(blob).into_iter().flatten();
        of_image.filter_map(|(user, list)| match self.graph.fact(*list.last()?) {
            Fact::Rating { stars, .. } => Some((self.graph.users[*user as usize], stars)),
            _ => None,
        })
    }

    /// A user's live ratings of a file: his next one removes them all.
    pub fn rating_ids(&self, user: &UserId, blob: &BlobHash) -> Vec<FactId> {
        let user = self.graph.user(user);
        let list = user.and_then(|user| self.live.ratings.get(blob)?.get(&user));
        list.into_iter().flatten().map(|at| self.fact_id(*at)).collect()
    }

    /// The live lines of chat in the total order.
    pub fn chat(&self) -> impl DoubleEndedIterator<Item = ChatLine> + '_ {
        self.live.chat.iter().filter_map(|at| match self.graph.fact(*at) {
            Fact::Chat { text, at: at_ms } => {
                let lamport = self.graph.node(at.node).lamport;
                Some(ChatLine {
                    id: self.fact_id(*at),
                    user: self.user_of(*at),
                    text,
                    at: at_ms,
                    lamport,
                })
            }
            _ => None,
        })
    }

    /// The live album facts: the next one removes them all.
    pub fn setting_ids(&self) -> Vec<FactId> {
        self.live.settings.iter().map(|at| self.fact_id(*at)).collect()
    }

    /// The live facts in the order of receipt of their ops.
    pub fn elements(&self) -> impl Iterator<Item = Element> + '_ {
        self.live.all().into_iter().map(|at| self.element(at))
    }

    /// Heap bytes of the live state: live facts, their indices and their digest. What else an album holds is its log.
    pub fn live_heap(&self) -> usize {
        self.live.heap(&self.graph)
    }

    /// Number of live facts.
    pub fn element_count(&self) -> usize {
        self.live.tree.len()
    }

    /// A received fact, live or dead.
    pub fn fact(&self, id: &FactId) -> Option<Element> {
        self.find_fact(id).map(|at| self.element(at))
    }

    /// Whether a fact is received and live.
    pub fn is_fact_live(&self, id: &FactId) -> bool {
        self.find_fact(id).is_some_and(|at| self.is_live(at))
    }

    /// The user who wrote a received op.
    pub fn author_of(&self, header: &HeaderHash) -> Option<UserId> {
        let at = self.graph.find(header)?;
        Some(self.graph.users[self.graph.user_of(at) as usize])
    }

    /// The user behind a known actor.
    pub fn user_of_actor(&self, actor: &ActorId) -> Option<UserId> {
        let at = self.graph.actor(actor)?;
        Some(self.graph.users[self.graph.actors[at as usize].user as usize])
    }

    pub(crate) fn element(&self, at: FactAt) -> Element {
        let packed = self.graph.packed(at);
        Element {
            id: self.fact_id(at),
            fact: packed.fact(),
            text: packed.text().into_owned(),
        }
    }

    /// The owner and all whom a fact in force names, former members with role none.
    pub fn members(&self) -> impl Iterator<Item = MemberView> + '_ {
        let owner = self.rights.owner();
        owner.into_iter().chain(self.rights.named()).map(|user| {
            let user = self.graph.users[user as usize];
            MemberView {
                user,
                name: self.name_of(&user).unwrap_or_default(),
                role: self.role_of(&user),
            }
        })
    }

    /// Devices that their users' roots have revoked.
    pub fn revoked_devices(&self) -> impl Iterator<Item = (UserId, PublicKey)> + '_ {
        self.rights
            .revoked()
            .map(|(user, device)| (self.graph.users[user as usize], device))
    }

    /// Whom the grants with an invite's id name, valid or held, by user: more than one where two devices that could not
    /// hear each other both answered.
    pub fn invited(&self, invite: &InviteId) -> Vec<UserId> {
        let answers = |fact: &Fact| matches!(fact, Fact::Grant { invite: Some(id), .. } if id == invite);
        let names = |fact: &Fact, of: &UserId| matches!(fact, Fact::Grant { user, .. } if user == of);
        let received = self.grants_received.iter();
        let named = received.filter(|(user, ops)| {
            let facts = ops.iter().flat_map(|at| self.graph.node(*at).members());
            let mut of_user = facts.map(|(_, fact)| fact).filter(|fact| names(fact, user));
            of_user.any(answers)
        });
        named.map(|(user, _)| *user).collect()
    }

    /// Invites whose id stands in the grants of several users, valid or held, with those users.
    pub fn invited_twice(&self) -> Vec<(InviteId, Vec<UserId>)> {
        let mut users: BTreeMap<InviteId, BTreeSet<UserId>> = BTreeMap::new();
        for at in self.grants_received.values().flatten() {
            for (_, fact) in self.graph.node(*at).members() {
                if let Fact::Grant {
                    user,
                    invite: Some(id),
                    ..
                } = fact
                {
                    users.entry(*id).or_default().insert(*user);
                }
            }
        }
        let several = users.into_iter().filter(|(_, users)| users.len() > 1);
        several
            .map(|(id, users)| (id, users.into_iter().collect()))
            .collect()
    }

    /// A member's label, fit to be shown: that of the newest grant, of the genesis for the owner.
    pub fn name_of(&self, user: &UserId) -> Option<String> {
        let at = self.graph.user(user)?;
        let grants = self.rights.grants(at).map(|(node, place)| FactAt { node, place });
        let newest = grants.max_by_key(|grant| self.graph.order(*grant));
        let genesis = self.genesis.filter(|_| self.rights.owner() == Some(at));
        match self
            .graph
            .fact(genesis.map(|node| FactAt { node, place: 0 }).or(newest)?)
        {
            Fact::Genesis { by: name, .. } | Fact::Grant { name, .. } => Some(clean_for_display(&name)),
            _ => None,
        }
    }
}

/// How many digits of the header hash tell these apart (0: no need), and whether some are equal to the end.
fn tail(mut hashes: Vec<HeaderHash>) -> (usize, bool) {
    if hashes.len() < 2 {
        return (0, false);
    }
    let all = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    let hex: Vec<String> = hashes.iter().map(HeaderHash::hex).collect();
    let common = |pair: &[String]| {
        pair[0]
            .bytes()
            .zip(pair[1].bytes())
            .take_while(|(a, b)| a == b)
            .count()
    };
    let longest = hex.windows(2).map(common).max().unwrap_or(0);
    (HASH_DIGITS_MIN.max(longest + 1), hashes.len() < all)
}
