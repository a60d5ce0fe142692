//! Samples of what was looked at: previews and comparisons.

use super::EVIL;
use crate::api::{Compare, Compared, Previewed, Reply};

/// Each kind of them.
pub(super) fn replies() -> Vec<(&'static str, Reply)> {
    vec![
        (
            "previewed",
            Reply::Previewed(Previewed {
                path: None,
                size: None,
                damaged: None,
                ..previewed()
            }),
        ),
        (
            "previewed small",
            Reply::Previewed(Previewed {
                path: None,
                size: None,
                small: true,
                ..previewed()
            }),
        ),
        ("previewed into a file", Reply::Previewed(previewed())),
        ("compared", Reply::Compared(Box::new(compared()))),
        (
            "compared, equal",
            Reply::Compared(Box::new(Compared {
                identical: true,
                psnr: None,
                ssim: None,
                mse: 0.0,
                largest: 0,
                differing: 0,
                scaled: false,
                path: None,
                ..compared()
            })),
        ),
    ]
}

fn previewed() -> Previewed {
    Previewed {
        album: "trip".into(),
        source: EVIL.into(),
        recipe: "grayscale+blur:2".into(),
        width: 768,
        height: 512,
        small: false,
        path: Some(format!("/home/{EVIL}/out.png")),
        size: Some(12_345),
        damaged: Some(EVIL.into()),
    }
}

fn compared() -> Compared {
    let side = |name: String, width, first: u64| Compare {
        name,
        width,
        height: width / 2,
        recipe: Some(EVIL.into()),
        damaged: None,
        histogram: (0..256).map(|level| first * level).collect(),
    };
    Compared {
        album: "trip".into(),
        a: side("sunset.jpg".into(), 768, 1),
        b: Compare {
            damaged: Some(EVIL.into()),
            ..side(EVIL.into(), 384, 2)
        },
        width: 384,
        height: 192,
        scaled: true,
        identical: false,
        psnr: Some(23.7091),
        ssim: Some(0.958_054_6),
        mse: 276.804,
        largest: 30,
        differing: 435,
        path: Some(format!("/home/{EVIL}/diff.png")),
        gain: 8,
    }
}
