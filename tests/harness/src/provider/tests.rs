use reqwest::Method;
use url::Url;

use super::*;
use crate::Browser;

const BACK: &str = "http://127.0.0.1:9/back";
// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Signs in by hand up to the code, exchanges it, and gives the token endpoint's answer and the userinfo.
async fn claims(provider: &Provider, name: &str) -> (Value, Value) {
    let url = Url::parse_with_params(
        &format!("{}/auth", provider.issuer()),
        [
            ("client_id", CLIENT_ID),
            ("response_type", "code"),
            ("scope", "openid email profile groups"),
            ("redirect_uri", BACK),
            ("state", "s"),
            ("nonce", "n"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ],
    )
    .unwrap();
    let browser = Browser::new().unwrap();
    // Nobody listens at the redirect address: where the browser was sent is in the error.
    let error = browser.sign_in(url.as_str(), name).await.unwrap_err().to_string();
    let (_, code) = error.split_once("code=").expect(&error);
    let code = code.split(['&', ':']).next().unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let request = browser.request(Method::POST, &format!("{}/token", provider.issuer())).unwrap();
    let answer = request.basic_auth(CLIENT_ID, Some(CLIENT_SECRET)).form(&form).send().await.unwrap();
    let tokens: Value = answer.json().await.unwrap();
    assert!(tokens.get("id_token").is_some(), "{tokens}\n{}", provider.logs().tail());
    let request = browser.request(Method::GET, &format!("{}/me", provider.issuer())).unwrap();
    let answer = request.bearer_auth(tokens["access_token"].as_str().unwrap()).send().await.unwrap();
    (tokens, answer.json().await.unwrap())
}

/// The header or body of an ID token, read without checking anything.
fn part(tokens: &Value, index: usize) -> Value {
    let token = tokens["id_token"].as_str().unwrap();
    let text = token.split('.').nth(index).unwrap();
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            _ => 63,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).unwrap());
        }
    }
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn people_sign_in_and_their_claims_can_be_changed() {
    let provider = Provider::start(&[BACK]).await.unwrap();
    let (tokens, userinfo) = claims(&provider, "alice").await;
    let body = part(&tokens, 1);
    assert_eq!(body["email"], "alice@example.com");
    assert_eq!(body["email_verified"], true);
    assert_eq!(body["groups"], json!(["sre"]));
    assert_eq!(body["realm"]["roles"], json!(["sre"]));
    assert_eq!(body["nonce"], "n");
    assert_eq!(userinfo["groups"], json!(["sre"]));
    let kid = part(&tokens, 0)["kid"].clone();

    let (tokens, _) = claims(&provider, "mallory").await;
    assert_eq!(part(&tokens, 1)["email_verified"], false);

    provider.person("alice", &json!({ "groups": ["sre", "sre-leads"] })).await.unwrap();
    provider.groups_in_userinfo_only(true).await.unwrap();
    provider.rotate_keys(false).await.unwrap();
    let (tokens, userinfo) = claims(&provider, "alice").await;
    assert_eq!(part(&tokens, 1)["groups"], Value::Null);
    assert_eq!(userinfo["groups"], json!(["sre", "sre-leads"]));
    assert_ne!(part(&tokens, 0)["kid"], kid);

    provider.tamper(&json!({ "sign": "none", "claims": { "aud": "other" } })).await.unwrap();
    let (tokens, _) = claims(&provider, "alice").await;
    assert_eq!(part(&tokens, 0)["alg"], "none");
    assert_eq!(part(&tokens, 1)["aud"], "other");

    provider.down(true).await.unwrap();
    let page = Browser::new().unwrap().get(&format!("{}/jwks", provider.issuer())).await.unwrap();
    assert_eq!(page.status, 503);
}
