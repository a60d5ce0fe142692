//! Each reply as text: which page it becomes, and what could come next.

use super::{
    Page, Paint, album, devices, doctor, held, history, human, in_quotes, inspect, local, look, node, people,
};
use crate::api::{
    Done, Entered, Exported, Joined, Membership, Rated, Removed, Reply, Saved, Session, Synced,
};

/// The page of a reply, as wide as it likes.
pub fn reply(reply: &Reply, paint: Paint) -> Page {
    page(reply, paint, None)
}

/// The page of a reply on a screen of so many columns.
pub fn page(reply: &Reply, paint: Paint, columns: Option<usize>) -> Page {
    super::table::on_screen(columns, || page_of(reply, paint, columns))
}

fn page_of(reply: &Reply, paint: Paint, columns: Option<usize>) -> Page {
    match reply {
        Reply::Session(it) => session(it),
        Reply::Recovered(it) => devices::recovered(it),
        Reply::Approving(it) => devices::approving(it),
        Reply::Approved(it) => devices::approved(it),
        Reply::RecoveryWords(it) => devices::recovery_words(it),
        Reply::Escrow(it) => devices::escrow(it),
        Reply::Devices(it) => devices::devices(it, paint),
        Reply::Revoked(it) => devices::revoked(it),
        Reply::Done(it) => done(it),
        Reply::Albums(it) => album::albums(it, paint),
        Reply::Entered(it) => entered(it),
        Reply::Images(it) => album::images(it, paint),
        Reply::Metadata(it) => album::metadata(it, paint),
        Reply::OrSet(it) => inspect::or_set(it, paint, columns),
        Reply::Added(it) => album::added(it, paint),
        Reply::Removed(it) => removed(it),
        Reply::Rated(it) => rated(it),
        Reply::Membership(it) => membership(it),
        Reply::Held(it) => held::page(it, paint),
        Reply::SafetyWords(it) => people::safety_words(it, paint),
        Reply::Filtered(it) => album::filtered(it),
        Reply::FilteredMany(it) => album::filtered_many(it),
        Reply::Verified(it) => album::verified(it),
        Reply::Log(it) => history::log(it, paint),
        Reply::Why(it) => history::why(it, paint),
        Reply::Undone(it) => history::undone(it),
        Reply::Trash(it) => history::trash(it, paint),
        Reply::Restored(it) => history::restored(it),
        Reply::Said(it) => people::line(it, paint).into(),
        Reply::Chat(it) => people::chat(it, paint),
        Reply::Invite(it) => people::invite(it),
        Reply::Invites(it) => people::invites(it, paint),
        Reply::Joined(it) => joined(it),
        Reply::Members(it) => people::members(it, paint),
        Reply::Away(it) => people::away(it).into(),
        Reply::Peers(it) => node::peers(it, paint),
        Reply::Status(it) => node::status(it, paint),
        Reply::Diagnosis(it) => doctor::diagnosis(it, paint),
        Reply::Trusted(it) => node::trusted(it),
        Reply::Net(it) => inspect::net(it, paint, columns),
        Reply::Synced(it) => synced(it),
        Reply::Exported(it) => exported(it),
        Reply::Saved(it) => saved(it),
        Reply::Shown(it) => format!("{}\n", super::picture::caption(it)).into(),
        Reply::Details(it) => album::details(it, paint),
        Reply::Gallery(it) => local::gallery(it),
        Reply::Applied(it) => local::applied(it),
        Reply::Previewed(it) => look::previewed(it),
        Reply::Compared(it) => look::compared(it, paint),
        Reply::Checked(it) => local::checked(it),
        Reply::Names(it) => it
            .names
            .iter()
            .map(|name| format!("{}\n", super::clean(name)))
            .collect::<String>()
            .into(),
        Reply::Prompt(it) => format!("{}\n", super::clean(it.user.as_deref().unwrap_or("nobody"))).into(),
    }
}

impl From<String> for Page {
    fn from(out: String) -> Self {
        Page {
            out,
            ..Page::default()
        }
    }
}

/// A line of data and what could come next.
pub(super) fn then(out: String, next: impl Into<String>) -> Page {
    Page {
        out: format!("{out}\n"),
        next: Some(next.into()),
        ..Page::default()
    }
}

fn session(it: &Session) -> Page {
    let did = if it.registered {
        "registered"
    } else {
        "logged in as"
    };
    let out = format!(
        "{did} {} on {} (this device: {})",
        super::clean(&it.user),
        super::clean(&it.central),
        human::brief(&it.device)
    );
    let words = it.recovery_words.as_deref().map(devices::words);
    let out = out + &words.map(|words| format!("\n{words}")).unwrap_or_default();
    then(
        out,
        if it.registered {
            "/createAlbum NAME, or ask an owner for /addUser"
        } else {
            "/list"
        },
    )
}

fn done(it: &Done) -> Page {
    format!("{}\n", super::clean(&it.done)).into()
}

fn entered(it: &Entered) -> Page {
    let name = super::clean(&it.album);
    if it.created {
        return then(
            format!("created {name} and entered it; you are its owner"),
            "/addImage PATH, /addUser NAME",
        );
    }
    let mut page = then(
        format!(
            "entered {name} of {}: {}, {}, you are {}",
            super::clean(&it.owner),
            human::count(it.images, "image", "images"),
            human::count(it.members, "member", "members"),
            super::clean(&it.role)
        ),
        if people::rank(&it.role) < people::rank("contributor") {
            "/getImages, /rateImage NAME STARS"
        } else {
            "/getImages, /addImage PATH"
        },
    );
    page.notes = format!("you {}\n", people::rights(&it.role));
    page
}

fn joined(it: &Joined) -> Page {
    let made = it.session.as_ref().map(session);
    let (album, by) = (super::clean(&it.album), super::clean(&it.by));
    let may = match it.role.as_str() {
        "viewer" => "you may look, rate and chat",
        "contributor" => "you may add images, filter, rate and chat",
        _ => "you may add images and remove those of others, and let people in",
    };
    let out = format!(
        "joined {album} of {}, invited by {by}: {}, {}\nyou are {}: {may}\n",
        super::clean(&it.owner),
        human::count(it.images, "image", "images"),
        human::count(it.members, "member", "members"),
        super::clean(&it.role)
    );
    Page {
        out: made.as_ref().map_or(String::new(), |page| page.out.clone()) + &out,
        notes: made.map_or(String::new(), |page| page.notes),
        next: Some("/getImages, /addImage PATH".to_owned()),
    }
}

fn removed(it: &Removed) -> Page {
    then(
        format!(
            "removed {} from {}",
            super::clean(&it.name),
            super::clean(&it.album)
        ),
        "/getImages",
    )
}

fn rated(it: &Rated) -> Page {
    let name = super::clean(&it.name);
    let out = match it.rating.mine {
        Some(stars) => format!("rated {name} {stars}; mean {}", album::mean(&it.rating)),
        None => format!("took the rating of {name} back; mean {}", album::mean(&it.rating)),
    };
    then(out, "/getImages")
}

fn membership(it: &Membership) -> Page {
    let (user, album) = (super::clean(&it.user), super::clean(&it.album));
    let (role, was) = (super::clean(&it.role), super::clean(&it.was));
    let kept = format!(
        "what {user} did stays where it has come here; what comes later and goes beyond the role is held by everybody\n"
    );
    let mut page = if it.role == it.was {
        return then(format!("{user} is {role} of {album} already"), "/members");
    } else if it.role == "none" {
        then(format!("{user} is no longer a member of {album}"), "/members")
    } else if it.was == "none" {
        let next = format!("{user} enters it with /enterAlbum {}", in_quotes(&it.album));
        then(format!("{user} is {role} of {album} now"), next)
    } else {
        then(format!("{user} is {role} of {album} now, was {was}"), "/members")
    };
    if people::rank(&it.role) < people::rank(&it.was) {
        page.notes = kept;
    }
    if !it.announced {
        page.notes
            .push_str("the central is away and hears of it later; members who are here know at once\n");
    }
    page
}

fn synced(it: &Synced) -> Page {
    let album = super::clean(&it.album);
    let with = human::several(&it.compared, 8);
    let out = match (it.synced, it.compared.is_empty()) {
        (true, true) => format!("{album}: nobody else to compare with"),
        (true, false) => format!("{album}: equal with {with}, all bytes here"),
        (false, true) => format!("{album}: nobody was reached"),
        (false, false) => format!("{album}: compared with {with}, not equal yet"),
    };
    let missing = match it.pending_images {
        0 => String::new(),
        n => format!("; {} without bytes here", human::count(n, "image", "images")),
    };
    format!("{out}{missing}\n").into()
}

fn exported(it: &Exported) -> Page {
    let mut out = format!(
        "wrote {} to {}",
        human::count(it.written, "file", "files"),
        super::clean(&it.dir)
    );
    if it.already > 0 {
        out.push_str(&format!(", {} there already", it.already));
    }
    let notes = match it.missing.len() {
        0 => String::new(),
        _ => format!(
            "not here yet, so not written: {}\n",
            human::several(&it.missing, 10)
        ),
    };
    Page {
        out: out + "\n",
        notes,
        next: None,
    }
}

fn saved(it: &Saved) -> Page {
    let (name, path) = (super::clean(&it.name), super::clean(&it.path));
    format!("saved {name} as {path} ({})\n", human::bytes(it.size)).into()
}
