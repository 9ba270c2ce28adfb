//! How many connections wait for a person: for somebody to sign in, or to decide. Bounded in all, and by address.

use super::refuse;
use curfew_adapter::Refusal;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts those who wait. Clones count together.
#[derive(Clone, Debug)]
pub struct Waiters {
    waiting: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
    most_here: usize,
}

/// A place among those who wait; dropping it gives it up.
#[derive(Debug)]
pub struct Place {
    waiters: Waiters,
    address: IpAddr,
}

impl Waiters {
    /// At most so many in all, and from one address.
    pub fn new(most: usize, most_here: usize) -> Self {
        Self { waiting: Arc::default(), most, most_here }
    }

    /// A place for a client at `address`.
    ///
    /// # Errors
    /// Too many wait.
    pub fn wait(&self, address: IpAddr) -> Result<Place, Refusal> {
        let address = address.to_canonical();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = waiting.values().sum();
        let here = waiting.get(&address).copied().unwrap_or_default();
        if all >= self.most || here >= self.most_here {
            return Err(refuse::too_many_wait());
        }
        waiting.insert(address, here + 1);
        drop(waiting);
        Ok(Place { waiters: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.waiters.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = waiting.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                waiting.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curfew_adapter::RefusalKind;

    #[test]
    fn one_address_takes_no_more_than_its_share() {
        let waiters = Waiters::new(3, 2);
        let (one, other): (IpAddr, IpAddr) = ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap());
        let first = waiters.wait(one).unwrap();
        let _second = waiters.wait(one).unwrap();
        assert_eq!(waiters.wait(one).unwrap_err().kind, RefusalKind::TooMany);
        let _third = waiters.wait(other).unwrap();
        assert_eq!(waiters.wait(other).unwrap_err().kind, RefusalKind::TooMany);
        drop(first);
        assert!(waiters.wait("::ffff:127.0.0.2".parse().unwrap()).is_ok());
    }
}
