//! A relay's bookkeeping with nobody on either side: messages go in, what was recorded comes out.

use crate::codec::frame::Head;
use crate::codec::{backend, frontend};
use crate::relay::pump::{Inspector, Verdict};
use crate::relay::results::FromTarget;
use crate::relay::statements::{FromClient, Statements};
use curfew_adapter::{ParameterPolicy, RecordPolicy, Recorder, ResultPolicy};
use curfew_conformance::MemorySink;
use serde_json::Value;
use std::sync::Arc;

pub struct Scene {
    pub statements: Statements,
    pub sink: Arc<MemorySink>,
}

pub fn scene() -> Scene {
    with(ParameterPolicy::Full)
}

pub fn with(parameters: ParameterPolicy) -> Scene {
    recording(parameters, ResultPolicy::None)
}

pub fn recording(parameters: ParameterPolicy, results: ResultPolicy) -> Scene {
    let sink = Arc::<MemorySink>::default();
    let policy = RecordPolicy { parameters, results, input: false, mask: Vec::new(), strict: true };
    Scene { statements: Statements::new(Recorder::new(sink.clone()), &policy), sink }
}

impl Scene {
    pub fn client(&mut self, tag: u8, body: &[u8]) -> &mut Self {
        let head = Head { tag, body: body.len() };
        FromClient(&mut self.statements).head(head).unwrap();
        assert_eq!(FromClient(&mut self.statements).message(tag, body), Ok(Verdict::Pass));
        self
    }

    pub fn target(&mut self, tag: u8, body: &[u8]) -> &mut Self {
        FromTarget(&mut self.statements).head(Head { tag, body: body.len() }).unwrap();
        assert_eq!(FromTarget(&mut self.statements).message(tag, body), Ok(Verdict::Pass));
        self
    }

    pub fn query(&mut self, text: &str) -> &mut Self {
        self.client(frontend::QUERY, format!("{text}\0").as_bytes())
    }

    pub fn parse(&mut self, name: &str, text: &str) -> &mut Self {
        self.client(frontend::PARSE, format!("{name}\0{text}\0\0\0").as_bytes())
    }

    pub fn bind(&mut self, portal: &str, statement: &str) -> &mut Self {
        self.client(frontend::BIND, format!("{portal}\0{statement}\0\0\0\0\0\0\0").as_bytes())
    }

    pub fn execute(&mut self, portal: &str) -> &mut Self {
        self.client(frontend::EXECUTE, format!("{portal}\0\0\0\0\0").as_bytes())
    }

    pub fn sync(&mut self) -> &mut Self {
        self.client(frontend::SYNC, b"")
    }

    /// Answers, by their type: `E` fails, `C` completes.
    pub fn answers(&mut self, tags: &str) -> &mut Self {
        for tag in tags.bytes() {
            match tag {
                backend::ERROR => self.target(tag, b"SERROR\0C23505\0Mno\0\0"),
                backend::COMMAND_COMPLETE => self.target(tag, b"DONE\0"),
                backend::READY => self.target(tag, b"I"),
                backend::COPY_IN | backend::COPY_OUT => self.target(tag, &[0, 0, 0]),
                _ => self.target(tag, b""),
            };
        }
        self
    }

    /// Of each result, its number and its SQLSTATE.
    pub fn results(&self) -> Vec<(u64, Option<String>)> {
        let result =
            |event: Value| (event["n"].as_u64().unwrap(), event["sqlstate"].as_str().map(str::to_owned));
        self.sink.of_kind("result").into_iter().map(result).collect()
    }

    /// Of the last statement, the number of what was prepared, or its text.
    pub fn last(&self) -> Value {
        let event = self.sink.of_kind("statement").pop().unwrap();
        if event["prepared"].is_null() { event["text"].clone() } else { event["prepared"].clone() }
    }
}
