//! The people by whose hands grants are asked for, and sessions end.

use curfew_harness::{Gate, Person};
use tokio::sync::Semaphore;

use super::ending::Ending;
use super::subject::Subject;

/// Who asks, and who ends.
pub struct Hands {
    pub alice: Person,
    pub dave: Person,
    /// How long a grant lasts that is to expire: longer than it takes to open all of a column.
    expiry: &'static str,
    /// Two at a time end sessions: more would keep the machine from what it is measured by.
    ends: Semaphore,
}

impl Hands {
    /// Both signed in at this gate.
    pub async fn of(gate: &Gate, expiry: &'static str) -> Self {
        let (alice, dave) = (gate.person("alice").unwrap(), gate.person("dave").unwrap());
        tokio::try_join!(alice.login(), dave.login()).unwrap();
        Self { alice, dave, expiry, ends: Semaphore::new(2) }
    }

    /// A grant for alice that lasts as long as its ending needs, under a contract that gives it at once.
    pub async fn grant(&self, target: &str, account: &str, ending: Ending) -> String {
        let duration = if ending == Ending::Expiry { self.expiry } else { "30m" };
        let asked = ["request", target, "--as", account, "--reason", "a test", "--for", duration, "--json"];
        let request = self.alice.json(asked).await.unwrap();
        let grant = request["grant_id"].as_str().unwrap_or_else(|| panic!("no grant at once: {request}"));
        grant.to_owned()
    }

    /// Ends a session, where that is somebody's doing.
    pub async fn end(&self, subject: &Subject) {
        let _turn = self.ends.acquire().await.unwrap();
        let (grant, session) = (subject.grant.as_str(), subject.session.as_str());
        let said = match subject.ending {
            Ending::Revoke => self.dave.curfew(["revoke", grant, "--reason", "a test"]).await,
            Ending::Return => self.alice.curfew(["return", grant]).await,
            Ending::Kill => self.dave.curfew(["sessions", "kill", session, "--reason", "a test"]).await,
            Ending::Expiry | Ending::Idle | Ending::Drain => return,
        };
        said.unwrap().success().unwrap();
    }
}
