//! Sessions at work: what passes, and what is recorded.

use super::Fixture;
use super::target::{FakeTarget, greeting, tag};
use crate::codec::frontend::write_query;
use crate::codec::{backend, frame, frontend, report};
use curfew_adapter::EndReason;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

#[tokio::test]
async fn a_statement_is_recorded_before_the_target_has_it() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.ready().await;
    let mut out = Vec::new();
    write_query(&mut out, "select 1");
    // In the smallest pieces.
    for byte in out {
        talk.send(&[byte]).await;
    }
    let found = talk.until(backend::READY).await;
    assert_eq!(found[0], (backend::DATA_ROW, b"select 1\0".to_vec()));
    let events = fixture.core.sink().events();
    assert_eq!(events[0]["kind"], "statement");
    assert_eq!((&events[0]["n"], &events[0]["text"]), (&1.into(), &"select 1".into()));
    assert_eq!(
        (&events[1]["tag"], &events[1]["rows"], &events[1]["bytes"]),
        (&"SELECT 1".into(), &1.into(), &9.into())
    );
}

#[tokio::test]
async fn nothing_passes_while_the_recorder_is_full() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.ready().await;
    fixture.core.sink().set_full(true);
    let mut out = Vec::new();
    write_query(&mut out, "sleep");
    // More than all sockets on the way hold.
    for _ in 0..32 {
        frame::message(&mut out, frontend::COPY_DATA, |out| out.resize(out.len() + 1024 * 1024, b'x'));
    }
    let mut sending = std::pin::pin!(talk.send(&out));
    let stuck = tokio::time::timeout(Duration::from_millis(500), sending.as_mut()).await;
    assert!(stuck.is_err(), "the gate reads on");
    assert!(fixture.core.sink().of_kind("statement").is_empty());
    assert!(!fixture.target.notes.all().contains(&"sleeping".to_owned()));
    fixture.core.sink().set_full(false);
    sending.await;
    fixture.target.notes.until("sleeping").await;
    assert_eq!(fixture.core.sink().of_kind("statement").len(), 1);
}

#[tokio::test]
async fn a_statement_longer_than_what_can_be_recorded_is_refused_not_cut_short() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.ready().await;
    let mut head = vec![frontend::QUERY];
    head.extend_from_slice(&(17 * 1024 * 1024_i32).to_be_bytes());
    talk.send(&head).await;
    let (_, body) = talk.message().await;
    assert_eq!(report::read(&body).code, "54000");
    drop(talk);
    fixture.core.closing().await;
    assert!(fixture.core.sink().of_kind("statement").is_empty());
}

#[tokio::test]
async fn a_long_statement_is_recorded_whole() {
    let fixture = Fixture::new(|_| ()).await;
    let talk = fixture.ready().await;
    let text = "x".repeat(3_000_000);
    let mut out = Vec::new();
    write_query(&mut out, &text);
    let (mut reader, mut writer) = talk.stream.into_split();
    let writing = async { writer.write_all(&out).await.unwrap() };
    let reading = async {
        let mut back = vec![0; 3_000_006];
        tokio::io::AsyncReadExt::read_exact(&mut reader, &mut back).await.unwrap();
    };
    tokio::join!(writing, reading);
    assert_eq!(fixture.core.sink().of_kind("statement")[0]["text"], text);
}

#[tokio::test]
async fn a_full_direction_does_not_hold_up_the_other() {
    // The target sends without end and reads; the client reads nothing, and its statements still pass.
    let target = FakeTarget::start(|mut talk, notes| {
        Box::pin(async move {
            talk.send(&greeting()).await;
            talk.message().await;
            let (mut reader, mut writer) = talk.stream.into_split();
            let mut rows = Vec::new();
            frame::message(&mut rows, backend::DATA_ROW, |out| out.extend_from_slice(&[b'x'; 9000]));
            let writing = async { while writer.write_all(&rows).await.is_ok() {} };
            let reading = async {
                let (mut all, mut chunk) = (0, vec![0; 64 * 1024]);
                while let Ok(read @ 1..) = tokio::io::AsyncReadExt::read(&mut reader, &mut chunk).await {
                    all += read;
                    if all > 4 * 1024 * 1024 {
                        notes.add("all of it".to_owned());
                    }
                }
            };
            tokio::join!(writing, reading);
        })
    })
    .await;
    let fixture = Fixture::with(target, |_| ()).await;
    let mut talk = fixture.ready().await;
    let mut out = Vec::new();
    write_query(&mut out, "rows");
    talk.send(&out).await;
    let mut data = Vec::new();
    for _ in 0..5000 {
        frame::message(&mut data, frontend::COPY_DATA, |out| out.extend_from_slice(&[b'y'; 1000]));
    }
    talk.send(&data).await;
    fixture.target.notes.until("all of it").await;
}

#[tokio::test]
async fn a_pipeline_deeper_than_what_is_remembered_passes_all_the_same() {
    let target = FakeTarget::start(|mut talk, _| {
        Box::pin(async move {
            talk.send(&greeting()).await;
            let mut out = Vec::new();
            while let Some((kind, _)) = talk.next().await {
                match kind {
                    frontend::QUERY => {
                        tag(&mut out, "SELECT 0");
                        backend::ready(&mut out, b'I');
                    }
                    _ => break,
                }
                // As a server does: what is there goes out when 8 KiB of it are.
                if out.len() > 8192 || talk.buffer.len() < 10 {
                    talk.send(&std::mem::take(&mut out)).await;
                }
            }
        })
    })
    .await;
    let fixture = Fixture::with(target, |_| ()).await;
    let mut talk = fixture.ready().await;
    let mut out = Vec::new();
    (0..10_000).for_each(|n| write_query(&mut out, &format!("select {n}")));
    talk.send(&out).await;
    for _ in 0..10_000 {
        talk.until(backend::READY).await;
    }
    let events = fixture.core.sink();
    assert_eq!(events.of_kind("result").len(), 10_000);
    assert_eq!(events.of_kind("statement")[9_999]["text"], "select 9999");
}

#[tokio::test]
async fn a_client_that_says_goodbye_behind_its_statements_gets_their_results() {
    let (hold, held) = oneshot::channel::<()>();
    let held = Arc::new(Mutex::new(Some(held)));
    let target = FakeTarget::start(move |mut talk, notes| {
        let held = held.lock().unwrap().take();
        Box::pin(async move {
            talk.send(&greeting()).await;
            talk.next().await;
            talk.next().await;
            talk.next().await;
            notes.add("all of it".to_owned());
            let Some(held) = held else { return };
            let _ = held.await;
            let mut out = Vec::new();
            for _ in 0..2 {
                tag(&mut out, "SELECT 0");
                backend::ready(&mut out, b'I');
            }
            talk.send(&out).await;
            // It does not go, and the client is let go all the same.
            std::future::pending::<()>().await;
        })
    })
    .await;
    let fixture = Fixture::with(target, |_| ()).await;
    let mut talk = fixture.ready().await;
    let mut out = Vec::new();
    write_query(&mut out, "select 1");
    write_query(&mut out, "select 2");
    frontend::terminate(&mut out);
    talk.send(&out).await;
    fixture.target.notes.until("all of it").await;
    hold.send(()).unwrap();
    talk.until(backend::READY).await;
    talk.until(backend::READY).await;
    assert!(talk.rest().await.is_empty());
    assert_eq!(fixture.core.sink().of_kind("result").len(), 2);
}

#[tokio::test]
async fn a_client_that_is_gone_behind_its_goodbye_leaves_nothing_running() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.ready().await;
    let mut out = Vec::new();
    write_query(&mut out, "stay");
    frontend::terminate(&mut out);
    talk.send(&out).await;
    fixture.target.notes.until("sleeping").await;
    drop(talk);
    fixture.target.notes.until("cancel").await;
}

#[tokio::test]
async fn a_target_that_dies_before_its_last_answer_is_told_as_that() {
    let target = FakeTarget::start(|mut talk, _| {
        Box::pin(async move {
            talk.send(&greeting()).await;
            talk.next().await;
            talk.next().await;
        })
    })
    .await;
    let fixture = Fixture::with(target, |_| ()).await;
    let mut talk = fixture.ready().await;
    let mut out = Vec::new();
    write_query(&mut out, "select 1");
    frontend::terminate(&mut out);
    talk.send(&out).await;
    let (kind, body) = talk.message().await;
    assert_eq!(kind, backend::ERROR);
    assert!(String::from_utf8_lossy(&body).contains("08006"));
    assert_eq!(fixture.core.closing().await.reason, EndReason::TargetClosed);
}

#[tokio::test]
async fn buffers_pass_messages_of_any_size_unchanged() {
    let target = FakeTarget::start(|mut talk, _| {
        Box::pin(async move {
            talk.send(&greeting()).await;
            while let Some((kind, body)) = talk.next().await {
                let mut out = Vec::new();
                frame::message(&mut out, kind, |out| out.extend_from_slice(&body));
                if kind == frontend::COPY_DATA {
                    talk.send(&out).await;
                }
            }
        })
    })
    .await;
    let fixture = Fixture::with(target, |_| ()).await;
    let mut talk = fixture.ready().await;
    for size in [0, 1, 8183, 8187, 8188, 65_531, 65_532, 70_000, 400_000] {
        let body: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut out = Vec::new();
        frame::message(&mut out, frontend::COPY_DATA, |out| out.extend_from_slice(&body));
        talk.send(&out).await;
        assert_eq!(talk.message().await, (backend::COPY_DATA, body));
    }
}

#[tokio::test]
async fn an_error_without_a_sqlstate_passes_and_is_recorded_as_far_as_it_goes() {
    const ERROR: &[u8] = b"Mno code\0\0";
    let target = FakeTarget::start(|mut talk, _| {
        Box::pin(async move {
            talk.send(&greeting()).await;
            while let Some((frontend::QUERY, _)) = talk.next().await {
                let mut out = Vec::new();
                frame::message(&mut out, backend::ERROR, |out| out.extend_from_slice(ERROR));
                backend::ready(&mut out, b'I');
                talk.send(&out).await;
            }
        })
    })
    .await;
    let fixture = Fixture::with(target, |_| ()).await;
    let mut talk = fixture.ready().await;
    let mut out = Vec::new();
    write_query(&mut out, "select 1");
    talk.send(&out).await;
    let said = talk.until(backend::READY).await;
    assert_eq!((said[0].0, said[0].1.as_slice()), (backend::ERROR, ERROR));
    let result = &fixture.core.sink().of_kind("result")[0];
    assert_eq!((&result["error"], &result["rows"]), (&"no code".into(), &0.into()));
}
