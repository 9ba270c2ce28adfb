//! A connection credential is proved: a name that begins with `c-`, and its secret by SCRAM (Postgres manual, 55.3).
//!
//! The gate says what is known of a name; of one that is not, it says what nobody can prove, so that a stranger can't
//! tell.

use super::scram::{self, Broken, Exchange};
use super::{Client, Left, Sentence};
use crate::codec::{Cursor, backend};
use curfew_adapter::{CREDENTIAL, Gate, Proof};

/// How the end of an exchange is told.
const WRONG: &str = "28P01";

/// Whether this user is a credential's name.
pub fn is_name(user: &str) -> bool {
    user.starts_with(CREDENTIAL)
}

/// Has the client prove that it knows the secret of the credential `name`. The proof is handed to the gate, be it good
/// or not; it is not good for anything else.
///
/// # Errors
/// The client left, or (within) is refused.
pub async fn prove(client: &mut Client, gate: &Gate, name: &str) -> Result<Result<Proof, Sentence>, Left> {
    let verifier = match client.watch(gate.scram_verifier(name)).await? {
        Ok(verifier) => verifier,
        Err(refusal) => return Ok(Err(refusal.into())),
    };
    let end_point = client.stream.end_point();
    backend::sasl(&mut client.unsent, scram::mechanisms(end_point.as_deref()));
    client.send().await.map_err(|_| Left::Gone)?;
    let first = client.password(scram::LONGEST).await?;
    let begun = initial(&first)
        .and_then(|(mechanism, first)| Exchange::begin(mechanism, first, end_point.as_deref(), &verifier));
    let proved = match begun {
        Err(broken) => Err(broken),
        Ok((exchange, challenge)) => {
            backend::sasl_continue(&mut client.unsent, challenge.as_bytes());
            client.send().await.map_err(|_| Left::Gone)?;
            exchange.finish(&client.password(scram::LONGEST).await?, &verifier)
        }
    };
    match proved {
        Ok(ours) => {
            backend::sasl_final(&mut client.unsent, ours.as_bytes());
            Ok(Ok(Proof::Credential(name.to_owned())))
        }
        Err(Broken::Proof) => Ok(Ok(Proof::WrongSecret(name.to_owned()))),
        Err(broken) => {
            let hint =
                "Check that nothing between this client and the gate takes TLS apart, and connect again.";
            let message = format!("curfew: the credential was not proved, because {broken}");
            Ok(Err(Sentence::new(WRONG, message, hint)))
        }
    }
}

/// The sentence of a credential that the gate refused.
pub fn refused(sentence: Sentence) -> Sentence {
    Sentence { code: WRONG, ..sentence }
}

/// A SASLInitialResponse: the mechanism, and the first message.
fn initial(body: &[u8]) -> Result<(&[u8], &[u8]), Broken> {
    let mut cursor = Cursor::new(body);
    let mechanism = cursor.string().map_err(|_| Broken::Malformed)?;
    let length = cursor.int32().map_err(|_| Broken::Malformed)?;
    let first = cursor.rest();
    // -1 is for a client that says nothing yet, which SCRAM does not do.
    if usize::try_from(length) != Ok(first.len()) {
        return Err(Broken::Malformed);
    }
    Ok((mechanism, first))
}
