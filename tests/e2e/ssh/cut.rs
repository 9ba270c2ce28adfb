//! The cut of SSH sessions: whatever they do, however they come to their end, and whether or not their client reads.
//! One test, whose outcome is docs/cut-ssh.md.

mod cell;
mod files;
mod stage;
mod streams;
mod witness;
mod work;

use cell::{Cell, Doing};
use stage::Stage;

use crate::golden::golden;
use crate::matrix::ending::Ending;
use crate::matrix::play::all;
use crate::matrix::table::{Verdict, table};

const ABOUT: &str = "\
# The cut of SSH sessions

Made by a test (`tests/e2e/ssh/cut.rs`) with OpenSSH on both sides of the gate: what a session was doing, and how it came
to its end. `ok` says, of each:

- No session byte passes after the end. What moves carries the time at which it was made, in both directions, and the
  newest that came out is older than the end; where nothing moves, a tap on either side sees no more than the goodbye. A
  deadline is met to the byte; a revocation, a return, a kill and idleness have to reach whoever moves the bytes, and
  have a second for that, with twenty sessions on a machine that is busy with tests.
- The gate has closed both sockets within 2 s, and the command is gone from the target's process list within 3 s.
- The audit event has the right reason, and how long the cut took.

In mid-rekey, the gate has the client's first packet of a new key exchange, and waits for the second.
";

/// The table of clients that read, or of those that have stopped.
fn by_work(verdicts: &[Verdict<Cell>], reads: bool) -> String {
    let rows =
        Doing::ALL.map(|doing| (doing.title(), Ending::ALL.map(|ending| Cell { doing, ending, reads })));
    table(verdicts, rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_session_does_it_is_over_at_its_end() {
    let mut stage = Stage::new().await;
    let verdicts = all(&mut stage).await;
    let (reading, deaf) = (by_work(&verdicts, true), by_work(&verdicts, false));
    let page = format!(
        "{ABOUT}\n## While the client reads\n\n{reading}\n## When the client has stopped reading\n\n{deaf}"
    );
    eprintln!("{reading}\n{deaf}");
    assert!(verdicts.iter().all(|verdict| verdict.wrong.is_empty()), "see the tables above");
    golden("docs/cut-ssh.md", &page);
}
