//! Both directions of a relay in memory, for bytes that nobody has vouched for.

use super::fault::Fault;
use super::pump::{Inspector, Pump};
use super::results::FromTarget;
use super::statements::{FromClient, Statements};
use curfew_adapter::{Event, ParameterPolicy, RecordError, RecordPolicy, RecordSink, Recorder, ResultPolicy};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// What was recorded, in words.
#[derive(Debug, Default)]
struct Words(Mutex<String>);

impl RecordSink for Words {
    fn append(&self, event: &Event<'_>) -> Result<(), RecordError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(&format!("{event:?}\n"));
        Ok(())
    }

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), RecordError>> {
        Poll::Ready(Ok(()))
    }
}

/// What a talk came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Came {
    /// What reached the target and the client; not said where a fault ended it, which may be known sooner or later.
    passed: Option<(Vec<u8>, Vec<u8>)>,
    recorded: String,
    fault: Option<Fault>,
}

#[derive(Debug)]
struct Way {
    pump: Pump,
    out: Vec<u8>,
}

impl Way {
    fn new() -> Self {
        Self { pump: Pump::holding(&[]), out: Vec::new() }
    }

    /// Passes as much of `bytes` as can be; what is held back stays where it is.
    fn pass<I: Inspector>(&mut self, mut bytes: &[u8], inspector: &mut I) -> Result<(), I::Fault> {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            // A vector takes all.
            let _ = self.pump.poll_write(&mut cx, &mut self.out);
            self.pump.vet(inspector)?;
            if self.pump.has_vetted() {
                continue;
            }
            if bytes.is_empty() || self.pump.is_over() || self.pump.is_held() {
                return Ok(());
            }
            let _ = self.pump.poll_read(&mut cx, &mut bytes);
        }
    }
}

/// Has the pieces of `script` (see `crate::fuzz::backend`) pass, no more than `most` bytes at once. `None` where the relay
/// had to wait for answers: then it matters how they come.
pub fn talk(mut script: &[u8], policy: u8, most: usize) -> Option<Came> {
    let parameters = match policy & 3 {
        0 => ParameterPolicy::Full,
        1 => ParameterPolicy::Types,
        _ => ParameterPolicy::None,
    };
    let results = if policy & 4 == 0 { ResultPolicy::None } else { ResultPolicy::Full };
    let policy = RecordPolicy { parameters, results, input: false, mask: Vec::new(), strict: true };
    let words = Arc::<Words>::default();
    let mut statements = Statements::new(Recorder::new(words.clone()), &policy);
    let (mut up, mut down) = (Way::new(), Way::new());
    let mut fault = None;
    'script: while let [side, high, low, rest @ ..] = script {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        script = rest;
        for piece in piece.chunks(most) {
            let passed = if side & 1 == 0 {
                up.pass(piece, &mut FromClient(&mut statements))
            } else {
                down.pass(piece, &mut FromTarget(&mut statements))
            };
            if let Err(wrong) = passed {
                fault = Some(wrong);
                break 'script;
            }
            if up.pump.is_held() {
                return None;
            }
            if up.pump.is_over() {
                break 'script;
            }
        }
    }
    let _ = statements.outstanding();
    let recorded = words.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let passed = fault.is_none().then_some((up.out, down.out));
    Some(Came { passed, recorded, fault })
}
