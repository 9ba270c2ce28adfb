//! What the user name of an SSH client says: `ACCOUNT@TARGET` or `ACCOUNT%TARGET`; a bare one names no target.

/// Longest user name that is looked at; names on targets are far shorter.
pub const LIMIT: usize = 512;

/// Account and target. The target is empty where none is named.
pub fn parse(user: &str) -> (String, String) {
    // Of several, the last counts: an account may be a mail address, a target's name has neither sign.
    let split = user.rsplit_once('@').or_else(|| user.rsplit_once('%'));
    let (account, target) = split.unwrap_or((user, ""));
    (account.to_owned(), target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_an_account_and_a_target() {
        let cases = [
            ("deploy@web-1", ("deploy", "web-1")),
            ("deploy%web-1", ("deploy", "web-1")),
            ("lu@example.com@web-1", ("lu@example.com", "web-1")),
            ("a%b@web-1", ("a%b", "web-1")),
            ("lu", ("lu", "")),
            ("lu@", ("lu", "")),
            ("@web-1", ("", "web-1")),
            ("", ("", "")),
        ];
        for (user, (account, target)) in cases {
            assert_eq!(parse(user), (account.to_owned(), target.to_owned()), "{user}");
        }
    }
}
