//! Who may ask: the page is for one browser on this machine, and nothing else may reach it through that browser.

use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Request, Response, StatusCode};
use rand::RngCore as _;

/// What the page may load: its own files from here, and nothing by any other way.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The cookie's name. Its path keeps it from other servers on this machine: cookies know no ports.
const COOKIE: &str = "calotype";
const NEW_LINK: &str = "For a new link end `calotype gallery` with Ctrl-C and start it again.\n";

/// The one link, the one cookie, and the one address.
pub struct Guard {
    /// As in the Host header.
    host: String,
    /// First part of the paths of the page; not told to anybody without the link.
    place: String,
    cookie: String,
    token: String,
    used: Mutex<bool>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Pass {
    /// It may go on to the page.
    Go,
    /// It is answered here.
    Answer(Response<Body>),
}

/// Random and unguessable: 128 bits in hex.
fn secret() -> String {
    let mut bytes = [0; 16];
    rand::rngs::OsRng.fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// In a time that tells nothing of where they differ.
fn same(a: &str, b: &str) -> bool {
    blake3::hash(a.as_bytes()) == blake3::hash(b.as_bytes())
}

impl Guard {
    /// For a listener on 127.0.0.1 at this port.
    pub fn new(port: u16) -> Self {
        // A browser leaves the port of plain HTTP out.
        let host = match port {
            80 => "127.0.0.1".to_owned(),
            port => format!("127.0.0.1:{port}"),
        };
        Guard {
            host,
            place: secret(),
            cookie: secret(),
            token: secret(),
            used: Mutex::new(false),
        }
    }

    /// The link to print.
    pub fn url(&self) -> String {
        format!("http://{}/?token={}", self.host, self.token)
    }

    /// What the page's paths begin with: `/…/`.
    pub fn place(&self) -> String {
        format!("/{}/", self.place)
    }

    /// Looks at a request's head.
    pub fn check<B>(&self, request: &Request<B>) -> Pass {
        let heads = request.headers();
        // A name that leads here is not us: another page may have had its name point to 127.0.0.1.
        let named = request.uri().authority().map(|it| it.as_str());
        if only(heads, &header::HOST) != Some(self.host.as_str()) || named.is_some_and(|it| it != self.host) {
            let why = format!(
                "This page is at http://{}/ and answers to no other name.\n",
                self.host
            );
            return refuse(StatusCode::MISDIRECTED_REQUEST, why);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "This page only shows.\n".to_owned(),
            );
            let allowed = HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(header::ALLOW, allowed);
            return Pass::Answer(answer);
        }
        if heads
            .get_all(header::ORIGIN)
            .iter()
            .any(|it| it.as_bytes() != self.origin().as_bytes())
        {
            return refuse(StatusCode::FORBIDDEN, "This is not for other pages.\n".to_owned());
        }
        if request.uri().path() == "/" {
            return Pass::Answer(self.enter(request));
        }
        let from = heads.get_all("sec-fetch-site").iter();
        let ours = |it: &HeaderValue| matches!(it.as_bytes(), b"same-origin" | b"none");
        if !self.is_known(heads) {
            let why = format!(
                "This page is for the browser that opened the link of `calotype gallery`. {NEW_LINK}"
            );
            return refuse(StatusCode::FORBIDDEN, why);
        }
        if !from.into_iter().all(ours) {
            return refuse(StatusCode::FORBIDDEN, "This is not for other pages.\n".to_owned());
        }
        Pass::Go
    }

    fn origin(&self) -> String {
        format!("http://{}", self.host)
    }

    /// Whether the browser has the cookie.
    fn is_known(&self, heads: &HeaderMap) -> bool {
        let lines = heads.get_all(header::COOKIE).iter();
        let mut values = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == COOKIE);
        values.any(|(_, value)| same(value, &self.cookie))
    }

    /// The link, for its cookie; once.
    fn enter<B>(&self, request: &Request<B>) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default();
        let given = query.split('&').find_map(|pair| pair.strip_prefix("token="));
        if !given.is_some_and(|token| same(token, &self.token)) {
            let why = format!("This page needs the link that `calotype gallery` printed. {NEW_LINK}");
            return plain(StatusCode::FORBIDDEN, why);
        }
        if *request.method() == Method::HEAD {
            // Whoever only looks where a link leads has not come in.
            return plain(StatusCode::OK, String::new());
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.place();
        if std::mem::replace(&mut used, true) {
            let why = format!(
                "This link was used already; the browser that used it has the page at {}{place}\n{NEW_LINK}",
                self.origin()
            );
            return plain(StatusCode::GONE, why);
        }
        // The browser goes on by itself: after a redirect a strict cookie would stay behind, where the link stood on another page.
        let page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url={place}\">\
             <title>calotype</title><p><a href=\"{place}\">The gallery</a></html>\n"
        );
        let mut answer = plain(StatusCode::OK, page);
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        answer.headers_mut().insert(header::CONTENT_TYPE, html);
        let cookie = format!(
            "{COOKIE}={}; Path={place}; HttpOnly; SameSite=Strict",
            self.cookie
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            answer.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        answer
    }
}

/// A header that is there once, as text.
fn only<'a>(heads: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = heads.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

/// A short answer in words.
pub fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

fn refuse(status: StatusCode, why: String) -> Pass {
    Pass::Answer(plain(status, why))
}

/// What every answer says to the browser.
pub fn seal(answer: &mut Response<Body>) {
    let heads = answer.headers_mut();
    let always = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in always {
        heads.insert(name, HeaderValue::from_static(value));
    }
    let kept = header::CACHE_CONTROL;
    heads.entry(kept).or_insert(HeaderValue::from_static("no-store"));
}
