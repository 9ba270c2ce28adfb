//! Sign-in links: how a plain client with nobody signed in gets its person to a browser.
//!
//! A link belongs to one connection: it lives while the connection waits, 15 minutes at most, and signs in once. It is
//! kept in memory, because a connection does not outlive its process either. The known attack, sending one's own link
//! to a victim, is met by comparing addresses; where the configuration lets them differ, the sign-in says so.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use curfew_adapter::{
    BootTime, Clock, IdentityId, LinkId, Notice, Protocol, Refusal, RefusalKind, SignedIn, Teller,
};
use tokio::sync::mpsc;

use super::service::{Identities, SigninError};
use super::signin::{EndWhy, Viewer};
use super::token::{same_digits, six_digits};
use crate::audit::Actor;
use crate::config::{LINK_LIFETIME, LinkAddresses};

/// How often the digits may be typed: a guess in 300,000.
const DIGIT_TRIES: usize = 3;
/// Wrong addresses that a client is told of.
const WRONG_TOLD: usize = 3;

/// What a link is for, as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connecting {
    /// What the client speaks.
    pub protocol: Protocol,
    /// What the client calls itself; trusted in nothing.
    pub program: String,
    /// Where the client is.
    pub client: IpAddr,
    /// The target that it asks for.
    pub target: String,
    /// The account that it asks for.
    pub account: String,
    /// Whether its user can type the digits that the page shows: the proof that flows back, with which the browser may
    /// be anywhere.
    pub types: bool,
}

/// All links of this process. Cheap to clone.
#[derive(Clone)]
pub struct Links(Arc<Inner>);

struct Inner {
    links: Mutex<HashMap<LinkId, Entry>>,
    identities: Arc<Identities>,
    clock: Clock,
    origin: String,
    addresses: LinkAddresses,
}

struct Entry {
    about: Arc<Connecting>,
    ends: BootTime,
    state: State,
    wrong: Vec<IpAddr>,
}

enum State {
    /// The connection waits.
    Waiting(mpsc::Sender<Told>),
    /// Somebody consents at this moment.
    Taken,
    /// Somebody has signed the connection in.
    Used { by: IdentityId, browser: IpAddr, digits: Option<String> },
}

enum Told {
    WrongAddress(IpAddr),
    SignedIn(Box<Agreed>),
    NotMe,
}

/// Somebody said yes; where the client can type, it still has to bring the digits.
struct Agreed {
    who: SignedIn,
    digits: Option<String>,
}

/// A link as its page sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkView {
    /// What it is for.
    pub about: Arc<Connecting>,
    /// Who has used it, if somebody has.
    pub used_by: Option<IdentityId>,
    /// Whether the browser that used it was elsewhere than the client.
    pub elsewhere: Option<IpAddr>,
    /// What whoever used it is to type into the client.
    pub digits: Option<String>,
}

/// Why a link does nothing for a browser. `Display` is a sentence for the person.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is none, or no longer: expired, used by somebody else, its client gone.
    #[error(
        "this link is not good any more: it was used, its time is over, or the program that showed it is gone"
    )]
    Gone,
    /// The browser is at another address than the client.
    #[error("this link was made for a program at {client}, and your browser is at {browser}")]
    WrongAddress {
        /// Where the client is.
        client: IpAddr,
        /// Where the browser is.
        browser: IpAddr,
        /// Whether this is the first time at that address: once is enough for the audit log.
        first: bool,
    },
    /// There is no sign-in to be had.
    #[error(transparent)]
    Signin(#[from] SigninError),
}

impl Links {
    /// No links yet. `origin` is where the pages are, without a slash behind.
    pub fn new(identities: Arc<Identities>, origin: String, addresses: LinkAddresses) -> Self {
        let clock = identities.clock.clone();
        Self(Arc::new(Inner { links: Mutex::default(), identities, clock, origin, addresses }))
    }

    /// A link for a connection that waits. How many may is the caller's to bound.
    pub fn open(&self, about: Connecting) -> PendingLink {
        let now = self.0.clock.boot();
        let about = Connecting { client: about.client.to_canonical(), ..about };
        let mut links = self.lock();
        links.retain(|_, entry| now < entry.ends);
        let id = LinkId::random();
        let (sender, told) = mpsc::channel(WRONG_TOLD + 1);
        let entry = Entry {
            about: Arc::new(about),
            ends: now.plus(LINK_LIFETIME),
            state: State::Waiting(sender),
            wrong: Vec::new(),
        };
        links.insert(id.clone(), entry);
        let url = format!("{}/link/{}", self.0.origin, id.as_str());
        PendingLink { url, id, told, links: self.clone() }
    }

    /// Looks at a link from a browser at `browser`. The client is told of a wrong address.
    ///
    /// # Errors
    /// There is none, or the browser is at another address.
    pub fn look(&self, id: &LinkId, browser: IpAddr) -> Result<LinkView, LinkError> {
        let mut links = self.lock();
        let entry = self.find(&mut links, id, browser)?;
        let about = Arc::clone(&entry.about);
        Ok(match &entry.state {
            State::Used { by, browser, digits } => LinkView {
                used_by: Some(by.clone()),
                elsewhere: elsewhere(&about, *browser),
                digits: digits.clone(),
                about,
            },
            State::Waiting(_) | State::Taken => {
                LinkView { used_by: None, elsewhere: elsewhere(&about, browser), digits: None, about }
            }
        })
    }

    /// The person in the browser says: yes, this is me. Signs the connection in, once.
    ///
    /// # Errors
    /// The link is gone, the browser is elsewhere, or its sign-in is over.
    pub async fn consent(&self, id: &LinkId, viewer: &Viewer, browser: IpAddr) -> Result<(), LinkError> {
        let (about, sender) = {
            let mut links = self.lock();
            let entry = self.find(&mut links, id, browser)?;
            match std::mem::replace(&mut entry.state, State::Taken) {
                State::Waiting(sender) => (Arc::clone(&entry.about), sender),
                before => {
                    entry.state = before;
                    return Err(LinkError::Gone);
                }
            }
        };
        let standing = match self.0.identities.by_link(viewer, about.client).await {
            Ok(standing) => standing,
            Err(error) => {
                // It may be tried again, by somebody whose sign-in stands.
                self.set(id, State::Waiting(sender));
                return Err(error.into());
            }
        };
        let signin = standing.signin.id.clone();
        let digits = about.types.then(six_digits);
        // Digits that came back say that browser and client are in one person's hands, wherever they are.
        let elsewhere = elsewhere(&about, browser).filter(|_| digits.is_none());
        let who = SignedIn { elsewhere, ..SignedIn::new(standing.identity, signin.clone()) };
        self.set(id, State::Used { by: viewer.identity.id.clone(), browser, digits: digits.clone() });
        // The queue has a place for this beside every wrong address: it fails only where nobody waits any more.
        if sender.try_send(Told::SignedIn(Box::new(Agreed { who, digits }))).is_err() {
            self.lock().remove(id);
            let ended = self.0.identities.end_signin(&signin, EndWhy::Revoked, Actor::Curfew).await;
            ended.map_err(SigninError::from)?;
            return Err(LinkError::Gone);
        }
        Ok(())
    }

    /// The person in the browser says: no, this is not me. The connection is refused.
    ///
    /// # Errors
    /// The link is gone, or the browser is elsewhere.
    pub fn refuse(&self, id: &LinkId, browser: IpAddr) -> Result<(), LinkError> {
        let mut links = self.lock();
        let entry = self.find(&mut links, id, browser)?;
        let State::Waiting(sender) = &entry.state else { return Err(LinkError::Gone) };
        // Nobody waiting is what was wanted, too.
        let _ = sender.try_send(Told::NotMe);
        links.remove(id);
        Ok(())
    }

    fn find<'a>(
        &self,
        links: &'a mut MutexGuard<'_, HashMap<LinkId, Entry>>,
        id: &LinkId,
        browser: IpAddr,
    ) -> Result<&'a mut Entry, LinkError> {
        let now = self.0.clock.boot();
        let entry = links.get_mut(id).filter(|entry| now < entry.ends).ok_or(LinkError::Gone)?;
        let (client, browser) = (entry.about.client, browser.to_canonical());
        if entry.about.types || self.0.addresses.allow(client, browser) {
            return Ok(entry);
        }
        let mut first = false;
        if let State::Waiting(sender) = &entry.state
            && entry.wrong.len() < WRONG_TOLD
            && !entry.wrong.contains(&browser)
        {
            first = true;
            entry.wrong.push(browser);
            let _ = sender.try_send(Told::WrongAddress(browser));
        }
        Err(LinkError::WrongAddress { client, browser, first })
    }

    fn set(&self, id: &LinkId, state: State) {
        // Not there any more: the connection was dropped meanwhile, and the channel says so.
        if let Some(entry) = self.lock().get_mut(id) {
            entry.state = state;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LinkId, Entry>> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").field("waiting", &self.lock().len()).finish_non_exhaustive()
    }
}

fn not_me() -> Refusal {
    Refusal::new(
        RefusalKind::NotSignedIn,
        "the person who opened the link said that this connection is not theirs",
        "connect again, and open the link yourself",
    )
}

fn in_time() -> Refusal {
    let message = "nobody signed in by the link in time";
    Refusal::new(RefusalKind::NotSignedIn, message, "connect again for a new link")
}

fn elsewhere(about: &Connecting, browser: IpAddr) -> Option<IpAddr> {
    let browser = browser.to_canonical();
    (browser != about.client).then_some(browser)
}

/// A link that a connection waits for. Dropping it takes the link back, unless it was used.
pub struct PendingLink {
    url: String,
    id: LinkId,
    told: mpsc::Receiver<Told>,
    links: Links,
}

impl PendingLink {
    /// What the person opens in a browser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the client's user has typed the digits that the page shows after the consent.
    ///
    /// # Errors
    /// They did not come within 15 minutes or three tries, or somebody said that the connection is not theirs.
    pub async fn typed(mut self, tell: &Teller) -> Result<SignedIn, Refusal> {
        let asked = tokio::time::timeout(LINK_LIFETIME, self.ask(tell)).await;
        let (agreed, outcome) = asked.unwrap_or((None, Err(in_time())));
        if let (Some(agreed), Err(_)) = (agreed, &outcome) {
            // Somebody agreed, and the client never brought the digits: what was begun for it is over.
            let identities = &self.links.0.identities;
            let ended = identities.end_signin(&agreed.who.signin, EndWhy::Revoked, Actor::Curfew).await;
            if let Err(error) = ended {
                tracing::error!(cause = crate::store::with_causes(&error), "a sign-in could not be ended");
            }
        }
        outcome
    }

    async fn ask(&mut self, tell: &Teller) -> (Option<Agreed>, Result<SignedIn, Refusal>) {
        let mut agreed: Option<Agreed> = None;
        for _ in 0..DIGIT_TRIES {
            let Some(answer) = tell.ask("the six digits that the page shows: ", true).await else { break };
            match self.told.try_recv() {
                Ok(Told::SignedIn(yes)) => agreed = Some(*yes),
                Ok(Told::NotMe) => return (agreed, Err(not_me())),
                Ok(Told::WrongAddress(_)) | Err(_) => {}
            }
            let message = match &agreed {
                Some(Agreed { who, digits: Some(digits) }) if same_digits(digits, &answer) => {
                    let who = who.clone();
                    return (agreed, Ok(who));
                }
                Some(_) => "these are not the digits that the page shows",
                None => "nobody has agreed on the page yet: open the link, sign in, and agree first",
            };
            tell.show(Notice { message: message.to_owned(), ..Notice::default() }).await;
        }
        let refusal = Refusal::new(
            RefusalKind::NotSignedIn,
            "the digits were not typed, so nobody is signed in",
            "connect again for a new link",
        );
        (agreed, Err(refusal))
    }

    /// Waits until somebody has signed the connection in; the client is told what happens meanwhile.
    ///
    /// # Errors
    /// Nobody did within 15 minutes, or somebody said that it is not theirs.
    pub async fn wait(mut self, tell: &Teller) -> Result<SignedIn, Refusal> {
        let over = tokio::time::sleep(LINK_LIFETIME);
        tokio::pin!(over);
        loop {
            let told = tokio::select! {
                told = self.told.recv() => told,
                () = &mut over => None,
            };
            match told {
                Some(Told::SignedIn(agreed)) => return Ok(agreed.who),
                Some(Told::NotMe) => return Err(not_me()),
                Some(Told::WrongAddress(browser)) => {
                    tell.show(Notice {
                        message: format!(
                            "the link was opened at {browser}, which is not where this program is"
                        ),
                        detail: "a link signs in only from the address that the connection comes from"
                            .to_owned(),
                        hint: format!("open it in a browser on this machine or network: {}", self.url),
                    })
                    .await;
                }
                None => return Err(in_time()),
            }
        }
    }
}

impl Drop for PendingLink {
    fn drop(&mut self) {
        let mut links = self.links.lock();
        // A used one stays until its time is over: its page is where the person goes on.
        if links.get(&self.id).is_some_and(|entry| !matches!(entry.state, State::Used { .. })) {
            links.remove(&self.id);
        }
    }
}

impl std::fmt::Debug for PendingLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PendingLink")
    }
}

#[cfg(test)]
mod tests;
