//! The exchange with a provider: out with a challenge, back with a code, and the checks of the ID token
//! (OpenID Connect Core 1.0, 3.1.3.7).

use std::time::SystemTime;

use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreIdTokenVerifier,
    CoreJwsSigningAlgorithm as Algorithm, CoreProviderMetadata,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AsyncHttpClient, AuthType, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, SignatureVerificationError, TokenResponse,
};
use serde_json::Value;
use url::Url;

use super::OidcError;
use super::claims;
use super::provider::{Cause, Client};
use crate::identity::signin::Vouched;
use crate::store::with_causes;

/// How far a provider's clock may be from ours.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// What may sign an ID token: public-key algorithms alone. Neither `none` nor any HS*, whose key would be our own
/// secret or, by an old trick, the provider's public key.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

impl Client<'_> {
    /// Where to send a browser, and the PKCE verifier to keep meanwhile.
    pub(super) fn authorize(&self, state: &str, nonce: &str) -> Result<(Url, String), url::ParseError> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let settings = &self.provider.settings;
        let client = CoreClient::from_provider_metadata(
            CoreProviderMetadata::clone(&self.metadata),
            ClientId::new(settings.client_id.clone()),
            None,
        )
        .set_redirect_uri(RedirectUrl::new(self.provider.back.clone())?);
        let (state, nonce) = (state.to_owned(), nonce.to_owned());
        let (url, ..) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            // The library asks for `openid` by itself.
            .add_scopes(settings.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        Ok((url, verifier.into_secret()))
    }

    /// Exchanges the code and checks what comes back.
    pub(super) async fn redeem(
        &self,
        code: &str,
        verifier: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Vouched, OidcError> {
        let (id_token, access) = self.exchange(code, verifier).await?;
        let nonce = Nonce::new(nonce.to_owned());
        let checked = match self.check(&id_token, &access, &nonce, now) {
            Err(Unverified::UnknownKey) => match self.provider.client_anew().await {
                Some(anew) => anew.map_err(|cause| self.down(&cause))?.check(&id_token, &access, &nonce, now),
                None => Err(Unverified::UnknownKey),
            },
            outcome => outcome,
        };
        let mut said = checked.map_err(|why| self.untrusted(&why))?;
        if claims::wants_more(&self.provider.settings, &said) {
            self.add_userinfo(&mut said, &access).await?;
        }
        claims::vouch(&self.provider.settings, &said).map_err(OidcError::NoEmail)
    }

    async fn exchange(&self, code: &str, verifier: &str) -> Result<(CoreIdToken, AccessToken), OidcError> {
        let settings = &self.provider.settings;
        let secret = match &settings.client_secret {
            None => None,
            Some(source) => {
                let secret = source.read().await.map_err(|error| self.down(&Cause::from(error)))?;
                Some(ClientSecret::new(secret.reveal().to_owned()))
            }
        };
        // Basic unless the provider says that it takes the form alone (RFC 6749, 2.3.1).
        let methods = self.metadata.token_endpoint_auth_methods_supported();
        let form_only = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let back =
            RedirectUrl::new(self.provider.back.clone()).map_err(|error| self.down(&Cause::from(error)))?;
        let client = CoreClient::from_provider_metadata(
            CoreProviderMetadata::clone(&self.metadata),
            ClientId::new(settings.client_id.clone()),
            secret,
        )
        .set_redirect_uri(back)
        .set_auth_type(if form_only { AuthType::RequestBody } else { AuthType::BasicAuth });
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| self.down(&Cause::from(error)))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
        let answer = request.request_async(&self.provider.fetch).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(said) => self.untrusted(&said),
            RequestTokenError::Request(cause) => self.down(&Cause::from(cause)),
            other => self.down(&Cause::from(with_causes(&other))),
        })?;
        let id_token = answer.id_token().cloned().ok_or_else(|| self.untrusted(&"there is no ID token"))?;
        Ok((id_token, answer.access_token().clone()))
    }

    /// The claims of an ID token that passes every check.
    fn check(
        &self,
        id_token: &CoreIdToken,
        access: &AccessToken,
        nonce: &Nonce,
        now: Timestamp,
    ) -> Result<Value, Unverified> {
        let settings = &self.provider.settings;
        let client_id = ClientId::new(settings.client_id.clone());
        let latest = now.saturating_add(SKEW).unwrap_or(now);
        let verifier = CoreIdTokenVerifier::new_public_client(
            client_id,
            self.metadata.issuer().clone(),
            self.metadata.jwks().clone(),
        )
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || SystemTime::from(now.saturating_sub(SKEW).unwrap_or(now)).into())
        .set_issue_time_verifier_fn(move |issued| {
            let early = issued.timestamp() > latest.as_second();
            if early { Err("it was issued in the future".to_owned()) } else { Ok(()) }
        });
        let claims = id_token.claims(&verifier, nonce)?;
        if let Some(expected) = claims.access_token_hash() {
            let refused = |why: &dyn std::fmt::Display| Unverified::Other(format!("at_hash: {why}"));
            let algorithm = id_token.signing_alg().map_err(|why| refused(&why))?;
            let key = id_token.signing_key(&verifier).map_err(|why| refused(&why))?;
            let actual = AccessTokenHash::from_token(access, algorithm, key).map_err(|why| refused(&why))?;
            if actual != *expected {
                return Err(refused(&"it belongs to another access token"));
            }
        }
        // The signature holds over these very bytes.
        let said =
            payload(&id_token.to_string()).ok_or_else(|| Unverified::Other("no payload".to_owned()))?;
        if let Some(party) = said.get("azp")
            && party.as_str() != Some(&settings.client_id)
        {
            return Err(Unverified::Other("azp names another client".to_owned()));
        }
        let from = said.get("nbf").and_then(Value::as_f64);
        if from.is_some_and(|from| from > latest.as_duration().as_secs_f64()) {
            return Err(Unverified::Other("it is not valid yet".to_owned()));
        }
        Ok(said)
    }

    /// Adds what the provider tells at its userinfo endpoint alone. What the ID token says, stands.
    async fn add_userinfo(&self, said: &mut Value, access: &AccessToken) -> Result<(), OidcError> {
        let Some(endpoint) = self.metadata.userinfo_endpoint() else { return Ok(()) };
        let request = openidconnect::http::Request::get(endpoint.as_str())
            .header("authorization", format!("Bearer {}", access.secret()))
            .header("accept", "application/json")
            .body(Vec::new())
            .map_err(|error| self.down(&Cause::from(error)))?;
        let answer =
            self.provider.fetch.call(request).await.map_err(|error| self.down(&Cause::from(error)))?;
        if !answer.status().is_success() {
            let what = format!("its userinfo endpoint answered {}", answer.status());
            return Err(self.down(&Cause::from(what)));
        }
        let more: serde_json::Map<String, Value> =
            serde_json::from_slice(answer.body()).map_err(|error| self.down(&Cause::from(error)))?;
        if more.get("sub") != said.get("sub") {
            return Err(self.untrusted(&"userinfo speaks of somebody else"));
        }
        if let Some(said) = said.as_object_mut() {
            for (name, value) in more {
                said.entry(name).or_insert(value);
            }
        }
        Ok(())
    }

    fn down(&self, cause: &Cause) -> OidcError {
        super::down(self.provider, &**cause)
    }

    fn untrusted(&self, why: &dyn std::fmt::Display) -> OidcError {
        tracing::warn!(provider = self.provider.name(), cause = %why, "a provider's answer can't be trusted");
        OidcError::Untrusted(self.provider.name().to_owned())
    }
}

/// Why an ID token is not believed; for the operator's log.
#[derive(Debug, thiserror::Error)]
enum Unverified {
    #[error("the ID token is signed with a key that the provider does not publish")]
    UnknownKey,
    #[error("the ID token is refused: {0}")]
    Other(String),
}

impl From<ClaimsVerificationError> for Unverified {
    fn from(error: ClaimsVerificationError) -> Self {
        match error {
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                Self::UnknownKey
            }
            other => Self::Other(with_causes(&other)),
        }
    }
}

/// The claims of a JWT in compact form (RFC 7519, 7.2).
fn payload(jwt: &str) -> Option<Value> {
    let bytes = BASE64URL_NOPAD.decode(jwt.split('.').nth(1)?.as_bytes()).ok()?;
    serde_json::from_slice(&bytes).ok()
}
