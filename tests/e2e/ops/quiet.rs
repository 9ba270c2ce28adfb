//! What is written down says who did what under which id, and never a secret.

use std::fs;
use std::path::{Path, PathBuf};

use curfew_harness::postgres::{ACCOUNTS, password};
use curfew_harness::provider::CLIENT_SECRET;
use serde_json::Value;

use super::with_grant;
use crate::world::LIMIT;

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn logs_have_the_ids_of_the_audit_log_and_no_secret_is_written_anywhere() {
    const TYPED: &str = "typed-in-a-statement-5c1f";
    let (world, alice, grant) = with_grant(|options| options).await;
    let erin = world.signed_in("erin").await;
    let statement = format!("alter role orders_read password '{TYPED}'");
    let args = ["psql", "orders", "--as", "orders_read", "--", "-Xc", &statement];
    alice.curfew(args).await.unwrap();
    let link = world.psql("orders_read").spawn(["-c", "select 1"]).unwrap();
    let links = format!("{}/link/", world.gate.url());
    let find = |line: &curfew_harness::process::Line| curfew_harness::gate::address(&line.text, &links);
    let url = link.logs().find("a link", LIMIT, find).await.unwrap();
    let person = world.gate.person("alice").unwrap();
    person.consent(&url).await.unwrap();

    let auditor = world.auditor().await;
    let started = auditor.event("session.started", |event| event["grant"] == grant.as_str()).await;
    let session = started["session"].as_str().unwrap();
    auditor.event("session.ended", |event| event["session"] == session).await;
    let logs = world.gate.logs().unwrap();
    logs.wait_for("session started", LIMIT).await.unwrap();
    let lines: Vec<_> =
        logs.lines().into_iter().filter(|line| line.stream == curfew_harness::process::Stream::Err).collect();
    let mut spoken = 0;
    for line in &lines {
        let event: Value =
            serde_json::from_str(&line.text).unwrap_or_else(|_| panic!("no JSON: {}", line.text));
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{event}");
        if event["message"] == "session started" && event["session"] == session {
            assert_eq!(event["grant"], grant.as_str(), "{event}");
            assert!(event["span"]["connection"].is_string(), "{event}");
            spoken += 1;
        }
    }
    assert_eq!(spoken, 1, "{}", logs.tail());

    let token = |who: &curfew_harness::Person| {
        let file = files(who.home()).into_iter().find(|path| path.ends_with("token")).unwrap();
        fs::read_to_string(file).unwrap().trim().to_owned()
    };
    let mut secrets = vec![token(&alice), token(&erin), TYPED.to_owned(), CLIENT_SECRET.to_owned()];
    secrets.extend(ACCOUNTS.iter().map(|account| password(account)));
    secrets
        .extend([&alice, &erin, &person].iter().flat_map(|who| who.browser.cookies()).map(|one| one.value));
    secrets.retain(|secret| secret.len() > 10);
    assert!(secrets.len() > 6, "{}", secrets.len());
    let log = erin.curfew(["audit", "export"]).await.unwrap().success().unwrap().stdout;
    let events = erin.curfew(["sessions", "export", session]).await.unwrap().success().unwrap().stdout;
    assert!(events.contains("alter role orders_read password"), "{events}");
    let written: Vec<_> =
        files(&world.gate.data()).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    assert!(written.len() > 2, "{written:?}");
    // A link's id is the client's to see. The store has it while a browser is away to sign in for it.
    let id = url.rsplit('/').next().unwrap();
    assert!(
        lines.iter().all(|line| !line.text.contains(id)) && !log.contains(id) && !events.contains(id),
        "{id}"
    );
    for secret in &secrets {
        for line in &lines {
            assert!(!line.text.contains(secret), "in the log: {}", line.text);
        }
        assert!(!log.contains(secret), "{secret} is in the audit log");
        assert!(!events.contains(secret), "{secret} is in a recording");
        for (bytes, path) in &written {
            assert!(!holds(bytes, secret), "{secret} is in {}", path.display());
        }
    }
}
