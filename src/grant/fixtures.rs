//! Short ways to ask, decide and open, for the tests of requests and grants.

use std::time::Duration;

use curfew_adapter::{GrantId, RequestId};
use jiff::Timestamp;

use crate::contract::fixtures::key;
use crate::contract::{Contract, People, PersonKey, TargetFacts};

use super::{
    AskAccess, AskExtension, AskRefused, Facts, Grant, Outcome, Refused, Request, RequestEvent, Step,
};

pub(super) fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// Everything that a decision looks at.
pub(super) struct World {
    pub(super) contract: Contract,
    pub(super) target: TargetFacts,
    pub(super) people: People,
}

impl World {
    pub(super) fn new(text: &str) -> Self {
        use crate::contract::fixtures::{contract, orders, people};
        Self { contract: contract(text), target: orders(), people: people() }
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        Facts { contract: &self.contract, target: &self.target, people: &self.people }
    }

    pub(super) fn ask(&self, ask: AskAccess<'_>, now: Timestamp) -> Result<Step, AskRefused> {
        Request::ask(ask, self.facts(), now)
    }

    pub(super) fn approve(&self, request: &Request, by: &str, at: Timestamp) -> Result<Step, Refused> {
        self.approve_for(request, by, None, at)
    }

    pub(super) fn approve_for(
        &self,
        request: &Request,
        by: &str,
        duration: Option<Duration>,
        at: Timestamp,
    ) -> Result<Step, Refused> {
        request.apply(RequestEvent::Approve { by: key(by), duration, note: None, at }, self.facts())
    }

    /// A grant of alice's, approved by bob at once.
    pub(super) fn granted(&self, duration: Duration, now: Timestamp) -> Grant {
        let (alice, step) = (key("alice"), |ask| self.ask(ask, now).unwrap());
        let step = step(AskAccess { duration: Some(duration), ..asked(&alice) });
        match step.outcome {
            Outcome::Granted(approved) => Grant::open(GrantId::random(), approved),
            _ => opened(self.approve(&step.request, "bob", now).unwrap()),
        }
    }

    pub(super) fn ask_extension(
        &self,
        grant: &Grant,
        by: &PersonKey,
        now: Timestamp,
    ) -> Result<Step, AskRefused> {
        let ask = AskExtension { id: RequestId::random(), by, reason: None };
        Request::ask_extension(ask, grant, self.facts(), now)
    }

    /// The grant after an extension that bob approved, or that needs nobody.
    pub(super) fn extended(&self, grant: &Grant, now: Timestamp) -> Result<Grant, AskRefused> {
        let step = self.ask_extension(grant, &key("alice"), now)?;
        let step = match step.outcome {
            Outcome::Waiting { .. } => self.approve(&step.request, "bob", now)?,
            _ => step,
        };
        match step.outcome {
            Outcome::Extended(approved) => Ok(grant.extend(approved, &self.contract, now)?),
            other => panic!("{other:?}"),
        }
    }
}

/// An ask that the contract of the guide accepts.
pub(super) fn asked(person: &PersonKey) -> AskAccess<'_> {
    AskAccess {
        id: RequestId::random(),
        requester: person,
        beneficiary: person,
        account: "orders_read",
        duration: None,
        starts_at: None,
        reason: Some("pool exhausted"),
        ticket: Some("INC-1042"),
    }
}

/// The grant that a step opens.
pub(super) fn opened(step: Step) -> Grant {
    match step.outcome {
        Outcome::Granted(approved) => Grant::open(GrantId::random(), approved),
        other => panic!("{other:?}"),
    }
}
