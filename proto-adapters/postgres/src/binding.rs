//! What binds a password exchange to the TLS connection that it runs in: `tls-server-end-point` (RFC 5929, section 4).

use aws_lc_rs::digest::{Algorithm, SHA224, SHA256, SHA384, SHA512, digest};
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

/// The type of binding, as SCRAM names it.
pub const END_POINT: &str = "tls-server-end-point";

/// The hash of a server's certificate (DER), by the hash function of its signature; MD5 and SHA-1 give way to SHA-256.
/// None where the signature has no hash function of its own, as with Ed25519: there is no binding to such a server.
pub fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let algorithm = hash_of(&parsed.signature_algorithm)?;
    Some(digest(algorithm, certificate).as_ref().to_vec())
}

fn hash_of(signature: &AlgorithmIdentifier<'_>) -> Option<&'static Algorithm> {
    Some(match signature.algorithm.to_id_string().as_str() {
        // MD5 and SHA-1 with RSA, SHA-1 with ECDSA; then SHA-256 with either.
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" => &SHA256,
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => &SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &SHA512,
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => &SHA224,
        // RSASSA-PSS says in its parameters (RFC 4055, section 3.1); SHA-1 where it says nothing.
        "1.2.840.113549.1.1.10" => {
            let parameters = RsaSsaPssParams::try_from(signature.parameters.as_ref()?).ok()?;
            match parameters.hash_algorithm_oid().to_id_string().as_str() {
                "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => &SHA256,
                "2.16.840.1.101.3.4.2.2" => &SHA384,
                "2.16.840.1.101.3.4.2.3" => &SHA512,
                "2.16.840.1.101.3.4.2.4" => &SHA224,
                _ => return None,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};

    fn signed_with(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["db.internal".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_hash_is_that_of_the_certificates_signature() {
        let p256 = signed_with(&rcgen::PKCS_ECDSA_P256_SHA256);
        assert_eq!(server_end_point(&p256).unwrap(), digest(&SHA256, &p256).as_ref());
        let p384 = signed_with(&rcgen::PKCS_ECDSA_P384_SHA384);
        assert_eq!(server_end_point(&p384).unwrap(), digest(&SHA384, &p384).as_ref());
        let rsa = signed_with(&rcgen::PKCS_RSA_SHA512);
        assert_eq!(server_end_point(&rsa).unwrap(), digest(&SHA512, &rsa).as_ref());
        assert_eq!(server_end_point(&signed_with(&rcgen::PKCS_ED25519)), None);
        assert_eq!(server_end_point(b"no certificate"), None);
    }
}
