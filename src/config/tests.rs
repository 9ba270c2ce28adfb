//! Whole configurations, good and bad, and secrets from each place.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use curfew_adapter::{Protocol, TlsMode};
use proptest::prelude::*;

use super::{Config, LinkAddresses, ListenTls, LogFormat, Plaintext, RecordMode, SecretError, SecretSource};

/// The example of the design, without the parts that this version does not have. TEMP holds ca/internal.pem.
const EXAMPLE: &str = r#"
[server]
public_url = "https://gate.example.com"
data_dir = "/var/lib/curfew"
contracts = "contracts/"
trusted_proxies = []
drain = "10m"

[listen]
http     = { address = "0.0.0.0:443" }
postgres = { address = "0.0.0.0:5432" }
metrics  = { address = "127.0.0.1:9187" }

[signin]
lifetime = "12h"
certificate = "1h"
link_addresses = "same"

[[provider]]
name = "example"
issuer = "https://login.example.com"
client_id = "curfew"
client_secret = { file = "secrets/oidc" }
groups_claim = "realm_access.groups"
emails = ["Example.com"]

[roles]
admin   = { groups = ["platform"] }
auditor = { groups = ["security"], users = ["Eve@Example.com"] }

[[target]]
name = "orders"
protocol = "postgres"
address = "orders-db.internal:5432"
labels = { env = "prod", app = "orders" }
databases = ["orders"]
tls = { mode = "verify-full", ca = "ca/internal.pem" }
accounts = [
  { name = "orders_read", secret = { env = "ORDERS_READ_PASSWORD" } },
  { name = "orders_write", secret = { command = ["vault", "read", "-field=password", "db/orders_write"] } },
]

[record]
store = "file:///var/lib/curfew/recordings"
"#;

/// A folder with `ca/internal.pem` in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ca")).unwrap();
    let authority = curfew_certs::Authority::generate("2026-11-21T12:00:00Z".parse().unwrap()).unwrap();
    std::fs::write(folder.path().join("ca/internal.pem"), authority.certificate_pem()).unwrap();
    folder
}

fn parse(text: &str) -> Config {
    let folder = folder();
    Config::parse("curfew.toml", text, folder.path()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str) -> String {
    let folder = folder();
    let problems = Config::parse("curfew.toml", text, folder.path()).expect_err("it is wrong");
    problems.to_string().replace(&folder.path().display().to_string(), "BASE")
}

#[test]
fn the_example_reads() {
    let folder = folder();
    let config = Config::parse("curfew.toml", EXAMPLE, folder.path()).unwrap();
    assert_eq!(config.server.public_url.as_str(), "https://gate.example.com/");
    assert_eq!(config.server.contracts, folder.path().join("contracts/"));
    assert_eq!(config.server.keys, folder.path().join("keys"));
    assert_eq!(config.listen.http.tls, ListenTls::Own);
    assert_eq!(config.listen.postgres.plaintext, Plaintext::Refuse);
    assert_eq!(config.listen.limits.startup, Duration::from_secs(10));
    assert_eq!(config.signin.patience, Duration::from_secs(300));
    let provider = &config.providers[0];
    assert_eq!(provider.groups_claim, ["realm_access", "groups"]);
    assert_eq!(provider.scopes, ["openid", "email", "profile"]);
    assert!(provider.may_assert_email("alice@EXAMPLE.com") && provider.may_assert_group("anything"));
    for foreign in ["alice@example.com.evil", "alice@sub.example.com", "example.com", "@example.com"] {
        assert!(!provider.may_assert_email(foreign), "{foreign}");
    }
    assert!(config.roles.auditor.contains("eve@example.COM", &[]));
    assert!(config.roles.admin.contains("x@example.com", &["platform".into()]));
    assert!(!config.roles.admin.contains("eve@example.com", &["security".into()]));
    let target = config.target("orders").unwrap();
    assert_eq!((target.protocol, target.tls.mode()), (Protocol::Postgres, TlsMode::VerifyFull));
    assert_eq!(target.address.to_string(), "orders-db.internal:5432");
    assert_eq!(
        target.account("orders_read").unwrap().secret,
        Some(SecretSource::Env("ORDERS_READ_PASSWORD".into()))
    );
    assert!(target.account("ORDERS_READ").is_none() && config.target("Orders").is_none());
    assert!(target.facts().databases.allow("orders") && !target.facts().databases.allow("Orders"));
    assert_eq!(config.record.store, Path::new("/var/lib/curfew/recordings"));
    assert_eq!(config.record.checkpoint.file, Path::new("/var/lib/curfew/checkpoints.jsonl"));
    assert_eq!(config.session.countdown, [600, 300, 60, 10].map(Duration::from_secs));
    assert_eq!(config.certificate_names(), ["gate.example.com"]);
    assert_eq!(config.postgres_certificate_names(), ["gate.example.com", "*.gate.example.com"]);
}

#[test]
fn every_optional_key_reads() {
    let text = EXAMPLE
        .replace("trusted_proxies = []", "trusted_proxies = ['10.0.0.1', '::1/128']\nnode = 'gate-1'\nnames = ['pg.example.com']")
        .replace("{ address = \"0.0.0.0:443\" }", "{ address = '127.0.0.1:0', tls = 'off', proxy_protocol = true }")
        .replace("{ address = \"0.0.0.0:5432\" }", "{ address = '[::1]:0', tls = { cert = 'ca/internal.pem', key = 'ca/internal.pem' }, plaintext = 'allow' }")
        .replace("[signin]", "limits = { connections = 5, startup = '3s', pending_links = 2, pending_links_per_address = 1 }\n[signin]\npatience = '30s'")
        .replace("\"same\"", "['10.0.0.0/8', '127.0.0.2']")
        .replace("\"realm_access.groups\"", "['https://example.com/groups']\ngroups = ['sre']\nscopes = ['email', 'groups']")
        .replace("\"file:///var/lib/curfew/recordings\"", "'rec'\nmode = 'best-effort'\ncheckpoint = { file = '/mnt/cp', every = '5s' }\n[session]\ncountdown = ['10s', '1m', '10s']\nmax_staleness = '20s'\n[log]\nformat = 'json'\nlevel = 'debug'");
    let config = parse(&text);
    let proxies = ["10.0.0.1/32", "::1/128"].map(|network| network.parse().unwrap());
    assert_eq!(config.server.trusted_proxies, proxies);
    assert_eq!(config.server.node, "gate-1");
    assert_eq!(config.listen.http.tls, ListenTls::Off);
    assert!(config.listen.http.proxy_protocol && !config.listen.postgres.proxy_protocol);
    assert!(matches!(config.listen.postgres.tls, ListenTls::Files { .. }));
    assert_eq!(config.listen.limits.pending_links_per_address, 1);
    assert!(
        matches!(&config.signin.link_addresses, LinkAddresses::Networks(networks) if networks.len() == 2)
    );
    assert_eq!(config.providers[0].groups_claim, ["https://example.com/groups"]);
    assert_eq!(config.providers[0].scopes, ["openid", "email", "groups"]);
    assert!(!config.providers[0].may_assert_group("platform"));
    assert_eq!(config.session.countdown, [60, 10].map(Duration::from_secs));
    assert_eq!((config.log.format, config.log.level), (LogFormat::Json, tracing::Level::DEBUG));
    assert_eq!(config.record.mode, RecordMode::BestEffort);
    let names = ["127.0.0.1", "::1", "gate.example.com", "localhost", "pg.example.com"];
    assert_eq!(config.certificate_names(), names);
    // Addresses and localhost have no names below them.
    assert_eq!(config.target_hosts(), ["gate.example.com", "pg.example.com"]);
}

#[test]
fn every_problem_of_a_bad_file_is_told() {
    let text = r#"
[server]
public_url = "http://gate.example.com"
data_dir = 5
trusted_proxies = ["10.0.0.0/40"]
drian = "1m"
node = "Gate 1"

[listen]
http = { adress = "0.0.0.0:443" }
postgres = { address = "localhost:5432", tls = "offf", plaintext = "yes" }
ssh = { address = "0.0.0.0:22" }
limits = { connections = 0 }

[signin]
lifetime = "30m"
certificate = "1h"
link_addresses = "some"
patience = "1d"

[[provider]]
name = "one"
issuer = "http://login.example.com"
client_id = ""
client_secret = "hunter2"
emails = ["alice@example.com"]

[[provider]]
name = "one"
issuer = "https://b.example.com"
client_id = "x"
client_secret = { value = "hunter2" }
emails = []
groups = "all"

[roles]
admins = {}
auditor = { users = ["nobody"] }

[[target]]
name = "a/b"
protocol = "postgresql"
address = "db"
databases = []
tls = { mode = "verify-full" }
accounts = [ { name = "r", secret = { file = "x", env = "Y" } }, { name = "w", secret = {} }, { name = "w", secret = { command = [] } } ]

[[target]]
name = "t"
protocol = "postgres"
address = "db:5432"
databases = ["d"]
tls = { mode = "require", ca = "ca/missing.pem" }
accounts = [ { name = "w", secret = { env = "E" } }, { name = "w", secret = { env = "E" } } ]

[record]
store = "s3://bucket"
retention = "400d"

[log]
level = "verbose"

[session]
countdown = ["10"]
"#;
    let said = problems(text);
    assert!(!said.contains("hunter2"), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn rules_across_sections() {
    let with = |from: &str, to: &str| problems(&EXAMPLE.replace(from, to));
    let open = with("\"0.0.0.0:443\"", "'0.0.0.0:80', tls = 'off'");
    assert!(open.contains("10:12: `http` has tls = \"off\" on an address that others reach"), "{open}");
    let taken = with("name = \"orders_read\"", "name = \"c-orders\"");
    assert!(taken.contains("must not begin with \"c-\""), "{taken}");
    let url = with("https://gate.example.com", "http://127.0.0.1:8080");
    assert!(url.contains("`http` speaks TLS, but [server] public_url begins with http://"), "{url}");
    let proxied = with("\"0.0.0.0:443\"", "'0.0.0.0:443', proxy_protocol = true");
    assert!(proxied.contains("but nobody is trusted to use it"), "{proxied}");
    let nobody = with("\"0.0.0.0:5432\"", "'0.0.0.0:5432', tls = 'off'");
    assert!(nobody.contains("would serve nobody"), "{nobody}");
    let second = format!(
        "{EXAMPLE}\n[[provider]]\nname = 'b'\nissuer = 'https://b'\nclient_id = 'b'\nemails = ['b.example']\n"
    );
    let groups = problems(&second);
    assert_eq!(groups.matches("with several providers, each needs `groups`").count(), 2, "{groups}");
    let nothing = problems("");
    assert!(
        nothing.contains("missing section [server]") && nothing.contains("missing section [[provider]]"),
        "{nothing}"
    );
}

#[test]
fn a_link_opens_where_the_setting_says() {
    let ip = |text: &str| text.parse().unwrap();
    let networks = LinkAddresses::Networks(vec!["10.0.0.0/8".parse().unwrap()]);
    let cases = [
        (&LinkAddresses::Same, "127.0.0.1", "127.0.0.1", true),
        (&LinkAddresses::Same, "127.0.0.1", "127.0.0.2", false),
        (&LinkAddresses::Same, "127.0.0.1", "::ffff:127.0.0.1", true),
        (&networks, "192.0.2.1", "192.0.2.1", true),
        (&networks, "192.0.2.1", "10.9.9.9", true),
        (&networks, "10.9.9.9", "192.0.2.1", false),
        (&LinkAddresses::Any, "192.0.2.1", "2001:db8::1", true),
    ];
    for (setting, client, browser, allowed) in cases {
        assert_eq!(setting.allow(ip(client), ip(browser)), allowed, "{setting:?} {client} {browser}");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_sentence() {
    let problems = Config::load(Path::new("/nowhere/curfew.toml")).unwrap_err().to_string();
    assert!(problems.contains("curfew init") && problems.contains("No such file"), "{problems}");
}

fn write(path: &Path, text: &str, mode: u32) -> SecretSource {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    SecretSource::File(path.to_owned())
}

#[tokio::test]
async fn a_secret_comes_from_a_file_of_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    assert_eq!(write(&path, "s3cret\r\n", 0o600).read().await.unwrap().reveal(), "s3cret");
    assert_eq!(write(&path, " spaces ", 0o400).read().await.unwrap().reveal(), " spaces ");
    assert!(matches!(write(&path, "x", 0o604).read().await, Err(SecretError::Exposed(_, 0o604))));
    assert!(matches!(write(&path, "\n", 0o600).read().await, Err(SecretError::Unusable(_))));
    assert!(matches!(write(&path, "a\nb", 0o600).read().await, Err(SecretError::Unusable(_))));
    let long = "x".repeat(70_000);
    assert!(matches!(write(&path, &long, 0o600).read().await, Err(SecretError::Unusable(_))));
    let missing = SecretSource::File(folder.path().join("none")).read().await;
    assert!(matches!(missing, Err(SecretError::File(..))));
}

#[tokio::test]
async fn a_secret_comes_from_the_environment() {
    let home = SecretSource::Env("PATH".into()).read().await.unwrap();
    assert_eq!(home.reveal(), std::env::var("PATH").unwrap());
    assert!(matches!(SecretSource::Env("CURFEW_NO_SUCH".into()).read().await, Err(SecretError::Env(_))));
}

fn command(words: &[&str]) -> SecretSource {
    SecretSource::Command(words.iter().map(|&word| word.to_owned()).collect())
}

#[tokio::test]
async fn a_secret_comes_from_a_command() {
    let read = command(&["printf", "%s\\n", "a b"]).read().await.unwrap();
    assert_eq!(read.reveal(), "a b");
    let failed = command(&["sh", "-c", "echo hunter2; exit 3"]).read().await.unwrap_err();
    assert!(matches!(failed, SecretError::Failed(..)) && !failed.to_string().contains("hunter2"), "{failed}");
    assert!(matches!(command(&["/no/such/program"]).read().await, Err(SecretError::Start(..))));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_hangs_is_stopped() {
    assert!(matches!(command(&["sleep", "600"]).read().await, Err(SecretError::TooSlow(_))));
}

proptest! {
    #[test]
    fn any_text_reads_or_is_explained(lines in proptest::collection::vec("\\PC{0,12}|\\[[a-z.]{0,9}\\]|[a-z]{1,9} = [\"'a-z0-9{}\\[\\],=]{0,12}", 0..12)) {
        let outcome = Config::parse("curfew.toml", &lines.join("\n"), Path::new("/nowhere"));
        prop_assert!(outcome.is_err_and(|problems| !problems.is_empty()));
    }

    #[test]
    fn the_example_with_a_piece_cut_out_never_panics(from in any::<prop::sample::Index>(), length in 0usize..40) {
        let from = from.index(EXAMPLE.len());
        let to = (from + length).min(EXAMPLE.len());
        let text = format!("{}{}", &EXAMPLE[..from], &EXAMPLE[to..]);
        if let Err(problems) = Config::parse("curfew.toml", &text, Path::new("/nowhere")) {
            prop_assert!(!problems.is_empty());
        }
    }
}

#[test]
fn a_postgres_target_reads_with_hosts_certificates_and_older_proofs() {
    use curfew_adapter::{Login, PasswordProof, SessionAttrs};
    let text = EXAMPLE
        .replace("address = \"orders-db.internal:5432\"", "address = ['db-1.internal:5432', '[::1]:5433']\ntarget_session_attrs = 'prefer-standby'\nauth = 'md5'\nmax_protocol_version = '3.2'")
        .replace("ca = \"ca/internal.pem\" }", "ca = 'ca/internal.pem', cert = 'ca/internal.pem', key = 'ca/internal.pem' }")
        .replace("{ name = \"orders_write\", secret = { command = [\"vault\", \"read\", \"-field=password\", \"db/orders_write\"] } }", "{ name = 'orders_write', certificate = true }");
    let config = parse(&text);
    let target = config.target("orders").unwrap();
    assert_eq!(target.address.to_string(), "db-1.internal:5432");
    let route = &target.postgres;
    assert_eq!(route.more.iter().map(ToString::to_string).collect::<Vec<_>>(), ["[::1]:5433"]);
    assert_eq!((route.wanted, route.weakest), (SessionAttrs::PreferStandby, PasswordProof::Md5));
    assert_eq!(route.minor, 2);
    let [read, write] = ["orders_read", "orders_write"].map(|name| target.account(name).unwrap());
    assert_eq!((&read.login, &write.login), (&Login::Password, &Login::Certificate));
    assert!(write.secret.is_none() && read.secret.is_some());
    // The target's own certificate is shown for each account that has none.
    assert_eq!(read.certificate, write.certificate);
    assert!(write.certificate.as_ref().unwrap().cert.ends_with("ca/internal.pem"));

    let plain = parse(EXAMPLE);
    let route = &plain.target("orders").unwrap().postgres;
    assert_eq!((route.more.len(), route.wanted, route.minor), (0, SessionAttrs::Any, 0));
    assert_eq!(route.weakest, PasswordProof::Scram);
}

#[test]
fn a_postgres_target_that_makes_no_sense_is_explained_with_its_place() {
    let with = |from: &str, to: &str| problems(&EXAMPLE.replace(from, to));
    let address = "address = \"orders-db.internal:5432\"";
    let cases = [
        (address, "address = []", "34:11: `address` must have at least one element"),
        (address, "address = ['a:1', 'b:2', 'a:1']", "34:11: `address` names a host twice"),
        (address, "address = ['a:1', 'b']", "34:19: `address` must be a host and a port"),
        (address, "address = ['a:1','a:2','a:3','a:4','a:5','a:6','a:7','a:8','a:9']", "at most 8 hosts"),
        (
            address,
            "address = 'a:1'\ntarget_session_attrs = 'readwrite'",
            "35:24: `target_session_attrs` must be \"any\", \"read-write\"",
        ),
        (address, "address = 'a:1'\nauth = 'password'", "35:8: `auth` must be"),
        (address, "address = 'a:1'\nmax_protocol_version = '3.1'", "35:24: `max_protocol_version` must be"),
        (
            "secret = { env = \"ORDERS_READ_PASSWORD\" }",
            "certificate = true",
            "signs in by certificate, and has none",
        ),
        (
            "secret = { env = \"ORDERS_READ_PASSWORD\" }",
            "secret = { env = 'X' }, certificate = true",
            "leave one of `secret` and `certificate` out",
        ),
        ("secret = { env = \"ORDERS_READ_PASSWORD\" }", "certificate = false", "missing key `secret`"),
        (
            "ca = \"ca/internal.pem\" }",
            "ca = 'ca/internal.pem', cert = 'ca/internal.pem' }",
            "both `cert` and `key`",
        ),
        (
            "ca = \"ca/internal.pem\" }",
            "ca = 'ca/internal.pem', cert = 'none.pem', key = 'ca/internal.pem' }",
            "`cert` names BASE/none.pem, which can't be read",
        ),
    ];
    for (from, to, expected) in cases {
        let told = with(from, to);
        assert!(told.contains(expected), "{to}: {told}");
    }
}

#[tokio::test]
async fn an_accounts_certificate_is_read_when_it_is_needed_and_its_key_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(vec!["orders_read".to_owned()]).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    write(&key, &made.signing_key.serialize_pem(), 0o600);
    let files = super::CertificateFiles { cert: cert.clone(), key: key.clone() };
    let shown = files.read().await.unwrap();
    assert_eq!(shown.chain, [made.cert.der().clone()]);
    assert!(!format!("{shown:?}").contains("key"));
    write(&key, &made.signing_key.serialize_pem(), 0o644);
    assert!(files.read().await.unwrap_err().contains("chmod 600"));
    write(&key, "no key", 0o600);
    assert!(files.read().await.unwrap_err().contains("key.pem"));
    std::fs::remove_file(&cert).unwrap();
    assert!(files.read().await.unwrap_err().contains("cert.pem"));
}

/// Lessons: a contractors' provider that may assert any email asserts an approver's.
#[test]
fn two_providers_that_may_assert_one_domain_are_refused_unless_both_say_so() {
    let with = |first: &str, second: &str| {
        let first = EXAMPLE.replace("emails = [\"Example.com\"]", &format!("groups = \"any\"\n{first}"));
        format!(
            "{first}\n[[provider]]\nname = 'b'\nissuer = 'https://b'\nclient_id = 'b'\ngroups = []\n{second}\n"
        )
    };
    let (ours, both) = ("emails = ['Example.com']", "emails = ['Example.com']\nshared = ['example.COM']");
    for (first, second) in [(ours, ours), (both, ours), (ours, both)] {
        let told = problems(&with(first, &format!("{second}\n")));
        assert_eq!(told.matches("may be asserted by the provider \"example\" too").count(), 1, "{told}");
        assert!(told.contains("write `shared = [\"example.com\"]` in both"), "{told}");
        let line = with(first, second).lines().collect::<Vec<_>>().len() - usize::from(second == both);
        assert!(told.contains(&format!("curfew.toml:{line}:10: ")), "{line}: {told}");
    }
    let fine = |text: String| Config::parse("curfew.toml", &text, folder().path()).is_ok();
    assert!(fine(with(both, both)));
    assert!(fine(with(ours, "emails = ['b.example.com']")));
    let stray = problems(&with(ours, "emails = ['b.example']\nshared = ['c.example']"));
    assert!(stray.contains("names c.example, which is not among `emails`"), "{stray}");
}
