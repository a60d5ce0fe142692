//! Samples: who meets whom, and why not.

use super::EVIL;
use crate::api::{Diagnosis, Finding, Looked, Reply, Trusted};

pub(super) fn replies() -> Vec<(&'static str, Reply)> {
    let trusted = |address: &str, changed, connected| {
        Reply::Trusted(Trusted {
            address: address.into(),
            words: "legal winner thank year wave sausage".into(),
            changed,
            connected,
        })
    };
    let well = |check: &str, what: &str| Looked {
        check: check.into(),
        what: what.into(),
    };
    let finding = |about: Option<&str>, what: &str, why: &str, next: &str| Finding {
        check: "member".into(),
        kind: "silent".into(),
        about: about.map(str::to_owned),
        what: what.into(),
        why: why.into(),
        next: next.into(),
    };
    let healthy = Diagnosis {
        healthy: true,
        well: vec![
            well("account", "logged in as alice"),
            well("listen", "listening on 0.0.0.0:40123"),
            well("central", "calotype-central 0.1.0 at 192.0.2.7:7440"),
        ],
        findings: vec![],
    };
    let ill = Diagnosis {
        healthy: false,
        well: vec![well("account", EVIL)],
        findings: vec![
            finding(
                Some("bob"),
                "bob: nothing comes back from 192.0.2.9:40124",
                "the machine is off or in another network, or a firewall drops what is sent there (never linked)",
                "are both in one network? Open TCP port 40124 where bob is",
            ),
            finding(Some(EVIL), EVIL, EVIL, EVIL),
        ],
    };
    vec![
        ("healthy", Reply::Diagnosis(healthy)),
        ("ill", Reply::Diagnosis(ill)),
        ("trusted", trusted("192.0.2.7:7440", true, true)),
        ("trusted already", trusted(EVIL, false, false)),
    ]
}
