//! Whole connections: a real `ssh` on one side, a real `sshd` on the other, a core made of script in between.

mod channels;
mod cut;
mod exchange;
mod hostile;
mod keys;
mod peer;
mod policy;
mod pressure;
mod rules;
mod signin;
mod ssh;
mod sshd;

use crate::{SshAdapter, SshOptions, WORDS};
use curfew_adapter::{HostKeys, Login, Protocol, Secret};
use curfew_conformance::{FakeCore, Script, Stage};
use ssh::Ssh;
use sshd::Sshd;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;

/// How long anything here may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A gate with its core and its target.
struct Fixture {
    core: Arc<FakeCore>,
    stage: Stage,
    sshd: Sshd,
    ssh: Ssh,
}

/// An adapter with the host key of the tests, and its certificate by the authority of the tests.
fn adapter() -> Arc<SshAdapter> {
    let host_key = Secret::new(keys::pem(keys::GATE));
    let host_certificate = Some(keys::host_certificate(keys::GATE, &["127.0.0.1", "gate"]));
    Arc::new(SshAdapter::new(SshOptions { host_key, host_certificate }).unwrap())
}

impl Fixture {
    /// `change` has the last word on the script; by default the session's own certificate opens the target.
    async fn new(change: impl FnOnce(&mut Script)) -> Self {
        let sshd = Sshd::start().await;
        let mut script = Script::fine(sshd.address);
        script.protocol = Protocol::Ssh;
        script.database = None;
        script.login = Login::Certificate;
        script.certify = keys::user_certificate;
        script.allow = WORDS.default.iter().map(|word| (*word).to_owned()).collect();
        script.host_keys = HostKeys { pinned: vec![keys::line(keys::TARGET)], ..HostKeys::default() };
        change(&mut script);
        let core = FakeCore::new(script);
        let stage = Stage::open(adapter(), core.clone(), Duration::from_secs(10)).await.unwrap();
        let ssh = Ssh::new(stage.address);
        Self { core, stage, sshd, ssh }
    }

    /// What was recorded of one kind, once `enough` of it is.
    async fn recorded(&self, kind: &str, enough: usize) -> Vec<serde_json::Value> {
        eventually(|| async { self.core.sink().of_kind(kind).len() >= enough }).await;
        self.core.sink().of_kind(kind)
    }
}

/// To a socket that another program makes: its name is there a moment before it listens.
async fn connected(socket: &Path) -> UnixStream {
    let connecting = async {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        loop {
            if let Ok(stream) = UnixStream::connect(socket).await {
                return stream;
            }
            looks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, connecting).await.expect("nobody listened")
}

/// Looks again and again, until it is so.
async fn eventually<F: Future<Output = bool>>(so: impl Fn() -> F) {
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while !so().await {
            looks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it never was so");
}
