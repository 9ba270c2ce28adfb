use super::*;
use crate::Provider;
use crate::provider::CLIENT_ID;

#[tokio::test]
async fn a_real_browser_opens_the_providers_page_at_phone_width() {
    let provider = Provider::start(&["http://127.0.0.1:9/back"]).await.unwrap();
    let url = format!(
        "{}/auth?client_id={CLIENT_ID}&response_type=code&scope=openid&redirect_uri=http://127.0.0.1:9/back\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
        provider.issuer()
    );
    // A name that nobody has: the provider asks again.
    let seen = look("nobody", 360, ["open", &url, "see", "There is no nobody here."]).await.unwrap();
    assert_eq!(seen.title, "Example company");
    assert!(seen.buttons.iter().any(|button| button == "alice"), "{seen:?}");
    assert_eq!(seen.problems, Vec::<String>::new());
    assert!(look("nobody", 360, ["frown", &url]).await.is_err());
}
