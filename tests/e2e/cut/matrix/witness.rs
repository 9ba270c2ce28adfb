//! What must be true of the bytes of a Postgres session that was cut, of its goodbye, and of what is on record about it.

use curfew_harness::Direction;
use curfew_harness::wire::{Message, messages};

use super::cell::{Cell, Doing};
use super::ear::Heard;
use super::stage::{ACCOUNT, Scene};
use super::work::ROW;
use crate::matrix::ending::Ending;
use crate::matrix::stamps::Newest;
use crate::matrix::witness::{Findings, LATENCY};

/// The gate's own Terminate.
const TERMINATE: &[u8] = b"X\0\0\0\x04";

/// SQLSTATE admin_shutdown, as it stands in an ErrorResponse.
const CODE: &[u8] = b"C57P01\0";

pub fn judge(scene: &Scene, findings: &mut Findings) {
    let Scene { cell, work, .. } = scene;
    let heard = work.ear.heard();
    let goodbye = goodbye(*cell, &heard, findings);
    if let Some(goodbye) = &goodbye {
        words(scene, goodbye, findings);
    }
    to_client(scene, &heard, goodbye.is_some(), findings);
    to_target(scene, findings);
    on_record(*cell, findings);
    findings.must(scene.committed == 0, || format!("{} rows were committed", scene.committed));
}

/// The goodbye, which is the last message and whole, or is not there and on record as such.
fn goodbye(cell: Cell, heard: &Heard, findings: &mut Findings) -> Option<Message> {
    let whole = heard.within.is_none();
    let last =
        heard.last.clone().filter(|last| last.tag == b'E' && last.field('C').as_deref() == Some("57P01"));
    let goodbye = last.filter(|_| whole);
    let on_record = findings.event["cut"]["no_goodbye"].clone();
    findings.must(goodbye.is_some() == on_record.is_null(), || {
        format!("the goodbye is {on_record} on record, and was {:?} within {:?}", heard.last, heard.within)
    });
    // One that was cut short itself begins where a message does.
    let inside = heard.within.is_some_and(|tag| tag != b'E') && contains(&heard.tail, CODE);
    findings.must(!inside, || "the goodbye came inside another message".to_owned());
    let fits = cell.reads && !matches!(cell.doing, Doing::CopyOut | Doing::Row);
    findings.must(goodbye.is_some() || !fits, || "there was no goodbye".to_owned());
    findings.must(goodbye.is_none() || cell.doing != Doing::Row, || "a goodbye in a row".to_owned());
    goodbye
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// It says what happened, why, and what to do next.
fn words(scene: &Scene, goodbye: &Message, findings: &mut Findings) {
    let (Scene { cell, subject, .. }, said) = (scene, |code| goodbye.field(code).unwrap_or_default());
    let access = format!("access to {} as {ACCOUNT} has ended", subject.name);
    let mut right = said('S') == "FATAL" && said('M').contains(&access) && !said('H').is_empty();
    right &= said('D').contains(&subject.grant);
    if matches!(cell.ending, Ending::Revoke | Ending::Kill) {
        right &= said('M').contains("a test");
    }
    if matches!(cell.ending, Ending::Expiry | Ending::Revoke | Ending::Return) {
        right &= said('H').contains("/requests/new?");
    }
    findings.must(right, || format!("it was told {goodbye:?}"));
}

/// No session byte reaches the client after the end.
fn to_client(scene: &Scene, heard: &Heard, goodbye: bool, findings: &mut Findings) {
    let Scene { cell, work, client_side, .. } = scene;
    if cell.tells() {
        findings.newest(work.ear.newest.at());
    } else if cell.doing == Doing::Row {
        findings
            .must(heard.within == Some(b'D') && heard.bytes < ROW, || format!("the row passed: {heard:?}"));
        // It came over a slow line, so nothing of it lay about on its way to a client that read.
        let late = client_side.bytes_after(Direction::ToClient, findings.end + LATENCY);
        findings.must(!cell.reads || late == 0, || format!("{late} bytes went to the client after the end"));
    } else {
        let late = heard.messages - work.before - usize::from(goodbye);
        findings.must(late == 0 && heard.within.is_none_or(|tag| tag == b'E'), || {
            format!("{late} messages went to the client after the end, and {:?}", heard.within)
        });
    }
}

/// Nor the target.
fn to_target(scene: &Scene, findings: &mut Findings) {
    let Scene { cell, target_side, .. } = scene;
    if cell.doing == Doing::CopyIn {
        let passed = target_side.bytes(0, Direction::ToTarget);
        // The first has no type: it is as long as it says.
        let length = u32::from_be_bytes(passed[..4].try_into().unwrap());
        let newest = Newest::default();
        let rows = messages(&passed[length as usize..]).0.into_iter().filter(|message| message.tag == b'd');
        rows.for_each(|row| newest.note(&row.body));
        findings.newest(newest.at());
    } else {
        let late = target_side.after(0, Direction::ToTarget, findings.end);
        findings.must(late.is_empty() || late == TERMINATE, || {
            format!("{late:?} went to the target after the end")
        });
    }
}

/// What was outstanding, and what was done about it.
fn on_record(cell: Cell, findings: &mut Findings) {
    let cut = &findings.event["cut"];
    let (outstanding, work) = (cut["outstanding"].as_str(), cut["target_work"].as_str().unwrap_or_default());
    let right = match (cell.doing, outstanding) {
        (Doing::Batch, Some(what)) => what.starts_with("statement ") && what.ends_with(" more queued"),
        (doing, Some(what)) => doing.runs() && what.starts_with("statement "),
        (doing, None) => !doing.runs(),
    };
    // The process list has shown that the backend is gone. A cancel would make way for the next of a queue, so that has no
    // other way; what catches cancels may still die of one that finds it between two tries.
    let terminated = work.ends_with("the backend was terminated");
    let stopped = match cell.doing {
        Doing::Batch => terminated,
        Doing::Catch => terminated || work.ends_with("the backend exited"),
        _ => true,
    };
    let stopped = stopped || !cell.answers;
    let (outstanding, work) = (outstanding.map(str::to_owned), work.to_owned());
    findings.must(right, || format!("outstanding was {outstanding:?}"));
    findings.must(stopped, || work);
}
