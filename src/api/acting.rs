//! Who acts on requests and grants, and which roles that is.

use std::net::IpAddr;

use super::problem::Problem;
use super::who::{Browser, Caller};
use crate::app::App;
use crate::grant;
use crate::identity::Viewer;

/// The viewer, as the service of requests and grants knows those who act.
pub fn acting(viewer: &Viewer, address: IpAddr) -> grant::Caller {
    grant::Caller {
        identity: viewer.identity.clone(),
        address: Some(address),
        reads_all: viewer.roles.reads_everything(),
        admin: viewer.roles.admin,
    }
}

impl From<&Caller> for grant::Caller {
    fn from(caller: &Caller) -> Self {
        acting(&caller.viewer, caller.address)
    }
}

impl From<&Browser> for grant::Caller {
    fn from(browser: &Browser) -> Self {
        acting(&browser.viewer, browser.address)
    }
}

/// The roles of a viewer, `user` first.
///
/// # Errors
/// The person can't be looked up.
pub async fn roles(app: &App, viewer: &Viewer) -> Result<Vec<&'static str>, Problem> {
    let person = crate::contract::PersonKey::new(viewer.identity.person.clone());
    let approver = app.grants.is_approver(&person).await?;
    let has = [
        (true, "user"),
        (approver, "approver"),
        (viewer.roles.auditor, "auditor"),
        (viewer.roles.admin, "admin"),
    ];
    Ok(has.into_iter().filter_map(|(has, role)| has.then_some(role)).collect())
}

/// Only for those who read everything.
///
/// # Errors
/// 403 for everybody else.
pub fn auditors_only(viewer: &Viewer) -> Result<(), Problem> {
    if viewer.roles.reads_everything() {
        return Ok(());
    }
    Err(Problem::forbidden("Only auditors and admins of Curfew may read this.")
        .hint("Ask one of them, or an admin to give you the role."))
}

/// Only for admins.
///
/// # Errors
/// 403 for everybody else.
pub fn admins_only(viewer: &Viewer) -> Result<(), Problem> {
    if viewer.roles.admin {
        return Ok(());
    }
    Err(Problem::forbidden("Only admins of Curfew may do this.").hint("Ask one of them."))
}
