//! Refusals of the services as problems: the status, the sentence, and facts for programs.

use serde_json::json;

use super::problem::Problem;
use crate::grant::{Fault, GrantsError};
use crate::store::with_causes;

impl From<GrantsError> for Problem {
    fn from(error: GrantsError) -> Self {
        let text = sentence(&error);
        let problem = match error.fault() {
            Fault::NotFound => Self::not_found(text),
            Fault::Forbidden => Self::forbidden(text),
            Fault::Conflict => Self::conflict(text),
            Fault::Invalid => Self::unprocessable(text),
            Fault::Unavailable => {
                tracing::error!(cause = with_causes(&error), "requests and grants are not served");
                Self::unavailable(text)
            }
        };
        match error {
            GrantsError::SeveralContracts(choices) => {
                let choices: Vec<_> = choices
                    .iter()
                    .map(|choice| {
                        json!({
                            "name": choice.name,
                            "description": choice.description,
                            "max_seconds": choice.max.as_secs(),
                        })
                    })
                    .collect();
                problem.with("contracts", choices)
            }
            GrantsError::SeveralAccounts { accounts, .. } => problem.with("accounts", accounts),
            GrantsError::NoContract { offers, .. } => problem.with("accounts", offers),
            _ => problem,
        }
    }
}

/// A refusal as a sentence: with a capital letter and a full stop. A name in front stays as it is spelled.
pub fn sentence(error: &GrantsError) -> String {
    let mut text = error.to_string();
    if !matches!(error, GrantsError::SeveralAccounts { .. }) {
        text = super::sentence(&text);
    }
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::AskRefused;
    use std::time::Duration;

    #[test]
    fn a_refusal_is_a_sentence_with_its_status() {
        let long = AskRefused::TooLong { contract: "orders-debug".into(), max: Duration::from_secs(3600) };
        let problem = Problem::from(GrantsError::from(long));
        assert_eq!(problem.status, 422);
        assert_eq!(problem.detail, "The contract orders-debug gives 1h at most: ask for that, or less.");
        assert_eq!(Problem::from(GrantsError::NoGrant).status, 404);
        assert_eq!(Problem::from(GrantsError::MayNotRevoke).status, 403);
        assert_eq!(Problem::from(GrantsError::Stale).status, 409);
    }

    #[test]
    fn a_name_in_front_keeps_its_case() {
        let several =
            GrantsError::SeveralAccounts { target: "orders".into(), accounts: vec!["a".into(), "b".into()] };
        let problem = Problem::from(several);
        assert!(problem.detail.starts_with("orders has several accounts"), "{}", problem.detail);
        assert_eq!(problem.more["accounts"], serde_json::json!(["a", "b"]));
    }
}
