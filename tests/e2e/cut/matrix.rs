//! The cut of Postgres sessions: whatever they do, however they come to their end, and whoever has stopped reading. One
//! test, whose outcome is docs/cut-postgres.md.

mod cell;
mod ear;
mod notifier;
mod stage;
mod witness;
mod work;

use cell::{Cell, Doing, READERS};
use stage::Stage;

use crate::golden::golden;
use crate::matrix::ending::Ending;
use crate::matrix::play::all;
use crate::matrix::table::table;

const ABOUT: &str = "\
# The cut of Postgres sessions

Made by a test (`tests/e2e/cut/matrix.rs`) with one Postgres behind the gate, clients that are signed in by certificate
and speak TLS, and a tap on either side of the gate: what a session was doing, and how it came to its end. `ok` says, of
each:

- No session byte passes after the end. What streams carries the time at which it was made, in both directions, and the
  newest that came out is older than the end; where nothing streams, the client gets the goodbye and nothing else, and
  the target gets the gate's Terminate or nothing. A deadline is met to the byte; a revocation, a return, a kill and
  idleness have to reach whoever moves the bytes, and have a second for that, with more than thirty sessions on a
  machine that is busy with tests.
- The goodbye is the last message, and whole: FATAL 57P01 with what happened, the grant, and what to do next. There is
  none in the middle of a row, nor of any other message, and then the audit event says so.
- The gate has closed both sockets within 2 s. Where the target answers, the backend is gone from the process list within
  3 s, also where its function catches the cancel, or where more statements are queued behind the one that sleeps.
- Nothing that was not committed at the end is committed later.
- The audit event has the right reason, how long the cut took, what was outstanding, and what was done about it.

A peer that has stopped reading is a tap that reads no more from the gate, with everything up to it full, where something
streams. A target that has stopped reading takes no cancel either, so its backend stays until the target goes on.
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_session_does_it_is_over_at_its_end() {
    let mut stage = Stage::new().await;
    let verdicts = all(&mut stage).await;
    let mut page = ABOUT.to_owned();
    for (reads, answers) in READERS {
        let title = match (reads, answers) {
            (true, true) => "The client reads, the target answers",
            (false, true) => "The client has stopped reading, the target answers",
            (true, false) => "The client reads, the target has stopped reading",
            (false, false) => "Both have stopped reading",
        };
        let cells = |doing| Ending::ALL.map(|ending| Cell { doing, ending, reads, answers });
        let rows = Doing::ALL.map(|doing| (doing.title(), cells(doing)));
        page.push_str(&format!("\n## {title}\n\n{}", table(&verdicts, rows)));
    }
    eprintln!("{page}");
    assert!(verdicts.iter().all(|verdict| verdict.wrong.is_empty()), "see the tables above");
    golden("docs/cut-postgres.md", &page);
}
