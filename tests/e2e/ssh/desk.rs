//! A person at a desk, whose hosts were written by `curfew ssh-config`.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;

use curfew_harness::clock::wall;
use curfew_harness::psql::Output;
use curfew_harness::{Person, Ssh};
use jiff::SignedDuration;

use super::scene::Scene;

/// Alice at her desk: signed in, with a grant, and with hosts written for ssh.
pub struct Desk {
    pub alice: Person,
    /// For its home folder and environment; its own options are not used.
    pub ssh: Ssh,
    /// The file that ssh-config wrote.
    pub config: PathBuf,
}

impl Desk {
    /// With a grant for this person.
    pub async fn of(scene: &Scene, alice: Person) -> Self {
        alice.login().await.unwrap();
        scene.grant(&alice, "30m").await;
        let told = alice.json(["ssh-config", "--json"]).await.unwrap();
        Self { alice, ssh: scene.ssh(), config: told["include"].as_str().unwrap().into() }
    }

    /// With a grant for alice.
    pub async fn at(scene: &Scene) -> Self {
        Self::of(scene, scene.gate.person("alice").unwrap()).await
    }

    /// A file of the gate's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.config.with_file_name(name)
    }

    /// A program of the family with what was written, and nothing else.
    pub async fn runs<const N: usize>(&self, program: &str, args: [&str; N]) -> Output {
        let mut all: Vec<OsString> = vec!["-F".into(), self.config.clone().into()];
        all.extend(["-o".into(), "BatchMode=yes".into(), "-o".into(), "GlobalKnownHostsFile=none".into()]);
        all.extend(args.into_iter().map(OsString::from));
        self.ssh.program(program, all).await.unwrap()
    }

    /// Makes the hosts as old as if they had been written an hour ago.
    pub fn age(&self) {
        let hour_ago = wall() - SignedDuration::from_hours(1);
        let hosts = File::options().append(true).open(self.file("ssh_hosts")).unwrap();
        hosts.set_modified(hour_ago.into()).unwrap();
    }
}
