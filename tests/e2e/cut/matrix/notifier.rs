//! Somebody who notifies all who listen, all the while, with the time at which it does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use curfew_harness::Postgres;
use curfew_harness::clock::wall;
use tokio::task::JoinSet;

/// How often.
const STEP: Duration = Duration::from_millis(20);

/// Notifies as long as it lives.
pub struct Notifier {
    channels: Arc<Mutex<Vec<String>>>,
    _telling: JoinSet<()>,
}

impl Notifier {
    pub async fn start(postgres: &Postgres) -> Self {
        let channels: Arc<Mutex<Vec<String>>> = Arc::default();
        let (db, told) = (postgres.connect("postgres").await.unwrap(), channels.clone());
        let mut telling = JoinSet::new();
        telling.spawn(async move {
            let mut steps = tokio::time::interval(STEP);
            loop {
                steps.tick().await;
                let channels = told.lock().unwrap().join(",");
                let now = wall().as_microsecond();
                let all = format!("select pg_notify(c, '{now}') from string_to_table('{channels}', ',') c");
                if !channels.is_empty() {
                    db.query(&all).await.unwrap();
                }
            }
        });
        Self { channels, _telling: telling }
    }

    /// This one too, from now on.
    pub fn tell(&self, channel: &str) {
        self.channels.lock().unwrap().push(channel.to_owned());
    }
}
