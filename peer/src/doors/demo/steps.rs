//! The demo's steps, all but the crash: each does something, looks, and says what it saw.

use super::cast::{Peer, until};
use super::pictures;
use super::report::Report;
use super::stage::{Stage, list, short};
use crate::api::{Code, Failure, ImageEntry, Reply, Request};
use crate::ui::bytes;

/// The album.
const ALBUM: &str = "trip";

/// Accounts, album, images, members: everything that must work before anything can go wrong.
pub async fn share(stage: &mut Stage, report: &mut Report) -> Result<(), Failure> {
    let painted = if stage.photos.is_empty() {
        let dir = stage.picture("");
        let work = move || pictures::paint_all(&dir).map(|()| vec![dir]);
        Some(tokio::task::spawn_blocking(work))
    } else {
        None
    };
    // Bob first: whoever finds no central serves it.
    stage.bob.start(true).await?;
    tokio::try_join!(stage.alice.start(true), stage.carol.start(true))?;
    let [alice, bob, carol] = stage.all().map(Peer::pid);
    report.did(format!(
        "started alice (process {alice}), bob ({bob}) and carol ({carol}); each registered"
    ));
    let served = stage.central_pid() == Some(bob);
    report.saw(served, "bob, the first, serves the central that all three found");

    let (alice, bob, carol) = (&stage.alice, &stage.bob, &stage.carol);
    alice.ask(Request::CreateAlbum { name: ALBUM.into() }).await?;
    let paths = match painted {
        Some(work) => work
            .await
            .map_err(|_| Failure::new(Code::Internal, "the pictures could not be painted", ""))??,
        None => stage.photos.clone(),
    };
    let added = alice.add_all(paths).await?;
    let size: u64 = added.added.iter().map(|image| image.size).sum();
    report.did(format!(
        "alice made the album {ALBUM} and added {} images, {}",
        added.added.len(),
        bytes(size)
    ));
    for peer in [bob, carol] {
        let user = peer.name.to_owned();
        alice
            .ask(Request::AddUser {
                album: None,
                user,
                role: None,
            })
            .await?;
        peer.ask(Request::EnterAlbum { album: ALBUM.into() }).await?;
    }
    report.did("alice added bob and carol as members; both entered");

    let all = stage.all();
    let (digest, images) = stage.together(&all).await?;
    until("all three are linked", async || {
        for peer in all {
            let linked = peer.linked().await.map_err(|f| f.message)?;
            if linked.len() != 2 {
                return Err(format!("{} is linked with {}", peer.name, list(&linked)));
            }
        }
        Ok(())
    })
    .await?;
    report.saw(
        images == added.added.len(),
        format!("all three have {images} images and the digest {}", short(&digest)),
    );
    for peer in [bob, carol] {
        let (hashed, name) = (stage.hashed(peer).await?, peer.name);
        report.saw(
            hashed == size,
            format!(
                "{name} exported {}; every file hashes to its entry",
                bytes(hashed)
            ),
        );
    }
    Ok(())
}

/// Two images under one name, at once.
pub async fn same_name(stage: &mut Stage, report: &mut Report) -> Result<(), Failure> {
    let (one, other) = (stage.paint("one.jpg", 0)?, stage.paint("other.jpg", 2)?);
    let (of_bob, of_carol) = tokio::try_join!(
        stage.bob.add(&one, "lake.jpg"),
        stage.carol.add(&other, "lake.jpg")
    )?;
    report.did("bob and carol each added another picture, both as lake.jpg");
    let all = stage.all();
    stage.together(&all).await?;
    let images = stage.alice.images().await?;
    let named = |entry: &ImageEntry| {
        let mut same = images
            .iter()
            .filter(|image| image.hash == entry.hash && image.author == entry.author);
        same.next().map(|image| image.name.clone())
    };
    let names: Vec<String> = [&of_bob, &of_carol].into_iter().filter_map(named).collect();
    let mut told_apart = names.clone();
    told_apart.sort();
    let fits = match &told_apart[..] {
        [plain, longer] => {
            plain == "lake.jpg" && longer.len() == "lake.jpg~".len() + 6 && longer.starts_with("lake.jpg~")
        }
        _ => false,
    };
    report.saw(
        fits,
        format!(
            "both stay: bob's is {}, carol's is {}",
            shown(names.first()),
            shown(names.get(1))
        ),
    );
    report.saw(
        stage.alike(&all).await?,
        "all three show the same names for the same bytes",
    );
    Ok(())
}

/// A filter at bob's, looked at from alice's.
pub async fn version(stage: &mut Stage, report: &mut Report) -> Result<(), Failure> {
    let (alice, bob) = (&stage.alice, &stage.bob);
    let source = first_image(alice).await?;
    let request = Request::Filter {
        album: None,
        name: source.name.clone(),
        recipe: "sepia".into(),
        new_name: None,
    };
    let Reply::Filtered(made) = bob.ask(request).await? else {
        return Err(Failure::new(Code::Internal, "bob's filter made nothing", ""));
    };
    let made = made.image;
    report.did(format!(
        "bob ran sepia over {} of {}: {}",
        source.name, source.author, made.name
    ));
    let there = until("alice has the version's bytes", async || {
        let images = alice.images().await.map_err(|f| f.message)?;
        let found = images.into_iter().find(|image| image.hash == made.hash);
        match found {
            Some(image) if image.local => Ok(image),
            Some(image) => Err(format!("{} is {}", image.name, image.state)),
            None => Err("no such entry".to_owned()),
        }
    })
    .await?;
    let linked = there.version_of.as_deref() == Some(source.hash.as_str()) && there.author == "bob";
    report.saw(
        linked,
        format!("alice has {}, by bob, a version of {}", there.name, source.name),
    );
    report.saw(
        there.recipe.as_deref() == Some("sepia"),
        "its recipe is sepia, in its signed entry",
    );
    let path = stage.picture("saved-version");
    let save = Request::Save {
        album: None,
        name: there.name.clone(),
        path: path.clone(),
        force: false,
    };
    alice.ask(save).await?;
    let saved = std::fs::read(&path).unwrap_or_default();
    let right = blake3::hash(&saved).to_hex().as_str() == made.hash;
    report.saw(
        right,
        format!(
            "alice saved it: {}, with the hash that bob's entry names",
            bytes(saved.len() as u64)
        ),
    );
    Ok(())
}

/// Bob's version, made again at carol's.
pub async fn verified(stage: &mut Stage, report: &mut Report) -> Result<(), Failure> {
    let carol = &stage.carol;
    stage.together(&stage.all()).await?;
    let images = carol.images().await?;
    let version = images.into_iter().find(|image| image.version_of.is_some());
    let version = version.ok_or_else(|| Failure::new(Code::Internal, "carol has no version", ""))?;
    let request = Request::Verify {
        album: None,
        name: version.name.clone(),
    };
    let Reply::Verified(found) = carol.ask(request).await? else {
        return Err(Failure::new(Code::Internal, "carol's node verified nothing", ""));
    };
    let source = found.source.as_deref().unwrap_or("its source");
    report.did(format!("carol ran {} over {source} once more", found.recipe));
    report.saw(
        found.verified == Some(true),
        format!("{}: verified ✓, the same pixels and the same file", found.name),
    );
    let shown = carol.image(&version.name).await?;
    let shown = shown.and_then(|image| image.verified);
    report.saw(
        shown == Some(true),
        "and carol's list of images shows it from now on",
    );
    Ok(())
}

/// Ratings by all, and a line of chat.
pub async fn opinions(stage: &mut Stage, report: &mut Report) -> Result<(), Failure> {
    const LINE: &str = "the light was better than this, believe me";
    let image = first_image(&stage.alice).await?;
    let all = stage.all();
    let rate = |stars| Request::RateImage {
        album: None,
        name: image.name.clone(),
        stars: Some(stars),
    };
    tokio::try_join!(
        stage.alice.ask(rate(5)),
        stage.bob.ask(rate(4)),
        stage.carol.ask(rate(1))
    )?;
    // A second thought replaces the first.
    stage.carol.ask(rate(3)).await?;
    let say = Request::Say {
        album: None,
        text: LINE.into(),
    };
    stage.carol.ask(say).await?;
    report.did(format!(
        "alice gave {} 5 stars, bob 4, carol 1 and then 3; carol chatted",
        image.name
    ));
    stage.together(&all).await?;
    for peer in all {
        let seen = peer.image(&image.name).await?.map(|image| image.rating);
        let (mean, count) = seen.map_or((None, 0), |rating| (rating.mean, rating.count));
        let text = mean.map_or("none".to_owned(), |mean| format!("{mean:.2}"));
        report.saw(
            (mean, count) == (Some(4.0), 3),
            format!("{}: mean {text} of {count}", peer.name),
        );
    }
    for peer in [&stage.alice, &stage.bob] {
        let Reply::Chat(chat) = peer
            .ask(Request::Chat {
                album: None,
                limit: None,
                since: None,
            })
            .await?
        else {
            return Err(Failure::new(Code::Internal, "no chat came", ""));
        };
        let heard = chat
            .lines
            .iter()
            .any(|line| line.user == "carol" && line.text == LINE);
        report.saw(heard, format!("{} reads carol's line", peer.name));
    }
    Ok(())
}

/// Carol is cut off; both sides edit; they meet again.
pub async fn partition(stage: &mut Stage, report: &mut Report) -> Result<(), Failure> {
    let (harbour, pier) = (stage.paint("harbour.jpg", 3)?, stage.paint("pier.jpg", 4)?);
    let (island, meadow) = (stage.paint("island.jpg", 5)?, stage.paint("meadow.jpg", 6)?);
    let (alice, bob, carol) = (&stage.alice, &stage.bob, &stage.carol);
    let all = stage.all();
    carol.add(&harbour, "harbour.jpg").await?;
    carol.add(&pier, "pier.jpg").await?;
    stage.together(&all).await?;
    report.did("carol added harbour.jpg and pier.jpg; all have them");
    cut(stage, true).await?;
    report.did("/block: carol is cut off from alice and bob");

    let remove = |name: &str| Request::RemoveImage {
        album: None,
        name: name.into(),
    };
    carol.ask(remove("harbour.jpg")).await?;
    carol.ask(remove("pier.jpg")).await?;
    carol.add(&island, "island.jpg").await?;
    report.did("carol removed harbour.jpg and pier.jpg, and added island.jpg");
    alice.add(&harbour, "harbour.jpg").await?;
    let rate = Request::RateImage {
        album: None,
        name: "pier.jpg".into(),
        stars: Some(5),
    };
    alice.ask(rate).await?;
    bob.add(&meadow, "meadow.jpg").await?;
    report.did("meanwhile alice added harbour.jpg anew and rated pier.jpg; bob added meadow.jpg");
    let (majority, _) = stage.together(&[alice, bob]).await?;
    let alone = carol.or_set().await?.digest;
    report.saw(
        majority != alone,
        format!(
            "apart: alice and bob have digest {}, carol has {}",
            short(&majority),
            short(&alone)
        ),
    );

    cut(stage, false).await?;
    report.did("/unblock");
    let (digest, images) = stage.together(&all).await?;
    report.saw(
        digest != majority && digest != alone && stage.alike(&all).await?,
        format!(
            "together: all three have digest {} and {images} images",
            short(&digest)
        ),
    );
    let has = async |name: &str| bob.image(name).await;
    let kept = has("harbour.jpg")
        .await?
        .is_some_and(|image| image.author == "alice");
    report.saw(
        kept,
        "harbour.jpg is there: carol's remove had not seen alice's new add",
    );
    report.saw(
        has("pier.jpg").await?.is_none(),
        "pier.jpg is gone: a rating is no add",
    );
    let both = has("island.jpg").await?.is_some() && has("meadow.jpg").await?.is_some();
    report.saw(
        both,
        "island.jpg and meadow.jpg are there: nothing of either side was lost",
    );
    Ok(())
}

/// Carol, cut off, goes on; she is removed by those who have not seen it.
pub async fn removal(stage: &mut Stage, report: &mut Report) -> Result<(), Failure> {
    let (late, after) = (stage.paint("late.jpg", 8)?, stage.paint("after.jpg", 9)?);
    let (alice, bob, carol) = (&stage.alice, &stage.bob, &stage.carol);
    cut(stage, true).await?;
    let remove = Request::RemoveUser {
        album: None,
        user: "carol".into(),
    };
    carol.add(&late, "late.jpg").await?;
    alice.ask(remove).await?;
    alice.add(&after, "after.jpg").await?;
    report.did(
        "with carol cut off: carol added late.jpg, which nobody saw; alice removed her and added after.jpg",
    );
    until("carol is told", async || {
        match carol.add(&late, "again.jpg").await {
            Err(failure) if failure.code == Code::Denied => Ok(()),
            Err(failure) => Err(failure.message),
            Ok(_) => Err("she may still add".to_owned()),
        }
    })
    .await?;
    report.saw(
        true,
        "carol's own program tells her, and lets her add nothing more",
    );
    let knocks = [refusals(alice).await?, refusals(bob).await?];
    unblock(carol).await?;
    until("carol is turned away by both", async || {
        for (peer, before) in [alice, bob].into_iter().zip(knocks) {
            let now = refusals(peer).await.map_err(|f| f.message)?;
            if now == before {
                return Err(format!("{} has not turned her away", peer.name));
            }
        }
        Ok(())
    })
    .await?;
    report.did("/unblock: carol looks for alice and bob again, and both turn her away");
    stage.together(&[alice, bob]).await?;

    let here = alice.images().await?;
    let kept = here.iter().filter(|image| image.author == "carol").count();
    let seen = ["island.jpg"]
        .iter()
        .all(|name| here.iter().any(|image| image.name == *name));
    report.saw(
        kept == 2 && seen,
        format!("the {kept} images that carol had added before are still there"),
    );
    let Reply::Metadata(about) = bob
        .ask(Request::GetMetadata {
            album: None,
            select: Default::default(),
        })
        .await?
    else {
        return Err(Failure::new(Code::Internal, "no metadata came", ""));
    };
    let members: Vec<&str> = about.members.iter().map(|member| member.user.as_str()).collect();
    report.saw(
        !members.contains(&"carol"),
        format!("the members are {}", list(&members)),
    );
    let accepted = alice.image("late.jpg").await?.is_some() || bob.image("late.jpg").await?.is_some();
    report.saw(!accepted, "her late.jpg is at neither alice's nor bob's");
    let leaked = carol.image("after.jpg").await?.is_some();
    report.saw(!leaked, "and alice's after.jpg, which bob has, is not at carol's");
    Ok(())
}

/// Carol refuses links with both others, or allows them again; returns once that is so.
async fn cut(stage: &Stage, apart: bool) -> Result<(), Failure> {
    let (alice, bob, carol) = (&stage.alice, &stage.bob, &stage.carol);
    if !apart {
        return unblock(carol).await;
    }
    for other in [alice, bob] {
        carol
            .ask(Request::Block {
                peer: other.name.into(),
            })
            .await?;
    }
    until("carol is cut off", async || {
        for (peer, other) in [(alice, "carol"), (bob, "carol"), (carol, "alice"), (carol, "bob")] {
            if peer
                .linked()
                .await
                .map_err(|f| f.message)?
                .iter()
                .any(|user| user == other)
            {
                return Err(format!("{} is linked with {other}", peer.name));
            }
        }
        Ok(())
    })
    .await
}

async fn unblock(carol: &Peer) -> Result<(), Failure> {
    for other in ["alice", "bob"] {
        carol.ask(Request::Unblock { peer: other.into() }).await?;
    }
    Ok(())
}

/// How often a peer refused something.
async fn refusals(peer: &Peer) -> Result<u64, Failure> {
    Ok(peer.status().await?.refused.values().sum())
}

async fn first_image(peer: &Peer) -> Result<ImageEntry, Failure> {
    let first = peer.images().await?.into_iter().next();
    first.ok_or_else(|| Failure::new(Code::Internal, format!("{} has no image", peer.name), ""))
}

fn shown(name: Option<&String>) -> &str {
    name.map_or("lost", String::as_str)
}
