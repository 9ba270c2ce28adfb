use super::crates::{judge, parents};
use super::sources::Sources;
use super::{directions, files, lessons};

fn sources(files: &[(&str, &str)]) -> Sources {
    Sources(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
}

#[test]
fn cryptography_is_allowed_only_where_it_is_named() {
    let tree = "0 curfew v0.1.0\n1 openidconnect v4\n2 rsa v0.9\n3 digest v0.10\n1 tool v1\n2 rsa v0.9 (*)\n2 ring v0.17\n";
    let wrong = judge(&parents(tree));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].starts_with("ring must not be built in; tool brings it"), "{wrong:?}");
    assert!(wrong[1].starts_with("tool brings rsa"), "{wrong:?}");
    let wrong = judge(&parents("0 curfew v0.1.0\n1 oauth2 v5\n"));
    assert!(wrong[0].starts_with("oauth2 brings no RustCrypto any more"), "{wrong:?}");
}

#[test]
fn names_are_kept_to_their_places() {
    let admitted = concat!("Session::", "admitted(x)");
    let wrong = directions::names(&sources(&[
        ("src/session/admit.rs", admitted),
        ("src/serve.rs", "use curfew_postgres::Postgres;"),
        ("src/session/supervise.rs", admitted),
        ("src/config.rs", "use curfew_postgres::Postgres;"),
    ]));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(
        wrong[0].starts_with("src/session/supervise.rs") && wrong[1].starts_with("src/config.rs"),
        "{wrong:?}"
    );
}

#[test]
fn private_keys_and_odd_registries_are_found() {
    let key = format!("-----BEGIN {} KEY-----\n{}\n", "PRIVATE", "QUJD".repeat(16));
    let header = format!("const HEADER: &str = \"-----BEGIN {} KEY-----\";\nfn main() {{}}", "PRIVATE");
    let lock = "source = \"registry+https://mirror.example/index\"\n";
    let npm = "  \"resolved\": \"https://mirror.example/koa.tgz\"\n";
    let long = "//!\n".repeat(80);
    let wrong = files::check(&sources(&[
        ("a.txt", &key),
        ("b.rs", &header),
        ("Cargo.lock", lock),
        ("x/package-lock.json", npm),
        ("src/main.rs", &long),
    ]));
    assert_eq!(wrong.len(), 4, "{wrong:?}");
}

#[test]
fn a_lesson_must_name_a_test_that_exists() {
    let test = "#[tokio::test]\n// why\nasync fn replayed(\n";
    let table = "| lesson | test |\n|---|---|\n| a | `e2e::signin::replayed` |\n| b | e2e::signin::gone, other::replayed |\n";
    let files = [("tests/e2e/signin.rs", test), ("src/a.rs", "fn gone() {}"), ("tests/lessons.md", table)];
    let wrong = lessons::check(&sources(&files));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].contains("e2e::signin::gone") && wrong[1].contains("other::replayed"), "{wrong:?}");
    assert_eq!(lessons::check(&sources(&[])).len(), 1);
}
