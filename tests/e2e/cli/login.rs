//! Signing the command line in and out, with a browser on the machine and without one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use curfew_harness::gate::address;
use curfew_harness::psql::output;
use curfew_harness::{Gate, GateOptions, Person, Provider};
use tokio::io::AsyncWriteExt;

use super::refused;
use crate::world::LIMIT;

async fn gate() -> (Gate, Provider) {
    let provider = Provider::start(&[]).await.unwrap();
    let gate = Gate::start(GateOptions::new(env!("CARGO_BIN_EXE_curfew")), &provider).await.unwrap();
    (gate, provider)
}

/// Every file below the person's home, with its folders.
fn kept(person: &Person) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            }
            found.push(path);
        }
    }
    let mut found = Vec::new();
    walk(person.home(), &mut found);
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_gate_is_believed_only_after_its_fingerprint_was_confirmed() {
    let (gate, _provider) = gate().await;
    let alice = gate.person("alice").unwrap();
    let (url, fingerprint) = (gate.url(), alice.fingerprint().await.unwrap());

    let said = refused(&alice, ["login", &url, "--no-browser"], 2).await;
    assert!(said.contains("confirm") || said.contains("compare the fingerprint"), "{said}");
    let shown = alice.curfew(["login", &url, "--no-browser"]).await.unwrap().stderr;
    assert!(shown.contains(&fingerprint), "{shown}");

    let other = format!("SHA256:{}", "A".repeat(43));
    let said = refused(&alice, ["login", &url, "--no-browser", "--ca-fingerprint", &other], 1).await;
    assert!(said.contains("REFUSED") && said.contains(&fingerprint) && said.contains(&other), "{said}");
    assert!(kept(&alice).iter().all(|path| path.is_dir()), "{:?}", kept(&alice));
    let said = refused(&alice, ["whoami"], 3).await;
    assert!(said.contains("curfew login"), "{said}");

    let said = alice.login().await.unwrap();
    assert!(said.stdout.contains("alice@example.com"), "{}", said.stdout);
    let me = alice.json(["whoami", "--json"]).await.unwrap();
    assert_eq!(me["identity"]["email"], "alice@example.com");
    assert_eq!(me["signin"]["method"], "loopback");
    let shown = alice.curfew(["whoami"]).await.unwrap().success().unwrap().stdout;
    assert!(shown.contains("alice@example.com") && shown.contains(&url), "{shown}");

    // The second time the saved authority vouches for the gate.
    let again = alice.spawn(["login", &url, "--no-browser"]).unwrap();
    again.logs().find("the address to open", LIMIT, |line| address(&line.text, &url)).await.unwrap();
}

#[tokio::test]
async fn what_login_keeps_is_for_its_owner_alone_and_is_printed_nowhere() {
    let (gate, _provider) = gate().await;
    let alice = gate.person("alice").unwrap();
    let said = alice.login().await.unwrap();
    let kept = kept(&alice);
    let below = kept.iter().filter(|path| path.file_name().is_some_and(|name| name != ".config"));
    for path in below {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(path), wanted, "{}", path.display());
    }
    let file = kept.iter().find(|path| path.ends_with("token")).unwrap();
    let token = fs::read_to_string(file).unwrap().trim().to_owned();
    assert!(token.len() > 40, "{token}");
    for command in [["whoami", "--json"], ["signins", "--json"], ["targets", "--json"]] {
        let said = alice.curfew(command).await.unwrap().success().unwrap();
        assert!(!said.stdout.contains(&token) && !said.stderr.contains(&token), "{command:?}");
    }
    assert!(!said.stdout.contains(&token) && !said.stderr.contains(&token));

    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let said = refused(&alice, ["whoami"], 1).await;
    assert!(said.contains("others on this machine can read"), "{said}");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();

    alice.curfew(["logout"]).await.unwrap().success().unwrap();
    let left = self::kept(&alice);
    for gone in ["token", "client.key", "client.crt"] {
        assert!(!left.iter().any(|path| path.ends_with(gone)), "{gone} is still there");
    }
    refused(&alice, ["whoami"], 3).await;
    // The token itself is dead too, wherever a copy of it may be.
    fs::write(file, format!("{token}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    let said = refused(&alice, ["whoami"], 3).await;
    assert!(said.contains("curfew login"), "{said}");
}

#[tokio::test]
async fn a_machine_without_a_browser_signs_in_by_code_and_digits_typed_back() {
    let (gate, _provider) = gate().await;
    let alice = gate.person("alice").unwrap();
    let (url, fingerprint) = (gate.url(), alice.fingerprint().await.unwrap());
    let mut login = alice.spawn(["login", &url, "--device", "--ca-fingerprint", &fingerprint]).unwrap();
    let mut typed = login.take_stdin().unwrap();
    let page = format!("{url}/device");
    let page = login.logs().find("the address", LIMIT, |line| address(&line.text, &page)).await.unwrap();
    let code = login.logs().find("the code", LIMIT, |line| user_code(&line.text)).await.unwrap();

    assert!(!page.contains(&code), "the address must not carry the code: {page}");
    let page = alice.open(&page).await.unwrap();
    assert_eq!(page.form("Go on").unwrap().value("code"), Some(""), "the code must not be filled in");
    let wrong = alice.browser.act(&page, "find", &[("code", "BBBB-BBBB")]).await.unwrap();
    assert!(wrong.action("yes").is_err(), "{}", wrong.text());
    let page = alice.browser.act(&page, "find", &[("code", &code)]).await.unwrap();
    assert!(page.text().contains("127.0.0.1"), "{}", page.text());
    let page = alice.browser.act(&page, "yes", &[]).await.unwrap();
    let digits = six_digits(&page.text()).unwrap_or_else(|| panic!("no digits: {}", page.text()));
    let other = if digits == "123456" { "654321" } else { "123456" };

    typed.write_all(format!("{other}\n").as_bytes()).await.unwrap();
    login.logs().wait_for("Those are not the digits", LIMIT).await.unwrap();
    typed.write_all(format!("{digits}\n").as_bytes()).await.unwrap();
    output(&mut login, LIMIT).await.unwrap().success().unwrap();
    let me = alice.json(["whoami", "--json"]).await.unwrap();
    assert_eq!(me["identity"]["email"], "alice@example.com");
    assert_eq!(me["signin"]["method"], "device");
}

/// `XXXX-XXXX` alone on a line.
fn user_code(line: &str) -> Option<String> {
    let text = line.trim();
    let (a, b) = text.split_once('-')?;
    let letters = |part: &str| part.len() == 4 && part.bytes().all(|b| b.is_ascii_uppercase());
    (letters(a) && letters(b)).then(|| text.to_owned())
}

/// Six digits on a page, perhaps in two groups of three.
fn six_digits(text: &str) -> Option<String> {
    let (_, after) = text.split_once("these digits there")?;
    let digits: String =
        after.chars().take_while(|c| !c.is_alphabetic()).filter(char::is_ascii_digit).collect();
    (digits.len() == 6).then_some(digits)
}
