//! How often strangers may ask: so many a second from one address, and from all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// From one address: at once, and then each second.
const ADDRESS: Rate = Rate { burst: 20.0, per_second: 10.0 };

/// From all addresses together.
const ALL: Rate = Rate { burst: 2000.0, per_second: 500.0 };

/// Addresses remembered. Beyond that, those that have been quiet are forgotten, else all strangers share
/// what one may ask.
const REMEMBERED: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    per_second: f64,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { left: rate.burst, at: now }
    }

    fn refill(&mut self, rate: Rate, now: Instant) {
        let gained = now.duration_since(self.at).as_secs_f64() * rate.per_second;
        *self = Self { left: (self.left + gained).min(rate.burst), at: now };
    }

    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        self.refill(rate, now);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

#[derive(Debug, Default)]
struct Buckets {
    all: Option<Bucket>,
    by_address: HashMap<IpAddr, Bucket>,
}

/// A limit by address, and one for all.
#[derive(Debug, Default)]
pub struct RateLimit(Mutex<Buckets>);

impl RateLimit {
    /// Whether `from` may ask once more now.
    pub fn admits(&self, from: IpAddr) -> bool {
        let now = Instant::now();
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { all, by_address } = &mut *buckets;
        let mut from = network(from);
        if by_address.len() >= REMEMBERED && !by_address.contains_key(&from) {
            by_address.retain(|_, bucket| {
                bucket.refill(ADDRESS, now);
                bucket.left < ADDRESS.burst
            });
            if by_address.len() >= REMEMBERED {
                from = Ipv6Addr::UNSPECIFIED.into();
            }
        }
        let bucket = by_address.entry(from).or_insert_with(|| Bucket::full(ADDRESS, now));
        bucket.take(ADDRESS, now) && all.get_or_insert_with(|| Bucket::full(ALL, now)).take(ALL, now)
    }
}

/// One subscriber owns a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_a_rate() {
        let limit = RateLimit::default();
        let from = "2001:db8::1".parse().unwrap();
        assert_eq!((0..100).filter(|_| limit.admits(from)).count(), 20);
        assert!(!limit.admits("2001:db8::2".parse().unwrap()), "the same /64");
        assert!(limit.admits("2001:db8:0:1::1".parse().unwrap()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..100).filter(|_| limit.admits(from)).count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_stays_bounded() {
        let limit = RateLimit::default();
        for n in 0..20_000_u32 {
            limit.admits(std::net::Ipv4Addr::from_bits(n).into());
            tokio::time::advance(Duration::from_millis(3)).await;
        }
        assert!(limit.0.lock().unwrap().by_address.len() <= REMEMBERED + 1);
    }
}
