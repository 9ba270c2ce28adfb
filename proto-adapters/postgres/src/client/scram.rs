//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as the server speaks them (RFC 5802, RFC 7677): bytes in, bytes out.
//!
//! What a client says in it is a stranger's. An exchange that was tampered with on the way (a mechanism taken off the
//! list, another connection's binding) is refused.

use crate::binding::END_POINT;
use curfew_adapter::{SCRAM, SCRAM_PLUS, ScramVerifier, random_bytes};
use data_encoding::BASE64;

/// The longest message that is taken: libpq's have some 200 bytes.
pub const LONGEST: usize = 4096;

/// Why an exchange is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The message is not one.
    #[error("a message of SCRAM is malformed")]
    Malformed,
    /// It chose what was not offered.
    #[error("it chose a mechanism that was not offered")]
    Mechanism,
    /// It says that the binding was not offered, which it was: somebody took it off the list.
    #[error("it was not shown that channel binding is offered: somebody may be in between")]
    Downgraded,
    /// It is bound to something else than this connection.
    #[error("it is bound to another connection: somebody may be in between")]
    Binding,
    /// It asks for another's authorization.
    #[error("it asks to act for another name")]
    Authzid,
    /// The proof does not fit.
    #[error("the secret is wrong")]
    Proof,
}

/// The mechanisms, best first, where the connection can be bound to the certificate with this hash.
pub fn mechanisms(end_point: Option<&[u8]>) -> &'static [&'static str] {
    if end_point.is_some() { &[SCRAM_PLUS, SCRAM] } else { &[SCRAM] }
}

/// An exchange that waits for the proof.
#[derive(Debug)]
pub struct Exchange {
    /// What `c=` must repeat: the header, and with PLUS the hash of our certificate.
    binding: String,
    /// Both nonces.
    nonce: String,
    /// The client's first message without its header, and our challenge, with a comma behind each.
    said: String,
}

impl Exchange {
    /// Reads the client's first message, and answers with the challenge.
    ///
    /// # Errors
    /// It is not one that can be gone on with.
    pub fn begin(
        mechanism: &[u8],
        first: &[u8],
        end_point: Option<&[u8]>,
        verifier: &ScramVerifier,
    ) -> Result<(Self, String), Broken> {
        Self::with_nonce(mechanism, first, end_point, verifier, &BASE64.encode(&random_bytes::<18>()))
    }

    fn with_nonce(
        mechanism: &[u8],
        first: &[u8],
        end_point: Option<&[u8]>,
        verifier: &ScramVerifier,
        ours: &str,
    ) -> Result<(Self, String), Broken> {
        let first = std::str::from_utf8(first).map_err(|_| Broken::Malformed)?;
        let mut parts = first.splitn(3, ',');
        let (Some(flag), Some(authzid), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Broken::Malformed);
        };
        if !authzid.is_empty() {
            return Err(Broken::Authzid);
        }
        let mut binding = format!("{flag},,").into_bytes();
        match (mechanism, flag.split_once('=')) {
            (chosen, Some(("p", END_POINT))) if chosen == SCRAM_PLUS.as_bytes() => {
                binding.extend_from_slice(end_point.ok_or(Broken::Mechanism)?);
            }
            (chosen, Some(("p", _))) if chosen == SCRAM_PLUS.as_bytes() => return Err(Broken::Binding),
            (chosen, None) if chosen == SCRAM.as_bytes() => match flag {
                "y" if end_point.is_some() => return Err(Broken::Downgraded),
                "y" | "n" => {}
                _ => return Err(Broken::Malformed),
            },
            (chosen, _) if chosen == SCRAM.as_bytes() || chosen == SCRAM_PLUS.as_bytes() => {
                return Err(Broken::Malformed);
            }
            _ => return Err(Broken::Mechanism),
        }
        // The name is that of the startup packet, as in Postgres; extensions that must be known (`m=`) are not.
        let (user, theirs) = bare.split_once(',').ok_or(Broken::Malformed)?;
        let theirs = theirs.strip_prefix("r=").ok_or(Broken::Malformed)?;
        let theirs = theirs.split_once(',').map_or(theirs, |(nonce, _)| nonce);
        if !user.starts_with("n=") || theirs.is_empty() || !theirs.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Broken::Malformed);
        }
        let nonce = format!("{theirs}{ours}");
        let challenge = format!("r={nonce},s={},i={}", BASE64.encode(verifier.salt()), verifier.rounds());
        let said = format!("{bare},{challenge},");
        Ok((Self { binding: BASE64.encode(&binding), nonce, said }, challenge))
    }

    /// Reads the client's proof, and answers with our own.
    ///
    /// # Errors
    /// It does not know the secret, or speaks of another exchange.
    pub fn finish(&self, last: &[u8], verifier: &ScramVerifier) -> Result<String, Broken> {
        let last = std::str::from_utf8(last).map_err(|_| Broken::Malformed)?;
        let (unproved, proof) = last.rsplit_once(",p=").ok_or(Broken::Malformed)?;
        let mut parts = unproved.split(',');
        let (binding, nonce) = (parts.next(), parts.next());
        if binding.and_then(|part| part.strip_prefix("c=")) != Some(&self.binding) {
            return Err(Broken::Binding);
        }
        if nonce.and_then(|part| part.strip_prefix("r=")) != Some(&self.nonce) {
            return Err(Broken::Malformed);
        }
        let proof = BASE64.decode(proof.as_bytes()).map_err(|_| Broken::Malformed)?;
        let all = format!("{}{unproved}", self.said);
        let ours = verifier.check(all.as_bytes(), &proof).ok_or(Broken::Proof)?;
        Ok(format!("v={}", BASE64.encode(&ours)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::scram::{Bound, Exchange as Client, Keys, Salt};
    use curfew_adapter::Secret;

    const HASH: [u8; 32] = [5; 32];

    fn known() -> ScramVerifier {
        ScramVerifier::of(&Secret::new("pencil".to_owned()))
    }

    /// Our own client, the one that targets know, against this server.
    fn exchange(mechanism: &str, bound: Bound, password: &str) -> Result<(), Broken> {
        let verifier = known();
        let mut client = Client::begin(bound);
        let (server, challenge) =
            Exchange::begin(mechanism.as_bytes(), client.first().as_bytes(), Some(&HASH), &verifier)?;
        let Salt { bytes, rounds } = client.challenge(challenge.as_bytes()).unwrap();
        let proof = client.prove(&Keys::derive(password, &Salt { bytes, rounds })).unwrap();
        let verdict = server.finish(proof.as_bytes(), &verifier)?;
        client.finish(verdict.as_bytes()).unwrap();
        Ok(())
    }

    #[test]
    fn who_knows_the_secret_gets_in_bound_and_unbound() {
        assert_eq!(exchange(SCRAM_PLUS, Bound::EndPoint(HASH.to_vec()), "pencil"), Ok(()));
        assert_eq!(exchange(SCRAM, Bound::Nothing, "pencil"), Ok(()));
        assert_eq!(exchange(SCRAM_PLUS, Bound::EndPoint(HASH.to_vec()), "pen"), Err(Broken::Proof));
        assert_eq!(exchange(SCRAM, Bound::Nothing, ""), Err(Broken::Proof));
    }

    #[test]
    fn an_exchange_that_was_tampered_with_is_refused() {
        // Bound to somebody else's certificate.
        assert_eq!(exchange(SCRAM_PLUS, Bound::EndPoint(vec![6; 32]), "pencil"), Err(Broken::Binding));
        // The client could be bound, and was not shown that we can.
        assert_eq!(exchange(SCRAM, Bound::NotOffered, "pencil"), Err(Broken::Downgraded));
        assert_eq!(exchange(SCRAM, Bound::EndPoint(HASH.to_vec()), "pencil"), Err(Broken::Malformed));
        assert_eq!(exchange(SCRAM_PLUS, Bound::Nothing, "pencil"), Err(Broken::Malformed));
        assert_eq!(exchange("SCRAM-SHA-1", Bound::Nothing, "pencil"), Err(Broken::Mechanism));
    }

    fn begun(mechanism: &str, first: &str, end_point: Option<&[u8]>) -> Result<String, Broken> {
        Exchange::begin(mechanism.as_bytes(), first.as_bytes(), end_point, &known()).map(|(_, said)| said)
    }

    #[test]
    fn first_messages_that_make_no_sense_are_refused() {
        for (first, why) in [
            ("", Broken::Malformed),
            ("n,,", Broken::Malformed),
            ("n,,n=,r=", Broken::Malformed),
            ("n,,n=,r=a\u{7}", Broken::Malformed),
            ("n,,m=x,n=,r=abc", Broken::Malformed),
            ("x,,n=,r=abc", Broken::Malformed),
            ("n,a=root,n=,r=abc", Broken::Authzid),
            ("p=tls-unique,,n=,r=abc", Broken::Malformed),
        ] {
            assert_eq!(begun(SCRAM, first, None), Err(why), "{first}");
        }
        assert_eq!(begun(SCRAM_PLUS, "p=tls-unique,,n=,r=abc", Some(&HASH)), Err(Broken::Binding));
        assert_eq!(begun(SCRAM_PLUS, "p=tls-server-end-point,,n=,r=abc", None), Err(Broken::Mechanism));
        // A client that could be bound, where we can't.
        assert!(begun(SCRAM, "y,,n=,r=abc", None).unwrap().starts_with("r=abc"));
    }

    #[test]
    fn a_proof_is_worth_nothing_in_another_exchange() {
        let verifier = known();
        let mut client = Client::begin(Bound::Nothing);
        let first = client.first();
        let (_, challenge) = Exchange::begin(SCRAM.as_bytes(), first.as_bytes(), None, &verifier).unwrap();
        let (other, _) = Exchange::begin(SCRAM.as_bytes(), first.as_bytes(), None, &verifier).unwrap();
        let salt = client.challenge(challenge.as_bytes()).unwrap();
        let proof = client.prove(&Keys::derive("pencil", &salt)).unwrap();
        assert_eq!(other.finish(proof.as_bytes(), &verifier), Err(Broken::Malformed));
        assert_eq!(other.finish(b"", &verifier), Err(Broken::Malformed));
        assert_eq!(other.finish(b"c=biws,r=x,p=!", &verifier), Err(Broken::Malformed));
    }
}
