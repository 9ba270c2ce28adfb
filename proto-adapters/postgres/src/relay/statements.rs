//! What the client runs, recorded before it is forwarded; and what came of it.
//!
//! The client's half notes each message and the answer that is owed to it ([`Expect`]); the target's half
//! (`results.rs`) takes the answers in turn.

use super::expect::{Expect, Expected, Sent};
use super::fault::Fault;
use super::names::{Bound, Names, Portal, Prepared};
use super::pump::{Inspector, Look, Verdict};
use super::values;
use crate::codec::frame::Head;
use crate::codec::frontend::{self, Bind, Named, Parse, Values};
use crate::codec::{Cursor, limits};
use curfew_adapter::{BootTime, Event, Parameter, ParameterPolicy, Recorder};

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
    pub(super) expected: Expected,
    pub(super) names: Names,
    pub(super) passed: Passed,
    /// The target skips what comes until the next Sync.
    pub(super) skipping: bool,
    /// The client is asked for the data of a COPY.
    pub(super) copying: bool,
    /// The target has said that it ends the connection.
    pub(super) fatal: bool,
    pub(super) now: BootTime,
    pub(super) last: u64,
    prepared: u64,
}

impl Statements {
    /// None so far.
    pub fn new(recorder: Recorder, policy: ParameterPolicy) -> Self {
        Self {
            recorder,
            policy,
            expected: Expected::default(),
            names: Names::default(),
            passed: Passed::default(),
            skipping: false,
            copying: false,
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
        Sent { n: self.last, at: self.now }
    }

    fn query(&mut self, text: &str, parameters: &[Parameter<'_>]) -> Result<Sent, Fault> {
        let sent = self.statement();
        let event = Event::Statement { n: sent.n, text: Some(text), prepared: None, parameters };
        self.recorder.append(&event)?;
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
        self.recorder.append(&Event::Prepare { prepared: number, name: &name, text: &text })?;
        if !self.skipping {
            let prepared = Prepared { number, types: parse.types().collect() };
            let before = self.names.set_statement(parse.name, Some(prepared))?;
            self.expected.push(Expect::Parse(parse.name.into(), before));
        }
        Ok(())
    }

    fn bind(&mut self, portal: &[u8], statement: &[u8], bound: Bound) -> Result<(), Fault> {
        if self.skipping {
            return Ok(());
        }
        let prepared = self.names.statement(statement).cloned();
        let name = if prepared.is_some() { Box::default() } else { statement.into() };
        let before = self.names.set_portal(portal, Some(Portal { prepared, name, bound }))?;
        self.expected.push(Expect::Bind(portal.into(), before));
        Ok(())
    }

    fn execute(&mut self, portal: &[u8]) -> Result<(), Fault> {
        let sent = self.statement();
        let portal = self.names.portal(portal);
        let prepared = portal.and_then(|portal| portal.prepared.as_ref());
        let types = prepared.map_or(&[][..], |prepared| &prepared.types);
        let parameters = match portal.map(|portal| &portal.bound) {
            Some(Bound::Values(bytes)) => values::recorded(&Values::read_back(bytes)?, types, self.policy),
            Some(Bound::Large(length)) => vec![Parameter::Length(*length)],
            Some(Bound::Unknown) | None => Vec::new(),
        };
        // A name that did not come by Parse: SQL's PREPARE made it, or it does not exist.
        let text = match (prepared, portal) {
            (Some(_), _) => None,
            (None, Some(portal)) => Some(format!("EXECUTE \"{}\"", String::from_utf8_lossy(&portal.name))),
            (None, None) => Some("EXECUTE of a portal that was not bound".to_owned()),
        };
        self.recorder.append(&Event::Statement {
            n: sent.n,
            text: text.as_deref(),
            prepared: prepared.map(|prepared| prepared.number),
            parameters: &parameters,
        })?;
        if self.skipping { self.not_run(sent) } else { self.expect(Expect::Execute(sent)) }
    }

    fn close(&mut self, named: Named<'_>) -> Result<(), Fault> {
        if self.skipping {
            return Ok(());
        }
        match named {
            Named::Statement(name) => {
                let before = self.names.set_statement(name, None)?;
                self.expect(Expect::CloseStatement(name.into(), before))
            }
            Named::Portal(name) => {
                let before = self.names.set_portal(name, None)?;
                self.expect(Expect::ClosePortal(name.into(), before))
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

    fn copy_ends(&mut self) {
        self.copying = false;
        if self.expected.front().is_some() {
            self.expected.push(Expect::CopyEnd);
        }
    }

    /// A FunctionCall runs a function by its number: large objects are read and written so.
    fn function(&mut self, body: &[u8]) -> Result<(), Fault> {
        let (function, arguments) = frontend::function_call(body)?;
        let parameters = values::recorded(&arguments, &[], self.policy);
        let sent = self.query(&format!("call of function {function} by number"), &parameters)?;
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
                let sent = statements.query(&String::from_utf8_lossy(frontend::query(body)?), &[])?;
                statements.expect(Expect::Query(sent))?;
            }
            frontend::PARSE => statements.parse(body)?,
            frontend::BIND => {
                let Bind { portal, statement, values } = Bind::read(body)?;
                let mut kept = Vec::new();
                if statements.policy != ParameterPolicy::None {
                    values.write(&mut kept);
                }
                let bound = if kept.is_empty() { Bound::Unknown } else { Bound::Values(kept) };
                statements.bind(portal, statement, bound)?;
            }
            frontend::EXECUTE => statements.execute(frontend::execute(body)?)?,
            frontend::DESCRIBE => statements.expect(match Named::read(body)? {
                Named::Statement(name) => Expect::DescribeStatement(name.into()),
                Named::Portal(_) => Expect::DescribePortal,
            })?,
            frontend::CLOSE => statements.close(Named::read(body)?)?,
            frontend::SYNC => statements.sync(),
            frontend::FUNCTION_CALL => statements.function(body)?,
            frontend::COPY_DATA => statements.passed.copy_in += body.len() as u64,
            frontend::COPY_DONE | frontend::COPY_FAIL => statements.copy_ends(),
            frontend::TERMINATE => return Ok(Verdict::Last),
            _ => {}
        }
        Ok(Verdict::Pass)
    }

    fn pieces(&mut self, Head { tag, body }: Head, beginning: &[u8]) -> Result<Verdict, Fault> {
        let statements = &mut *self.0;
        if tag == frontend::BIND {
            if statements.expected.is_full() {
                return Ok(Verdict::Later);
            }
            // Names longer than a buffer are not names.
            let mut cursor = Cursor::new(beginning);
            let (portal, statement) = (cursor.string()?, cursor.string()?);
            statements.bind(portal, statement, Bound::Large(body))?;
        } else {
            statements.passed.copy_in += body as u64;
        }
        Ok(Verdict::Pass)
    }

    fn malformed(&self) -> Fault {
        Fault::Client("a message says that it is shorter than its own head")
    }
}
