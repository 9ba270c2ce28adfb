//! Connects to a target, makes sure that it is the right one, and signs in with the account.

use super::back::{Back, Side};
use super::failure::Failure;
use super::host_keys::HostKeyring;
use super::login::sign_in;
use crate::algorithms;
use crate::flow::{Flow, PACKET, WINDOW};
use crate::shut::Shut;
use crate::wire::Wire;
use curfew_adapter::Session;
use russh::client::{self, Config, Handle};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long the key exchange and the sign-in may take together.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A silent target is asked for a sign of life this often, and is gone after three without one.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A target that is signed in to.
pub struct Target {
    /// Speaks to it.
    pub handle: Handle<Back>,
    /// What is on its way through its leg.
    pub flow: Arc<Flow>,
    /// What it asks for, and its end.
    pub side: Arc<Side>,
    /// Its socket, shut down when this is dropped.
    pub socket: Shut,
}

/// Connects `session` to its target.
///
/// # Errors
/// Where it can't be reached, is not the right host, or does not take the account.
pub async fn connect(session: &Session) -> Result<Target, Box<Failure>> {
    let terms = session.terms();
    let name = &terms.target.name;
    let now = session.clock().wall().as_second();
    let keyring = HostKeyring::new(&terms.target.host_keys, &terms.target.address, now)
        .map_err(|cause| Failure::host_key(name, cause))?;
    let socket = session.dial().await.map_err(|error| Failure::unreachable(name, error))?;
    let shut = Shut(socket.handle());
    let source = socket.local_addr().map_err(|error| Failure::unreachable(name, error))?.ip();
    let (flow, side) = (Arc::new(Flow::default()), Arc::new(Side::default()));
    let config = config(&keyring);
    let back = Back::new(keyring, side.clone(), flow.clone());
    let connecting = async {
        let stream = Wire::new(socket, flow.clone());
        let mut handle = client::connect_stream(Arc::new(config), stream, back).await.map_err(|error| {
            match side.wrong_key() {
                Some(cause) => Failure::host_key(name, cause),
                None => Failure::unreachable(name, error),
            }
        })?;
        sign_in(&mut handle, session, source).await?;
        Ok::<_, Box<Failure>>(handle)
    };
    let connected = timeout(PATIENCE, connecting).await;
    let handle = connected.map_err(|_| Failure::unreachable(name, "no SSH within 20 seconds"))??;
    Ok(Target { handle, flow, side, socket: shut })
}

/// How SSH is spoken to a target of which these keys are known.
pub(super) fn config(keyring: &HostKeyring) -> Config {
    Config {
        client_id: algorithms::identification(),
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        preferred: algorithms::for_targets(keyring.key_algorithms(), keyring.certificate_algorithms()),
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}
