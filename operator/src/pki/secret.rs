//! Where the certificate is kept. The chart makes the Secret, empty, so that the operator needs rights to this one only.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;

use super::Material;
use crate::api::ApiFailure;

const AUTHORITIES: &str = "ca.crt";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// When the certificate ends, so that nobody needs to read it to know.
const NOT_AFTER: &str = "vltava.dev/not-after";

/// Reads the certificate, if there is one.
pub(crate) async fn read(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Material>, ApiFailure> {
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let found = api.get_opt(name).await;
    let found = found.map_err(|e| ApiFailure::new(format!("read Secret {name}"), e))?;
    Ok(found.as_ref().and_then(of_secret))
}

/// `None` if anything is missing or does not read: then another one is to be made.
fn of_secret(secret: &Secret) -> Option<Material> {
    let text = |key: &str| {
        let ByteString(bytes) = secret.data.as_ref()?.get(key)?;
        String::from_utf8(bytes.clone()).ok().filter(|text| !text.is_empty())
    };
    let not_after: Timestamp = secret.annotations().get(NOT_AFTER)?.parse().ok()?;
    Some(Material {
        authorities: text(AUTHORITIES)?,
        certificate: text(CERTIFICATE)?,
        key: text(KEY)?,
        not_after,
    })
}

/// Writes the certificate down. Only the leader does.
pub(crate) async fn write(
    client: &Client,
    namespace: &str,
    name: &str,
    material: &Material,
) -> Result<(), ApiFailure> {
    let patch = json!({
        "metadata": {"annotations": {NOT_AFTER: material.not_after.to_string()}},
        "stringData": {
            AUTHORITIES: material.authorities, CERTIFICATE: material.certificate, KEY: material.key,
        },
    });
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let result = api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
    result.map(drop).map_err(|e| ApiFailure::new(format!("write Secret {name}"), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_and_half_a_one_hold_no_certificate() {
        let full = json!({
            "metadata": {"name": "s", "annotations": {NOT_AFTER: "2026-01-01T00:00:00Z"}},
            "data": {AUTHORITIES: "YQ==", CERTIFICATE: "Yg==", KEY: "Yw=="}});
        let read = |value| of_secret(&serde_json::from_value::<Secret>(value).unwrap());
        assert_eq!(read(full.clone()).unwrap().key, "c");
        for pointer in
            ["/data/tls.key", "/data/ca.crt", "/metadata/annotations/vltava.dev~1not-after"]
        {
            let mut half = full.clone();
            *half.pointer_mut(pointer).unwrap() = json!("");
            assert_eq!(read(half), None, "{pointer}");
        }
        assert_eq!(read(json!({"metadata": {"name": "s"}})), None);
    }
}
