//! The authority end to end: what it signs, what it judges, and whole TLS handshakes over memory.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
    client::ResolvesClientCert,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::ResolvesServerCert,
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use crate::{
    Authority, CertsError, ClientCertError, ClientCertificate, ClientCertificates, ClientSubject,
    OwnCertificate, fixed_certificate, server_config,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-11-21T12:00:00Z")
}

fn authority() -> Authority {
    Authority::generate(noon()).unwrap()
}

fn subject() -> ClientSubject {
    ClientSubject { serial: [7; 16], email: "alice@example.com".into(), signin: "s-01JD_x".into() }
}

fn request(key: &KeyPair) -> Vec<u8> {
    CertificateParams::default().serialize_request(key).unwrap().der().to_vec()
}

fn hour_long(authority: &Authority) -> (KeyPair, ClientCertificate) {
    let key = KeyPair::generate().unwrap();
    let made = authority.sign_client(&request(&key), &subject(), noon(), noon() + 1.hour()).unwrap();
    (key, made)
}

#[test]
fn a_signed_certificate_names_its_sign_in() {
    let authority = authority();
    let (_, made) = hour_long(&authority);
    let identity = authority.judge_client(&[made.der], noon()).unwrap();
    assert_eq!(identity.signin, "s-01JD_x");
    assert_eq!(identity.serial, "07".repeat(16));
    assert_eq!(identity.not_after, noon() + 1.hour());
}

#[test]
fn serials_keep_their_leading_zeros_and_their_top_bit() {
    let authority = authority();
    for serial in [[0u8; 16], [0xff; 16], *b"\0\0\x01aaaaaaaaaaaaa", *b"\0\xffaaaaaaaaaaaaaa"] {
        let key = KeyPair::generate().unwrap();
        let subject = ClientSubject { serial, ..subject() };
        let made = authority.sign_client(&request(&key), &subject, noon(), noon() + 1.hour()).unwrap();
        let identity = authority.judge_client(&[made.der], noon()).unwrap();
        assert_eq!(identity.serial, data_encoding::HEXLOWER.encode(&serial));
    }
}

#[test]
fn validity_is_back_dated_by_a_minute_and_ends_after_its_last_second() {
    let authority = authority();
    let (_, made) = hour_long(&authority);
    let judge = |now| authority.judge_client(std::slice::from_ref(&made.der), now).err();
    assert_eq!(judge(at("2026-11-21T11:59:00Z")), None);
    let from = at("2026-11-21T11:59:00Z");
    assert_eq!(judge(at("2026-11-21T11:58:59.9Z")), Some(ClientCertError::NotYetValid { from }));
    assert_eq!(judge(at("2026-11-21T13:00:00.9Z")), None);
    let end = at("2026-11-21T13:00:00Z");
    assert_eq!(judge(at("2026-11-21T13:00:01Z")), Some(ClientCertError::Expired { at: end }));
}

#[test]
fn another_authority_is_foreign_even_under_the_same_name() {
    let (ours, theirs) = (authority(), authority());
    let (_, made) = hour_long(&theirs);
    assert_eq!(ours.judge_client(&[made.der], noon()), Err(ClientCertError::Foreign));

    // An impostor with our name and a key of its own; its certificate is over, too, and still it is foreign first.
    let impostor_key = KeyPair::generate().unwrap();
    let impostor = rcgen::Issuer::from_ca_cert_der(ours.certificate_der(), impostor_key).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI("curfew:signin:x".try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_after = rcgen::date_time_ymd(2000, 1, 1);
    let forged = params.signed_by(&KeyPair::generate().unwrap(), &impostor).unwrap();
    assert_eq!(ours.judge_client(&[forged.der().clone()], noon()), Err(ClientCertError::Foreign));

    // Ours behind it in the chain changes nothing.
    let (_, real) = hour_long(&ours);
    let chain = [forged.der().clone(), real.der, ours.certificate_der().clone()];
    assert_eq!(ours.judge_client(&chain, noon()), Err(ClientCertError::Foreign));
}

#[test]
fn server_and_authority_certificates_are_no_client_certificates() {
    let authority = authority();
    let server = authority
        .server_certificate(&["gate.example.com".into()], noon(), SignedDuration::from_hours(1))
        .unwrap();
    assert_eq!(authority.judge_client(&server.chain, noon()), Err(ClientCertError::WrongPurpose));
    let own = authority.certificate_der().clone();
    assert_eq!(authority.judge_client(&[own], noon()), Err(ClientCertError::WrongPurpose));
    assert_eq!(authority.judge_client(&[], noon()), Err(ClientCertError::Malformed));
}

#[test]
fn only_the_key_of_a_request_is_taken() {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let mut wish = CertificateParams::new(vec!["gate.example.com".into()]).unwrap();
    wish.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    wish.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    wish.subject_alt_names.push(SanType::URI("curfew:signin:someone-else".try_into().unwrap()));
    let request = wish.serialize_request(&key).unwrap();
    for form in [request.der().to_vec(), request.pem().unwrap().into_bytes()] {
        let made = authority.sign_client(&form, &subject(), noon(), noon() + 1.hour()).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&made.der).unwrap();
        assert_eq!(parsed.subject().to_string(), "CN=alice@example.com");
        assert!(!parsed.is_ca());
        let usage = parsed.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth);
        let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
        assert_eq!(names.len(), 1);
        assert_eq!(authority.judge_client(&[made.der], noon()).unwrap().signin, "s-01JD_x");
    }
}

#[test]
fn a_request_for_a_strangers_key_is_refused() {
    let authority = authority();
    let mut forged = request(&KeyPair::generate().unwrap());
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let refused = authority.sign_client(&forged, &subject(), noon(), noon() + 1.hour());
    assert!(matches!(refused, Err(CertsError::Request(_))));
    let mut trailing = request(&KeyPair::generate().unwrap());
    trailing.push(0);
    assert!(authority.sign_client(&trailing, &subject(), noon(), noon() + 1.hour()).is_err());
    let huge = vec![0x30; 17 * 1024];
    assert!(authority.sign_client(&huge, &subject(), noon(), noon() + 1.hour()).is_err());
}

#[test]
fn weak_and_odd_keys_are_refused_and_ed25519_is_not() {
    let authority = authority();
    let sign = |algorithm| {
        let key = KeyPair::generate_for(algorithm).unwrap();
        authority.sign_client(&request(&key), &subject(), noon(), noon() + 1.hour())
    };
    assert!(sign(&rcgen::PKCS_ED25519).is_ok());
    assert!(sign(&rcgen::PKCS_ECDSA_P384_SHA384).is_ok());
    assert!(sign(&rcgen::PKCS_RSA_SHA256).is_err());
}

#[test]
fn a_sign_in_id_that_could_be_read_as_another_is_refused() {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    for signin in ["", "a b", "a:b", "a\0", "ü", "a/../b"] {
        let subject = ClientSubject { signin: signin.into(), ..subject() };
        assert!(
            authority.sign_client(&request(&key), &subject, noon(), noon() + 1.hour()).is_err(),
            "{signin:?}"
        );
    }
}

#[test]
fn nothing_outlives_the_authority_and_nothing_ends_before_it_begins() {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let end = authority.not_after();
    let late = end - SignedDuration::from_hours(1);
    let made =
        authority.sign_client(&request(&key), &subject(), late, end + SignedDuration::from_hours(9)).unwrap();
    assert_eq!(authority.judge_client(&[made.der], late).unwrap().not_after, end);
    assert!(authority.sign_client(&request(&key), &subject(), noon(), noon() - 1.hour()).is_err());
}

#[test]
fn an_authority_comes_back_from_its_files() {
    let made = authority();
    let loaded = Authority::load(&made.certificate_pem(), &made.key_pem()).unwrap();
    assert_eq!(loaded.fingerprint(), made.fingerprint());
    let printed = made.fingerprint();
    assert!(printed.starts_with("SHA256:") && printed.len() == 7 + 43, "{printed}");
    let (_, certificate) = hour_long(&loaded);
    assert!(made.judge_client(&[certificate.der], noon()).is_ok());
}

#[test]
fn mismatched_and_broken_files_are_told_apart() {
    let (one, two) = (authority(), authority());
    let load = |certificate: &str, key: &str| Authority::load(certificate, key).unwrap_err();
    assert!(matches!(load(&one.certificate_pem(), &two.key_pem()), CertsError::Mismatch));
    assert!(matches!(load("nonsense", &one.key_pem()), CertsError::Certificate(_)));
    assert!(matches!(load(&one.certificate_pem(), "nonsense"), CertsError::Key(_)));
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["x.example".into()]).unwrap().self_signed(&leaf_key).unwrap();
    let leaf_load = load(&leaf.pem(), &leaf_key.serialize_pem());
    assert!(matches!(leaf_load, CertsError::NotAnAuthority(_)), "{leaf_load:?}");
    let debug = format!("{one:?}");
    assert!(debug.contains("SHA256:") && !debug.contains("PRIVATE"), "{debug}");
}

// === TLS over memory ===

#[derive(Debug)]
struct Presents(Arc<CertifiedKey>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
    fn has_certs(&self) -> bool {
        true
    }
}

fn presenting(key: &KeyPair, certificate: &CertificateDer<'static>) -> Arc<CertifiedKey> {
    let signer = default_provider()
        .key_provider
        .load_private_key(PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    Arc::new(CertifiedKey::new(vec![certificate.clone()], signer))
}

/// A TLS verifier's clock, for the client's check of the server.
#[derive(Debug)]
struct FixedTime;
impl rustls::time_provider::TimeProvider for FixedTime {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let seconds = u64::try_from(noon().as_second()).unwrap();
        Some(rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

/// Runs one handshake; the server's view of the client's chain, or the error of either side.
fn handshake(
    server: Arc<ServerConfig>,
    authority: &Authority,
    name: &str,
    version: &'static SupportedProtocolVersion,
    certificate: Option<Arc<CertifiedKey>>,
) -> Result<Option<Vec<CertificateDer<'static>>>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate_der().clone()).unwrap();
    let builder = ClientConfig::builder_with_details(Arc::new(default_provider()), Arc::new(FixedTime))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let config = match certificate {
        Some(certified) => builder.with_client_cert_resolver(Arc::new(Presents(certified))),
        None => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name)?;
    let mut server = ServerConnection::new(server)?;
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    Ok(server.peer_certificates().map(|chain| chain.iter().map(|one| one.clone().into_owned()).collect()))
}

fn gate(authority: &Arc<Authority>) -> Arc<dyn ResolvesServerCert> {
    let names = vec!["gate.example.com".into(), "127.0.0.1".into()];
    OwnCertificate::new(Arc::clone(authority), names, SignedDuration::from_hours(24), Arc::new(noon)).unwrap()
}

#[test]
fn clients_without_a_certificate_are_served() {
    let authority = Arc::new(authority());
    let asks = server_config(gate(&authority), ClientCertificates::Ask(&authority), &["postgresql"]).unwrap();
    let ignores = server_config(gate(&authority), ClientCertificates::Ignore, &["http/1.1"]).unwrap();
    for version in [&TLS12, &TLS13] {
        for name in ["gate.example.com", "127.0.0.1"] {
            assert_eq!(handshake(Arc::clone(&asks), &authority, name, version, None), Ok(None));
            assert_eq!(handshake(Arc::clone(&ignores), &authority, name, version, None), Ok(None));
        }
        assert!(handshake(Arc::clone(&asks), &authority, "other.example.com", version, None).is_err());
    }
}

#[test]
fn expired_and_foreign_certificates_pass_tls_and_are_judged_after() {
    let (ours, theirs) = (Arc::new(authority()), authority());
    let config = server_config(gate(&ours), ClientCertificates::Ask(&ours), &[]).unwrap();
    let (good_key, good) = hour_long(&ours);
    let (foreign_key, foreign) = hour_long(&theirs);
    let own_key = KeyPair::generate().unwrap();
    let mut self_signed = CertificateParams::default();
    self_signed.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let self_signed = self_signed.self_signed(&own_key).unwrap();
    for version in [&TLS12, &TLS13] {
        let seen = |key: &KeyPair, certificate: &CertificateDer<'static>, now| {
            let shown = presenting(key, certificate);
            let chain =
                handshake(Arc::clone(&config), &ours, "127.0.0.1", version, Some(shown)).unwrap().unwrap();
            ours.judge_client(&chain, now)
        };
        assert_eq!(seen(&good_key, &good.der, noon()).unwrap().signin, "s-01JD_x");
        let end = noon() + 1.hour();
        assert_eq!(seen(&good_key, &good.der, noon() + 2.hours()), Err(ClientCertError::Expired { at: end }));
        assert_eq!(seen(&foreign_key, &foreign.der, noon()), Err(ClientCertError::Foreign));
        assert!(seen(&own_key, self_signed.der(), noon()).is_err());
    }
}

#[test]
fn a_certificate_without_its_key_fails_in_tls() {
    let authority = Arc::new(authority());
    let config = server_config(gate(&authority), ClientCertificates::Ask(&authority), &[]).unwrap();
    let (_, stolen) = hour_long(&authority);
    let shown = presenting(&KeyPair::generate().unwrap(), &stolen.der);
    for version in [&TLS12, &TLS13] {
        let outcome =
            handshake(Arc::clone(&config), &authority, "127.0.0.1", version, Some(Arc::clone(&shown)));
        assert!(matches!(outcome, Err(rustls::Error::InvalidCertificate(_))), "{outcome:?}");
    }
}

#[test]
fn the_gates_own_certificate_is_renewed_in_time() {
    let authority = Arc::new(authority());
    let clock = Arc::new(std::sync::Mutex::new(noon()));
    let read = Arc::clone(&clock);
    let own = OwnCertificate::new(
        Arc::clone(&authority),
        vec!["127.0.0.1".into()],
        SignedDuration::from_hours(3),
        Arc::new(move || *read.lock().unwrap()),
    )
    .unwrap();
    let config = server_config(own, ClientCertificates::Ignore, &[]).unwrap();
    let server_leaf = |time: Timestamp| {
        *clock.lock().unwrap() = time;
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate_der().clone()).unwrap();
        let client = ClientConfig::builder_with_details(Arc::new(default_provider()), Arc::new(FixedTime))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut client =
            ClientConnection::new(Arc::new(client), ServerName::try_from("127.0.0.1").unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        // The client's clock stands at noon: of a later certificate it only says that it is not valid yet.
        let _judged = client.process_new_packets();
        client.peer_certificates().map(|chain| chain[0].clone().into_owned())
    };
    let first = server_leaf(noon()).unwrap();
    assert_eq!(server_leaf(noon() + 119.minutes()), Some(first.clone()));
    assert_ne!(server_leaf(noon() + 121.minutes()), Some(first));
}

#[test]
fn an_operators_files_are_checked() {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = CertificateParams::new(vec!["x.example".into()]).unwrap().self_signed(&key).unwrap();
    let (chain, key) = (certificate.pem(), key.serialize_pem());
    assert!(fixed_certificate(chain.as_bytes(), key.as_bytes()).is_ok());
    let mismatch = fixed_certificate(chain.as_bytes(), other.serialize_pem().as_bytes());
    assert!(matches!(mismatch, Err(CertsError::Mismatch)), "{mismatch:?}");
    assert!(matches!(fixed_certificate(b"", key.as_bytes()), Err(CertsError::Certificate(_))));
    assert!(matches!(fixed_certificate(chain.as_bytes(), b""), Err(CertsError::Key(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_are_never_judged_good(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        thread_local!(static OURS: Authority = authority());
        OURS.with(|ours| {
            let outcome = ours.judge_client(&[CertificateDer::from(bytes.clone())], noon());
            prop_assert!(outcome.is_err());
            prop_assert!(ours.sign_client(&bytes, &subject(), noon(), noon() + 1.hour()).is_err());
            Ok(())
        })?;
    }

    #[test]
    fn a_changed_certificate_is_never_judged_good(place in any::<prop::sample::Index>(), flip in 1u8..) {
        thread_local!(static OURS: (Authority, Vec<u8>) = {
            let ours = authority();
            let der = hour_long(&ours).1.der.to_vec();
            (ours, der)
        });
        OURS.with(|(ours, der)| {
            let mut changed = der.clone();
            let place = place.index(changed.len());
            changed[place] ^= flip;
            let outcome = ours.judge_client(&[CertificateDer::from(changed)], noon());
            prop_assert!(outcome.is_err(), "byte {} flipped by {}", place, flip);
            Ok(())
        })?;
    }
}
