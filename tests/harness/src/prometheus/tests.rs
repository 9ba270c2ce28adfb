use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn it_scrapes_and_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let prometheus = Prometheus::start(listener.local_addr().unwrap(), &[]).await.unwrap();
    let mut metrics = JoinSet::new();
    metrics.spawn(async move {
        loop {
            let (mut scrape, _) = listener.accept().await.unwrap();
            let _ = scrape.read(&mut [0; 4096]).await;
            let body = "# TYPE answers gauge\nanswers{to=\"everything\"} 42\n";
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = scrape.write_all(answer.as_bytes()).await;
        }
    });
    let samples = prometheus.wait_for("answers", Duration::from_secs(20)).await.unwrap();
    assert_eq!(samples[0].0["to"], "everything");
    assert!((samples[0].1 - 42.0).abs() < f64::EPSILON);
    assert!(prometheus.query("not promql (").await.is_err());
    assert!(promtool(["--version"]).await.unwrap().success().is_ok());
}
