//! A recording in memory, which can be made to fail or to be full.

use curfew_adapter::{Event, RecordError, RecordSink};
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

#[derive(Debug, Default)]
struct State {
    events: Vec<Value>,
    broken: bool,
    full: bool,
    waiting: Vec<Waker>,
}

/// Keeps every event as JSON.
#[derive(Debug, Default)]
pub struct MemorySink(Mutex<State>);

impl MemorySink {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was recorded.
    pub fn events(&self) -> Vec<Value> {
        self.state().events.clone()
    }

    /// What was recorded of one kind.
    pub fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["kind"] == kind).collect()
    }

    /// From now on nothing can be recorded.
    pub fn break_down(&self) {
        self.change(|state| state.broken = true);
    }

    /// Whether there is room.
    pub fn set_full(&self, full: bool) {
        self.change(|state| state.full = full);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let waiting = {
            let mut state = self.state();
            change(&mut state);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl RecordSink for MemorySink {
    fn append(&self, event: &Event<'_>) -> Result<(), RecordError> {
        let mut state = self.state();
        if state.broken {
            return Err(RecordError);
        }
        state.events.push(serde_json::to_value(event).unwrap_or(Value::Null));
        Ok(())
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), RecordError>> {
        let mut state = self.state();
        if state.broken {
            Poll::Ready(Err(RecordError))
        } else if state.full {
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }
}
