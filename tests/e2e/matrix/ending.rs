//! How a session comes to its end: the columns of the tables.

/// How a session comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Expiry,
    Revoke,
    Return,
    Kill,
    Idle,
    Drain,
}

impl Ending {
    pub const ALL: [Self; 6] =
        [Self::Expiry, Self::Revoke, Self::Return, Self::Kill, Self::Idle, Self::Drain];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Expiry => "expiry",
            Self::Revoke => "revoke",
            Self::Return => "return",
            Self::Kill => "kill",
            Self::Idle => "idle",
            Self::Drain => "drain",
        }
    }

    /// The reason on the audit event.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Expiry => "expired",
            Self::Revoke => "revoked",
            Self::Return => "returned",
            Self::Kill => "killed",
            Self::Idle => "idle",
            Self::Drain => "drained",
        }
    }

    /// Whether the gate knows the end beforehand: after it, not one byte may pass.
    pub const fn foreseen(self) -> bool {
        matches!(self, Self::Expiry | Self::Drain)
    }
}
