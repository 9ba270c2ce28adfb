//! Everything that a connection can be asked for, under a contract that allows next to nothing.

use serde_json::json;

use super::python::{run, told};
use super::scene::Scene;

/// Teleport 11.1.4: direct-tcpip skipped access control. GHSA-hw4x: a forward led to the service's own loopback.
#[tokio::test]
async fn teleport_11_1_4_every_channel_and_request_is_refused_without_its_word() {
    let scene = Scene::at_once(r#"allow = ["sftp:read"]"#).await;
    let (_alice, ssh) = scene.alice().await;
    std::fs::write(scene.sshd.folder().join("readable"), "").unwrap();
    let mut told = told(&scene, &ssh).await;
    let http: url::Url = scene.gate.url().parse().unwrap();
    let ports = [http.port().unwrap(), scene.gate.postgres().port(), scene.gate.metrics().port()];
    told["ports"] = json!(ports);
    let (_, said) = run(&ssh, "sweep.py", &told).await;
    let refused = said.iter().filter(|line| line["refused"].is_string()).count();
    assert_eq!(refused, 40, "{said:#?}");
    scene.recorded(r#""what":"forward to 169.254.169.254:80""#).await;
}
