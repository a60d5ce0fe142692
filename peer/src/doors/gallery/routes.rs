//! What may be asked for: the page's own files, the replies that `--json` prints, pictures, and news as they come.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request as Asked, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::super::control::Watching;
use super::Gallery;
use super::guard::{self, Pass};
use super::limits::{NEWS_QUEUE, PAGE_IMAGES_MAX};
use super::pictures::Size;
use crate::api::{Code, Failure, News, Notice, Reply, Request, Select, Sort};
use crate::cmd::names::Spelling;
use crate::ui::json;

/// How long until another node is looked for, where there was none.
const AGAIN: Duration = Duration::from_secs(1);
/// Images told where nobody says how many.
const PAGE_IMAGES: usize = 60;

/// The page's files: name, type, text.
const FILES: [(&str, &str, &str); 4] = [
    ("", "text/html; charset=utf-8", include_str!("page/index.html")),
    (
        "page.css",
        "text/css; charset=utf-8",
        include_str!("page/page.css"),
    ),
    (
        "page.js",
        "text/javascript; charset=utf-8",
        include_str!("page/page.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

type Answer = Response<Body>;
type Here = State<Arc<Gallery>>;

/// All that can be asked for, behind the guard.
pub fn router(gallery: &Arc<Gallery>) -> Router {
    let place = gallery.guard.place();
    let at = |name: &str| format!("{place}{name}");
    let mut router = Router::new();
    for (name, kind, text) in FILES {
        let file = move || std::future::ready(typed(kind, Body::from(text)));
        router = router.route(&at(name), get(file));
    }
    router
        .route(&at("api/images"), get(images))
        .route(&at("api/image/{hash}"), get(image))
        .route(&at("api/members"), get(members))
        .route(&at("api/status"), get(status))
        .route(&at("api/events"), get(events))
        .route(&at("small/{hash}"), get(small))
        .route(&at("large/{hash}"), get(large))
        .fallback(nothing)
        .layer(from_fn_with_state(gallery.clone(), guarded))
        .with_state(gallery.clone())
}

/// Nothing is looked at before the guard has looked, and nothing leaves without its headers.
async fn guarded(State(gallery): Here, asked: Asked, next: Next) -> Answer {
    let mut answer = match gallery.guard.check(&asked) {
        Pass::Go => next.run(asked).await,
        Pass::Answer(answer) => answer,
    };
    guard::seal(&mut answer);
    answer
}

fn typed(kind: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

fn told(answer: Result<Reply, Failure>) -> Answer {
    let (status, text) = match answer {
        Ok(reply) => (StatusCode::OK, json::reply(&reply, None)),
        Err(failure) => (status_of(failure.code), json::failure(&failure, Spelling::Shell)),
    };
    let mut answer = typed("application/json", Body::from(text));
    *answer.status_mut() = status;
    answer
}

fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Usage => StatusCode::BAD_REQUEST,
        Code::Auth | Code::Denied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Unreachable | Code::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Code::NotAnImage | Code::TooLarge | Code::Damaged => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// As the words of `get-images`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    sort: Option<Sort>,
    #[serde(default)]
    reverse: bool,
    name: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
}

async fn images(State(gallery): Here, which: Result<Query<Which>, QueryRejection>) -> Answer {
    let usage = |why: String| {
        told(Err(Failure::new(
            Code::Usage,
            why,
            "the page itself asks rightly",
        )))
    };
    let which = match which {
        Ok(Query(which)) => which,
        Err(wrong) => return usage(wrong.body_text()),
    };
    let limit = which.limit.unwrap_or(PAGE_IMAGES);
    if limit > PAGE_IMAGES_MAX {
        return usage(format!("{limit} images at once; the most is {PAGE_IMAGES_MAX}"));
    }
    let select = Select {
        sort: which.sort,
        reverse: which.reverse,
        name: which.name.filter(|name| !name.is_empty()),
        limit: Some(limit),
        offset: which.offset,
        ..Select::default()
    };
    let album = gallery.album();
    told(gallery.link.ask(Request::GetImages { album, select }).await)
}

async fn image(State(gallery): Here, Path(hash): Path<String>) -> Answer {
    let album = gallery.album();
    told(gallery.link.ask(Request::Details { album, hash }).await)
}

async fn members(State(gallery): Here) -> Answer {
    let album = gallery.album();
    told(gallery.link.ask(Request::Members { album }).await)
}

async fn status(State(gallery): Here) -> Answer {
    told(gallery.link.ask(Request::Status).await)
}

async fn small(State(gallery): Here, Path(hash): Path<String>) -> Answer {
    picture(&gallery, &hash, Size::Small).await
}

async fn large(State(gallery): Here, Path(hash): Path<String>) -> Answer {
    picture(&gallery, &hash, Size::Large).await
}

async fn picture(gallery: &Gallery, hash: &str, size: Size) -> Answer {
    match gallery
        .pictures
        .of(&gallery.link, &gallery.album, hash, size)
        .await
    {
        Ok(picture) => typed("image/jpeg", Body::from(picture)),
        Err(failure) => told(Err(failure)),
    }
}

async fn nothing() -> Answer {
    told(Err(Failure::new(
        Code::NotFound,
        "there is no such page",
        "the gallery begins at its own address",
    )))
}

/// News of images, ratings and members, as `watch --json` prints them, until the browser goes. `online` and `offline` tell
/// of the node.
async fn events(State(gallery): Here) -> Answer {
    let Ok(permit) = gallery.streams.clone().try_acquire_owned() else {
        let why = "this album is open in too many windows";
        return told(Err(Failure::new(Code::Busy, why, "close some of them")));
    };
    let (send, coming) = mpsc::channel(NEWS_QUEUE);
    tokio::spawn(async move {
        let gone = send.clone();
        tokio::select! {
            () = tell(&gallery, &send) => {}
            () = gone.closed() => {}
        }
    });
    let stream = Coming {
        coming,
        _permit: permit,
    };
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

/// Hands news on; a browser that does not read holds only its own up.
async fn tell(gallery: &Gallery, send: &mpsc::Sender<Event>) {
    let say = |name: &str| send.send(Event::default().event(name).data("{}"));
    loop {
        if let Ok(mut news) = watching(gallery).await {
            if say("online").await.is_err() {
                return;
            }
            while let Ok(Some(notice)) = news.next().await {
                let line = json::notice(&notice);
                if shows(&notice) && send.send(Event::default().data(line.trim_end())).await.is_err() {
                    return;
                }
            }
        }
        if say("offline").await.is_err() {
            return;
        }
        if gallery.link.again().await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn watching(gallery: &Gallery) -> Result<Watching, Failure> {
    let mut news = gallery.link.control().watch().await?;
    news.begun().await.map(|()| news)
}

/// Whether the page would look different.
fn shows(notice: &Notice) -> bool {
    matches!(
        notice.news,
        News::ImageAdded { .. }
            | News::ImageRemoved { .. }
            | News::BytesReady { .. }
            | News::Rated { .. }
            | News::MemberAdded { .. }
            | News::MemberRemoved { .. }
            | News::RoleChanged { .. }
            | News::PeerJoined { .. }
            | News::PeerLeft { .. }
            | News::VersionFalse { .. }
    )
}

/// The stream of one browser.
struct Coming {
    coming: mpsc::Receiver<Event>,
    _permit: OwnedSemaphorePermit,
}

impl futures_core::Stream for Coming {
    type Item = Result<Event, Infallible>;

    fn poll_next(self: Pin<&mut Self>, at: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.get_mut().coming.poll_recv(at);
        next.map(|event| event.map(Ok))
    }
}
