//! Which cryptography the shipped program is built from: aws-lc-rs for TLS and all that is ours; pure-Rust crates only
//! where a library brings them along, each place named here with its reason.

use std::collections::{BTreeMap, BTreeSet};

use curfew_harness::Result;

use crate::run::{cargo, output};

/// What is shipped.
const SHIPPED: [&str; 5] = ["curfew", "curfew-adapter", "curfew-certs", "curfew-postgres", "curfew-ssh"];

/// Never, anywhere.
const BANNED: [&str; 5] = ["native-tls", "openssl", "openssl-sys", "ring", "schannel"];

/// RustCrypto and its kin; among themselves they may depend as they like.
const FAMILY: [&str; 54] = [
    "aead",
    "aes",
    "aes-gcm",
    "argon2",
    "bcrypt-pbkdf",
    "blake2",
    "block-buffer",
    "blowfish",
    "cbc",
    "chacha20",
    "chacha20poly1305",
    "cipher",
    "cpufeatures",
    "crypto-bigint",
    "crypto-common",
    "crypto-primes",
    "ctr",
    "curve25519-dalek",
    "der",
    "des",
    "digest",
    "ecdsa",
    "ed25519",
    "ed25519-dalek",
    "elliptic-curve",
    "ff",
    "ghash",
    "group",
    "hkdf",
    "hmac",
    "kem",
    "md-5",
    "ml-kem",
    "p256",
    "p384",
    "p521",
    "pbkdf2",
    "pkcs1",
    "pkcs5",
    "pkcs8",
    "poly1305",
    "polyval",
    "rfc6979",
    "rsa",
    "salsa20",
    "scrypt",
    "sha1",
    "sha2",
    "sha3",
    "shake",
    "ssh-cipher",
    "ssh-encoding",
    "ssh-key",
    "x25519-dalek",
];

/// Further kin that only ever stands between two of the family.
const KIN: [&str; 7] = ["primefield", "primeorder", "sec1", "signature", "spki", "universal-hash", "wnaf"];

/// Who may bring what, and why that is so.
const ALLOWED: [(&str, &[&str], &str); 9] = [
    (
        "curfew-certs",
        &["ssh-key"],
        "SSH keys and certificates, their encoding and Ed25519; there is no other well-kept library",
    ),
    (
        "russh",
        &RUSSH,
        "SSH: ciphers, key exchange and MACs run on aws-lc-rs; keys, their files and ML-KEM are RustCrypto's in it",
    ),
    (
        "curfew-postgres",
        &["md-5"],
        "the proof that an old server asks for, where its entry allows it; aws-lc-rs has no MD5",
    ),
    ("russh-cryptovec", &["ssh-encoding"], "buffers of russh"),
    (
        "openidconnect",
        &["ed25519-dalek", "hmac", "p256", "p384", "rsa", "sha2"],
        "verifies the provider's ID tokens with them; it has no other backend. Public keys only: rsa's timing \
         advisory is about private ones",
    ),
    ("oauth2", &["sha2"], "the PKCE challenge, beneath openidconnect"),
    ("sqlx-core", &["sha2"], "checksums of migrations"),
    ("sqlx-macros-core", &["sha2"], "checksums of migrations, at build time"),
    (
        "rand",
        &["chacha20", "cpufeatures"],
        "the random numbers of libraries; our own keys come from aws-lc-rs",
    ),
];

/// What russh brings; it can't be had without.
const RUSSH: [&str; 34] = [
    "aes",
    "cbc",
    "cipher",
    "crypto-bigint",
    "ctr",
    "curve25519-dalek",
    "der",
    "digest",
    "ecdsa",
    "ed25519-dalek",
    "elliptic-curve",
    "ghash",
    "hmac",
    "ml-kem",
    "p256",
    "p384",
    "p521",
    "pbkdf2",
    "pkcs1",
    "pkcs5",
    "pkcs8",
    "polyval",
    "rsa",
    "salsa20",
    "scrypt",
    "sec1",
    "sha1",
    "sha2",
    "sha3",
    "signature",
    "spki",
    "ssh-encoding",
    "ssh-key",
    "universal-hash",
];

/// Checks what `cargo tree` says is built into what is shipped. (`cargo metadata` also lists optional dependencies
/// that only a weak feature names, and that are never built.)
pub fn check() -> Result<Vec<String>> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--edges", "normal", "--prefix", "depth", "--format", " {p}"]);
    tree.args(["--target", "x86_64-unknown-linux-gnu"]);
    for package in SHIPPED {
        tree.args(["--package", package]);
    }
    Ok(judge(&parents(&output(&mut tree)?)))
}

/// From each crate to those that need it.
pub(super) type Parents = BTreeMap<String, BTreeSet<String>>;

/// Reads the tree: a depth and a package on each line, a package's needs only where it comes first.
pub(super) fn parents(tree: &str) -> Parents {
    let mut parents = Parents::new();
    let mut above: Vec<String> = Vec::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        let (Some(depth), Some(name)) = (words.next().and_then(|depth| depth.parse().ok()), words.next())
        else {
            continue;
        };
        above.truncate(depth);
        let needs = parents.entry(name.to_owned()).or_default();
        needs.extend(above.last().cloned());
        above.push(name.to_owned());
    }
    parents
}

pub(super) fn judge(parents: &Parents) -> Vec<String> {
    let family = |name: &str| FAMILY.contains(&name) || KIN.contains(&name);
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (name, parents) in parents {
        let by = || parents.iter().cloned().collect::<Vec<_>>().join(", ");
        if BANNED.contains(&name.as_str()) {
            wrong.push(format!("{name} must not be built in; {} brings it", by()));
        }
        if !family(name) {
            continue;
        }
        for parent in parents.iter().filter(|parent| !family(parent)) {
            match ALLOWED.iter().position(|(who, what, _)| who == parent && what.contains(&name.as_str())) {
                Some(row) => drop(used.insert(row)),
                None => wrong.push(format!(
                    "{parent} brings {name}: use aws-lc-rs, or name it with its reason in xtask/src/lint/crates.rs"
                )),
            }
        }
    }
    for (row, (who, _, _)) in ALLOWED.iter().enumerate() {
        // A row that nothing needs any more is an exception waiting to be misused.
        if !used.contains(&row) && parents.contains_key(*who) {
            wrong.push(format!(
                "{who} brings no RustCrypto any more: take its row out of xtask/src/lint/crates.rs"
            ));
        }
    }
    wrong
}
