//! What moves in SSH sessions: records that say when they were made, and what makes and reads them.

use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::matrix::stamps::{HEADER, Newest, Pace, header};

/// The size of a record in a stream.
pub const RECORD: usize = 4096;

/// What a line of a terminal says.
pub fn note_lines(newest: &Newest, text: &str) {
    text.lines().for_each(|line| newest.note(line.as_bytes()));
}

/// Writes records until nobody takes them any more.
pub async fn talk(mut to: impl AsyncWrite + Unpin, pace: Pace) {
    let mut steps = pace.steps();
    loop {
        steps.next().await;
        let mut record = header().into_bytes();
        record.resize(RECORD - 1, b'.');
        record.push(b'\n');
        if to.write_all(&record).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

/// Reads records to their end.
pub async fn listen(mut from: impl AsyncRead + Unpin, newest: &Newest) {
    let mut bytes = vec![0; 64 * 1024];
    let (mut header, mut at) = ([0; HEADER], 0);
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let mut bytes = &bytes[..read];
        while !bytes.is_empty() {
            let end = if at < HEADER { HEADER } else { RECORD };
            let (now, rest) = bytes.split_at(bytes.len().min(end - at));
            if at < HEADER {
                header[at..at + now.len()].copy_from_slice(now);
            }
            at += now.len();
            match at {
                HEADER => newest.note(&header),
                RECORD => at = 0,
                _ => {}
            }
            bytes = rest;
        }
    }
}

/// What a shell runs to write records, from its standard input to a file and from nowhere to its standard output.
pub fn script(file: &Path, pace: Pace) -> String {
    let wait = if pace == Pace::Calm { "read -rt 0.008 -u 3;" } else { "" };
    let pad = RECORD - HEADER - 1;
    format!(
        "exec bash -c 'exec 3<> <(:) 4<&0; echo ready; read -r go; cat <&4 > {} & printf -v pad %0{pad}d 0; \
         while :; do t=${{EPOCHREALTIME/./}}; printf \"%s %s %s\\n\" $t $t $pad; {wait} done'",
        file.display()
    )
}

/// The same for a terminal: short lines, and few of them.
pub const LINES: &str = "exec bash -c 'exec 3<> <(:); while :; do t=${EPOCHREALTIME/./}; \
     printf \"%s %s .\\n\" $t $t; read -rt 0.005 -u 3; done'";
