//! Rate limits: token buckets by key, as one time stamp each (GCRA), in a map that cannot grow past a bound.

use std::collections::BTreeMap;

/// How fast something may happen.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// At once.
    pub burst: u64,
    /// One more after each of these, milliseconds.
    pub interval_ms: u64,
}

/// One bucket per key; a full bucket takes no place.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    keys_max: usize,
    /// When the bucket will be full again, milliseconds.
    full_at_ms: BTreeMap<K, u64>,
}

impl<K: Ord> Buckets<K> {
    /// All buckets full.
    pub fn new(rate: Rate, keys_max: usize) -> Self {
        Self {
            rate,
            keys_max,
            full_at_ms: BTreeMap::new(),
        }
    }

    /// Takes a token, or says after how many milliseconds there will be one.
    pub fn take(&mut self, key: K, now_ms: u64) -> Result<(), u64> {
        let full_at = self.full_at_ms.get(&key).map_or(now_ms, |&at| at.max(now_ms));
        let after = full_at.saturating_add(self.rate.interval_ms) - now_ms;
        let allowed = self.rate.burst * self.rate.interval_ms;
        if after > allowed {
            return Err(after - allowed);
        }
        if !self.full_at_ms.contains_key(&key) && self.full_at_ms.len() >= self.keys_max {
            self.full_at_ms.retain(|_, &mut at| at > now_ms);
            if self.full_at_ms.len() >= self.keys_max {
                return Err(self.rate.interval_ms);
            }
        }
        self.full_at_ms.insert(key, now_ms + after);
        Ok(())
    }

    /// Puts one back.
    pub fn give_back(&mut self, key: &K, now_ms: u64) {
        if let Some(at) = self.full_at_ms.get_mut(key) {
            *at = at.saturating_sub(self.rate.interval_ms);
            if *at <= now_ms {
                self.full_at_ms.remove(key);
            }
        }
    }

    /// Keys whose buckets are not known to be full.
    pub fn len(&self) -> usize {
        self.full_at_ms.len()
    }

    /// Whether all buckets are known to be full.
    pub fn is_empty(&self) -> bool {
        self.full_at_ms.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        interval_ms: 1_000,
    };

    #[test]
    fn burst_then_rate() {
        let mut buckets = Buckets::new(RATE, 8);
        for _ in 0..3 {
            assert_eq!(buckets.take("a", 5), Ok(()));
        }
        assert_eq!(buckets.take("a", 5), Err(1_000));
        assert_eq!(buckets.take("a", 1_004), Err(1));
        assert_eq!(buckets.take("b", 1_004), Ok(()));
        assert_eq!(buckets.take("a", 1_005), Ok(()));
        assert_eq!(buckets.take("a", 1_005), Err(1_000));
        for _ in 0..3 {
            assert_eq!(buckets.take("a", 1_000_000), Ok(()));
        }
        assert_eq!(buckets.take("a", 1_000_000), Err(1_000));
    }

    #[test]
    fn what_is_given_back_counts_no_more() {
        let mut buckets = Buckets::new(RATE, 8);
        for _ in 0..100 {
            assert_eq!(buckets.take("a", 7), Ok(()));
            buckets.give_back(&"a", 7);
        }
        assert!(buckets.is_empty());
        buckets.give_back(&"b", 7);
        assert!(buckets.is_empty());
    }

    #[test]
    fn bounded() {
        let mut buckets = Buckets::new(RATE, 4);
        for key in 0..4 {
            assert_eq!(buckets.take(key, 0), Ok(()));
        }
        assert_eq!(buckets.take(4, 0), Err(1_000));
        assert_eq!(buckets.take(3, 0), Ok(()));
        // Those that are full again make place.
        assert_eq!(buckets.take(4, 1_000), Ok(()));
        assert_eq!(buckets.len(), 2);
    }
}
