//! Questions over TLS, as the API server asks them, with an API server that remembers.

use std::net::Ipv4Addr;

use axum::http::StatusCode;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use serde_json::json;

use super::*;
use crate::config::OperatorConfig;
use crate::pki::Material;
use crate::testing::FakeApi;

const HOST: &str = "vltava-webhook.system.svc";

async fn server(client: &Client) -> (WebhookServer, reqwest::Client, Arc<Metrics>) {
    let webhook = WebhookConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        name: "vltava-webhook".into(),
    };
    let config = OperatorConfig { own_namespace: "system".into(), ..OperatorConfig::from_env() };
    let metrics = Arc::new(Metrics::new());
    let stop = CancellationToken::new();
    let server =
        WebhookServer::start(client, &config, &webhook, Arc::clone(&metrics), stop).await.unwrap();
    let http = reqwest::Client::new();
    (server, http, metrics)
}

/// A client that trusts the certificate's CA alone, through a connection of its own.
async fn ask(
    server: &WebhookServer,
    trusted: &Material,
    body: &Value,
) -> Result<(StatusCode, Value), String> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut roots = rustls::RootCertStore::empty();
    for ca in CertificateDer::pem_slice_iter(trusted.authorities.as_bytes()) {
        roots.add(ca.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from(HOST).unwrap();
    let mut stream = connector.connect(name, stream).await.map_err(|e| e.to_string())?;
    let body = body.to_string();
    let head = format!(
        "POST {EVICT} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // The server may close without saying so in TLS.
    let _ = stream.read_to_string(&mut answer).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, serde_json::from_str(body).unwrap_or_default()))
}

fn review(pod: &str, dry_run: bool) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "name": pod, "namespace": "shop", "dryRun": dry_run,
        "resource": {"group": "", "version": "v1", "resource": "pods"}, "subResource": "eviction",
        "object": {"metadata": {"name": pod}}}})
}

fn broker(api: &FakeApi, running: bool) {
    let state = if running { json!({"running": {}}) } else { json!({"waiting": {}}) };
    api.put(
        "/api/v1/namespaces/shop/pods/demo-0-0",
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "demo-0-0", "namespace": "shop",
                "labels": {"vltava.dev/cluster": "demo", "vltava.dev/broker-id": "0"}},
            "spec": {"containers": []},
            "status": {"containerStatuses": [{"name": "broker", "image": "i", "imageID": "", "ready": true,
                "restartCount": 0, "state": state}]}}),
    );
}

fn material() -> Material {
    Material::make(HOST, None, Timestamp::now()).unwrap()
}

#[tokio::test]
async fn whom_the_api_server_trusts_can_be_asked_also_after_a_renewal() {
    let (_, ctx) = FakeApi::start().await;
    let (server, ..) = server(&ctx.client).await;
    let (first, stranger) = (material(), material());
    assert!(
        ask(&server, &first, &review("x", false)).await.is_err(),
        "there is no certificate yet"
    );
    server.serving.set(first.clone()).unwrap();
    assert!(ask(&server, &stranger, &review("x", false)).await.is_err(), "another CA");
    // No such pod: the API server is to say so itself.
    let (status, answer) = ask(&server, &first, &review("x", false)).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["response"], json!({"uid": "u", "allowed": true}));
    let second = Material::make(HOST, Some(&first), Timestamp::now()).unwrap();
    assert!(
        ask(&server, &second, &review("x", false)).await.is_ok(),
        "this one serves the old one"
    );
    server.serving.set(second.clone()).unwrap();
    assert!(ask(&server, &second, &review("x", false)).await.is_ok());
}

#[tokio::test]
async fn a_broker_whose_brokers_do_not_answer_stays() {
    let (api, ctx) = FakeApi::start().await;
    let (server, _, metrics) = server(&ctx.client).await;
    let material = material();
    server.serving.set(material.clone()).unwrap();
    let allowed = async |pod: &str, dry_run: bool| {
        let answer = ask(&server, &material, &review(pod, dry_run)).await.unwrap().1;
        answer["response"].clone()
    };
    broker(&api, true);
    // Its Cluster is gone: nobody manages it.
    assert_eq!(allowed("demo-0-0", false).await["allowed"], true);
    api.put(
        "/apis/vltava.dev/v1alpha1/namespaces/shop/clusters/demo",
        json!({"apiVersion": crds::API_VERSION, "kind": "Cluster",
            "metadata": {"name": "demo", "namespace": "shop"}, "spec": {}}),
    );
    for dry_run in [true, false] {
        let refused = allowed("demo-0-0", dry_run).await;
        assert_eq!(refused["status"]["code"], 429);
        let message = refused["status"]["message"].as_str().unwrap();
        assert!(message.contains("broker 0 of Cluster demo may not stop yet"), "{message}");
    }
    assert_eq!(api.writes(), [""; 0], "a refusal marks nothing");
    assert!(
        metrics.render().contains(r#"evictions_total{result="refused"} 1"#),
        "a dry run does not count"
    );
    broker(&api, false);
    assert_eq!(allowed("demo-0-0", false).await["allowed"], true, "it does not run");
}
