//! How a gate starts, and when it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sqlx::AnyConnection;
use sqlx::Connection as _;
use sqlx::any::install_default_drivers;

use super::with_grant;

#[tokio::test]
async fn a_store_that_is_newer_than_the_binary_is_refused_in_a_sentence() {
    let (mut world, ..) = with_grant(|options| options).await;
    world.gate.term().unwrap();
    world.gate.ended(crate::world::LIMIT).await.unwrap();
    install_default_drivers();
    let url = format!("sqlite://{}", world.gate.data().join("curfew.db").display());
    let mut store = AnyConnection::connect(&url).await.unwrap();
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                 select version + 1000, 'of the future', success, checksum, execution_time \
                 from _sqlx_migrations where version = 1";
    sqlx::query(newer).execute(&mut store).await.unwrap();
    let error = world.gate.restart().await.unwrap_err().to_string();
    assert!(error.contains("newer") && error.contains("1001"), "{error}");
    assert!(!error.contains("panicked"), "{error}");
    sqlx::query("delete from _sqlx_migrations where version = 1001").execute(&mut store).await.unwrap();
    store.close().await.unwrap();
    world.gate.restart().await.unwrap();
}

#[tokio::test]
async fn what_init_writes_passes_check_config_and_is_never_written_over() {
    let (world, ..) = with_grant(|options| options).await;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("gate");
    let path = home.to_str().unwrap();
    let gate = &world.gate;
    let said = gate.curfew(["init", path, "--public-url", "https://gate.example.org"]).await.unwrap();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("SHA256:"), "{}", said.stdout);
    for entry in fs::read_dir(home.join("keys")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "key") {
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600,
                "{}",
                path.display()
            );
        }
    }
    let config = home.join("curfew.toml");
    let said = gate.curfew(["check-config", "--config", config.to_str().unwrap()]).await.unwrap();
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    let before = fs::read(home.join("keys/authority.key")).unwrap();
    let said = gate.curfew(["init", path]).await.unwrap();
    assert_ne!(said.code, Some(0), "{}", said.stdout);
    assert_eq!(fs::read(home.join("keys/authority.key")).unwrap(), before);

    fs::set_permissions(home.join("keys/authority.key"), fs::Permissions::from_mode(0o640)).unwrap();
    let said = gate.curfew(["check-config", "--config", config.to_str().unwrap()]).await.unwrap();
    assert_ne!(said.code, Some(0), "{}", said.stdout);
    assert!(said.stderr.contains("authority.key") && said.stderr.contains("600"), "{}", said.stderr);

    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("public_url", "public_ulr")).unwrap();
    for command in ["check-config", "serve"] {
        let said = gate.curfew([command, "--config", config.to_str().unwrap()]).await.unwrap();
        assert_ne!(said.code, Some(0), "{command}");
        assert!(
            said.stderr.contains("curfew.toml:") && said.stderr.contains("public_url"),
            "{}",
            said.stderr
        );
    }
}
