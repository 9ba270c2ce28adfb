use reqwest::header::HeaderMap;

use super::cookies::{Jar, Trigger};
use super::html::{Token, tokens};
use super::*;

fn page(body: &str) -> Page {
    Page {
        url: "https://gate.example/requests/1?x=1".parse().unwrap(),
        status: 200,
        headers: HeaderMap::new(),
        body: body.to_owned(),
        redirects: vec![],
    }
}

#[test]
fn forms_are_read_as_browsers_do() {
    let page = page(
        r#"<!doctype html><title>a <form> in a title</title><!-- <form> -->
        <a href="/help?a=1&amp;b=2">Get <b>help</b></a>
        <form id=one method=POST action='/approve'>
          <input type="hidden" name="csrf" value="a&quot;b"><input name=note>
          <input type=checkbox name=sure value=yes><input type=checkbox name=loud checked>
          <select name="for"><option value="15m">15<option value="1h" selected>60</select>
          <textarea name="why">
because &lt;b&gt;</textarea>
          <button name="do" value="yes">Approve
             now</button> <button type=button>Nothing</button><input type=submit value=Deny formaction=/deny>
        </form><input name=stray form=one value=kept><input name=lost>"#,
    );
    let forms = page.forms();
    assert_eq!(forms.len(), 1);
    let form = page.form("Approve now").unwrap();
    assert_eq!(form.method, "post");
    let sent = form.filled(&[("note", "n"), ("sure", "yes")], form.button("Approve now")).unwrap();
    let sent: Vec<_> = sent.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let expected =
        ["csrf=a\"b", "note=n", "loud=on", "for=1h", "why=because <b>", "stray=kept", "sure=yes", "do=yes"];
    assert_eq!(sent, expected);
    assert_eq!(form.button("Deny").unwrap().action.as_deref(), Some("/deny"));
    assert!(form.button("Nothing").is_none());
    assert!(form.filled(&[("absent", "")], None).is_err());
    assert_eq!(page.links(), [("Get help".to_owned(), "https://gate.example/help?a=1&b=2".parse().unwrap())]);
    assert!(page.text().starts_with("Get help"), "{}", page.text());
}

#[test]
fn broken_html_comes_to_an_end() {
    for html in
        ["<", "<a", "<a =", "<a ='", "</", "<!--", "<textarea>", "a & b &#xffffffff; &#9;", "<a b=c/>"]
    {
        let _ = tokens(html);
    }
    assert_eq!(
        tokens("1 < 2"),
        [Token::Text("1 ".into()), Token::Text("<".into()), Token::Text(" 2".into())]
    );
}

#[test]
fn cookies_go_where_browsers_send_them() {
    let gate: Url = "https://127.0.0.1:8443/signin/x".parse().unwrap();
    let plain: Url = "http://127.0.0.1:9000/signin/x".parse().unwrap();
    let mut jar = Jar::default();
    jar.set(&gate, "__Host-s=1; Path=/; Secure; HttpOnly; SameSite=Strict");
    jar.set(&gate, "__Host-bad=1; Path=/signin; Secure");
    jar.set(&gate, "lax=2; Path=/signin");
    jar.set(&plain, "secret=3; Secure");
    assert_eq!(jar.header(&gate, Trigger::SameSite).unwrap(), "__Host-s=1; lax=2");
    assert_eq!(jar.header(&gate, Trigger::CrossSite).unwrap(), "lax=2");
    assert_eq!(jar.header(&gate, Trigger::CrossSitePost), None);
    assert_eq!(jar.header(&plain, Trigger::SameSite).unwrap(), "lax=2");
    assert_eq!(jar.header(&gate.join("/signing").unwrap(), Trigger::CrossSite), None);
    jar.set(&gate, "lax=; Path=/signin; Max-Age=0");
    assert_eq!(jar.all().len(), 1);
}
