//! Who read the audit log of late.
//!
//! Reading it is an event of it. A reader that follows the log asks again and again, and would be woken by its own
//! event for ever: so there is one for each sign-in in ten minutes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use curfew_adapter::{BootTime, SigninId};

/// How long a reading that was written down stands for those that follow.
const STANDS: Duration = Duration::from_secs(600);

/// The readings of late. Empty at first.
#[derive(Debug, Default)]
pub struct Reads(Mutex<HashMap<SigninId, BootTime>>);

impl Reads {
    /// Whether a reading under this sign-in is to be written down now.
    pub(super) fn due(&self, signin: &SigninId, now: BootTime) -> bool {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reads.retain(|_, at| now.since(*at) < STANDS);
        !reads.contains_key(signin)
    }

    /// It was written down.
    pub(super) fn written(&self, signin: SigninId, now: BootTime) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(signin, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_in_is_written_down_once_in_ten_minutes() {
        let reads = Reads::default();
        let (one, other) = (SigninId::random(), SigninId::random());
        let start = BootTime::from_nanos(1);
        assert!(reads.due(&one, start));
        assert!(reads.due(&one, start), "not written yet");
        reads.written(one.clone(), start);
        assert!(!reads.due(&one, start.plus(STANDS - Duration::from_secs(1))));
        assert!(reads.due(&other, start));
        assert!(reads.due(&one, start.plus(STANDS)));
    }
}
