//! The OIDC provider of tests/fixtures/oidc-provider, started and told what to do.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::ChildStdin;

use crate::error::{Context, Error, Result};
use crate::process::{self, Logs, Process, Stop};
use crate::root::repository;

/// The client that the provider knows.
pub const CLIENT_ID: &str = "curfew";
/// Its secret.
pub const CLIENT_SECRET: &str = "only-for-tests";

/// A running provider.
pub struct Provider {
    process: Process,
    issuer: String,
    http: reqwest::Client,
    // The provider ends when this closes.
    _stdin: Option<ChildStdin>,
}

impl Provider {
    /// Starts one whose client may be sent back to these addresses. [`crate::Gate::start`] adds its own.
    ///
    /// # Errors
    /// When Node or the fixture's packages are missing (`cargo xtask test` installs them).
    pub async fn start(redirect_uris: &[&str]) -> Result<Self> {
        let folder = repository().join("tests/fixtures/oidc-provider");
        if !folder.join("node_modules").exists() {
            return Err(Error::new("the provider's packages are missing: run `cargo xtask test`"));
        }
        let mut command = process::command("node", Stop::Kill, None);
        command.arg("provider.mjs").arg("--until-stdin-closes").current_dir(folder);
        command.args(["--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET]);
        for uri in redirect_uris {
            command.args(["--redirect-uri", uri]);
        }
        let mut process = Process::spawn("provider", command, Stop::Kill)?;
        let issuer = process.logs().find("its issuer", Duration::from_secs(30), |line| {
            let ready: Value = serde_json::from_str(&line.text).ok()?;
            Some(ready.get("issuer")?.as_str()?.to_owned())
        });
        let issuer = issuer.await?;
        let stdin = process.take_stdin();
        Ok(Self { process, issuer, http: crate::browser::plain_client()?, _stdin: stdin })
    }

    /// Its issuer, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What it has written.
    #[must_use]
    pub fn logs(&self) -> &Logs {
        self.process.logs()
    }

    async fn tell(&self, path: &str, what: &Value) -> Result<Value> {
        let answer = self.http.post(format!("{}/test-only/{path}", self.issuer)).json(what).send().await?;
        Ok(answer.error_for_status().context(path)?.json().await?)
    }

    /// Replaces the addresses that the client may be sent back to.
    ///
    /// # Errors
    /// When the provider does not answer, as for all that follow.
    pub async fn redirect_uris(&self, uris: &[&str]) -> Result<()> {
        self.tell("redirect-uris", &json!(uris)).await.map(drop)
    }

    /// Merges claims into what is said of a person: `json!({"groups": ["sre"]})`; a null takes one away. A name
    /// that is new makes a new person.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn person(&self, name: &str, claims: &Value) -> Result<()> {
        self.tell(&format!("people/{name}"), claims).await.map(drop)
    }

    /// Signs with a new key from now on; the old one stays published or not.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn rotate_keys(&self, keep_old: bool) -> Result<()> {
        self.tell("rotate", &json!({ "keep_old": keep_old })).await.map(drop)
    }

    /// Puts groups in userinfo only, or in the ID token too.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn groups_in_userinfo_only(&self, only: bool) -> Result<()> {
        let place = if only { "userinfo" } else { "id_token" };
        self.tell("mode", &json!({ "groups": place })).await.map(drop)
    }

    /// Answers 503 to everything, or stops doing so.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn down(&self, down: bool) -> Result<()> {
        self.tell("mode", &json!({ "down": down })).await.map(drop)
    }

    /// Alters the next ID token, once: `claims` and `header` are merged in (null takes one away), `sign` is one of
    /// real, foreign, none, hs256-secret, hs256-public, broken.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn tamper(&self, how: &Value) -> Result<()> {
        self.tell("tamper", how).await.map(drop)
    }
}
