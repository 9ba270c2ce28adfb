//! What the client runs, recorded before it is forwarded; and what came of it.
//!
//! The client's half notes each message and the answer that is owed to it ([`Expect`]); the target's half
//! (`results.rs`) takes the answers in turn.

use super::expect::{Expect, Expected, Sent};
use super::fault::Fault;
use super::names::{Bound, Names, Portal, Prepared, Room, Shape, renames, significant};
use super::pump::{Inspector, Look, Verdict};
use super::rows::Rows;
use super::values::{self, Decoder};
use crate::codec::frame::Head;
use crate::codec::frontend::{self, Bind, Named, Parse, Values, oids};
use crate::codec::{Cursor, limits};
use curfew_adapter::{BootTime, Event, Parameter, ParameterPolicy, RecordPolicy, Recorder, ResultPolicy};
use std::sync::Arc;

/// What has passed for the statement that runs.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) copy_in: u64,
}

/// The statements of a session.
pub struct Statements {
    pub(super) recorder: Recorder,
    pub(super) policy: ParameterPolicy,
    /// What comes back is recorded as well.
    pub(super) results: bool,
    pub(super) expected: Expected,
    pub(super) names: Names,
    pub(super) room: Room,
    pub(super) decoder: Decoder,
    pub(super) rows: Rows,
    pub(super) passed: Passed,
    /// The target skips what comes until the next Sync.
    pub(super) skipping: bool,
    /// The client is asked for the data of a COPY.
    pub(super) copying: bool,
    /// The client sends a long piece of a COPY, which is recorded.
    long_copy: bool,
    /// The target has said that it ends the connection.
    pub(super) fatal: bool,
    pub(super) now: BootTime,
    pub(super) last: u64,
    prepared: u64,
}

impl Statements {
    /// None so far.
    pub fn new(recorder: Recorder, policy: &RecordPolicy) -> Self {
        Self {
            recorder,
            policy: policy.parameters,
            results: policy.results == ResultPolicy::Full,
            expected: Expected::default(),
            names: Names::default(),
            room: Room::default(),
            decoder: Decoder::default(),
            rows: Rows::default(),
            passed: Passed::default(),
            skipping: false,
            copying: false,
            long_copy: false,
            fatal: false,
            now: BootTime::from_nanos(0),
            last: 0,
            prepared: 0,
        }
    }

    /// What follows happens at `now`.
    pub const fn at(&mut self, now: BootTime) -> &mut Self {
        self.now = now;
        self
    }

    /// Whether the target has said why it ends the connection.
    pub const fn told_fatal(&self) -> bool {
        self.fatal
    }

    /// Whether the target owes an answer.
    pub fn are_outstanding(&self) -> bool {
        self.expected.running().is_some()
    }

    /// The target has closed the connection after the client's goodbye. Whether it has answered all that it had to: what
    /// came behind the last Sync needs no answer, and none is waited for any more.
    pub fn target_is_done(&mut self) -> bool {
        let done = !self.expected.owes_ready();
        if done {
            self.expected = Expected::default();
        }
        done
    }

    /// What runs, and whether more is queued behind it than one cancel stops.
    pub fn outstanding(&self) -> (Option<String>, bool) {
        match self.expected.running() {
            None => (None, false),
            Some((first, parts)) => {
                let what = first.map_or("a message".to_owned(), |n| format!("statement {n}"));
                let more = parts.saturating_sub(1);
                let text = if more > 0 { format!("{what}, and {more} more queued") } else { what };
                (Some(text), more > 0)
            }
        }
    }

    fn statement(&mut self) -> Sent {
        self.last += 1;
        Sent { n: self.last, at: self.now, prepared: None, renames: false }
    }

    fn query(&mut self, text: &str) -> Result<Sent, Fault> {
        let sent = Sent { renames: renames(text.as_bytes()), ..self.statement() };
        let (prepared, continues, parameters) = (None, None, &[]);
        self.recorder.append(&Event::Statement {
            n: sent.n,
            text: Some(text),
            prepared,
            continues,
            parameters,
        })?;
        if self.skipping {
            self.not_run(sent)?;
        }
        Ok(sent)
    }

    fn parse(&mut self, body: &[u8]) -> Result<(), Fault> {
        let parse = Parse::read(body)?;
        self.prepared += 1;
        let number = self.prepared;
        let (name, text) = (String::from_utf8_lossy(parse.name), String::from_utf8_lossy(parse.text));
        values::named(oids(parse.types), |types| {
            self.recorder.append(&Event::Prepare { prepared: number, name: &name, text: &text, types })
        })?;
        if !self.skipping {
            let declared = if parse.types.is_empty() { None } else { self.room.keep(parse.types) };
            let prepared = Arc::new(Prepared::new(number, renames(parse.text), declared));
            let before = self.names.set_statement(parse.name, Some(prepared))?;
            self.expected.push(Expect::Parse(significant(parse.name).into(), before, number));
        }
        Ok(())
    }

    fn bind(&mut self, portal: &[u8], statement: &[u8], bound: Bound, formats: &[u8]) -> Result<(), Fault> {
        let prepared = self.names.statement(statement).cloned();
        let name = if prepared.is_some() { Box::default() } else { significant(statement).into() };
        let shape = self.results.then(|| {
            let prepared = prepared.clone();
            Arc::new(Shape { prepared, formats: formats.into(), ..Shape::default() })
        });
        let number = prepared.as_ref().map(|prepared| prepared.number);
        let bound = Portal { prepared, name, bound, shape, first: None };
        let before = self.names.set_portal(portal, Some(bound))?;
        self.expected.push(Expect::Bind(significant(portal).into(), before, number));
        Ok(())
    }

    fn execute(&mut self, name: &[u8]) -> Result<(), Fault> {
        let mut sent = self.statement();
        let continues = if self.skipping { None } else { self.names.executes(name, sent.n) };
        let Self { names, decoder, recorder, policy, .. } = self;
        let portal = names.portal(name);
        let prepared = portal.and_then(|portal| portal.prepared.as_ref());
        sent.prepared = prepared.map(|prepared| prepared.number);
        sent.renames = prepared.is_some_and(|prepared| prepared.renames);
        // A name that did not come by Parse: SQL's PREPARE made it, or it does not exist.
        let text = match (prepared, portal) {
            (Some(_), _) => None,
            (None, Some(portal)) => Some(format!("EXECUTE \"{}\"", String::from_utf8_lossy(&portal.name))),
            // SQL's DECLARE made it, or it does not exist.
            (None, None) => Some(format!("FETCH FROM \"{}\"", String::from_utf8_lossy(significant(name)))),
        };
        let record = |parameters: &[Parameter<'_>]| {
            recorder.append(&Event::Statement {
                n: sent.n,
                text: text.as_deref(),
                prepared: sent.prepared,
                continues,
                parameters,
            })
        };
        match portal.map(|portal| &portal.bound) {
            // They stand with the statement that it goes on with.
            _ if continues.is_some() => record(&[]),
            Some(Bound::Values(bytes)) => {
                let types = prepared.map(|prepared| prepared.types()).into_iter().flatten();
                decoder.with(values::typed(Values::read_back(bytes)?, types), *policy, record)
            }
            Some(Bound::Large(length)) => record(&[Parameter::Length(*length)]),
            Some(Bound::Unknown) | None => record(&[]),
        }?;
        let shape = portal.and_then(|portal| portal.shape.clone());
        if self.skipping { self.not_run(sent) } else { self.expect(Expect::Execute(sent, shape)) }
    }

    fn describe(&mut self, named: Named<'_>) -> Result<(), Fault> {
        let expect = match named {
            Named::Statement(name) => Expect::DescribeStatement(self.names.statement(name).cloned()),
            Named::Portal(name) => {
                Expect::DescribePortal(self.names.portal(name).and_then(|portal| portal.shape.clone()))
            }
        };
        self.expect(expect)
    }

    fn close(&mut self, named: Named<'_>) -> Result<(), Fault> {
        if self.skipping {
            return Ok(());
        }
        match named {
            Named::Statement(name) => {
                let before = self.names.set_statement(name, None)?;
                self.expect(Expect::CloseStatement(significant(name).into(), before))
            }
            Named::Portal(name) => {
                let before = self.names.set_portal(name, None)?;
                self.expect(Expect::ClosePortal(significant(name).into(), before))
            }
        }
    }

    fn expect(&mut self, expect: Expect) -> Result<(), Fault> {
        if !self.skipping {
            self.expected.push(expect);
        }
        Ok(())
    }

    fn sync(&mut self) {
        self.skipping = false;
        if !self.copying {
            self.expected.push(Expect::Sync);
        }
    }

    /// What is bound, as it is kept until its Execute.
    fn keep(&mut self, values: &Values<'_>) -> Bound {
        if self.policy == ParameterPolicy::None || values.count() == 0 {
            return Bound::Unknown;
        }
        let mut kept = self.names.spare();
        values.write(&mut kept);
        Bound::Values(kept)
    }

    /// Data of a COPY. Without one, the target ignores it, and nobody counts it.
    fn copy_in(
        &mut self,
        length: usize,
        record: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.expected.front().is_none() {
            return Ok(());
        }
        self.passed.copy_in += length as u64;
        if self.results { record(self) } else { Ok(()) }
    }

    fn copy_ends(&mut self) {
        self.copying = false;
        if self.expected.front().is_some() {
            self.expected.push(Expect::CopyEnd);
        }
    }

    /// A FunctionCall runs a function by its number: large objects are read and written so.
    fn function(&mut self, body: &[u8]) -> Result<(), Fault> {
        let (function, arguments) = frontend::function_call(body)?;
        let sent = self.statement();
        let text = format!("call of function {function} by number");
        let Self { decoder, recorder, policy, .. } = self;
        decoder.with(values::typed(arguments, std::iter::empty()), *policy, |parameters| {
            let (prepared, continues) = (None, None);
            recorder.append(&Event::Statement {
                n: sent.n,
                text: Some(&text),
                prepared,
                continues,
                parameters,
            })
        })?;
        if self.skipping {
            self.not_run(sent)?;
        }
        self.expect(Expect::Function(sent))
    }
}

/// Looks at what comes from the client.
pub struct FromClient<'a>(pub &'a mut Statements);

impl Inspector for FromClient<'_> {
    type Fault = Fault;

    fn head(&mut self, Head { tag, body }: Head) -> Result<Look, Fault> {
        match frontend::limit(tag) {
            None => Err(Fault::Client("a message of a type that has no place in a session")),
            Some(limit) if body > limit => Err(Fault::Client("a message is longer than Postgres takes")),
            Some(_) => match tag {
                frontend::COPY_DATA => Ok(Look::Pieces),
                frontend::BIND if body > limits::PARAMETER => Ok(Look::Pieces),
                frontend::QUERY | frontend::PARSE | frontend::FUNCTION_CALL if body > limits::STATEMENT => {
                    Err(Fault::TooMuch("one statement"))
                }
                _ => Ok(Look::Whole),
            },
        }
    }

    fn message(&mut self, tag: u8, body: &[u8]) -> Result<Verdict, Fault> {
        let statements = &mut *self.0;
        if statements.expected.is_full() && !matches!(tag, frontend::COPY_DATA | frontend::FLUSH) {
            return Ok(Verdict::Later);
        }
        match tag {
            frontend::QUERY => {
                let sent = statements.query(&String::from_utf8_lossy(frontend::query(body)?))?;
                statements.expect(Expect::Query(sent))?;
            }
            frontend::PARSE => statements.parse(body)?,
            frontend::BIND => {
                let Bind { portal, statement, values, results } = Bind::read(body)?;
                if !statements.skipping {
                    if statements.expected.may_rename(significant(statement)) {
                        return Ok(Verdict::Later);
                    }
                    let bound = statements.keep(&values);
                    statements.bind(portal, statement, bound, results)?;
                }
            }
            frontend::EXECUTE => statements.execute(frontend::execute(body)?)?,
            frontend::DESCRIBE => statements.describe(Named::read(body)?)?,
            frontend::CLOSE => statements.close(Named::read(body)?)?,
            frontend::SYNC => statements.sync(),
            frontend::FUNCTION_CALL => statements.function(body)?,
            frontend::COPY_DATA => {
                statements.copy_in(body.len(), |statements| statements.copied(true, body))?
            }
            frontend::COPY_DONE | frontend::COPY_FAIL => statements.copy_ends(),
            frontend::TERMINATE => return Ok(Verdict::Last),
            _ => {}
        }
        Ok(Verdict::Pass)
    }

    fn pieces(&mut self, Head { tag, body }: Head, beginning: &[u8]) -> Result<Verdict, Fault> {
        let statements = &mut *self.0;
        statements.long_copy = false;
        if tag == frontend::BIND {
            if statements.expected.is_full() {
                return Ok(Verdict::Later);
            }
            // Names longer than that are not names.
            let mut cursor = Cursor::new(beginning);
            let (portal, statement) = (cursor.string()?, cursor.string()?);
            if !statements.skipping {
                if statements.expected.may_rename(significant(statement)) {
                    return Ok(Verdict::Later);
                }
                statements.bind(portal, statement, Bound::Large(body), &[])?;
            }
        } else {
            statements.copy_in(body, |statements| statements.copied(true, beginning))?;
            statements.long_copy = statements.results && statements.expected.front().is_some();
        }
        Ok(Verdict::Pass)
    }

    fn rest(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if self.0.long_copy { self.0.copied(true, piece) } else { Ok(()) }
    }

    fn malformed(&self) -> Fault {
        Fault::Client("a message says that it is shorter than its own head")
    }
}
