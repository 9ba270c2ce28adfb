//! The audit log over the API: page after page of its exact lines.
//!
//! Owns the place in the log. It never changes a byte of a line: verification depends on it.

use serde::Deserialize;

use crate::cli::CliError;
use crate::cli::client::{Client, Lines};

/// Lines of a page: the most that the API gives.
const PAGE: u64 = 500;
/// How long the gate may hold a request that waits for more, below the client's own patience.
const WAIT_SECONDS: &str = "25";

#[derive(Deserialize)]
struct Numbered {
    seq: u64,
}

/// A reader of the log.
pub struct Pages<'c> {
    client: &'c Client,
    after: u64,
    page: Option<Lines>,
    seen_in_page: u64,
}

impl<'c> Pages<'c> {
    /// From the line after this one.
    pub fn after(client: &'c Client, after: u64) -> Self {
        Self { client, after, page: None, seen_in_page: 0 }
    }

    /// The next line, without its newline; `None` at the end of the log as it is now.
    ///
    /// # Errors
    /// Refused, or not reached.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, CliError> {
        loop {
            if let Some(page) = &mut self.page {
                if let Some(line) = page.next().await? {
                    self.pass(&line)?;
                    return Ok(Some(line));
                }
                self.page = None;
                if self.seen_in_page < PAGE {
                    return Ok(None);
                }
            }
            self.page = Some(self.ask(PAGE, "0").await?);
            self.seen_in_page = 0;
        }
    }

    /// The lines that came since, waiting for one if there is none yet. They may be none all the same.
    ///
    /// # Errors
    /// Refused, or not reached.
    pub async fn wait(&mut self) -> Result<Vec<Vec<u8>>, CliError> {
        let mut page = self.ask(PAGE, WAIT_SECONDS).await?;
        let mut lines = Vec::new();
        while let Some(line) = page.next().await? {
            self.pass(&line)?;
            lines.push(line);
        }
        Ok(lines)
    }

    /// The number of the log's last line; 0 when there is none. The API does not tell it, so it is closed in on.
    ///
    /// # Errors
    /// Refused, or not reached.
    pub async fn last(client: &'c Client) -> Result<u64, CliError> {
        let behind = async |seq: u64| -> Result<Option<u64>, CliError> {
            let mut page = Self::after(client, seq).ask(1, "0").await?;
            page.next().await?.map(|line| number(&line)).transpose()
        };
        let (mut there, mut step) = (0, 1024);
        // `there` is a line that exists, or 0; the end is between it and `there + step`.
        while let Some(seq) = behind(there + step - 1).await? {
            there = seq;
            step *= 2;
        }
        let mut gone = there + step;
        while gone - there > 1 {
            let middle = there + (gone - there) / 2;
            match behind(middle - 1).await? {
                Some(seq) => there = seq,
                None => gone = middle,
            }
        }
        Ok(there)
    }

    async fn ask(&self, limit: u64, wait: &str) -> Result<Lines, CliError> {
        let (after, limit) = (self.after.to_string(), limit.to_string());
        let mut query = vec![("after", after.as_str()), ("limit", limit.as_str())];
        if wait != "0" {
            query.push(("wait_seconds", wait));
        }
        self.client.lines(&["audit"], &query).await
    }

    fn pass(&mut self, line: &[u8]) -> Result<(), CliError> {
        let seq = number(line)?;
        if seq <= self.after {
            return Err(CliError::failed(format!(
                "the gate sent line {seq} of the audit log after line {}",
                self.after
            ))
            .hint("`curfew audit verify` on the gate's own file tells what is wrong with it"));
        }
        self.after = seq;
        self.seen_in_page += 1;
        Ok(())
    }
}

fn number(line: &[u8]) -> Result<u64, CliError> {
    serde_json::from_slice::<Numbered>(line)
        .map(|line| line.seq)
        .map_err(|_| CliError::failed("the gate sent a line that is not one of an audit log"))
}
