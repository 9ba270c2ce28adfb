//! What came of the statements: each answer of the target goes to what it answers.
//!
//! Answers that nobody waits for pass all the same: the client judges them, the recording has what is
//! known.

use super::expect::{Expect, Sent};
use super::fault::Fault;
use super::pump::{Inspector, Look, Verdict};
use super::statements::Statements;
use crate::codec::frame::Head;
use crate::codec::{Cursor, backend, frontend, limits, report};
use curfew_adapter::Event;

/// What a result says in place of a command tag.
const EMPTY: &str = "(empty)";
const SUSPENDED: &str = "(suspended)";
const FUNCTION: &str = "(function)";

/// Why a statement has no result of its own.
const NOT_RUN: &str = "not run: a message before it failed";

/// SQLSTATE in_failed_sql_transaction, which comes nearest.
const NOT_RUN_STATE: &str = "25P02";

impl Statements {
    fn result(&mut self, sent: Sent, tag: &str, error: Option<(&str, &str)>) -> Result<(), Fault> {
        let passed = std::mem::take(&mut self.passed);
        let micros = u64::try_from(self.now.since(sent.at).as_micros()).unwrap_or(u64::MAX);
        self.recorder.append(&Event::Result {
            n: sent.n,
            tag,
            rows: passed.rows,
            bytes: passed.bytes,
            copy_in: passed.copy_in,
            micros,
            sqlstate: error.map(|(code, _)| code),
            error: error.map(|(_, message)| message),
        })?;
        Ok(())
    }

    pub(super) fn not_run(&mut self, sent: Sent) -> Result<(), Fault> {
        self.recorder.append(&Event::Result {
            n: sent.n,
            tag: "",
            rows: 0,
            bytes: 0,
            copy_in: 0,
            micros: 0,
            sqlstate: Some(NOT_RUN_STATE),
            error: Some(NOT_RUN),
        })?;
        Ok(())
    }

    /// A command is complete; more may follow in a Query.
    fn complete(&mut self, tag: &str) -> Result<(), Fault> {
        self.copying = false;
        self.rows_end();
        match self.expected.front() {
            Some(Expect::Query(sent) | Expect::Function(sent)) => {
                let sent = *sent;
                self.result(sent, tag, None)?;
            }
            Some(Expect::Execute(sent, _)) => {
                let sent = *sent;
                self.expected.pop_if(|_| true);
                self.result(sent, tag, None)?;
            }
            _ => {}
        }
        // SQL can make a name stand for another statement than the one that was parsed under it.
        if matches!(tag, "PREPARE" | "DEALLOCATE ALL" | "DISCARD ALL") {
            self.names.forget_statements();
        }
        Ok(())
    }

    fn error(&mut self, body: &[u8]) -> Result<(), Fault> {
        let told = report::read(body);
        self.fatal |= told.is_fatal();
        self.copying = false;
        self.rows_end();
        let error = Some((&*told.code, &*told.message));
        match self.expected.front() {
            None => Ok(()),
            // The answer goes on to ReadyForQuery.
            Some(Expect::Query(sent) | Expect::Function(sent)) => {
                let sent = *sent;
                self.result(sent, "", error)
            }
            // What the implicit commit found: it belongs to the statement before.
            Some(Expect::Sync) => {
                let sent = Sent { n: self.last, at: self.now, prepared: None, renames: false };
                if self.last > 0 { self.result(sent, "", error) } else { Ok(()) }
            }
            Some(_) => {
                let failed = self.expected.pop_if(|_| true);
                if let Some(Expect::Execute(sent, _)) = failed {
                    self.result(sent, "", error)?;
                    return self.skip_to_sync(None, None);
                }
                let about = failed.as_ref().and_then(|failed| self.prepared_by(failed));
                self.skip_to_sync(failed, Some((about, &told.code, &told.message)))
            }
        }
    }

    /// The number of the prepared statement that a message other than Execute is about.
    fn prepared_by(&self, expect: &Expect) -> Option<u64> {
        match expect {
            Expect::Parse(_, _, number) => Some(*number),
            Expect::Bind(_, _, number) => *number,
            Expect::DescribeStatement(prepared) => prepared.as_ref().map(|prepared| prepared.number),
            // A portal's Describe is followed by its Execute.
            Expect::DescribePortal(_) => self.expected.next_prepared(),
            _ => None,
        }
    }

    /// What was to be executed could not even be prepared, bound or described.
    fn unprepared(&mut self, about: Option<u64>, code: &str, message: &str) -> Result<(), Fault> {
        self.recorder.append(&Event::Unprepared { prepared: about, sqlstate: code, error: message })?;
        Ok(())
    }

    /// The target skips everything behind `failed`, up to the next Sync.
    fn skip_to_sync(
        &mut self,
        failed: Option<Expect>,
        error: Option<(Option<u64>, &str, &str)>,
    ) -> Result<(), Fault> {
        let mut skipped: Vec<_> = failed.into_iter().collect();
        while let Some(expect) = self.expected.pop_if(|expect| !matches!(expect, Expect::Sync)) {
            skipped.push(expect);
        }
        self.skipping = self.expected.front().is_none();
        let mut sent = Vec::new();
        // Backwards, so that a name ends up with what it stood for before the first of them.
        for expect in skipped.into_iter().rev() {
            match self.undo(expect)? {
                Expect::Query(statement) | Expect::Function(statement) | Expect::Execute(statement, _) => {
                    sent.push(statement);
                }
                _ => {}
            }
        }
        let mut sent = sent.into_iter().rev().peekable();
        if let Some((about, code, message)) = error {
            // It failed as that statement, if it was sent along.
            match sent.next_if(|first| about.is_some() && first.prepared == about) {
                Some(first) => self.result(first, "", Some((code, message)))?,
                None => self.unprepared(about, code, message)?,
            }
        }
        sent.try_for_each(|statement| self.not_run(statement))
    }

    /// Takes back what was noted when the message was forwarded.
    fn undo(&mut self, expect: Expect) -> Result<Expect, Fault> {
        match expect {
            Expect::Parse(name, before, _) | Expect::CloseStatement(name, before) => {
                self.names.set_statement(&name, before)?;
                Ok(Expect::CopyEnd)
            }
            Expect::Bind(name, before, _) | Expect::ClosePortal(name, before) => {
                self.names.set_portal(&name, before)?;
                Ok(Expect::CopyEnd)
            }
            other => Ok(other),
        }
    }

    /// ReadyForQuery: answers a Query, a FunctionCall or a Sync, and whatever stands before it.
    fn ready(&mut self, body: &[u8]) {
        self.copying = false;
        loop {
            match self.expected.pop_if(|_| true) {
                Some(Expect::Query(_) | Expect::Function(_) | Expect::Sync) => break,
                Some(_) => {}
                None => {
                    self.skipping = false;
                    break;
                }
            }
        }
        // None of them has come since, where nothing is owed.
        if body == b"I" && self.expected.front().is_none() {
            self.names.forget_portals();
        }
    }

    fn copy_begins(&mut self) {
        self.copying = true;
        if matches!(self.expected.front(), Some(Expect::Execute(..))) {
            self.expected.forget_syncs_in_copy();
        }
    }

    /// A statement's parameter types, where the client left them to the server.
    fn parameters_described(&mut self, body: &[u8]) -> Result<(), Fault> {
        if let Some(Expect::DescribeStatement(Some(prepared))) = self.expected.front() {
            let types = frontend::parameter_description(body).map_err(|e| Fault::Target(e.0))?;
            let kept = if types.is_empty() { None } else { self.room.keep(types) };
            let _ = prepared.described.set(kept);
        }
        Ok(())
    }

    /// What rows will be made of; in a Query that belongs to its result.
    fn columns_described(&mut self, body: Option<&[u8]>) {
        let described = |e: &Expect| matches!(e, Expect::DescribeStatement(_) | Expect::DescribePortal(_));
        let answered = self.expected.pop_if(described);
        let Some(body) = body.filter(|_| self.results) else { return };
        match answered {
            Some(Expect::DescribeStatement(Some(prepared))) => {
                let _ = prepared.columns.set(self.room.keep(body));
            }
            Some(Expect::DescribePortal(Some(shape))) => {
                let _ = shape.columns.set(self.room.keep(body));
            }
            Some(_) => {}
            None => self.query_columns(body),
        }
    }
}

/// Looks at what comes from the target.
pub struct FromTarget<'a>(pub &'a mut Statements);

impl Inspector for FromTarget<'_> {
    type Fault = Fault;

    fn head(&mut self, Head { tag, body }: Head) -> Result<Look, Fault> {
        match tag {
            // The types that fe-protocol3.c lets be long (VALID_LONG_MESSAGE_TYPE).
            backend::DATA_ROW
            | backend::COPY_DATA
            | backend::ROW_DESCRIPTION
            | backend::ERROR
            | backend::NOTICE
            | backend::NOTIFICATION
            | backend::FUNCTION_RESULT => Ok(Look::Pieces),
            backend::PARAMETER_DESCRIPTION if body <= 2 + 4 * usize::from(u16::MAX) => Ok(Look::Whole),
            backend::BIND_COMPLETE
            | backend::CLOSE_COMPLETE
            | backend::COMMAND_COMPLETE
            | backend::COPY_DONE
            | backend::COPY_IN
            | backend::COPY_OUT
            | backend::EMPTY_QUERY
            | backend::NO_DATA
            | backend::PARAMETER_STATUS
            | backend::PARSE_COMPLETE
            | backend::PORTAL_SUSPENDED
            | backend::READY
                if body <= limits::BACKEND_SMALL =>
            {
                Ok(Look::Whole)
            }
            // Among them requests to authenticate: nobody but the gate asks the client for that.
            _ => Err(Fault::Target("a message that has no place in a session")),
        }
    }

    fn message(&mut self, tag: u8, body: &[u8]) -> Result<Verdict, Fault> {
        let statements = &mut *self.0;
        match tag {
            backend::DATA_ROW => {
                statements.passed.rows += 1;
                statements.passed.bytes += body.len() as u64;
                if statements.results {
                    statements.row(body)?;
                }
            }
            backend::COPY_DATA => {
                statements.passed.bytes += body.len() as u64;
                if statements.results {
                    statements.copied(false, body)?;
                }
            }
            backend::COMMAND_COMPLETE => {
                let tag = Cursor::new(body).string().map_err(|e| Fault::Target(e.0))?;
                statements.complete(&String::from_utf8_lossy(tag))?;
            }
            backend::EMPTY_QUERY => statements.complete(EMPTY)?,
            backend::PORTAL_SUSPENDED => statements.complete(SUSPENDED)?,
            backend::FUNCTION_RESULT => {
                if statements.results {
                    statements.returned(body)?;
                }
                statements.complete(FUNCTION)?;
            }
            backend::ERROR => statements.error(body)?,
            backend::READY => statements.ready(body),
            backend::COPY_IN => statements.copy_begins(),
            backend::PARAMETER_DESCRIPTION => statements.parameters_described(body)?,
            backend::PARSE_COMPLETE => drop(statements.expected.pop_if(|e| matches!(e, Expect::Parse(..)))),
            backend::BIND_COMPLETE => drop(statements.expected.pop_if(|e| matches!(e, Expect::Bind(..)))),
            backend::CLOSE_COMPLETE => drop(
                statements
                    .expected
                    .pop_if(|e| matches!(e, Expect::CloseStatement(..) | Expect::ClosePortal(..))),
            ),
            backend::ROW_DESCRIPTION => statements.columns_described(Some(body)),
            backend::NO_DATA => statements.columns_described(None),
            _ => {}
        }
        Ok(Verdict::Pass)
    }

    fn pieces(&mut self, Head { tag, body }: Head, beginning: &[u8]) -> Result<Verdict, Fault> {
        let statements = &mut *self.0;
        statements.long_over();
        match tag {
            backend::DATA_ROW | backend::COPY_DATA => {
                let row = tag == backend::DATA_ROW;
                statements.passed.rows += u64::from(row);
                statements.passed.bytes += body as u64;
                if statements.results {
                    statements.long(row, beginning)?;
                }
                Ok(Verdict::Pass)
            }
            // Read as far as it is here; the rest is counted by nobody.
            _ => self.message(tag, beginning),
        }
    }

    fn rest(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.0.longer(piece)
    }

    fn malformed(&self) -> Fault {
        Fault::Target("a message says that it is shorter than its own head")
    }
}
