//! The filters there are, as shown to people.

/// One filter, for help texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterInfo {
    /// The name in a recipe.
    pub name: &'static str,
    /// Its parameters with their ranges, as text: `SIGMA (0.1-250)`; empty if it takes none.
    pub parameters: &'static str,
    /// What it does, in one line.
    pub description: &'static str,
    /// A step to try.
    pub example: &'static str,
}

const fn filter(
    name: &'static str,
    parameters: &'static str,
    example: &'static str,
    description: &'static str,
) -> FilterInfo {
    FilterInfo {
        name,
        parameters,
        description,
        example,
    }
}

/// Every filter, in the order people should meet them.
pub fn catalog() -> &'static [FilterInfo] {
    const CATALOG: &[FilterInfo] = &[
        filter("grayscale", "", "grayscale", "takes the colour away"),
        filter("sepia", "", "sepia", "gives the brown tone of an old print"),
        filter("invert", "", "invert", "makes the negative"),
        filter(
            "brightness",
            "N (-255 to 255)",
            "brightness:20",
            "makes it lighter or darker",
        ),
        filter(
            "contrast",
            "N (-100 to 100)",
            "contrast:15",
            "stretches or flattens the tones around mid-gray",
        ),
        filter(
            "gamma",
            "G (0.1-10)",
            "gamma:1.4",
            "lightens (above 1) or darkens; black and white stay",
        ),
        filter(
            "levels",
            "BLACK (0-254), WHITE (1-255) [, GAMMA (0.1-10), else 1]",
            "levels:20,235",
            "stretches the tones from BLACK to WHITE over the full range",
        ),
        filter(
            "autolevels",
            "[CLIP (0-10 percent)], 0.5 if left out",
            "autolevels",
            "stretches the tones, CLIP percent at either end cut off",
        ),
        filter(
            "equalize",
            "",
            "equalize",
            "makes all tones equally frequent (histogram equalisation)",
        ),
        filter(
            "clahe",
            "[CLIP (0.1-40) [, TILES (1-16)]], 2,8 if left out",
            "clahe:3",
            "equalises place by place, with limited contrast",
        ),
        filter(
            "posterize",
            "N (2-64)",
            "posterize:4",
            "leaves N levels of each colour",
        ),
        filter(
            "threshold",
            "T (0-255)",
            "threshold:128",
            "makes it black and white: white is lighter than T",
        ),
        filter(
            "vignette",
            "AMOUNT (0-100 percent)",
            "vignette:50",
            "darkens it towards the corners",
        ),
        filter(
            "transfer",
            "IMAGE, or L,A,B,DL,DA,DB: its means and deviations in percent",
            "transfer:sunset.jpg",
            "gives it the colours of another image",
        ),
        filter(
            "blur",
            "SIGMA (0.1-250)",
            "blur:2",
            "blurs, by a Gaussian of SIGMA pixels",
        ),
        filter(
            "box",
            "R (1-500)",
            "box:5",
            "blurs, by the mean of the pixels within R",
        ),
        filter(
            "median",
            "R (1-50)",
            "median:2",
            "takes specks away and keeps edges (median within R)",
        ),
        filter(
            "sharpen",
            "[AMOUNT (0-10) [, SIGMA (0.1-250)]], 1,1 if left out",
            "sharpen:0.5,2",
            "brings out detail (unsharp mask, called unsharp elsewhere)",
        ),
        filter(
            "oil",
            "R (1-20) [, LEVELS (2-64)], 20 levels if left out",
            "oil:4",
            "paints in oil, by the commonest brightness within R",
        ),
        filter(
            "kuwahara",
            "R (1-20)",
            "kuwahara:4",
            "paints in flat strokes and keeps edges (Kuwahara)",
        ),
        filter(
            "cartoon",
            "[R (1-20)], 5 if left out",
            "cartoon",
            "flattens colours and draws dark lines",
        ),
        filter(
            "pencil",
            "[SIGMA (0.1-250)], 5 if left out",
            "pencil",
            "draws in gray on white paper",
        ),
        filter("edges", "", "edges", "shows where tones change (Sobel)"),
        filter(
            "pixelate",
            "N (2-1000)",
            "pixelate:16",
            "makes blocks of N x N pixels",
        ),
        filter(
            "flip",
            "h or v",
            "flip:h",
            "mirrors it, left-right (h) or upside down (v)",
        ),
        filter(
            "rotate",
            "DEG (-360 to 360, clockwise)",
            "rotate:90",
            "turns it; new corners are transparent, or else white",
        ),
        filter(
            "crop",
            "X,Y,W,H (pixels from the upper left)",
            "crop:10,10,300,200",
            "cuts out a rectangle",
        ),
        filter(
            "resize",
            "LONGSIDE or WxH (pixels, 1-1000000)",
            "resize:1024",
            "scales it to fit inside, keeping its proportions",
        ),
    ];
    CATALOG
}
