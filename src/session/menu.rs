//! A client that named no target: its user picks one in the terminal.

use super::parts::Parts;
use super::refuse;
use crate::grant::{AccountView, Caller, TargetView};
use curfew_adapter::{Ask, Connection, Notice, Refusal, RefusalKind, SignedIn, Teller};

/// How often something may be typed that is none of the numbers.
const TRIES: usize = 3;

/// Shows what there is for this protocol, numbered, and takes the answer.
///
/// # Errors
/// There is nothing, or nothing was picked.
pub async fn choose(
    parts: &Parts,
    connection: &Connection,
    who: &SignedIn,
    ask: Ask,
    tell: &Teller,
) -> Result<Ask, Refusal> {
    if !ask.can_answer {
        let hint = format!("name one: ACCOUNT%TARGET; see which: {}", parts.site.absolute("/targets"));
        return Err(Refusal::new(RefusalKind::NotAllowed, "the connection names no target", hint));
    }
    let caller = Caller::user(who.identity.clone(), Some(connection.peer.address.ip()));
    let targets = parts.grants.offers(&caller).await.map_err(|error| refuse::grants(&error))?;
    let targets = targets.iter().filter(|target| target.protocol == connection.protocol.as_str());
    let choices: Vec<(&TargetView, &AccountView)> =
        targets.flat_map(|target| target.accounts.iter().map(move |account| (target, account))).collect();
    if choices.is_empty() {
        let message = format!("no contract lets {} reach or ask for a target here", who.identity.email);
        let hint = "ask whoever looks after the contracts of Curfew";
        return Err(Refusal::new(RefusalKind::NotAllowed, message, hint));
    }
    connection.startup.pause();
    let lines: Vec<String> = choices
        .iter()
        .enumerate()
        .map(|(index, (target, account))| {
            let standing = if account.grant.is_some() { "access now" } else { "to ask for" };
            format!("{:>3}  {}@{}  ({standing})", index + 1, account.name, target.name)
        })
        .collect();
    tell.show(Notice {
        message: "pick a target by its number".to_owned(),
        detail: lines.join("\n"),
        hint: String::new(),
    })
    .await;
    for _ in 0..TRIES {
        let Some(answer) = tell.ask("number: ", true).await else { break };
        let picked = answer.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if let Some((target, account)) = picked.and_then(|index| choices.get(index)) {
            return Ok(Ask { target: target.name.clone(), account: account.name.clone(), ..ask });
        }
        let message = format!("that is none of the numbers 1 to {}", choices.len());
        tell.show(Notice { message, ..Notice::default() }).await;
    }
    Err(Refusal::new(RefusalKind::NotAllowed, "no target was picked", "connect again to pick one"))
}
