//! A certificate, its key and who is to trust it; when it is time for another one. No I/O.

use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// How long a certificate lasts.
const LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);
/// How long before its end another one is made.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(60 * 24);
/// A clock that is behind must trust it too.
const SLACK: SignedDuration = SignedDuration::from_hours(24);
/// CAs in a bundle: this one and the one before.
const MAX_AUTHORITIES: usize = 2;
const END: &str = "-----END CERTIFICATE-----\n";

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to make a certificate for {host}")]
pub(crate) struct CertificateError {
    host: String,
    #[source]
    source: rcgen::Error,
}

/// All that is needed to serve, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Material {
    /// Who is to be trusted: the CA of the certificate, then that of the one before.
    pub(crate) authorities: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) not_after: Timestamp,
}

impl Material {
    /// Makes a certificate for a host. Those who served with `before` stay trusted.
    pub(crate) fn make(
        host: &str,
        before: Option<&Self>,
        now: Timestamp,
    ) -> Result<Self, CertificateError> {
        let not_after = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
        let (authority, certificate, key) = sign(host, now, not_after)
            .map_err(|source| CertificateError { host: host.to_owned(), source })?;
        let old = before.map(|b| first_authorities(&b.authorities)).unwrap_or_default();
        Ok(Self { authorities: authority + &old, certificate, key, not_after })
    }

    /// Whether it is time for another one.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.not_after.duration_since(now) < RENEW_BEFORE
    }
}

/// As many as are kept of an older bundle.
fn first_authorities(bundle: &str) -> String {
    bundle.split_inclusive(END).take(MAX_AUTHORITIES - 1).collect()
}

/// The CA's certificate, the server's and the server's key.
fn sign(
    host: &str,
    now: Timestamp,
    not_after: Timestamp,
) -> Result<(String, String, String), rcgen::Error> {
    let mut ca = params(&format!("vltava {} {host}", now.as_second()), now, not_after)?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca_key = KeyPair::generate()?;
    let ca_certificate = ca.self_signed(&ca_key)?.pem();

    let mut server = params(host, now, not_after)?;
    server.subject_alt_names = CertificateParams::new(vec![host.to_owned()])?.subject_alt_names;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &Issuer::new(ca, &ca_key))?.pem();
    let lines = |pem: String| pem.replace("\r\n", "\n");
    Ok((lines(ca_certificate), lines(certificate), key.serialize_pem()))
}

fn params(
    name: &str,
    now: Timestamp,
    not_after: Timestamp,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    let (begin, end) = (day(now.saturating_sub(SLACK).unwrap_or(now)), day(not_after));
    params.not_before = date_time_ymd(begin.0, begin.1, begin.2);
    params.not_after = date_time_ymd(end.0, end.1, end.2);
    Ok(params)
}

fn day(at: Timestamp) -> (i32, u8, u8) {
    let date = at.to_zoned(TimeZone::UTC).date();
    let part = |value: i8| u8::try_from(value).unwrap_or(1);
    (i32::from(date.year()), part(date.month()), part(date.day()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "vltava-webhook.system.svc";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_certificate_is_renewed_before_its_end() {
        let made = Material::make(HOST, None, at("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(made.not_after, at("2027-01-01T00:00:00Z"));
        assert!(!made.is_due(at("2026-10-01T00:00:00Z")));
        assert!(made.is_due(at("2026-11-03T00:00:00Z")));
        assert!(made.is_due(at("2028-01-01T00:00:00Z")));
    }

    #[test]
    fn the_one_before_stays_trusted_and_older_ones_do_not() {
        let now = at("2026-01-01T00:00:00Z");
        let first = Material::make(HOST, None, now).unwrap();
        let second = Material::make(HOST, Some(&first), now).unwrap();
        let third = Material::make(HOST, Some(&second), now).unwrap();
        assert!(second.authorities.ends_with(&first.authorities));
        assert_eq!(third.authorities.matches(END).count(), 2);
        assert!(!third.authorities.contains(&first.authorities));
    }
}
