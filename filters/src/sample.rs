//! A sample of 8 or 16 bits, seen as a number: what lets one kernel serve both depths.

use std::ops::{Add, Sub};

/// One channel of one pixel.
pub(crate) trait Sample: Copy + Default + Into<u32> + Into<u64> + 'static {
    /// The smallest signed number that holds the sum of 128 samples: sums and differences of a few.
    type Wide: Copy + Default + Ord + From<Self> + Add<Output = Self::Wide> + Sub<Output = Self::Wide>;
    /// Full scale: 255 or 65535.
    const MAX: u32;
    /// How many steps of this depth make one step of 8 bits: 1 or 257.
    const STEP: i32 = (Self::MAX / 255) as i32;

    /// The nearest sample: values outside `0..=MAX` are saturated.
    fn saturate(value: i64) -> Self;

    /// [`Sample::saturate`] in 32 bits.
    fn clamp(value: i32) -> Self;

    /// [`Sample::saturate`] of a [`Sample::Wide`].
    fn narrow_wide(value: Self::Wide) -> Self;

    /// `self` as a signed number, so that differences need no care.
    #[inline(always)]
    fn signed(self) -> i32 {
        let value: u32 = self.into();
        value as i32
    }
}

impl Sample for u8 {
    type Wide = i16;
    const MAX: u32 = u8::MAX as u32;
    fn saturate(value: i64) -> u8 {
        value.clamp(0, i64::from(u8::MAX)) as u8
    }
    #[inline(always)]
    fn clamp(value: i32) -> u8 {
        value.clamp(0, i32::from(u8::MAX)) as u8
    }
    #[inline(always)]
    fn narrow_wide(value: i16) -> u8 {
        value.clamp(0, i16::from(u8::MAX)) as u8
    }
}

impl Sample for u16 {
    type Wide = i32;
    const MAX: u32 = u16::MAX as u32;
    fn saturate(value: i64) -> u16 {
        value.clamp(0, i64::from(u16::MAX)) as u16
    }
    #[inline(always)]
    fn clamp(value: i32) -> u16 {
        value.clamp(0, i32::from(u16::MAX)) as u16
    }
    #[inline(always)]
    fn narrow_wide(value: i32) -> u16 {
        value.clamp(0, i32::from(u16::MAX)) as u16
    }
}
