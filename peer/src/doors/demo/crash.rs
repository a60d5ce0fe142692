//! The demo's crash: a peer dies right after it acknowledged something, and the central with it.

use super::cast::until;
use super::pictures;
use super::report::Report;
use super::stage::{Stage, short};
use crate::api::Failure;
use crate::ui::bytes;

/// Bob dies and comes back.
pub async fn crash(stage: &mut Stage, report: &mut Report) -> Result<(), Failure> {
    let (before, night) = (stage.picture("panorama.bmp"), stage.paint("camp.jpg", 7)?);
    pictures::panorama(&before)?;
    let died = stage.bob.pid();
    report.saw(
        stage.central_pid() == Some(died),
        "bob's process serves the central",
    );
    let added = stage.bob.add(&before, "panorama.bmp").await?;
    stage.bob.kill().await?;
    report.did(format!(
        "bob added panorama.bmp ({}); once it was acknowledged: kill -9 bob",
        bytes(added.size)
    ));
    let mut seen = Vec::new();
    for peer in [&stage.alice, &stage.carol] {
        let image = peer.image("panorama.bmp").await?;
        let state = image.map_or("unheard of".to_owned(), |image| match image.local {
            true => "there".to_owned(),
            false => format!("known, its bytes {}", image.state),
        });
        seen.push(format!("at {}'s it is {state}", peer.name));
    }
    report.did(format!("with bob dead, {}", seen.join("; ")));

    stage.alice.add(&night, "camp.jpg").await?;
    let taken = until("another process serves the central", async || {
        let pid = stage
            .central_pid()
            .filter(|pid| *pid != died)
            .ok_or("nobody serves it")?;
        for peer in [&stage.alice, &stage.carol] {
            let central = peer.status().await.map_err(|f| f.message)?.central;
            if central != "connected" {
                return Err(format!("for {} the central is {central}", peer.name));
            }
        }
        Ok(pid)
    })
    .await?;
    let heir = [&stage.alice, &stage.carol]
        .into_iter()
        .find(|peer| peer.pid() == taken);
    report.saw(
        heir.is_some(),
        format!(
            "{} serves the central now; alice added camp.jpg meanwhile",
            heir.map_or("a stranger", |peer| peer.name)
        ),
    );

    let ready = stage.bob.start(false).await?;
    report.did(format!(
        "bob started again (process {}), without a password",
        ready.pid
    ));
    let resumed = ready.user.as_deref() == Some("bob") && ready.album.as_deref() == Some("trip");
    report.saw(resumed, "he is bob again, in the album trip");
    let kept = stage
        .bob
        .image("panorama.bmp")
        .await?
        .is_some_and(|image| image.local && image.hash == added.hash);
    report.saw(kept, "he has his panorama.bmp");
    let all = stage.all();
    let (digest, images) = stage.together(&all).await?;
    let alike = stage.alike(&all).await?;
    report.saw(
        alike,
        format!(
            "all three have digest {} and {images} images, bytes included",
            short(&digest)
        ),
    );
    let hashed = stage.hashed(&stage.carol).await?;
    report.saw(
        hashed > added.size,
        format!("carol exported {}; every file hashes to its entry", bytes(hashed)),
    );
    Ok(())
}
