//! The rules that hold for every adapter.

use super::talk::Talk;
use super::target::{greeting, tag};
use super::{adapter, packet};
use crate::codec::frontend::write_query;
use crate::codec::startup::First;
use crate::codec::{backend, frame};
use curfew_adapter::Adapter;
use curfew_conformance::{
    Speaker, abandoned_session_is_let_go, bytes_after_the_end_are_none,
    garbage_ends_within_the_startup_deadline, the_lease_ends_while_the_client_reads_nothing,
};
use futures_util::future::BoxFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Postgres;

impl Speaker for Postgres {
    fn adapter(&self) -> Arc<dyn Adapter> {
        adapter(true)
    }

    fn open(&self, gate: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(async move {
            let mut talk = Talk::new(TcpStream::connect(gate).await?);
            talk.send(&packet(&[])).await;
            talk.until(backend::READY).await;
            let mut out = Vec::new();
            write_query(&mut out, "COPY everything TO STDOUT");
            talk.send(&out).await;
            Ok(talk.stream)
        })
    }

    fn serve(&self, connection: TcpStream) -> BoxFuture<'static, io::Result<()>> {
        let filler = self.filler();
        Box::pin(async move {
            let mut talk = Talk::new(connection);
            let Some(First::Startup(startup)) = talk.first().await else { return Ok(()) };
            talk.send(&greeting()).await;
            let ours = startup.parameters.iter().any(|(_, value)| value == "curfew");
            talk.message().await;
            if ours {
                let mut out = Vec::new();
                tag(&mut out, "SELECT 0");
                backend::ready(&mut out, b'I');
                talk.stream.write_all(&out).await?;
                return Ok(());
            }
            let (mut reader, mut writer) = talk.stream.into_split();
            let mut sink = vec![0; 4096];
            let reading = async {
                while reader.read(&mut sink).await? > 0 {}
                Ok::<_, io::Error>(())
            };
            let writing = async {
                loop {
                    writer.write_all(&filler).await?;
                }
            };
            tokio::select! {
                done = reading => done,
                done = writing => done,
            }
        })
    }

    fn filler(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..32 {
            frame::message(&mut out, backend::COPY_DATA, |out| out.extend_from_slice(&[b'#'; 1000]));
        }
        out
    }

    fn garbage(&self) -> Vec<Vec<u8>> {
        let mut half = packet(&[]);
        half.truncate(20);
        vec![
            Vec::new(),
            b"GET / HTTP/1.1\r\nHost: gate\r\n\r\n".to_vec(),
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            vec![0; 8],
            vec![0xff; 64 * 1024],
            i32::MAX.to_be_bytes().to_vec(),
            half,
            vec![0, 0, 0, 8, 4, 210, 22, 47],
            vec![0x16, 3, 1, 2, 0, 1],
            vec![0x16; 1024],
        ]
    }
}

fn speaker() -> Arc<dyn Speaker> {
    Arc::new(Postgres)
}

#[tokio::test]
async fn no_byte_passes_after_the_end() {
    bytes_after_the_end_are_none(speaker()).await.unwrap();
}

#[tokio::test]
async fn the_end_does_not_wait_for_the_client() {
    the_lease_ends_while_the_client_reads_nothing(speaker()).await.unwrap();
}

#[tokio::test]
async fn an_abandoned_session_is_let_go() {
    abandoned_session_is_let_go(speaker()).await.unwrap();
}

#[tokio::test]
async fn garbage_is_over_within_the_startup_deadline() {
    garbage_ends_within_the_startup_deadline(speaker()).await.unwrap();
}
