//! The driver of Java, as Debian has it.

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
    let args = ["-Xmx512m".into(), "-cp".into(), DRIVER.into(), script("Tour.java"), url.into()];
    desk.tour("java", &[&args[..], &[text("user").into()]].concat()).await;
    assert_eq!(desk.recorded("insert into copied values ($1, $2)").await, 1);
}
