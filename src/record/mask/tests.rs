//! A corpus of hostile SQL, and properties: the secret never survives, nothing panics, plain SQL stays as it is.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::golden::golden;

const SECRET: &str = "hunter2";

fn masked(text: &str) -> String {
    Masker::default().statement(text).text.into_owned()
}

#[test]
fn plain_sql_is_borrowed_as_it_is() {
    for text in [
        "",
        "SELECT abalance FROM pgbench_accounts WHERE aid = 7",
        "INSERT INTO notes VALUES ('it''s pass work', $$now$$) -- who, why",
        "SELECT 'http://example.com/a', x::text, 'don''t'",
        r"SELECT 'C:\', E'\'' || $q$'$q$ /* don't */ -- don't",
        "UPDATE bypass SET walk = 'passe' WHERE w = 'www'",
    ] {
        let masked = Masker::default().statement(text);
        assert_eq!(masked, Masked { text: Cow::Borrowed(text), sensitive: false, prepares: false });
        assert!(matches!(masked.text, Cow::Borrowed(_)));
    }
}

/// Design: what doesn't lex has all its literals masked, whatever they are about.
#[test]
fn what_does_not_lex_has_all_its_literals_masked() {
    for (text, shown) in [
        ("SELECT 'hunter2', 7, 'hunter2", "SELECT '***', '***', '***'"),
        ("SELECT 'hunter2'; SELECT $$hunter2$$ || \"hunter2", "SELECT '***'; SELECT '***' || '***'"),
        ("SELECT 'hunter2' /* hunter2", "SELECT '***' '***'"),
    ] {
        let masked = Masker::default().statement(text);
        assert_eq!((&*masked.text, masked.sensitive), (shown, true), "{text}");
    }
}

/// The corpus: what is sent, and what is recorded of it. A change of either is read in review.
/// (tests/e2e/recording sends all of it to a real server.)
#[test]
fn the_secret_is_gone_from_every_statement_of_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/masking");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "sql"));
    assert!(files.len() > 60, "{} files", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let masker = Masker::default();
        let masked = masker.statement(&text);
        assert!(!masked.text.contains(SECRET), "{}: {}", file.display(), masked.text);
        assert!(masked.sensitive || !text.contains(SECRET), "{}", file.display());
        let name = file.file_stem().unwrap().to_string_lossy();
        golden(&format!("tests/fixtures/masking/{name}.masked"), &masked.text);
    }
}

#[test]
fn what_is_no_secret_stays_readable() {
    assert_eq!(
        masked("SELECT 'a'; ALTER ROLE bob PASSWORD 'x' VALID UNTIL 'y'; SELECT 'b' LIMIT 3"),
        "SELECT 'a'; ALTER ROLE bob PASSWORD '***' VALID UNTIL '***'; SELECT 'b' LIMIT 3"
    );
    assert_eq!(masked("ALTER ROLE bob PASSWORD NULL"), "ALTER ROLE bob PASSWORD NULL");
    assert_eq!(
        masked("ALTER ROLE bob PASSWORD s3cret!; SELECT 1"),
        "ALTER ROLE bob PASSWORD '***'; SELECT 1"
    );
    assert_eq!(
        masked("SELECT password FROM users WHERE id = $1"),
        "SELECT password FROM users WHERE id = $1"
    );
    assert_eq!(
        masked("SELECT dblink_connect('host=h password=x dbname=d')"),
        "SELECT dblink_connect('host=h password=*** dbname=d')"
    );
    assert_eq!(
        masked("CREATE SUBSCRIPTION s CONNECTION 'postgres://bob:x@h:5432/d' PUBLICATION p"),
        "CREATE SUBSCRIPTION s CONNECTION 'postgres://bob:***@h:5432/d' PUBLICATION p"
    );
    assert_eq!(
        masked("DO $a$ BEGIN PERFORM 'b'; ALTER ROLE bob PASSWORD 'x'; END $a$"),
        "DO $a$ BEGIN PERFORM 'b'; ALTER ROLE bob PASSWORD '***'; END $a$"
    );
    assert_eq!(masked("SELECT 'a', 'password', 'b'"), "SELECT 'a', '***', '***'");
}

#[test]
fn a_contract_masks_values_and_what_stands_behind_names() {
    let masker = Masker::new(&["(?i)iban", r"\b\d{16}\b"]).unwrap();
    let masked = |text| masker.statement(text).text.into_owned();
    assert_eq!(
        masked("SELECT 'a' FROM t WHERE b = 'c' AND iban = 'DE02' OR b = 'd'; SELECT 'e'"),
        "SELECT 'a' FROM t WHERE b = 'c' AND iban = '***' OR b = '***'; SELECT 'e'"
    );
    assert_eq!(
        masked("SELECT 'a', 'card 4111111111111111.', 4111111111111111 /* 4111111111111111 */, 'b'"),
        "SELECT 'a', '***', '***' /* *** */, 'b'"
    );
    assert_eq!(
        masked("DO $$ BEGIN PERFORM 'a', '4111111111111111'; END $$"),
        "DO $$ BEGIN PERFORM 'a', '***'; END $$"
    );
    assert_eq!(masker.value("4111111111111111"), MASK);
    assert_eq!(masker.message("Key (iban)=(DE02) already exists."), "Key ( '***'");
    assert!(Masker::new(&["("]).is_err());
}

#[test]
fn values_and_messages_are_masked_by_the_same_rule() {
    let masker = Masker::default();
    assert_eq!(masker.value("bob"), "bob");
    assert_eq!(masker.value("host=h password=hunter2"), "host=h password=***");
    assert_eq!(masker.value("postgres://bob:hunter2@h/d"), "postgres://bob:***@h/d");
    assert_eq!(masker.value("ALTER ROLE bob PASSWORD 'hunter2'"), MASK);
    assert_eq!(masker.message("relation \"t\" does not exist"), "relation \"t\" does not exist");
    assert_eq!(masker.message("Key (password)=(hunter2) already exists."), "Key (password '***'");
    assert_eq!(masker.message("invalid passwd: hunter2"), "invalid passwd '***'");
    assert_eq!(masker.message("cannot open postgres://bob:hunter2@h"), "cannot open postgres '***'");
}

/// Texts that would be slow if a part of them were read again for each word in them.
#[test]
fn hostile_repetition_is_read_in_linear_time() {
    for part in ["password=", "passw", "://", "://a:", "'password", "$a$passw$a$", "/*", "$password$"] {
        let text = part.repeat(40_000);
        let masked = Masker::new(&["passw"]).unwrap().statement(&text).text.into_owned();
        assert!(masked.len() < 2 * text.len() + 100);
    }
}

fn quoted(style: u8) -> String {
    match style % 6 {
        0 => format!("'{SECRET}'"),
        1 => format!("E'\\'{SECRET}\\''"),
        2 => format!("$q${SECRET}$q$"),
        3 => format!("U&'{SECRET}'"),
        4 => format!("'x'\n '{SECRET}'"),
        _ => format!("'{SECRET}"),
    }
}

proptest! {
    #[test]
    fn a_secret_after_password_never_survives(
        before in r#"([ \n'"$\\;eE&/*a1é-]|SELECT|password|\$\$|--|/\*|\*/|.){0,20}"#,
        between in r"( |\n|/\*x\*/|--y\n|=|\(|,|a ){0,4}",
        after in r#"([ \n'"$\\;eE&/*a1é-]|.){0,20}"#,
        style in 0u8..6,
    ) {
        let text = format!("{before}\nALTER ROLE bob PASSWORD {between} {} {after}", quoted(style));
        let masked = masked(&text);
        prop_assert!(!masked.contains(SECRET), "{}\n gave {}", text, masked);
    }

    #[test]
    fn no_text_makes_it_panic(text in r#"([ \n'"$\\;eE&/*a1é=:@-]|passw|password=|://|.){0,60}"#) {
        let masker = Masker::new(&["a1", "é+"]).unwrap();
        let once = masker.statement(&text).text.into_owned();
        let _ = masker.statement(&once);
        let _ = masker.value(&text);
        let _ = masker.message(&text);
    }
}
