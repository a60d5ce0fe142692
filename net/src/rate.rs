//! A token bucket.

use std::time::Duration;

use tokio::time::Instant;

/// So many at once, then so many per second.
#[derive(Debug)]
pub(crate) struct Bucket {
    burst: u32,
    per_second: u32,
    tokens: u32,
    /// When `tokens` was right; in the future while a debt is being paid.
    at: Instant,
}

impl Bucket {
    pub(crate) fn new(burst: u32, per_second: u32) -> Self {
        Self {
            burst,
            per_second,
            tokens: burst,
            at: Instant::now(),
        }
    }

    fn refill(&mut self) {
        let now = Instant::now();
        let ms = now.saturating_duration_since(self.at).as_millis();
        let earned = ms * u128::from(self.per_second) / 1000;
        if earned > 0 {
            let earned = u32::try_from(earned).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(earned).min(self.burst);
            // What is left of the time counts towards the next one.
            let nanos = u64::from(earned) * 1_000_000_000 / u64::from(self.per_second);
            self.at += Duration::from_nanos(nanos);
        }
    }

    /// Takes one if there is one.
    pub(crate) fn take(&mut self) -> bool {
        self.refill();
        match self.tokens.checked_sub(1) {
            Some(left) => self.tokens = left,
            None => return false,
        }
        true
    }

    /// Takes `count`, going into debt if need be; returns when the debt is paid.
    pub(crate) fn owe(&mut self, count: u32) -> Option<Instant> {
        self.refill();
        if let Some(left) = self.tokens.checked_sub(count) {
            self.tokens = left;
            return None;
        }
        let debt = count - self.tokens;
        self.tokens = 0;
        let wait = Duration::from_millis(u64::from(debt) * 1000 / u64::from(self.per_second.max(1)));
        self.at = self.at.max(Instant::now()) + wait;
        Some(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_a_rate() {
        let mut bucket = Bucket::new(3, 10);
        assert_eq!((0..5).filter(|_| bucket.take()).count(), 3);
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!((0..5).filter(|_| bucket.take()).count(), 2);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!((0..5).filter(|_| bucket.take()).count(), 3);
        assert_eq!(bucket.owe(5), Some(Instant::now() + Duration::from_millis(500)));
        assert_eq!(bucket.owe(1), Some(Instant::now() + Duration::from_millis(600)));
        tokio::time::advance(Duration::from_millis(700)).await;
        assert_eq!(bucket.owe(1), None);
    }

    /// Asked more often than it earns, a bucket still earns its rate.
    #[tokio::test(start_paused = true)]
    async fn parts_of_a_token_are_not_lost() {
        let mut bucket = Bucket::new(4, 4);
        assert_eq!((0..9).filter(|_| bucket.take()).count(), 4);
        let mut taken = 0;
        for _ in 0..10 {
            tokio::time::advance(Duration::from_millis(300)).await;
            taken += usize::from(bucket.take()) + usize::from(bucket.take());
        }
        assert_eq!(taken, 12, "four a second for three seconds");
    }
}
