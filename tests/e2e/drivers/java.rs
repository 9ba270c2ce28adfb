//! The driver of Java, as Debian has it.

use std::ffi::OsString;
use std::fs;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::desk::{Desk, script};

/// Where Debian puts it.
const DRIVER: &str = "/usr/share/java/postgresql.jar";

#[tokio::test]
async fn pgjdbc_does_what_programs_use_it_for() {
    let desk = Desk::of("orders_write").await;
    let told = desk.told();
    // It reads keys as PKCS #8 in DER alone.
    let key = PrivateKeyDer::from_pem_file(desk.file("client.key")).unwrap();
    assert!(matches!(key, PrivateKeyDer::Pkcs8(_)));
    let safe = tempfile::tempdir().unwrap();
    let path = safe.path().join("client.pk8");
    fs::write(&path, key.secret_der()).unwrap();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    let url = format!(
        "jdbc:postgresql://{}:{}/{}?sslmode=verify-full&sslrootcert={}&sslcert={}&sslkey={}",
        text("host"),
        told["port"],
        text("database"),
        text("ca"),
        text("certificate"),
        path.display()
    );
    tour(&desk, &[&url, &text("user")]).await;
}

#[tokio::test]
async fn pgjdbc_signs_in_by_a_connection_credential() {
    let desk = Desk::of("orders_write").await;
    // All that there is to say is in the URL.
    let url = desk.credential().await["jdbc"].as_str().unwrap().to_owned();
    tour(&desk, &[&url]).await;
}

/// Says to the driver where to go and as whom.
async fn tour(desk: &Desk, to: &[&str]) {
    let args = ["-Xmx512m".into(), "-cp".into(), DRIVER.into(), script("Tour.java")];
    let to: Vec<OsString> = to.iter().map(OsString::from).collect();
    desk.tour("java", &[&args[..], &to].concat()).await;
    assert_eq!(desk.recorded("insert into copied values ($1, $2)").await, 1);
}
