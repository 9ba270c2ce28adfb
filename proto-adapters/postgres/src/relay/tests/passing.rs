//! What goes in comes out, however it is cut up.

use crate::codec::frame::{self, HEAD};
use crate::codec::{backend, frontend};
use crate::relay::pump::{Inspector, Pump};
use crate::relay::results::FromTarget;
use crate::relay::statements::{FromClient, Statements};
use curfew_adapter::{ParameterPolicy, RecordPolicy, Recorder, ResultPolicy};
use curfew_conformance::MemorySink;
use proptest::prelude::*;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Gives its bytes in pieces, and takes bytes in pieces; a piece of none is a moment of waiting.
struct Slow {
    bytes: Vec<u8>,
    at: usize,
    pieces: Vec<usize>,
    turn: usize,
}

impl Slow {
    fn new(bytes: Vec<u8>, pieces: &[usize]) -> Self {
        Self { bytes, at: 0, pieces: pieces.to_vec(), turn: 0 }
    }

    fn piece(&mut self) -> usize {
        self.turn += 1;
        self.pieces[self.turn % self.pieces.len()]
    }
}

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = self.piece().min(buf.remaining());
        if piece == 0 && self.at < self.bytes.len() {
            return Poll::Pending;
        }
        let end = (self.at + piece).min(self.bytes.len());
        buf.put_slice(&self.bytes[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Slow {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let piece = self.piece().min(buf.len());
        if piece == 0 {
            return Poll::Pending;
        }
        self.bytes.extend_from_slice(&buf[..piece]);
        Poll::Ready(Ok(piece))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn statements() -> Statements {
    recording(ResultPolicy::Full)
}

fn recording(results: ResultPolicy) -> Statements {
    let policy = RecordPolicy {
        parameters: ParameterPolicy::Full,
        results,
        input: false,
        mask: Vec::new(),
        strict: true,
    };
    Statements::new(Recorder::new(Arc::new(MemorySink::default())), &policy)
}

/// Passes everything on; checks at each step that the pump knows whether it is between messages.
fn pass<I: Inspector>(
    mut from: Slow,
    pieces: &[usize],
    boundaries: &[usize],
    inspector: &mut I,
) -> Result<Vec<u8>, I::Fault> {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut pump, mut to) = (Pump::holding(&[]), Slow::new(Vec::new(), pieces));
    loop {
        let written = pump.poll_write(&mut cx, &mut to).is_ready();
        if !boundaries.is_empty() {
            let there = boundaries.binary_search(&to.bytes.len()).is_ok();
            assert_eq!(pump.is_between_messages(), there, "after {} bytes", to.bytes.len());
        }
        if !written {
            continue;
        }
        pump.vet(inspector)?;
        if pump.has_vetted() {
            continue;
        }
        if pump.is_over() {
            return Ok(to.bytes);
        }
        if matches!(pump.poll_read(&mut cx, &mut from), Poll::Ready(Ok(0))) {
            return Ok(to.bytes);
        }
    }
}

fn rows() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![
        8 => 0..200_usize,
        2 => 8_000..9_000_usize,
        1 => 60_000..70_000_usize,
        1 => 100_000..200_000_usize,
    ];
    proptest::collection::vec(size, 1..20)
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    let piece = prop_oneof![Just(0_usize), 1..10_usize, 100..20_000_usize, Just(1 << 20)];
    proptest::collection::vec(piece, 1..12).prop_map(|mut pieces| {
        // Something must move in the end.
        pieces.push(700);
        pieces
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunking_of_a_stream_passes_the_same(sizes in rows(), reads in pieces(), writes in pieces()) {
        let (mut stream, mut boundaries) = (Vec::new(), vec![0]);
        for (n, size) in sizes.iter().enumerate() {
            let tag = if n % 3 == 0 { backend::COPY_DATA } else { backend::DATA_ROW };
            frame::message(&mut stream, tag, |out| out.extend((0..*size).map(|at| (at % 251) as u8)));
            boundaries.push(stream.len());
        }
        let from = Slow::new(stream.clone(), &reads);
        let passed = pass(from, &writes, &boundaries, &mut FromTarget(&mut recording(ResultPolicy::None)));
        prop_assert!(passed.unwrap() == stream);
    }

    #[test]
    fn random_bytes_of_a_client_never_panic(bytes in any::<Vec<u8>>(), reads in pieces()) {
        let _ = pass(Slow::new(bytes, &reads), &[1 << 20], &[], &mut FromClient(&mut statements()));
    }

    #[test]
    fn random_bytes_of_a_target_never_panic(bytes in any::<Vec<u8>>(), reads in pieces()) {
        let _ = pass(Slow::new(bytes, &reads), &[1 << 20], &[], &mut FromTarget(&mut statements()));
    }

    #[test]
    fn random_bodies_of_known_messages_never_panic(
        messages in proptest::collection::vec((0..13_usize, proptest::collection::vec(any::<u8>(), 0..64)), 0..20),
    ) {
        const CLIENT: &[u8; 13] = b"BCDEFHPQSXcdf";
        const TARGET: &[u8; 13] = b"123ACDEGIZnst";
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for (n, body) in &messages {
            frame::message(&mut up, CLIENT[*n], |out| out.extend_from_slice(body));
            frame::message(&mut down, TARGET[*n], |out| out.extend_from_slice(body));
        }
        let mut statements = statements();
        let _ = pass(Slow::new(up, &[1 << 20]), &[1 << 20], &[], &mut FromClient(&mut statements));
        let _ = pass(Slow::new(down, &[1 << 20]), &[1 << 20], &[], &mut FromTarget(&mut statements));
    }
}

#[test]
fn a_length_alone_allocates_nothing() {
    let mut head = vec![frontend::QUERY];
    head.extend_from_slice(&(16 * 1024 * 1024_i32).to_be_bytes());
    let mut pump = Pump::holding(&head);
    let mut statements = statements();
    pump.vet(&mut FromClient(&mut statements)).unwrap();
    let mut from = Slow::new(vec![b'x'; 100], &[100]);
    assert!(pump.poll_read(&mut Context::from_waker(Waker::noop()), &mut from).is_ready());
    assert_eq!(pump.memory(), 4096);
    assert_eq!(HEAD, 5);
}

#[test]
fn a_terminate_is_the_last_that_passes() {
    let mut stream = Vec::new();
    frontend::write_query(&mut stream, "select 1");
    frontend::terminate(&mut stream);
    let whole = stream.clone();
    frontend::write_query(&mut stream, "drop table t");
    let passed = pass(Slow::new(stream, &[1 << 20]), &[1 << 20], &[], &mut FromClient(&mut statements()));
    assert_eq!(passed.unwrap(), whole);
}
