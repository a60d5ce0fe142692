//! Frozen results: the pixel hash of every filter on a generated picture, in both depths.
//!
//! A hash that changes means that peers with the old program no longer agree with the new one: then
//! `PIXEL_ENGINE` gets a new name, and only then are these lines changed.

#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use filters::{Channels, PIXEL_ENGINE, Raster, Recipe, Samples};

/// 97 × 61: gradients, a disc, noise and, with alpha, a ramp. Integers only, so that it is the same anywhere.
fn picture(channels: Channels, deep: bool) -> Raster {
    let (width, height) = (97_u32, 61_u32);
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let noise = (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761) >> 27;
            let disc = (x.abs_diff(40).pow(2) + y.abs_diff(30).pow(2) < 400) as u32 * 120;
            let color = [x * 2 + noise, y * 3 + noise / 2, disc + (x ^ y) % 100];
            let color = if channels.colors() == 1 {
                &color[2..]
            } else {
                &color[..]
            };
            samples.extend(color.iter().map(|c| (c * 257 + noise * 5).min(65_535) as u16));
            if channels.has_alpha() {
                samples.push((x * y * 11).min(65_535) as u16);
            }
        }
    }
    let samples = if deep {
        Samples::U16(samples)
    } else {
        Samples::U8(samples.iter().map(|s| (s >> 8) as u8).collect())
    };
    Raster::new(width, height, channels, samples).unwrap()
}

/// The first 8 bytes of the hash are enough to see a change.
fn hash(recipe: &str, channels: Channels, deep: bool) -> String {
    let recipe: Recipe = recipe.parse().unwrap();
    let result = recipe
        .apply(&picture(channels, deep), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    result.pixel_hash()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Recipe; then Rgb in 8 bits, Rgba in 8 bits, Rgb in 16 bits, Rgba in 16 bits, GrayAlpha in 8 bits.
const FROZEN: &[(&str, [&str; 5])] = &[
    (
        "invert+invert",
        [
            "530ded2825d3915b",
            "9561c2be249170f5",
            "4dad7cc248016992",
            "a4c26d099debe989",
            "38fc1a43101f3d33",
        ],
    ),
    (
        "grayscale",
        [
            "8af5b2914442abb1",
            "e7ab07728ca7e3a9",
            "946dddfcc0ab1e93",
            "11a6398c3d2c04c5",
            "38fc1a43101f3d33",
        ],
    ),
    (
        "sepia",
        [
            "71599252a7b011db",
            "2b43ff5f106117a9",
            "beeb171b835bda99",
            "43855adf0cbe1e23",
            "1399f9c178c55a9b",
        ],
    ),
    (
        "invert",
        [
            "3ab9f50996cffd48",
            "a8bc3a29c0d467f8",
            "7de15a3ebf5aebb6",
            "4af3732f2e07607f",
            "3eee2fd0cfbe5a56",
        ],
    ),
    (
        "brightness:40",
        [
            "ee6e0912a649fda4",
            "9a76aac5fbc448b5",
            "4f7b487171020fec",
            "acc7f7a2d8bdd27d",
            "104b8de03bb42add",
        ],
    ),
    (
        "brightness:-90",
        [
            "3cbfcd4e28d3dd04",
            "3ecff8a1c1e1416a",
            "f01716ef566c5ea3",
            "fdc1cdc55210a83d",
            "e512e813e22905ff",
        ],
    ),
    (
        "contrast:35",
        [
            "ba36d495341a826b",
            "b1573bbc157ab160",
            "6dba96b07b69c918",
            "818dee3846649c72",
            "080c49d266cb4852",
        ],
    ),
    (
        "contrast:-60",
        [
            "27f5c66b3c074a01",
            "28550d3b6609bb9c",
            "0dd6aba5e94b9f73",
            "98fa800900f86665",
            "740d8da361e78b16",
        ],
    ),
    (
        "blur:0.8",
        [
            "e3bb923fb7e3b992",
            "450ab0b5eb28ad30",
            "d87ae16c20b3cfee",
            "7293a918f0f822e3",
            "131b016c331f1f95",
        ],
    ),
    (
        "blur:2",
        [
            "6e85513aeebbca8b",
            "9bb674726f29537e",
            "e93ffcddb98feb63",
            "fc3ef784f7f8f9aa",
            "295f447963bcbf02",
        ],
    ),
    (
        "blur:7.5",
        [
            "f10cf0f178c0df09",
            "a08d53a1b24ca6ee",
            "ed73d084934c7bee",
            "ef0351019ad6a1e0",
            "24da634eb1234bc2",
        ],
    ),
    (
        "blur:12",
        [
            "0325c9d7e6da58c1",
            "d5b6cba74a9d2e83",
            "e8981e54dbec3b22",
            "8429cc6e32049936",
            "5f81149f98ed4820",
        ],
    ),
    (
        "blur:50",
        [
            "e04e2a43d50cfc72",
            "f1d9cd14e62d7ad3",
            "5bb6917492c5ada6",
            "23d34121eb7b4828",
            "24a58d6ac838ae2e",
        ],
    ),
    (
        "blur:250",
        [
            "f68a683c3bd79f33",
            "4b18853538ee15b8",
            "988d7329cd3e88fb",
            "f4b0b1ec54c64451",
            "6fa85b4a5e04ca21",
        ],
    ),
    (
        "box:1",
        [
            "ba6a473a26bb3c27",
            "9d81ad563163fec3",
            "a68193c0c9c85ac7",
            "4a3d5a5d4cbfb9c9",
            "a30119272a312ec8",
        ],
    ),
    (
        "box:30",
        [
            "2bb01c5cc4893d7d",
            "c5beaf80739abf62",
            "04f6e8ac04d08dca",
            "fca287d3e1a09132",
            "b99c27650b4cdf13",
        ],
    ),
    (
        "median:1",
        [
            "a5b7a78fe45c468d",
            "080b6f107ba6ab5e",
            "fd34e322cea9ef53",
            "3ba76ef59c77f868",
            "b820ddadeb7b522e",
        ],
    ),
    (
        "median:20",
        [
            "a6c202b1fe10022c",
            "7ca3965974d5e1ac",
            "7824413c5ca14b4a",
            "07e2bf2959ac644d",
            "fe2f6fac261d0964",
        ],
    ),
    (
        "oil:4",
        [
            "b485366d889eb25c",
            "3b880272a8e029fc",
            "07b5a103d3ae1474",
            "18899243b3fdc363",
            "9e277cf29fcee34e",
        ],
    ),
    (
        "oil:2,7",
        [
            "c2a815866379361f",
            "6be4c40000dfbef5",
            "0d4d7fc942ea565e",
            "b00e2bb88c77cbc4",
            "93d668739012e869",
        ],
    ),
    (
        "kuwahara:1",
        [
            "e1671f667fe5416e",
            "407cf6105f37cba2",
            "4e5c3db6f92400a4",
            "5bc8f4b7777ce0d2",
            "38f50c3764e1472e",
        ],
    ),
    (
        "kuwahara:5",
        [
            "936a9c4bb43ca339",
            "acf938c874c69be2",
            "f39f18e3c3ec0a9f",
            "9673749c857b79f8",
            "c3724ac6c9f7c592",
        ],
    ),
    (
        "sharpen",
        [
            "a2b10b829b17ae66",
            "1585bf914da8a77c",
            "03253df80a84436a",
            "611b2c5e4114490f",
            "490b5f1b45ddb93e",
        ],
    ),
    (
        "sharpen:2.5,3",
        [
            "ce942716517255d4",
            "30b66e314312d5d3",
            "f6688bc9a2b299e6",
            "b6c2534a0bf1ca83",
            "f154aaab8fa29256",
        ],
    ),
    (
        "edges",
        [
            "1b692411764c592c",
            "5f96968e5e4510e6",
            "a3def3e9d1f3c9af",
            "0e5420b14e4ae5c7",
            "6a570a9ce5d82e6a",
        ],
    ),
    (
        "rotate:90",
        [
            "3d4f2841df016833",
            "f1e7edd9f09e6422",
            "91596e28885e5039",
            "3d9a83913ecb9470",
            "a383116b2c00ba3e",
        ],
    ),
    (
        "rotate:180",
        [
            "bdb0a3f451832e3f",
            "1c60c53b7da1e68b",
            "9a4b35c173f95cad",
            "96b21dc9af9466a3",
            "5d14dad9ee278511",
        ],
    ),
    (
        "rotate:270",
        [
            "228a6412e6d63a86",
            "78027dae0865be7d",
            "353b79205f3c483e",
            "2ad434bd2b09939b",
            "40b5864b68609bba",
        ],
    ),
    (
        "crop:10,5,60,33",
        [
            "2a8d4bb43e2a5eb1",
            "589e12c3ce8bdcaa",
            "04e2afcec99ea449",
            "929d5c0dc9ecbf69",
            "f2aff3c63d10ed9f",
        ],
    ),
    (
        "resize:40",
        [
            "c822ee4fefd8c5c8",
            "bbee6a1f793908ed",
            "5a842f1975b5daa2",
            "3cfc4c92d359d379",
            "7b5bf173246bddf7",
        ],
    ),
    (
        "resize:200x150",
        [
            "46faf0cca5b9e8d2",
            "669b6bfe54a03b6a",
            "0be3a59ffcf5d881",
            "5a13da4bec85a8e2",
            "e88ad9c745d103f6",
        ],
    ),
    (
        "resize:3",
        [
            "d6280b4a5641d636",
            "0985e981e2b4350a",
            "7eb64426b5401974",
            "5bb35f049095fad9",
            "b1db61aae6ebd931",
        ],
    ),
    (
        "gamma:1.8",
        [
            "bbe0d33dbbaa3684",
            "1568240d50bb3fcc",
            "488ee31aeedb4157",
            "82fd075e62060b32",
            "a7db625e1be7d497",
        ],
    ),
    (
        "gamma:0.45",
        [
            "2be0fda77b22ed44",
            "795ac0e2d2487e6d",
            "4e7358d4a6a8287f",
            "ecc4dd3593a16d70",
            "d05cbfc0f228cf16",
        ],
    ),
    (
        "levels:30,200",
        [
            "ffc3054385fb3825",
            "f3353c29cd6750fa",
            "3d20c957f64523d7",
            "f9ab0304e4059f6c",
            "d68a824c281d5154",
        ],
    ),
    (
        "levels:10,250,0.7",
        [
            "a2dbc29f5d6f2de6",
            "136748ff0628c911",
            "507c0e7ee6f442f7",
            "7365b62d13af6c2a",
            "f289f0c3d3f1e825",
        ],
    ),
    (
        "posterize:5",
        [
            "144bcb3b05a4d390",
            "6bb2e54b595867ec",
            "15d1001590ede618",
            "f014081fe44b05c2",
            "63d8ac2ed2300cc4",
        ],
    ),
    (
        "threshold:100",
        [
            "5a0e2fd128a0044e",
            "f609c68433c9250b",
            "642953db9f69acb0",
            "ae24b64797ff91fb",
            "49342f4004ac8248",
        ],
    ),
    (
        "vignette:60",
        [
            "8184f21085adc5fb",
            "5ad48b6babd9df0b",
            "bc6e50ae7d51b86d",
            "2ef80e277f2b12a6",
            "34393721cd0256f9",
        ],
    ),
    (
        "pixelate:7",
        [
            "6d63465ed53cb7bf",
            "5ebb941025590ba4",
            "16aa3f2026fe95af",
            "3d6c1145db5992a8",
            "8115e7580d156b33",
        ],
    ),
    (
        "flip:h",
        [
            "605837afab677cd2",
            "157afd9c07a916d0",
            "2bab3add1cab39fd",
            "1a8e719ec6290478",
            "1000168fe3ac6b33",
        ],
    ),
    (
        "flip:v",
        [
            "a81843a535c5100e",
            "d908575ffad3db02",
            "3146f3e7e7d438c8",
            "e0bc605ad85f6451",
            "c98a76643a7a039a",
        ],
    ),
    (
        "autolevels",
        [
            "6bea293e4c53701a",
            "8d3a515c75878fb6",
            "b404f8995ceabf82",
            "6ac0f73b786e038a",
            "1e337f2f0a8c773e",
        ],
    ),
    (
        "autolevels:4",
        [
            "d7de1df7a9b32416",
            "ee7a1bef9e14a788",
            "4462e54f9c11e6a7",
            "3791a5f0d9e49a00",
            "606a00559c1009e1",
        ],
    ),
    (
        "equalize",
        [
            "9158f44a86b24609",
            "360d73b5d9d36ece",
            "1d3e859884bdf6e4",
            "1663af3e6afc12ae",
            "1869bd0b35bdc021",
        ],
    ),
    (
        "clahe",
        [
            "3d504c45e444a9d0",
            "d1c1b6ed6835490d",
            "45468a5ea68ccde4",
            "176b236908aaf892",
            "e54091386507087d",
        ],
    ),
    (
        "clahe:0.5,3",
        [
            "af7756ab99032552",
            "2dd62f864f442885",
            "576c574a1dab3332",
            "2d0073e4fffa4736",
            "ac08a021b45ac617",
        ],
    ),
    (
        "grayscale+blur:2+resize:64+sharpen:0.5",
        [
            "367b9d963b6ebd18",
            "e8ed8bafa1ee012f",
            "613eae037c9668cd",
            "206317d24d8896f0",
            "51c9858e49b74f1d",
        ],
    ),
];

#[test]
fn every_filter_gives_its_frozen_pixels() {
    assert_eq!(PIXEL_ENGINE, "calotype-1");
    let kinds = [
        (Channels::Rgb, false),
        (Channels::Rgba, false),
        (Channels::Rgb, true),
        (Channels::Rgba, true),
        (Channels::GrayAlpha, false),
    ];
    let found: Vec<String> = FROZEN
        .iter()
        .map(|(recipe, _)| {
            let hashes = kinds.map(|(channels, deep)| hash(recipe, channels, deep));
            format!("    (\"{recipe}\", {hashes:?}),\n")
        })
        .collect();
    let frozen: Vec<String> = FROZEN
        .iter()
        .map(|(recipe, hashes)| format!("    (\"{recipe}\", {hashes:?}),\n"))
        .collect();
    assert!(
        found == frozen,
        "found:\n{}frozen:\n{}",
        found.concat(),
        frozen.concat()
    );
}

#[test]
fn every_filter_is_among_the_frozen() {
    for info in filters::catalog() {
        assert!(
            FROZEN.iter().any(|(recipe, _)| recipe.starts_with(info.name)),
            "{}",
            info.name
        );
    }
}
