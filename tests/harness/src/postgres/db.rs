//! A direct connection to a test's Postgres, for looking behind the gate's back.

use std::path::Path;

use tokio::task::JoinSet;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::error::{Context, Result};

/// One row, every value as Postgres writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<Option<String>>);

impl Row {
    /// The value of a column, if there is one and it is not null.
    #[must_use]
    pub fn text(&self, column: usize) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }
}

/// A connection over the Unix socket; closed when dropped.
pub struct Db {
    client: Client,
    _connection: JoinSet<()>,
}

impl Db {
    pub(super) async fn connect(socket: &Path, port: u16, account: &str, database: &str) -> Result<Self> {
        let (client, connection) = Config::new()
            .host_path(socket)
            .port(port)
            .user(account)
            .dbname(database)
            .application_name("harness")
            .connect(NoTls)
            .await
            .context(format!("connecting to Postgres as {account}"))?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            // Its error reaches whoever awaits the client.
            let _ = connection.await;
        });
        Ok(Self { client, _connection: task })
    }

    /// The client itself, for prepared statements, COPY and the like.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs statements and gives the rows of the last one that had any.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn query(&self, sql: &str) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for message in self.client.simple_query(sql).await.context(sql)? {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => {
                    rows.push(Row((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()));
                }
                _ => {}
            }
        }
        Ok(rows)
    }
}
