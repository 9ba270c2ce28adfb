//! Asking for access where the client stands: in a terminal whose user can type.

use super::parts::Parts;
use super::refuse;
use super::words;
use crate::grant::{self, Caller, Fault, Offer};
use crate::toml_doc::parse_duration;
use curfew_adapter::{Ask, Connection, Notice, Refusal, RefusalKind, SignedIn, Teller};
use std::time::Duration;

/// How often one question is asked.
const TRIES: usize = 3;

/// One conversation about one request.
pub struct Asking<'a> {
    pub parts: &'a Parts,
    pub connection: &'a Connection,
    pub who: &'a SignedIn,
    pub ask: &'a Ask,
    pub tell: &'a Teller,
}

impl Asking<'_> {
    /// Asks for what a request needs and makes it. The person may have asked on the page meanwhile: then nothing is
    /// made here, and the caller finds that request.
    ///
    /// # Errors
    /// The answers did not come, or the request was refused.
    pub async fn run(&self) -> Result<(), Refusal> {
        let Ask { target, account, .. } = self.ask;
        let offers = self.offers().await?;
        let offer = self.pick(&offers).await?;
        let url = words::ask_url(&self.parts.site, target, account);
        self.tell
            .show(Notice {
                message: format!(
                    "you have no grant for {target} as {account}: ask for one here under the contract {}",
                    offer.name
                ),
                detail: offer.description.clone(),
                hint: format!("or on the page, then press Enter here: {url}"),
            })
            .await;
        let reason = self.reason(offer).await?;
        if self.asked_meanwhile().await? {
            return Ok(());
        }
        let ticket = match &offer.ticket {
            Some(pattern) => Some(self.must(&format!("ticket ({pattern}): ")).await?),
            None => None,
        };
        let duration = self.duration(offer).await?;
        let wanted = grant::Ask {
            target: target.clone(),
            account: Some(account.clone()),
            contract: Some(offer.name.clone()),
            duration,
            starts_at: None,
            reason,
            ticket,
        };
        match self.parts.grants.ask(&self.caller(), wanted, None).await {
            Ok(_) => Ok(()),
            Err(error) if error.fault() == Fault::Unavailable => Err(refuse::grants(&error)),
            Err(error) => {
                let hint = format!("ask on the page: {url}");
                Err(Refusal::new(RefusalKind::NoGrant, format!("the request was not made: {error}"), hint))
            }
        }
    }

    fn caller(&self) -> Caller {
        Caller::user(self.who.identity.clone(), Some(self.connection.peer.address.ip()))
    }

    async fn offers(&self) -> Result<Vec<Offer>, Refusal> {
        let all = self.parts.grants.offers(&self.caller()).await.map_err(|error| refuse::grants(&error))?;
        let target = all.into_iter().find(|target| target.name == self.ask.target);
        let accounts = target.map(|target| target.accounts).unwrap_or_default();
        let account = accounts.into_iter().find(|account| account.name == self.ask.account);
        Ok(account.map(|account| account.contracts).unwrap_or_default())
    }

    async fn pick<'o>(&self, offers: &'o [Offer]) -> Result<&'o Offer, Refusal> {
        if let [only] = offers {
            return Ok(only);
        }
        let lines: Vec<String> = offers
            .iter()
            .enumerate()
            .map(|(index, offer)| format!("{:>3}  {}  {}", index + 1, offer.name, offer.description))
            .collect();
        let message = "several contracts would give this: pick one by its number".to_owned();
        self.tell.show(Notice { message, detail: lines.join("\n"), hint: String::new() }).await;
        for _ in 0..TRIES {
            let Some(answer) = self.tell.ask("number: ", true).await else { break };
            let index = answer.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            if let Some(offer) = index.and_then(|index| offers.get(index)) {
                return Ok(offer);
            }
        }
        Err(self.not_asked())
    }

    /// The reason; none where none is needed, or where the request was made on the page.
    async fn reason(&self, offer: &Offer) -> Result<Option<String>, Refusal> {
        for _ in 0..TRIES {
            let answer = self.tell.ask("reason: ", true).await.ok_or_else(|| self.not_asked())?;
            let answer = answer.trim();
            if !answer.is_empty() {
                return Ok(Some(answer.to_owned()));
            }
            if !offer.reason_required || self.asked_meanwhile().await? {
                return Ok(None);
            }
        }
        Err(self.not_asked())
    }

    async fn must(&self, prompt: &str) -> Result<String, Refusal> {
        for _ in 0..TRIES {
            let answer = self.tell.ask(prompt, true).await.ok_or_else(|| self.not_asked())?;
            if !answer.trim().is_empty() {
                return Ok(answer.trim().to_owned());
            }
        }
        Err(self.not_asked())
    }

    async fn duration(&self, offer: &Offer) -> Result<Option<Duration>, Refusal> {
        let seconds = |seconds: u64| words::span(i64::try_from(seconds).unwrap_or(i64::MAX));
        let prompt = format!(
            "for how long, at most {} [{}]: ",
            seconds(offer.max_seconds),
            seconds(offer.default_seconds)
        );
        for _ in 0..TRIES {
            let answer = self.tell.ask(prompt.as_str(), true).await.ok_or_else(|| self.not_asked())?;
            if answer.trim().is_empty() {
                return Ok(None);
            }
            match parse_duration(answer.trim()) {
                Ok(duration) => return Ok(Some(duration)),
                Err(_) => {
                    let message = "write a duration such as 30m or 1h".to_owned();
                    self.tell.show(Notice { message, ..Notice::default() }).await;
                }
            }
        }
        Err(self.not_asked())
    }

    /// Whether the person has a request or a grant for this by now.
    async fn asked_meanwhile(&self) -> Result<bool, Refusal> {
        let (person, now) = (self.caller().person(), self.parts.clock.wall());
        let Ask { target, account, .. } = self.ask;
        let held = self.parts.grants.active_grants(&person, target, account, now).await;
        if !held.map_err(|error| refuse::grants(&error))?.is_empty() {
            return Ok(true);
        }
        let pending = self.parts.grants.pending_requests(&person, target, account).await;
        Ok(!pending.map_err(|error| refuse::grants(&error))?.is_empty())
    }

    fn not_asked(&self) -> Refusal {
        let Ask { target, account, .. } = self.ask;
        let hint = format!(
            "connect again, or ask on the page: {}",
            words::ask_url(&self.parts.site, target, account)
        );
        Refusal::new(RefusalKind::NoGrant, format!("nothing was asked for {target} as {account}"), hint)
    }
}
