//! Whether the entropy-coded data of a baseline JPEG is exactly what its headers call for.
//!
//! A flipped bit makes a decoder lose its place in the Huffman codes; it soon finds another and goes on, so
//! the picture looks whole and is wrong. But then the blocks end too early or too late: counting them against
//! the data tells. Symbols are read and values skipped, nothing is transformed (ITU-T T.81, annexes B, C and
//! F.2.2). Progressive files are not checked, and a flip inside a value that moves nothing cannot be seen.

/// Bits looked up at once; longer codes are searched for.
const LOOKUP_BITS: u32 = 10;

/// Why the data does not fit the headers; `None` if it does, or if the file is not of the kind checked here.
pub(crate) fn misfit(bytes: &[u8]) -> Option<&'static str> {
    Walk {
        bytes,
        at: 2,
        frame: None,
        tables: Default::default(),
        interval: 0,
    }
    .run()
}

/// A Huffman table: by the next bits, and by length for codes that are longer.
struct Table {
    /// `length << 8 | symbol`, or 0 where the code is longer than the index.
    lookup: Vec<u16>,
    /// For each length 1 to 16: the first code, how many there are, and where their symbols begin.
    lengths: [(u32, u32, usize); 17],
    symbols: Vec<u8>,
}

impl Table {
    fn new(counts: &[u8], symbols: &[u8]) -> Option<Table> {
        let mut lengths = [(0, 0, 0); 17];
        let mut lookup = vec![0; 1 << LOOKUP_BITS];
        let (mut code, mut start) = (0_u32, 0_usize);
        for (length, count) in (1_u32..).zip(counts) {
            let count = u32::from(*count);
            lengths[length as usize] = (code, count, start);
            if code + count > 1 << length {
                return None;
            }
            if length <= LOOKUP_BITS {
                let width = LOOKUP_BITS - length;
                for i in 0..count {
                    let entry = (length as u16) << 8 | u16::from(*symbols.get(start + i as usize)?);
                    lookup[((code + i) << width) as usize..((code + i + 1) << width) as usize].fill(entry);
                }
            }
            code = (code + count) << 1;
            start += count as usize;
        }
        Some(Table {
            lookup,
            lengths,
            symbols: symbols.get(..start)?.to_vec(),
        })
    }
}

struct Component {
    id: u8,
    across: u32,
    down: u32,
}

struct Frame {
    width: u32,
    height: u32,
    components: Vec<Component>,
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Option<Frame>,
    /// By class (0 for DC, 1 for AC) and number.
    tables: [[Option<Table>; 4]; 2],
    /// MCUs between restart markers; 0 if there are none.
    interval: u32,
}

/// What a scan is made of: per block of an MCU, its tables by class.
struct Scan<'t> {
    blocks: Vec<[&'t Table; 2]>,
    mcus: u64,
}

impl<'a> Walk<'a> {
    fn run(&mut self) -> Option<&'static str> {
        loop {
            let (marker, body) = self.segment()?;
            match marker {
                0xd9 => return None,
                0xc0 | 0xc1 => self.frame = Some(frame(body)?),
                // The other frames: progressive, lossless, arithmetic.
                0xc2 | 0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return None,
                0xc4 => self.define_tables(body)?,
                0xdd => self.interval = u16::from_be_bytes([*body.first()?, *body.get(1)?]).into(),
                0xda => {
                    let mut bits = Bits {
                        bytes: self.bytes,
                        at: self.at,
                        buffer: 0,
                        held: 0,
                    };
                    if let Err(misfit) = bits.scan(&self.scan(body)?, self.interval) {
                        return Some(misfit);
                    }
                    self.at = bits.at;
                }
                _ => {}
            }
        }
    }

    /// The next marker with the bytes of its segment. `None` if the file ends: that is seen elsewhere.
    fn segment(&mut self) -> Option<(u8, &'a [u8])> {
        let rest = self.bytes.get(self.at..)?;
        let from = rest.iter().position(|byte| *byte == 0xff)?;
        let to = from + rest[from..].iter().position(|byte| *byte != 0xff)?;
        let (marker, body) = (rest[to], self.at + to + 1);
        if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd9) {
            self.at = body;
            return Some((marker, &[]));
        }
        let len = u16::from_be_bytes(self.bytes.get(body..body + 2)?.try_into().ok()?);
        self.at = body + usize::from(len).max(2);
        Some((marker, self.bytes.get(body + 2..self.at)?))
    }

    fn define_tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let [class_and_number, rest @ ..] = body {
            let (counts, symbols) = rest.split_at_checked(16)?;
            let table = Table::new(counts, symbols)?;
            body = &symbols[table.symbols.len()..];
            let (class, number) = (
                usize::from(class_and_number >> 4),
                usize::from(class_and_number & 15),
            );
            *self.tables.get_mut(class)?.get_mut(number)? = Some(table);
        }
        Some(())
    }

    fn scan(&self, body: &[u8]) -> Option<Scan<'_>> {
        let frame = self.frame.as_ref()?;
        let chosen = body.get(1..1 + 2 * usize::from(*body.first()?))?;
        let (most_across, most_down) = frame.most();
        let mut blocks = Vec::new();
        let mut mcus = 0;
        for pair in chosen.chunks_exact(2) {
            let component = frame
                .components
                .iter()
                .find(|component| component.id == pair[0])?;
            let dc = self.tables[0].get(usize::from(pair[1] >> 4))?.as_ref()?;
            let ac = self.tables[1].get(usize::from(pair[1] & 15))?.as_ref()?;
            let tables = [dc, ac];
            if chosen.len() == 2 {
                // A component alone is coded block by block, without the padding to whole MCUs.
                let side = |side: u32, of: u32, most: u32| u64::from((side * of).div_ceil(most).div_ceil(8));
                mcus = side(frame.width, component.across, most_across)
                    * side(frame.height, component.down, most_down);
                blocks.push(tables);
            } else {
                let side = |side: u32, most: u32| u64::from(side.div_ceil(8 * most));
                mcus = side(frame.width, most_across) * side(frame.height, most_down);
                blocks.extend((0..component.across * component.down).map(|_| tables));
            }
        }
        Some(Scan { blocks, mcus })
    }
}

impl Frame {
    fn most(&self) -> (u32, u32) {
        let most = |of: fn(&Component) -> u32| self.components.iter().map(of).max().unwrap_or(1);
        (
            most(|component| component.across),
            most(|component| component.down),
        )
    }
}

/// The frame header, if it is one of 8 bits whose height is known.
fn frame(body: &[u8]) -> Option<Frame> {
    let [8, h1, h0, w1, w0, count, components @ ..] = body else {
        return None;
    };
    let components: Vec<Component> = components
        .chunks_exact(3)
        .map(|c| Component {
            id: c[0],
            across: u32::from(c[1] >> 4),
            down: u32::from(c[1] & 15),
        })
        .collect();
    let sound = |c: &Component| (1..=4).contains(&c.across) && (1..=4).contains(&c.down);
    let height = u32::from(u16::from_be_bytes([*h1, *h0]));
    let width = u32::from(u16::from_be_bytes([*w1, *w0]));
    let fits = components.len() == usize::from(*count) && components.iter().all(sound);
    (fits && height > 0 && width > 0).then_some(Frame {
        width,
        height,
        components,
    })
}

/// The bits of a scan, stuffed zeros taken out, up to the next marker.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next `held` bits, from the highest down; zeros after them.
    buffer: u64,
    held: u32,
}

const TOO_SHORT: &str = "its data ends before the picture does";
const TOO_LONG: &str = "there is data left when the picture is complete";
const NO_CODE: &str = "its data holds a code that does not exist";
const OVERFULL: &str = "a block holds more than 64 values";

impl Bits<'_> {
    fn scan(&mut self, scan: &Scan, interval: u32) -> Result<(), &'static str> {
        let mut left = interval;
        for _ in 0..scan.mcus {
            if interval > 0 && left == 0 {
                self.restart()?;
                left = interval;
            }
            left = left.saturating_sub(1);
            for tables in &scan.blocks {
                self.block(tables)?;
            }
        }
        self.end()
    }

    fn block(&mut self, [dc, ac]: &[&Table; 2]) -> Result<(), &'static str> {
        let size = self.symbol(dc)?;
        self.skip(u32::from(size))?;
        let mut values = 1;
        while values < 64 {
            let symbol = self.symbol(ac)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if run < 15 {
                    return Ok(());
                }
                values += 16;
            } else {
                values += run + 1;
                self.skip(size)?;
            }
        }
        if values > 64 { Err(OVERFULL) } else { Ok(()) }
    }

    fn fill(&mut self) {
        while self.held <= 48 {
            let byte = match self.bytes.get(self.at..) {
                Some([0xff, 0x00, ..]) => {
                    self.at += 2;
                    0xff
                }
                Some([0xff, ..] | []) | None => return,
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.held);
            self.held += 8;
        }
    }

    fn skip(&mut self, bits: u32) -> Result<(), &'static str> {
        if self.held < bits {
            self.fill();
        }
        if self.held < bits {
            return Err(TOO_SHORT);
        }
        self.buffer <<= bits;
        self.held -= bits;
        Ok(())
    }

    fn symbol(&mut self, table: &Table) -> Result<u8, &'static str> {
        if self.held < 16 {
            self.fill();
        }
        let entry = table.lookup[(self.buffer >> (64 - LOOKUP_BITS)) as usize];
        if entry != 0 {
            self.skip(u32::from(entry >> 8))?;
            return Ok(entry as u8);
        }
        for length in LOOKUP_BITS + 1..=16 {
            let (first, count, start) = table.lengths[length as usize];
            let code = (self.buffer >> (64 - length)) as u32;
            if code >= first && code - first < count {
                self.skip(length)?;
                return Ok(table.symbols[start + (code - first) as usize]);
            }
        }
        Err(if self.held < 16 { TOO_SHORT } else { NO_CODE })
    }

    /// Nothing but the padding of a byte may be left before the next marker.
    fn end(&mut self) -> Result<(), &'static str> {
        self.fill();
        if self.held >= 8 {
            return Err(TOO_LONG);
        }
        (self.buffer, self.held) = (0, 0);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), &'static str> {
        self.end()?;
        while let Some([0xff, 0xff]) = self.bytes.get(self.at..self.at + 2) {
            self.at += 1;
        }
        match self.bytes.get(self.at..self.at + 2) {
            Some([0xff, 0xd0..=0xd7]) => {
                self.at += 2;
                Ok(())
            }
            _ => Err(TOO_SHORT),
        }
    }
}

#[cfg(test)]
mod tests {
    use filters::{Channels, Raster, Samples};

    use super::*;

    fn noise(i: usize) -> u8 {
        (i.wrapping_mul(2_654_435_761) >> 20) as u8 & 0x7f
    }

    fn jpeg(configure: impl FnOnce(&mut jpeg_encoder::Encoder<&mut Vec<u8>>)) -> Vec<u8> {
        let samples: Vec<u8> = (0..75 * 53 * 3).map(noise).collect();
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
        configure(&mut encoder);
        encoder
            .encode(&samples, 75, 53, jpeg_encoder::ColorType::Rgb)
            .unwrap();
        bytes
    }

    #[test]
    fn sound_files_fit() {
        use jpeg_encoder::SamplingFactor::{R_4_1_1, R_4_2_0, R_4_2_2, R_4_4_0, R_4_4_4};
        for sampling in [R_4_4_4, R_4_2_2, R_4_2_0, R_4_4_0, R_4_1_1] {
            assert_eq!(
                misfit(&jpeg(|encoder| encoder.set_sampling_factor(sampling))),
                None,
                "{sampling:?}"
            );
        }
        assert_eq!(misfit(&jpeg(|encoder| encoder.set_restart_interval(3))), None);
        assert_eq!(
            misfit(&jpeg(|encoder| encoder.set_optimized_huffman_tables(true))),
            None
        );
        assert_eq!(misfit(&jpeg(|encoder| encoder.set_progressive(true))), None);
        let gray = Raster::new(9, 17, Channels::Gray, Samples::U8((0..153).map(noise).collect())).unwrap();
        let version = crate::encode_version(&gray, crate::Media::Jpeg, &crate::Metadata::default()).unwrap();
        assert_eq!(misfit(&version.bytes), None);
    }

    #[test]
    fn more_than_half_of_the_flips_are_noticed() {
        for restart in [0, 5] {
            let sound = jpeg(|encoder| encoder.set_restart_interval(restart));
            let start = sound.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 14;
            let places: Vec<usize> = (start..sound.len() - 40).step_by(7).collect();
            let noticed = places.iter().filter(|at| {
                let mut flipped = sound.clone();
                flipped[**at] ^= 0xff;
                misfit(&flipped).is_some()
            });
            let share = noticed.count() * 100 / places.len();
            assert!(share >= 50, "{share} % of {}", places.len());
        }
    }

    #[test]
    fn any_bytes_are_answered() {
        let sound = jpeg(|encoder| encoder.set_restart_interval(4));
        for cut in 0..sound.len() {
            misfit(&sound[..cut]);
        }
        for at in 0..sound.len().min(700) {
            for byte in [0, 1, 0x11, 0x7f, 0xff] {
                let mut flipped = sound.clone();
                flipped[at] = byte;
                misfit(&flipped);
            }
        }
    }
}
