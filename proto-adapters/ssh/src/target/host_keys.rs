//! Whether a host is the right one: by lines in the form of known_hosts, by pinned keys, or by authorities that sign
//! host certificates (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). What is not known is refused, and never learned.

use crate::algorithms::KEYS;
use aws_lc_rs::hmac;
use curfew_adapter::{HostKeys, HostPort};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::known_hosts::{HostPatterns, KnownHosts, Marker};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};

/// SSH's own port, which a name in known_hosts does not carry.
const PORT: u16 = 22;

/// What is known about one host.
#[derive(Debug)]
pub struct HostKeyring {
    host: String,
    keys: Vec<KeyData>,
    authorities: Vec<KeyData>,
    revoked: Vec<KeyData>,
    /// Seconds since 1970, when the connection began.
    now: u64,
}

impl HostKeyring {
    /// What `known` says about the host at `address`; certificates are judged as of `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Where a line can't be read, or nothing is known about the host.
    pub fn new(known: &HostKeys, address: &HostPort, now: i64) -> Result<Self, String> {
        let host = address.host.to_ascii_lowercase();
        let name = if address.port == PORT { host.clone() } else { format!("[{host}]:{}", address.port) };
        let now = u64::try_from(now).unwrap_or(0);
        let mut ring = Self { host, keys: Vec::new(), authorities: Vec::new(), revoked: Vec::new(), now };
        for entry in KnownHosts::new(&known.known_hosts) {
            // A line that can't be read may be the one that revokes the key.
            let entry = entry.map_err(|error| format!("a line of its known_hosts can't be read: {error}"))?;
            if !names(entry.host_patterns(), &name) {
                continue;
            }
            let key = entry.public_key().key_data().clone();
            match entry.marker() {
                None => ring.keys.push(key),
                Some(Marker::CertAuthority) => ring.authorities.push(key),
                Some(Marker::Revoked) => ring.revoked.push(key),
            }
        }
        let read = |line: &String| match PublicKey::from_openssh(line) {
            Ok(key) => Ok(key.key_data().clone()),
            Err(error) => Err(format!("a key of its configuration can't be read: {error}")),
        };
        for line in &known.pinned {
            ring.keys.push(read(line)?);
        }
        for line in &known.authorities {
            ring.authorities.push(read(line)?);
        }
        if ring.keys.is_empty() && ring.authorities.is_empty() {
            return Err(format!("no host key of {name} is known, nor an authority for it"));
        }
        Ok(ring)
    }

    /// Whether the host that shows `shown` is the right one.
    ///
    /// # Errors
    /// Why not, for the operator.
    pub fn check(&self, shown: &PublicKeyOrCertificate) -> Result<(), String> {
        let (key, certificate) = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => (key.key_data(), None),
            PublicKeyOrCertificate::Certificate(certificate) => (certificate.public_key(), Some(certificate)),
        };
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        if self.revoked.contains(key) {
            return Err(format!("its host key {fingerprint} is revoked"));
        }
        if self.keys.contains(key) {
            return Ok(());
        }
        match certificate {
            Some(certificate) => self.vouched(certificate),
            None => Err(format!("its host key {fingerprint} is not known")),
        }
    }

    /// Whether an authority vouches for the host, now and under its name.
    fn vouched(&self, certificate: &Certificate) -> Result<(), String> {
        let authority = certificate.signature_key();
        let fingerprint = authority.fingerprint(HashAlg::Sha256);
        if certificate.cert_type() != CertType::Host {
            return Err("it shows a certificate that is not for hosts".to_owned());
        }
        if self.revoked.contains(authority) {
            return Err(format!("the authority {fingerprint} of its host certificate is revoked"));
        }
        if !self.authorities.contains(authority) {
            return Err(format!("the authority {fingerprint} of its host certificate is not known"));
        }
        if !certificate.critical_options().is_empty() {
            return Err("its host certificate has critical options".to_owned());
        }
        // None at all would mean any host.
        if !certificate.valid_principals().iter().any(|principal| principal.eq_ignore_ascii_case(&self.host))
        {
            let names = certificate.valid_principals().join(", ");
            return Err(format!("its host certificate is for {names:?}, not for {}", self.host));
        }
        certificate.validate_at(self.now, [&fingerprint]).map_err(|_| {
            "its host certificate has expired, is not valid yet, or is not signed as it says".to_owned()
        })
    }

    /// The kinds of its keys that are known: no other needs to be shown.
    pub fn key_algorithms(&self) -> Vec<Algorithm> {
        let known =
            |algorithm: &&Algorithm| self.keys.iter().any(|key| same_kind(&key.algorithm(), algorithm));
        KEYS.iter().filter(known).cloned().collect()
    }

    /// The kinds of certificates that it may show.
    pub fn certificate_algorithms(&self) -> Vec<Algorithm> {
        if self.authorities.is_empty() { Vec::new() } else { KEYS.to_vec() }
    }
}

fn same_kind(a: &Algorithm, b: &Algorithm) -> bool {
    a == b || matches!((a, b), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }))
}

/// Whether a line is about `name`.
fn names(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            hmac::verify(&key, name.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let mut found = false;
            for pattern in patterns {
                let pattern = pattern.to_ascii_lowercase();
                match pattern.strip_prefix('!') {
                    // One that does not fit is enough, wherever it stands.
                    Some(not) if fits(not.as_bytes(), name.as_bytes()) => return false,
                    Some(_) => {}
                    None => found = found || fits(pattern.as_bytes(), name.as_bytes()),
                }
            }
            found
        }
    }
}

/// `*` for any characters, `?` for one.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            let mut rests = (0..=name.len()).filter_map(|at| name.get(at..));
            rests.any(|name| fits(rest, name))
        }
        (Some((b'?', pattern)), Some((_, name))) => fits(pattern, name),
        (Some((p, pattern)), Some((n, name))) if p == n => fits(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::certificate::Builder;
    use russh::keys::ssh_key::private::Ed25519Keypair;

    const NOW: i64 = 1_700_000_000;

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
    }

    fn line(seed: u8) -> String {
        key(seed).public_key().to_openssh().unwrap()
    }

    fn ring(lines: &str, host: &str, port: u16) -> Result<HostKeyring, String> {
        let known = HostKeys { known_hosts: lines.to_owned(), ..HostKeys::default() };
        HostKeyring::new(&known, &HostPort { host: host.to_owned(), port }, NOW)
    }

    fn shown(seed: u8) -> PublicKeyOrCertificate {
        key(seed).public_key().clone().into()
    }

    #[test]
    fn a_host_is_known_by_its_name_and_port() {
        let known = |pattern: &str, host: &str, port: u16| {
            ring(&format!("# a comment\n\n{pattern} {}\n", line(1)), host, port).is_ok()
        };
        for (pattern, host, port) in [
            ("web-1", "web-1", 22),
            ("WEB-1", "web-1", 22),
            ("a,web-1", "Web-1", 22),
            ("web-?,!web-2", "web-1", 22),
            ("*.internal", "web.internal", 22),
            ("[web-1]:2222", "web-1", 2222),
            ("[*]:2222", "web-1", 2222),
        ] {
            assert!(known(pattern, host, port), "{pattern} {host} {port}");
        }
        for (pattern, host, port) in [
            ("web-1", "web-2", 22),
            ("web-1", "web-1", 2222),
            ("[web-1]:2222", "web-1", 22),
            ("web-?,!web-2", "web-2", 22),
            ("!web-2,*", "web-2", 22),
            ("!web-1", "web-2", 22),
        ] {
            assert!(!known(pattern, host, port), "{pattern} {host} {port}");
        }
    }

    #[test]
    fn a_hashed_name_is_found() {
        let salt = [7; 20];
        let hash = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt), b"[web-1]:2222");
        let hash: [u8; 20] = hash.as_ref().try_into().unwrap();
        let patterns = HostPatterns::HashedName { salt: salt.to_vec(), hash };
        assert!(names(&patterns, "[web-1]:2222") && !names(&patterns, "web-1"));
    }

    #[test]
    fn only_the_known_key_is_taken_and_a_revoked_one_never() {
        let known = ring(&format!("web-1 {}", line(1)), "web-1", 22).unwrap();
        assert!(known.check(&shown(1)).is_ok());
        assert!(known.check(&shown(2)).unwrap_err().contains("is not known"));
        assert_eq!(known.key_algorithms(), [Algorithm::Ed25519]);
        assert!(known.certificate_algorithms().is_empty());
        let revoked = ring(&format!("web-1 {0}\n@revoked * {0}", line(1)), "web-1", 22).unwrap();
        assert!(revoked.check(&shown(1)).unwrap_err().contains("revoked"));
    }

    #[test]
    fn what_can_not_be_read_lets_nobody_in() {
        for lines in ["web-1 ssh-ed25519 AAAA", "@strange web-1 x", "", "web-2 ssh-ed25519"] {
            assert!(ring(lines, "web-1", 22).is_err(), "{lines}");
        }
        let pinned = HostKeys { pinned: vec!["nonsense".to_owned()], ..HostKeys::default() };
        assert!(HostKeyring::new(&pinned, &HostPort { host: "web-1".to_owned(), port: 22 }, NOW).is_err());
    }

    fn certificate(change: impl FnOnce(&mut Builder), valid: (i64, i64), by: u8) -> PublicKeyOrCertificate {
        typed(CertType::Host, change, valid, by)
    }

    fn typed(
        kind: CertType,
        change: impl FnOnce(&mut Builder),
        valid: (i64, i64),
        by: u8,
    ) -> PublicKeyOrCertificate {
        let at = |offset: i64| u64::try_from(NOW + offset).unwrap();
        let subject = key(1);
        let mut builder =
            Builder::new([0; 16], subject.public_key().key_data().clone(), at(valid.0), at(valid.1)).unwrap();
        builder.cert_type(kind).unwrap();
        change(&mut builder);
        builder.sign(&key(by)).unwrap().into()
    }

    #[test]
    fn a_host_certificate_counts_now_for_its_names_and_from_a_known_authority() {
        let known = ring(&format!("@cert-authority web-* {}", line(9)), "web-1", 22).unwrap();
        let named =
            |name: &'static str| move |builder: &mut Builder| _ = builder.valid_principal(name).unwrap();
        let hour = (-3600, 3600);
        assert_eq!(known.check(&certificate(named("WEB-1"), hour, 9)), Ok(()));
        assert!(known.check(&certificate(named("web-2"), hour, 9)).unwrap_err().contains("not for web-1"));
        assert!(known.check(&certificate(named("web-1"), hour, 8)).unwrap_err().contains("is not known"));
        assert!(known.check(&certificate(named("web-1"), (-3600, -1), 9)).unwrap_err().contains("expired"));
        assert!(
            known.check(&certificate(named("web-1"), (1, 3600), 9)).unwrap_err().contains("not valid yet")
        );
        let any = |builder: &mut Builder| _ = builder.all_principals_valid().unwrap();
        assert!(known.check(&certificate(any, hour, 9)).unwrap_err().contains("not for web-1"));
        let user = typed(CertType::User, named("web-1"), hour, 9);
        assert!(known.check(&user).unwrap_err().contains("not for hosts"));
        assert!(
            known.check(&shown(1)).unwrap_err().contains("is not known"),
            "the bare key is not vouched for"
        );
        assert!(!known.certificate_algorithms().is_empty());
        let revoked = ring(&format!("@cert-authority * {0}\n@revoked * {0}", line(9)), "web-1", 22).unwrap();
        assert!(revoked.check(&certificate(named("web-1"), hour, 9)).unwrap_err().contains("revoked"));
    }
}
