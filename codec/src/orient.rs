//! Turning a decoded picture upright, as EXIF's orientation says.

use filters::{Channels, Raster, Samples};

/// Whether width and height change places.
pub(crate) fn swaps(orientation: u8) -> bool {
    (5..=8).contains(&orientation)
}

/// The picture upright. 1 is upright already; 2 mirrored; 3 upside down; 4 mirrored upside down; 5 to 8 the
/// same on their side (EXIF 2.32 §4.6.4, tag 274).
pub(crate) fn upright(raster: Raster, orientation: u8) -> Raster {
    if !(2..=8).contains(&orientation) {
        return raster;
    }
    let Raster {
        width,
        height,
        channels,
        samples,
    } = raster;
    let turn = Turn {
        width: width as usize,
        height: height as usize,
        channels,
        orientation,
    };
    let samples = match samples {
        Samples::U8(samples) => Samples::U8(turn.samples(&samples)),
        Samples::U16(samples) => Samples::U16(turn.samples(&samples)),
    };
    let (width, height) = if swaps(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    Raster {
        width,
        height,
        channels,
        samples,
    }
}

struct Turn {
    width: usize,
    height: usize,
    channels: Channels,
    orientation: u8,
}

impl Turn {
    fn samples<T: Copy>(&self, source: &[T]) -> Vec<T> {
        let count = self.channels.count();
        let (width, height) = if swaps(self.orientation) {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        };
        let mut out = Vec::with_capacity(source.len());
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = self.source(x, y);
                let at = (from_y * self.width + from_x) * count;
                out.extend_from_slice(&source[at..at + count]);
            }
        }
        out
    }

    /// The stored position of the upright pixel (x, y).
    fn source(&self, x: usize, y: usize) -> (usize, usize) {
        let (right, bottom) = (self.width - 1, self.height - 1);
        match self.orientation {
            2 => (right - x, y),
            3 => (right - x, bottom - y),
            4 => (x, bottom - y),
            5 => (y, x),
            6 => (y, bottom - x),
            7 => (right - y, bottom - x),
            8 => (right - y, x),
            _ => (x, y),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // Stored: 1 2 3
        //         4 5 6
        let stored = |width, samples: &[u8]| Raster {
            width,
            height: 6 / width,
            channels: Channels::Gray,
            samples: Samples::U8(samples.to_vec()),
        };
        let upright = |orientation| upright(stored(3, &[1, 2, 3, 4, 5, 6]), orientation);
        assert_eq!(upright(1), stored(3, &[1, 2, 3, 4, 5, 6]));
        assert_eq!(upright(2), stored(3, &[3, 2, 1, 6, 5, 4]));
        assert_eq!(upright(3), stored(3, &[6, 5, 4, 3, 2, 1]));
        assert_eq!(upright(4), stored(3, &[4, 5, 6, 1, 2, 3]));
        assert_eq!(upright(5), stored(2, &[1, 4, 2, 5, 3, 6]));
        assert_eq!(upright(6), stored(2, &[4, 1, 5, 2, 6, 3]));
        assert_eq!(upright(7), stored(2, &[6, 3, 5, 2, 4, 1]));
        assert_eq!(upright(8), stored(2, &[3, 6, 2, 5, 1, 4]));
    }
}
