//! Client certificates: psql signs in silently, many times at once, until the sign-in is over.

use std::fs;
use std::path::Path;
use std::time::Duration;

use curfew_certs::{Authority, ClientSubject};
use curfew_harness::psql::output;
use curfew_harness::{Person, Psql};
use rcgen::{CertificateParams, KeyPair};

use super::plain_psql;
use crate::world::{LIMIT, NOW, World};

const MANY: usize = 20;

async fn world() -> World {
    World::secure(|mut options| {
        options.contracts.clear();
        options.contract("orders-now", NOW)
    })
    .await
}

/// psql with the files of the sign-in copied to where no logout reaches them.
fn copied(psql: Psql, person: &Person, to: &Path) -> Psql {
    let folder = person.kept().unwrap();
    let copy = |name: &str| {
        fs::copy(folder.join(name), to.join(name)).unwrap();
        to.join(name).to_string_lossy().into_owned()
    };
    psql.param("sslcert", &copy("client.crt"))
        .param("sslkey", &copy("client.key"))
        .param("sslrootcert", &copy("ca.pem"))
}

#[tokio::test]
async fn psql_signs_in_silently_twenty_at_once_until_logout_ends_them_all() {
    let world = world().await;
    let (alice, auditor) = (world.signed_in("alice").await, world.auditor().await);
    let grant = world.grant(&alice, "orders_read", "1h").await;
    let grant = grant["id"].as_str().unwrap();

    let args = ["psql", "orders", "--as", "orders_read", "--", "-XAtc", "select current_user"];
    let said = alice.curfew(args).await.unwrap().success().unwrap();
    assert_eq!((said.stdout.trim(), said.stderr.as_str()), ("orders_read", ""));
    let psql = plain_psql(&alice).await;
    let said = psql.run(["-Atc", "select count(*) > 0 from orders"]).await.unwrap().success().unwrap();
    assert_eq!((said.stdout.trim(), said.stderr.as_str()), ("t", ""));

    let safe = tempfile::tempdir().unwrap();
    let kept = copied(psql.clone(), &alice, safe.path());
    let mut many: Vec<_> = (0..MANY).map(|_| psql.spawn(["-Atc", "select pg_sleep(600)"]).unwrap()).collect();
    let asleep = format!(
        "select count(*) = {MANY} from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'"
    );
    world.postgres.wait_until(&asleep, LIMIT).await.unwrap();
    let live = auditor.get(&format!("/api/v1/sessions?live=true&grant={grant}&limit=500")).await;
    assert_eq!(live["items"].as_array().unwrap().len(), MANY, "{live}");

    alice.curfew(["logout"]).await.unwrap().success().unwrap();
    for psql in &mut many {
        let said = output(psql, LIMIT).await.unwrap();
        assert_ne!(said.code, Some(0));
        assert!(said.stderr.contains("your sign-in is over"), "{}", said.stderr);
    }
    let gone = "select count(*) = 0 from pg_stat_activity where query = 'select pg_sleep(600)'";
    world.postgres.wait_until(gone, Duration::from_secs(3)).await.unwrap();
    let all_ended = async || {
        let list = auditor.get(&format!("/api/v1/sessions?grant={grant}&limit=500")).await;
        let items = list["items"].as_array().unwrap().iter();
        (items.filter(|one| one["end_reason"] == "signin_ended").count() == MANY).then_some(())
    };
    curfew_harness::until("twenty ends for one reason", LIMIT, all_ended).await.unwrap();

    // A copy of the certificate is worth nothing; the grant alone is not either.
    let said = kept.clone().param("application_name", "a-copy").run(["-c", "select 1"]).await.unwrap();
    assert_eq!(said.code, Some(2), "{}", said.stdout);
    assert!(
        said.stderr.contains("you signed out") || said.stderr.contains("sign-in is over"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("curfew login"), "{}", said.stderr);
    assert!(!said.stderr.contains("tls") && !said.stderr.contains("SSL error"), "{}", said.stderr);
}

#[tokio::test]
async fn an_expired_or_foreign_certificate_gets_a_sentence_or_the_link_never_a_bare_alert() {
    let world = world().await;
    let alice = world.signed_in("alice").await;
    world.grant(&alice, "orders_read", "1h").await;
    let safe = tempfile::tempdir().unwrap();
    let kept = copied(plain_psql(&alice).await, &alice, safe.path());
    let me = alice.json(["whoami", "--json"]).await.unwrap();

    let read = |path: &str| fs::read_to_string(world.gate.folder().join("keys").join(path)).unwrap();
    let ours = Authority::load(&read("authority.pem"), &read("authority.key")).unwrap();
    let now = curfew_harness::clock::wall();
    let foreign = Authority::generate(now).unwrap();
    let key = KeyPair::from_pem(&fs::read_to_string(safe.path().join("client.key")).unwrap()).unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let subject = ClientSubject {
        serial: [7; 16],
        email: "alice@example.com".to_owned(),
        signin: me["signin"]["id"].as_str().unwrap().to_owned(),
    };
    let hour = jiff::SignedDuration::from_hours(1);
    let sign = |authority: &Authority, from, to| {
        authority.sign_client(request.as_bytes(), &subject, from, to).unwrap().pem
    };
    let worthless = [
        ("expired", sign(&ours, now - hour * 2, now - hour)),
        // Not one that this gate made for a sign-in, although its key signed it.
        ("unknown", sign(&ours, now, now + hour)),
        ("foreign", sign(&foreign, now, now + hour)),
    ];
    for (what, certificate) in worthless {
        fs::write(safe.path().join("client.crt"), certificate).unwrap();
        let program = kept.clone().param("application_name", "a-program");
        let said = program.run(["-c", "select 1"]).await.unwrap();
        assert_eq!(said.code, Some(2), "{what}: {}", said.stdout);
        assert!(
            said.stderr.contains("certificate") && said.stderr.contains("curfew login"),
            "{what}: {}",
            said.stderr
        );
        assert!(!said.stderr.contains("alert"), "{what}: {}", said.stderr);
        // psql can wait: it is told the same, and then shown the link.
        let waiting = kept.spawn(["-c", "select 1"]).unwrap();
        let link = format!("{}/link/", world.gate.url());
        waiting.logs().wait_for("certificate", LIMIT).await.unwrap();
        waiting.logs().wait_for(&link, LIMIT).await.unwrap();
    }
}
