//! Baseline JPEGs, byte for byte as jpeg-encoder 0.7.1 writes them (without its `simd`), in a third of its time.
//!
//! Colours by the formula of JFIF 1.02 in 16 bits after the point, the transform of Loeffler, Ligtenberg and Moschytz with
//! the 13-bit constants of the Independent JPEG Group's `jfdctint.c`, quantization by reciprocals, the Huffman tables
//! of ITU-T T.81, annex K. All integers, so the bytes are the same on every machine; tests hold them against the crate's.
//!
//! [`LANES`] blocks are worked on at once: the samples at one place of each lie side by side, so that the compiler makes of the
//! formula of one block that of many. Only the codes, of different lengths, are written block by block.

use multiversion::multiversion;

use crate::jpeg_tables::{CHROMA_AC, CHROMA_DC, CHROMA_STEPS, Codes, LUMA_AC, LUMA_DC, LUMA_STEPS, ZIGZAG};

/// Blocks side by side in one piece of work.
const LANES: usize = 16;
/// Pixels a row of such a piece.
const WIDE: usize = 8 * LANES;
/// Samples or coefficients of that many blocks, by their place in a block.
type Blocks<T> = [[T; LANES]; 64];

/// Bits after the point of the transform's constants,
const CONST_BITS: u32 = 13;
/// and those kept between its two passes.
const PASS1_BITS: u32 = 2;
/// Bits of the reciprocals.
const RECIPROCAL_BITS: u32 = 15;

/// Appends a JPEG to nothing: `before` are its application segments, each with its number and bytes; `samples` are those
/// of `width` × `height` pixels of one channel (gray) or three (RGB), row by row. Sides are 1 to 65,535 pixels, chroma is
/// as fine as luma, quality is 1 to 100.
pub(crate) fn write(
    samples: &[u8],
    (width, height): (u16, u16),
    gray: bool,
    quality: u8,
    before: &[(u8, Vec<u8>)],
) -> Vec<u8> {
    let steps = [scaled(&LUMA_STEPS, quality), scaled(&CHROMA_STEPS, quality)];
    let mut out = vec![0xff, 0xd8];
    // JFIF 1.02, square pixels, no thumbnail.
    segment(&mut out, 0xe0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0");
    for (number, body) in before {
        segment(&mut out, 0xe0 | number, body);
    }
    let components: &[u8] = if gray { &[0] } else { &[0, 1, 2] };
    let mut frame = vec![8];
    frame.extend(height.to_be_bytes());
    frame.extend(width.to_be_bytes());
    frame.push(components.len() as u8);
    let mut scan = vec![components.len() as u8];
    for id in components {
        let table = u8::from(*id > 0);
        frame.extend([*id, 0x11, table]);
        scan.extend([*id, table << 4 | table]);
    }
    scan.extend([0, 63, 0]);
    segment(&mut out, 0xc0, &frame);
    for (number, steps) in (0..).zip(&steps) {
        let in_order = ZIGZAG.iter().map(|place| steps[usize::from(*place)]);
        segment(
            &mut out,
            0xdb,
            &[number].into_iter().chain(in_order).collect::<Vec<u8>>(),
        );
    }
    let tables = [
        (0x00, LUMA_DC),
        (0x10, LUMA_AC),
        (0x01, CHROMA_DC),
        (0x11, CHROMA_AC),
    ];
    for (number, codes) in &tables[..if gray { 2 } else { 4 }] {
        segment(
            &mut out,
            0xc4,
            &[&[*number][..], &codes.counts, codes.symbols].concat(),
        );
    }
    segment(&mut out, 0xda, &scan);
    let mut writer = Writer {
        bits: Bits::after(out),
        tables: tables.map(|(_, codes)| lookup(&codes)),
        quant: steps.map(|steps| Quant::new(&steps)),
        means: [0; 3],
    };
    let size = (usize::from(width), usize::from(height));
    if gray {
        gray_data(samples, size, &mut writer);
    } else {
        color_data(samples, size, &mut writer);
    }
    let mut out = writer.bits.end();
    out.extend([0xff, 0xd9]);
    out
}

/// A marker, the length, the bytes. They fit: whoever calls sees to that.
fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    out.extend([0xff, marker]);
    out.extend(((body.len() + 2) as u16).to_be_bytes());
    out.extend(body);
}

/// The steps for a quality, as the Independent JPEG Group scales them.
fn scaled(steps: &[u8; 64], quality: u8) -> [u8; 64] {
    let quality = u32::from(quality.clamp(1, 100));
    let scale = if quality < 50 {
        5000 / quality
    } else {
        200 - quality * 2
    };
    steps.map(|step| ((u32::from(step) * scale + 50) / 100).clamp(1, 255) as u8)
}

/// The code of each symbol, before its length in the low five bits.
fn lookup(codes: &Codes) -> [u32; 256] {
    let mut table = [0; 256];
    let mut symbols = codes.symbols.iter();
    let mut code = 0;
    for (length, count) in (1..).zip(codes.counts) {
        for symbol in symbols.by_ref().take(usize::from(count)) {
            table[usize::from(*symbol)] = code << 5 | length;
            code += 1;
        }
        code <<= 1;
    }
    table
}

/// Division by the steps, as multiplication: `(value + correction) * reciprocal >> 15`.
struct Quant {
    reciprocals: [i32; 64],
    corrections: [i32; 64],
}

impl Quant {
    fn new(steps: &[u8; 64]) -> Quant {
        let (mut reciprocals, mut corrections) = ([0; 64], [0; 64]);
        for (place, step) in steps.iter().enumerate() {
            // The transform's results are eight times too large.
            let divisor = i32::from(*step) * 8;
            let (whole, rest) = ((1 << RECIPROCAL_BITS) / divisor, (1 << RECIPROCAL_BITS) % divisor);
            let half = divisor / 2;
            (reciprocals[place], corrections[place]) = match rest {
                0 => (whole, half),
                rest if rest <= half => (whole, half + 1),
                _ => (whole + 1, half),
            };
        }
        Quant {
            reciprocals,
            corrections,
        }
    }
}

/// Bits to bytes, the first bit the highest; a zero byte follows each 0xff.
struct Bits {
    out: Vec<u8>,
    held: u64,
    free: u32,
}

impl Bits {
    fn after(out: Vec<u8>) -> Bits {
        Bits {
            out,
            held: 0,
            free: 64,
        }
    }

    /// The low `count` bits of `bits`, which has no others; at most 32.
    #[inline(always)]
    fn put(&mut self, bits: u32, count: u32) {
        let bits = u64::from(bits);
        if count <= self.free {
            self.held = self.held << count | bits;
            self.free -= count;
        } else {
            let over = count - self.free;
            self.eight((self.held << self.free | bits >> over).to_be_bytes());
            // What has been written of it goes out at the top.
            self.held = bits;
            self.free = 64 - over;
        }
    }

    #[inline(always)]
    fn eight(&mut self, bytes: [u8; 8]) {
        const TOPS: u64 = 0x8080_8080_8080_8080;
        let held = u64::from_be_bytes(bytes);
        // A byte of 0xff loses its top bit when one is added.
        if held & TOPS & !held.wrapping_add(TOPS >> 7) == 0 {
            self.out.extend_from_slice(&bytes);
        } else {
            self.stuffed(&bytes);
        }
    }

    #[inline(never)]
    fn stuffed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.out.push(*byte);
            if *byte == 0xff {
                self.out.push(0);
            }
        }
    }

    /// Fills the last byte with ones.
    fn end(mut self) -> Vec<u8> {
        self.put(0x7f, 7);
        let whole = (64 - self.free) / 8;
        if whole > 0 {
            let bytes = (self.held << self.free).to_be_bytes();
            self.stuffed(&bytes[..whole as usize]);
        }
        self.out
    }
}

/// What is kept from block to block.
struct Writer {
    bits: Bits,
    /// Of luma's means and other coefficients, then of chroma's.
    tables: [[u32; 256]; 4],
    quant: [Quant; 2],
    /// The last block's mean, by component.
    means: [i16; 3],
}

impl Writer {
    /// One block: coefficients from low to high frequency, and where they are not 0.
    #[inline(always)]
    fn block(&mut self, component: usize, coefficients: &Blocks<i16>, lane: usize, set: u64) {
        let pair = 2 * usize::from(component > 0);
        let mean = coefficients[0][lane];
        let (size, low) = coded(mean.wrapping_sub(self.means[component]));
        self.means[component] = mean;
        self.symbol(pair, size, size, low);
        let mut set = set & !1;
        let mut last = 0;
        while set != 0 {
            let at = set.trailing_zeros();
            set &= set - 1;
            let mut zeros = at - last - 1;
            last = at;
            while zeros > 15 {
                self.symbol(pair + 1, 0xf0, 0, 0);
                zeros -= 16;
            }
            let (size, low) = coded(coefficients[at as usize & 63][lane]);
            self.symbol(pair + 1, zeros << 4 | size, size, low);
        }
        if last < 63 {
            self.symbol(pair + 1, 0, 0, 0);
        }
    }

    #[inline(always)]
    fn symbol(&mut self, table: usize, symbol: u32, size: u32, low: u32) {
        let code = self.tables[table][symbol as usize & 255];
        self.bits.put((code >> 5) << size | low, (code & 31) + size);
    }
}

/// How many bits a value needs, and these: those of `value - 1` for what is below 0 (T.81, F.1.2.1).
#[inline(always)]
fn coded(value: i16) -> (u32, u32) {
    let value = i32::from(value);
    let size = 32 - value.unsigned_abs().leading_zeros();
    let low = (value + (value >> 31)) as u32 & ((1 << size) - 1);
    (size, low)
}

/// The several bodies are of this one; see `filters`, which does the same.
macro_rules! for_several_instruction_sets {
    ($body:item) => {
        #[multiversion(
            targets(
                "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx512vbmi+avx512vbmi2+avx2+bmi1+bmi2+lzcnt+fma",
                "x86_64+avx2+bmi1+bmi2+lzcnt+fma",
            ),
            dispatcher = "direct"
        )]
        $body
    };
}

for_several_instruction_sets! {
    fn gray_data(samples: &[u8], size: (usize, usize), writer: &mut Writer) {
        data::<1, 1>(samples, size, writer, |pixels| [planes(pixels)[0].map(|sample| i16::from(sample) - 128)]);
    }
}

for_several_instruction_sets! {
    fn color_data(samples: &[u8], size: (usize, usize), writer: &mut Writer) {
        data::<3, 3>(samples, size, writer, |pixels| ycbcr(&planes(pixels)));
    }
}

/// All blocks of a picture, the components of one place after each other.
#[inline(always)]
fn data<const N: usize, const M: usize>(
    samples: &[u8],
    (width, height): (usize, usize),
    writer: &mut Writer,
    convert: impl Fn(&[[u8; N]; WIDE]) -> [[i16; WIDE]; M],
) {
    let pixels = samples.as_chunks::<N>().0;
    let mut blocks = [[[0_i16; LANES]; 64]; M];
    let mut edge = [[0; N]; WIDE];
    for top in (0..height).step_by(8) {
        for left in (0..width).step_by(WIDE) {
            for row in 0..8 {
                // Beyond the picture its last row and column go on.
                let from = (top + row).min(height - 1) * width;
                let line = &pixels[from + left..from + width.min(left + WIDE)];
                let wide = match line.first_chunk() {
                    Some(wide) => wide,
                    None => {
                        edge[..line.len()].copy_from_slice(line);
                        edge[line.len()..].fill(line[line.len() - 1]);
                        &edge
                    }
                };
                for (blocks, plane) in blocks.iter_mut().zip(convert(wide)) {
                    side_by_side(&plane, &mut blocks[row * 8..row * 8 + 8]);
                }
            }
            let mut set = [[0; LANES]; M];
            for (component, (blocks, set)) in blocks.iter_mut().zip(&mut set).enumerate() {
                transform(blocks);
                *set = quantize(blocks, &writer.quant[usize::from(component > 0)]);
            }
            let there = (width - left).div_ceil(8).min(LANES);
            for lane in 0..there {
                for (component, (blocks, set)) in blocks.iter().zip(&set).enumerate() {
                    writer.block(component, blocks, lane, set[lane]);
                }
            }
        }
    }
}

/// Pixels taken apart into their channels.
#[inline(always)]
fn planes<const N: usize>(pixels: &[[u8; N]; WIDE]) -> [[u8; WIDE]; N] {
    let mut planes = [[0; WIDE]; N];
    for (i, pixel) in pixels.iter().enumerate() {
        for (plane, sample) in planes.iter_mut().zip(pixel) {
            plane[i] = *sample;
        }
    }
    planes
}

/// Luma and chroma around 0 (JFIF 1.02).
#[inline(always)]
fn ycbcr([red, green, blue]: &[[u8; WIDE]; 3]) -> [[i16; WIDE]; 3] {
    let mut out = [[0; WIDE]; 3];
    let [luma, bluish, reddish] = &mut out;
    for i in 0..WIDE {
        let [r, g, b] = [red[i], green[i], blue[i]].map(i32::from);
        luma[i] = ((19_595 * r + 38_470 * g + 7_471 * b + 0x7fff) >> 16) as i16 - 128;
        bluish[i] = ((-11_059 * r - 21_709 * g + 32_768 * b + 0x7fff) >> 16) as i16;
        reddish[i] = ((32_768 * r - 27_439 * g - 5_329 * b + 0x7fff) >> 16) as i16;
    }
    out
}

/// A row of pixels of many blocks, as eight rows of what is at one place of each.
#[inline(always)]
fn side_by_side(plane: &[i16; WIDE], places: &mut [[i16; LANES]]) {
    for (x, place) in places.iter_mut().enumerate() {
        for (block, sample) in place.iter_mut().enumerate() {
            *sample = plane[block * 8 + x];
        }
    }
}

#[inline(always)]
fn descale(value: i32, bits: u32) -> i32 {
    (value + (1 << (bits - 1))) >> bits
}

/// The discrete cosine transform in place, eight times too large.
#[inline(always)]
fn transform(blocks: &mut Blocks<i16>) {
    let mut rows = [[0_i32; LANES]; 64];
    for (from, to) in blocks.as_chunks::<8>().0.iter().zip(rows.as_chunks_mut::<8>().0) {
        for lane in 0..LANES {
            let mut line = [0; 8];
            for (value, from) in line.iter_mut().zip(from) {
                *value = i32::from(from[lane]);
            }
            let (sum, difference, rest) = eight_points(line);
            to[0][lane] = sum << PASS1_BITS;
            to[4][lane] = difference << PASS1_BITS;
            for (place, value) in [2, 6, 1, 3, 5, 7].into_iter().zip(rest) {
                to[place][lane] = descale(value, CONST_BITS - PASS1_BITS);
            }
        }
    }
    for x in 0..8 {
        for lane in 0..LANES {
            let mut line = [0; 8];
            for (y, value) in line.iter_mut().enumerate() {
                *value = rows[y * 8 + x][lane];
            }
            let (sum, difference, rest) = eight_points(line);
            blocks[x][lane] = descale(sum, PASS1_BITS) as i16;
            blocks[32 + x][lane] = descale(difference, PASS1_BITS) as i16;
            for (y, value) in [2, 6, 1, 3, 5, 7].into_iter().zip(rest) {
                blocks[y * 8 + x][lane] = descale(value, CONST_BITS + PASS1_BITS) as i16;
            }
        }
    }
}

/// The transform of eight values (Loeffler, Ligtenberg, Moschytz, ICASSP 1989, with twelve multiplications): the results 0 and
/// 4 as they are, then 2, 6, 1, 3, 5 and 7 with [`CONST_BITS`] after the point.
#[inline(always)]
fn eight_points(v: [i32; 8]) -> (i32, i32, [i32; 6]) {
    let [s0, s1, s2, s3] = [v[0] + v[7], v[1] + v[6], v[2] + v[5], v[3] + v[4]];
    let [d0, d1, d2, d3] = [v[0] - v[7], v[1] - v[6], v[2] - v[5], v[3] - v[4]];
    let (outer, inner) = (s0 + s3, s1 + s2);
    let (away, near) = (s0 - s3, s1 - s2);
    // √2·c6, √2·(c2 − c6), √2·(c2 + c6), where ck = cos(kπ/16).
    let turned = (away + near) * 4_433;
    let (two, six) = (turned + away * 6_270, turned - near * 15_137);
    // √2·c3; then √2 times (c7 − c3), (c1 + c3), (c3 + c5), (c3 − c5).
    let all = (d3 + d1 + d2 + d0) * 9_633;
    let (z1, z2) = ((d3 + d0) * 7_373, (d2 + d1) * 20_995);
    let (z3, z4) = (all - (d3 + d1) * 16_069, all - (d2 + d0) * 3_196);
    // √2 times (−c1 + c3 + c5 − c7), (c1 + c3 − c5 + c7), (c1 + c3 + c5 − c7), (c1 + c3 − c5 − c7).
    let seven = d3 * 2_446 - z1 + z3;
    let five = d2 * 16_819 - z2 + z4;
    let three = d1 * 25_172 - z2 + z3;
    let one = d0 * 12_299 - z1 + z4;
    (outer + inner, outer - inner, [two, six, one, three, five, seven])
}

/// Divides and rounds, brings the coefficients into their order; where each block has others than 0.
#[inline(always)]
fn quantize(blocks: &mut Blocks<i16>, quant: &Quant) -> [u64; LANES] {
    let coefficients = *blocks;
    let mut set = [0; LANES];
    for (at, place) in ZIGZAG.into_iter().enumerate() {
        let place = usize::from(place & 63);
        let (reciprocal, correction) = (quant.reciprocals[place], quant.corrections[place]);
        for lane in 0..LANES {
            let value = i32::from(coefficients[place][lane]);
            let size = ((value.abs() + correction) * reciprocal) >> RECIPROCAL_BITS;
            let value = if value < 0 { -size } else { size } as i16;
            blocks[at][lane] = value;
            set[lane] |= u64::from(value != 0) << at;
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
    use proptest::prelude::*;

    use super::*;

    /// As the crate does it whose id stands for the bytes.
    fn theirs(samples: &[u8], (width, height): (u16, u16), gray: bool, quality: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, quality);
        encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
        encoder.add_app_segment(1, b"one".to_vec()).unwrap();
        encoder.add_app_segment(13, b"thirteen".to_vec()).unwrap();
        let color = if gray { ColorType::Luma } else { ColorType::Rgb };
        encoder.encode(samples, width, height, color).unwrap();
        bytes
    }

    fn check(samples: &[u8], size: (u16, u16), gray: bool, quality: u8) {
        let before = [(1, b"one".to_vec()), (13, b"thirteen".to_vec())];
        let ours = write(samples, size, gray, quality, &before);
        let theirs = theirs(samples, size, gray, quality);
        let apart = ours.iter().zip(&theirs).position(|(a, b)| a != b);
        assert!(
            ours == theirs,
            "{size:?}, gray {gray}, quality {quality}: {} and {} bytes, apart from {apart:?}",
            ours.len(),
            theirs.len()
        );
    }

    /// Samples that make blocks of every kind: flat, smooth, of the two extremes, and of noise of any strength.
    fn samples(len: usize, kind: u8, seed: u64) -> Vec<u8> {
        let mut state = seed | 1;
        let noise = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as u8
        };
        let noise = std::iter::repeat_with(noise).take(len);
        match kind {
            0 => vec![seed as u8; len],
            1 => noise.map(|value| if value & 1 == 0 { 0 } else { 255 }).collect(),
            2 => noise
                .enumerate()
                .map(|(i, value)| (i / 7) as u8 & 0xf0 | value & 7)
                .collect(),
            3 => noise.map(|value| if value > 250 { value } else { 128 }).collect(),
            _ => noise.collect(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// A version made here must be the bytes that its encoder's id stands for, whatever is in the picture.
        #[test]
        fn the_bytes_are_those_of_the_crate(
            (width, height) in (1_u16..400, 1_u16..40), gray: bool, quality in 1_u8..=100, kind in 0_u8..5, seed: u64,
        ) {
            let len = usize::from(width) * usize::from(height) * if gray { 1 } else { 3 };
            check(&samples(len, kind, seed), (width, height), gray, quality);
        }
    }

    #[test]
    fn pieces_and_blocks_that_are_not_full_are_those_of_the_crate() {
        for width in [1, 7, 8, 9, 127, 128, 129, 255, 256, 257, 1024 + 65] {
            for height in [1, 7, 8, 9, 17] {
                for (gray, kind) in [(true, 4), (false, 4), (false, 1)] {
                    let len = usize::from(width) * usize::from(height) * if gray { 1 } else { 3 };
                    check(&samples(len, kind, 77), (width, height), gray, 92);
                }
            }
        }
    }

    /// What the several instruction sets make of it is what the plain body makes.
    #[test]
    fn the_plain_body_writes_the_same() {
        let size = (300, 50);
        let color = samples(300 * 50 * 3, 2, 5);
        let fresh = || Writer {
            bits: Bits::after(Vec::new()),
            tables: [LUMA_DC, LUMA_AC, CHROMA_DC, CHROMA_AC].map(|codes| lookup(&codes)),
            quant: [LUMA_STEPS, CHROMA_STEPS].map(|steps| Quant::new(&scaled(&steps, 92))),
            means: [0; 3],
        };
        let (mut plain, mut fast) = (fresh(), fresh());
        data::<3, 3>(&color, size, &mut plain, |pixels| ycbcr(&planes(pixels)));
        color_data(&color, size, &mut fast);
        assert!(plain.bits.end() == fast.bits.end());
    }
}
