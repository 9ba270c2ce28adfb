//! The commands that talk to a gate.
//!
//! Owns their list, and the runtime that they run on: one thread, for one command.

use std::process::ExitCode;

use super::context::Context;
use super::{
    CliError, approve, audit, cancel, connect, credentials, deny, extend, grants, identities, login, logout,
    psql, request, requests, return_grant, revoke, sessions, signins, ssh, targets, whoami,
};

/// Every command of a gate's users.
#[derive(Debug, clap::Subcommand)]
pub enum UserCommand {
    /// Sign in to a gate, and get certificates for psql and ssh
    Login(login::Args),
    /// Sign out: the certificates are worthless at once, and their sessions end
    Logout(logout::Args),
    /// Who is signed in, with which roles, until when
    Whoami(whoami::Args),
    /// What you can reach or ask for; for operators, what an SSH target needs
    Targets(targets::Args),
    /// Ask for access to a target
    Request(request::Args),
    /// Requests: yours, those to decide, or all
    Requests(requests::Args),
    /// Say yes to a request
    Approve(approve::Args),
    /// Say no to a request
    Deny(deny::Args),
    /// Take your own request back
    Cancel(cancel::Args),
    /// Grants: what is open now, and what was
    Grants(grants::Args),
    /// Ask for more time under a grant
    Extend(extend::Args),
    /// Give a grant back before its end
    Return(return_grant::Args),
    /// Take a grant away from its holder
    Revoke(revoke::Args),
    /// Run psql on a target, signed in by certificate
    Psql(psql::Args),
    /// Run ssh on a target, signed in by certificate
    Ssh(ssh::Args),
    /// Targets as hosts for ssh, scp, sftp, rsync, git and the like
    SshConfig(ssh::config::Args),
    /// How other programs connect to a target
    Connect(connect::Args),
    /// Credentials of GUI clients and drivers
    Credentials(credentials::Args),
    /// Sessions, live and past, and their recordings
    Sessions(sessions::Args),
    /// The audit log
    Audit(audit::Args),
    /// Where you are signed in
    Signins(signins::Args),
    /// SSH keys that are bound to sign-ins
    Keys(ssh::keys::Args),
    /// Who ever signed in
    Identities(identities::Args),
}

impl UserCommand {
    /// Carries it out.
    ///
    /// # Errors
    /// Whatever the command says.
    pub fn run(self) -> Result<ExitCode, CliError> {
        let mut cx = Context::of_process()?;
        block_on(self.carry_out(&mut cx))?;
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn carry_out(self, cx: &mut Context) -> Result<(), CliError> {
        match self {
            Self::Login(args) => login::run(args, cx).await,
            Self::Logout(args) => logout::run(args, cx).await,
            Self::Whoami(args) => whoami::run(args, cx).await,
            Self::Targets(args) => targets::run(args, cx).await,
            Self::Request(args) => request::run(args, cx).await,
            Self::Requests(args) => requests::run(args, cx).await,
            Self::Approve(args) => approve::run(args, cx).await,
            Self::Deny(args) => deny::run(args, cx).await,
            Self::Cancel(args) => cancel::run(args, cx).await,
            Self::Grants(args) => grants::run(args, cx).await,
            Self::Extend(args) => extend::run(args, cx).await,
            Self::Return(args) => return_grant::run(args, cx).await,
            Self::Revoke(args) => revoke::run(args, cx).await,
            Self::Psql(args) => psql::run(args, cx).await,
            Self::Ssh(args) => ssh::run(args, cx).await,
            Self::SshConfig(args) => ssh::config::run(args, cx).await,
            Self::Connect(args) => connect::run(args, cx).await,
            Self::Credentials(args) => credentials::run(args, cx).await,
            Self::Sessions(args) => sessions::run(args, cx).await,
            Self::Audit(args) => audit::run(args, cx).await,
            Self::Signins(args) => signins::run(args, cx).await,
            Self::Keys(args) => ssh::keys::run(args, cx).await,
            Self::Identities(args) => identities::run(args, cx).await,
        }
    }
}

/// Runs one command to its end.
///
/// # Errors
/// The command's, or that there is no runtime.
pub fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::failed(format!("the runtime can't be started: {error}")))?
        .block_on(work)
}
