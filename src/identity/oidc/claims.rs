//! What a provider may say about somebody: pure, from its claims and its entry in the configuration.
//!
//! Owns the limits. What goes beyond them is dropped and named, never believed.

use serde_json::Value;

use crate::config;
use crate::identity::signin::Vouched;

/// Longer emails are not delivered (RFC 5321, 4.5.3.1).
const EMAIL_MAX: usize = 254;
/// The longest name and group, in characters.
const TEXT_MAX: usize = 200;
/// More groups than that are a mistake in the provider's setup.
const GROUPS_MAX: usize = 1000;
/// The longest subject, in bytes (OpenID Connect Core 1.0, 2: 255).
const SUBJECT_MAX: usize = 255;

/// Whether something is missing that the userinfo endpoint may know.
pub(super) fn wants_more(limits: &config::Provider, said: &Value) -> bool {
    let email = said.get("email").is_some() && said.get("email_verified").is_some();
    !email || at(said, &limits.groups_claim).is_none()
}

/// Makes of verified claims what the provider vouches for; else a sentence for the person.
pub(super) fn vouch(limits: &config::Provider, said: &Value) -> Result<Vouched, String> {
    let mut dropped = Vec::new();
    let subject = said.get("sub").and_then(Value::as_str).unwrap_or_default();
    if subject.is_empty() || subject.len() > SUBJECT_MAX {
        return Err(format!("the provider {} does not say who you are", limits.name));
    }
    let email = email(limits, said)?;
    let (groups, more) = groups(limits, said);
    dropped.extend(more);
    let name = ["name", "preferred_username"]
        .into_iter()
        .find_map(|claim| said.get(claim).and_then(Value::as_str).map(tidy).filter(|name| !name.is_empty()));
    Ok(Vouched {
        provider: limits.name.clone(),
        issuer: limits.issuer.clone(),
        subject: subject.to_owned(),
        name: name.unwrap_or_else(|| email.clone()),
        email,
        groups,
        dropped,
    })
}

/// The email: verified, and in a domain that the provider may assert.
fn email(limits: &config::Provider, said: &Value) -> Result<String, String> {
    let domains = limits.emails.join(", ");
    let ask = "ask whoever runs the provider, or Curfew";
    let Some(email) = said.get("email").and_then(Value::as_str) else {
        return Err(format!("the provider {} does not say your email address: {ask}", limits.name));
    };
    // Some providers write the boolean as a string.
    let verified = said.get("email_verified").is_some_and(|v| v == &Value::Bool(true) || v == "true");
    if !verified {
        return Err(format!(
            "the provider {} says an email address of yours, but not that it is verified, so it does not count: {ask}",
            limits.name
        ));
    }
    // Plain ASCII: other letters look or fold like these, and an email decides who somebody is.
    let plain = email.len() <= EMAIL_MAX
        && email.bytes().all(|b| b.is_ascii_graphic())
        && email.matches('@').count() == 1;
    if !plain || !limits.may_assert_email(email) {
        return Err(format!(
            "the provider {} may only speak for email addresses of {domains}, and yours is another one: {ask}",
            limits.name
        ));
    }
    Ok(email.to_owned())
}

/// The groups that it may assert, and what was dropped.
fn groups(limits: &config::Provider, said: &Value) -> (Vec<String>, Vec<String>) {
    let all: Vec<&str> = match at(said, &limits.groups_claim) {
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(group)) => vec![group],
        _ => Vec::new(),
    };
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for group in all {
        let whole = !group.is_empty() && group == tidy(group);
        if whole && limits.may_assert_group(group) && kept.len() < GROUPS_MAX {
            kept.push(group.to_owned());
        } else if dropped.len() < GROUPS_MAX {
            dropped.push(format!("group {}", tidy(group)));
        }
    }
    kept.sort();
    kept.dedup();
    dropped.sort();
    dropped.dedup();
    (kept, dropped)
}

/// The claim at the end of a path.
fn at<'a>(said: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(said, |value, part| value.get(part))
}

/// Without control characters and invisible marks of direction, and not too long.
fn tidy(text: &str) -> String {
    let shown = |c: &char| {
        !c.is_control()
            && !matches!(*c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(shown).take(TEXT_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn limits() -> config::Provider {
        config::Provider {
            name: "contractors".into(),
            issuer: "https://login.example.net".into(),
            client_id: "curfew".into(),
            client_secret: None,
            groups_claim: vec!["realm".into(), "roles".into()],
            emails: vec!["example.net".into()],
            shared: Vec::new(),
            groups: Some(vec!["contractors".into(), "sre".into()]),
            scopes: vec!["openid".into()],
            ca: None,
        }
    }

    fn carol() -> Value {
        json!({ "sub": "c", "email": "carol@example.net", "email_verified": true, "name": "Carol",
                "realm": { "roles": ["contractors"] } })
    }

    #[test]
    fn a_contractors_provider_that_asserts_an_approvers_email_is_refused() {
        for email in [
            "bob@example.com",
            "bob@example.net.example.com",
            "bob@sub.example.net",
            "bob@example.com@example.net",
            "bob@example.com\u{0}@example.net",
            "bob@e\u{445}ample.net",
            "@example.net",
            "",
        ] {
            let mut said = carol();
            said["email"] = email.into();
            let why = vouch(&limits(), &said).unwrap_err();
            assert!(why.contains("contractors"), "{email}: {why}");
        }
        let mut said = carol();
        said["email"] = "Carol@EXAMPLE.net".into();
        assert_eq!(vouch(&limits(), &said).unwrap().email, "Carol@EXAMPLE.net");
    }

    #[test]
    fn an_email_counts_only_when_it_is_verified() {
        for verified in [json!(false), json!(null), json!("false"), json!(1), json!("yes")] {
            let mut said = carol();
            said["email_verified"] = verified.clone();
            assert!(vouch(&limits(), &said).unwrap_err().contains("verified"), "{verified}");
        }
        let mut said = carol();
        said.as_object_mut().unwrap().remove("email_verified");
        assert!(vouch(&limits(), &said).is_err());
        said["email_verified"] = "true".into();
        assert!(vouch(&limits(), &said).is_ok());
    }

    #[test]
    fn groups_beyond_the_entry_are_dropped_and_named() {
        let mut said = carol();
        said["realm"]["roles"] = json!(["sre", "sre-leads", "contractors", "sre", "", 7, "sre\u{202e}"]);
        let vouched = vouch(&limits(), &said).unwrap();
        assert_eq!(vouched.groups, ["contractors", "sre"]);
        assert_eq!(vouched.dropped, ["group ", "group sre", "group sre-leads"]);
        said["realm"] = json!({ "roles": "sre" });
        assert_eq!(vouch(&limits(), &said).unwrap().groups, ["sre"]);
        for nothing in [json!({}), json!("roles"), json!(null), json!({ "roles": { "sre": true } })] {
            said["realm"] = nothing;
            assert!(vouch(&limits(), &said).unwrap().groups.is_empty());
        }
    }

    #[test]
    fn userinfo_is_asked_only_for_what_is_missing() {
        assert!(!wants_more(&limits(), &carol()));
        for missing in ["email", "email_verified", "realm"] {
            let mut said = carol();
            said.as_object_mut().unwrap().remove(missing);
            assert!(wants_more(&limits(), &said), "{missing}");
        }
    }

    #[test]
    fn a_name_is_shown_without_tricks() {
        let mut said = carol();
        said["name"] = "\u{202e}lorac\u{7}\u{200b} ".into();
        assert_eq!(vouch(&limits(), &said).unwrap().name, "lorac");
        said["name"] = "\u{7}".into();
        assert_eq!(vouch(&limits(), &said).unwrap().name, "carol@example.net");
        said["sub"] = "".into();
        assert!(vouch(&limits(), &said).is_err());
    }
}
