//! What the two ends say on the control stream: hello, heartbeats, goodbye. One JSON object per frame.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crdt::keys::Certificate;
use serde::{Deserialize, Serialize};

use crate::limits;

/// Version of everything inside a link.
const VERSION: u32 = 1;

/// The first frame of either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    v: u32,
    /// The root's word for the device that TLS has proved.
    pub(crate) cert: Certificate,
    hello: String,
    /// Random number of this start of the program: a link from another run is dead, whatever TCP thinks.
    pub(crate) run: u32,
}

impl Hello {
    pub(crate) fn new(cert: Certificate, extra: &[u8], run: u32) -> Self {
        Self {
            v: VERSION,
            cert,
            hello: URL_SAFE_NO_PAD.encode(extra),
            run,
        }
    }

    /// The opaque part, if the whole is well formed.
    pub(crate) fn extra(&self) -> Option<Vec<u8>> {
        let extra = URL_SAFE_NO_PAD.decode(&self.hello).ok()?;
        (self.v == VERSION && extra.len() <= limits::HELLO_EXTRA_BYTES_MAX).then_some(extra)
    }
}

/// Every later frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Control {
    /// Still here.
    Beat(u64),
    /// The link ends, for this reason.
    Bye(String),
}

/// The answer to a hello: one's own, or a goodbye.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Hello(Box<Hello>),
    Other(Control),
}

/// A goodbye, its reason cut to size.
pub(crate) fn bye(reason: &str) -> Control {
    let mut end = reason.len().min(limits::BYE_REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    // What a log may show without harm.
    Control::Bye(
        reason[..end]
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
    )
}

/// The JSON of a frame; what we send always fits.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// A peer's reason, fit for a log: the sender may not be us.
pub(crate) fn reason(text: &str) -> String {
    match bye(text) {
        Control::Bye(reason) => reason,
        Control::Beat(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crdt::keys::KeyPair;

    fn hello(extra: usize) -> Hello {
        let (root, device) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
        Hello::new(
            Certificate::issue(&root, &device.public()),
            &vec![0xff; extra],
            u32::MAX,
        )
    }

    #[test]
    fn the_longest_hello_fits_its_frame_and_one_more_byte_is_refused() {
        let most = hello(limits::HELLO_EXTRA_BYTES_MAX);
        let bytes = encode(&most);
        assert!(bytes.len() <= limits::CONTROL_FRAME_BYTES_MAX, "{}", bytes.len());
        let read: Answer = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read, Answer::Hello(Box::new(most.clone())));
        assert_eq!(most.extra().unwrap().len(), limits::HELLO_EXTRA_BYTES_MAX);
        assert_eq!(hello(limits::HELLO_EXTRA_BYTES_MAX + 1).extra(), None);
        assert_eq!(Hello { v: 2, ..hello(0) }.extra(), None);
    }

    #[test]
    fn control_frames_have_one_form() {
        assert_eq!(encode(&Control::Beat(7)), br#"{"beat":7}"#);
        let read: Answer = serde_json::from_slice(br#"{"bye":"full"}"#).unwrap();
        assert_eq!(read, Answer::Other(Control::Bye("full".to_owned())));
        assert_eq!(bye("a\nb\u{1b}[31m"), Control::Bye("a b [31m".to_owned()));
        let long = "é".repeat(limits::BYE_REASON_BYTES_MAX);
        let Control::Bye(cut) = bye(&long) else { panic!() };
        assert_eq!(cut.len(), limits::BYE_REASON_BYTES_MAX);
        let at = "x".repeat(limits::BYE_REASON_BYTES_MAX);
        assert_eq!(bye(&at), Control::Bye(at.clone()));
        assert_eq!(bye(&format!("{at}x")), Control::Bye(at));
    }
}
