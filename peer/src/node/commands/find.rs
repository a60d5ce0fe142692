//! The images that a person means: those that fit, in the order asked for, a page of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crdt::fact::Image;
use crdt::id::UserId;
use crdt::{Album, ImageView, RatingView};

use super::super::run::Node;
use crate::api::{Code, Failure, ImageEntry, Made, Select, Sort};
use crate::cmd::pattern::Pattern;

/// A page of what fits.
pub(super) struct Found {
    /// In order.
    pub(super) views: Vec<ImageView>,
    /// How many fit, on all pages.
    pub(super) total: u64,
    /// How many come before these.
    pub(super) offset: u64,
}

impl Found {
    /// As replies have them.
    pub(super) fn entries(&self, node: &Node, album: &Album) -> Vec<ImageEntry> {
        self.views
            .iter()
            .map(|view| node.image_entry(album, view))
            .collect()
    }
}

/// Selects among an album's images.
///
/// # Errors
/// `usage` for a pattern that is none; `not_found` for a member of whom the album never heard.
pub(super) fn images(node: &Node, album: &Album, select: &Select) -> Result<Found, Failure> {
    let pattern = match &select.name {
        Some(text) => Some(Pattern::new(text).map_err(|why| {
            let message = format!("{text:?} is no pattern for names: {why}");
            Failure::new(Code::Usage, message, "for example: --name 'IMG*'")
        })?),
        None => None,
    };
    let by = select
        .by
        .as_ref()
        .map(|name| users(node, album, name))
        .transpose()?;
    let fits = |view: &ImageView| {
        by.as_ref().is_none_or(|users| users.contains(&view.user))
            && select.since.is_none_or(|since| view.image.at >= since)
            && select
                .filter
                .as_ref()
                .is_none_or(|made| is_made(&view.image, made))
            && pattern.as_ref().is_none_or(|pattern| pattern.fits(&view.name))
            && select
                .min_rating
                .is_none_or(|least| votes(album, view).mean().is_some_and(|mean| mean >= least))
    };
    let mut views: Vec<ImageView> = album.images().filter(fits).collect();
    // Views are large: their keys are sorted, and each view moves once.
    views.sort_by_cached_key(|view| (view.lamport, view.id.actor, view.id.header, view.id.seq));
    sort(node, album, &mut views, select);
    let total = views.len() as u64;
    let limit = select.limit.unwrap_or(usize::MAX);
    let views = views.into_iter().skip(select.offset).take(limit).collect();
    Ok(Found {
        views,
        total,
        offset: select.offset as u64,
    })
}

/// Members of that name, former ones too: what they added may still be here.
fn users(node: &Node, album: &Album, name: &str) -> Result<BTreeSet<UserId>, Failure> {
    let known: BTreeMap<UserId, String> = album
        .members()
        .map(|member| (member.user, node.name_of(&member.user)))
        .collect();
    let fitting: BTreeSet<UserId> = known
        .iter()
        .filter(|(_, known)| *known == name)
        .map(|(user, _)| *user)
        .collect();
    if !fitting.is_empty() {
        return Ok(fitting);
    }
    let names: Vec<String> = known.into_values().collect();
    let hint = match crate::cmd::names::nearest(name, &names) {
        Some(near) => format!("did you mean {near}?"),
        None => "/members lists them".to_owned(),
    };
    let message = format!("no member {name:?} in {}", album.name());
    Err(Failure::new(Code::NotFound, message, hint))
}

fn is_made(image: &Image, made: &Made) -> bool {
    match (made, &image.version) {
        (Made::None, version) => version.is_none(),
        (_, None) => false,
        (Made::Any, Some(_)) => true,
        (Made::With(name), Some(version)) => {
            let steps = version.recipe.split('+');
            steps.into_iter().any(|step| step.split(':').next() == Some(name))
        }
    }
}

/// The votes for an entry.
fn votes(album: &Album, view: &ImageView) -> RatingView {
    let mut sum = RatingView::default();
    for (_, stars) in album.ratings(&view.image.hash) {
        sum.stars += u64::from(stars);
        sum.count += 1;
    }
    sum
}

/// Puts the oldest-first list into the order asked for; equals stay as they are.
fn sort(node: &Node, album: &Album, views: &mut [ImageView], select: &Select) {
    match select.sort {
        None if select.reverse => views.reverse(),
        None => {}
        Some(Sort::Name) => by_key(views, select.reverse, |view| {
            Some((view.name.to_lowercase(), view.name.clone()))
        }),
        Some(Sort::Date) => by_key(views, select.reverse, |view| Some(view.image.at)),
        Some(Sort::Size) => by_key(views, select.reverse, |view| Some(Reverse(view.image.size))),
        Some(Sort::Taken) => by_key(views, select.reverse, |view| view.image.taken.clone()),
        Some(Sort::Rating) => by_key(views, select.reverse, |view| {
            let votes = votes(album, view);
            let mean = (votes.stars * 1_000_000).checked_div(votes.count)?;
            Some(Reverse((mean, votes.count)))
        }),
        Some(Sort::Member) => {
            let users: BTreeSet<UserId> = views.iter().map(|view| view.user).collect();
            let name = |user: UserId| (user, node.name_of(&user).to_lowercase());
            let names: BTreeMap<UserId, String> = users.into_iter().map(name).collect();
            by_key(views, select.reverse, |view| names.get(&view.user));
        }
    }
}

/// A stable sort; what has no key stays last either way.
fn by_key<K: Ord>(views: &mut [ImageView], reverse: bool, key: impl Fn(&ImageView) -> Option<K>) {
    if reverse {
        views.sort_by_cached_key(|view| {
            let key = key(view);
            (key.is_none(), Reverse(key))
        });
    } else {
        views.sort_by_cached_key(|view| {
            let key = key(view);
            (key.is_none(), key)
        });
    }
}
