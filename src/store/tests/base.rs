//! Opening, transactions, the chain, the news.

use curfew_adapter::GrantId;
use sqlx::Executor;
use tokio::sync::broadcast::error::TryRecvError;

use super::{backends, event};
use crate::audit::chain::verify;
use crate::audit::{Head, PublicKeys};
use crate::store::{Change, Store, StoreError};

async fn sound(store: &Store) -> u64 {
    let lines: Vec<_> =
        store.audit_lines(0, 1_000).await.unwrap().into_iter().map(|(_, line)| line).collect();
    let report = verify(&lines, None::<Vec<String>>, &PublicKeys::default());
    assert!(report.is_sound(), "{report:?}");
    report.lines
}

#[tokio::test]
async fn the_chain_goes_on_over_a_restart() {
    for backend in backends().await {
        let store = &backend.store;
        assert_eq!(store.audit_head().await.unwrap(), Head::EMPTY);
        store.audit([event(), event()]).await.unwrap();
        let before = store.audit_head().await.unwrap();
        assert_eq!(before.seq, 2);
        store.close().await;

        let store = backend.again().await.unwrap();
        assert_eq!(store.audit_head().await.unwrap(), before);
        store.audit([event()]).await.unwrap();
        assert_eq!(sound(&store).await, 3);
        let lines = store.audit_lines(1, 1).await.unwrap();
        assert_eq!(lines.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [2]);
    }
}

#[tokio::test]
async fn a_dropped_transaction_persists_nothing_and_tells_nothing() {
    for backend in backends().await {
        let store = &backend.store;
        let mut news = store.changes();
        let mut tx = store.begin().await.unwrap();
        tx.audit(&event()).await.unwrap();
        tx.changed(Change::Grant(GrantId::random()));
        drop(tx);
        assert_eq!(store.audit_head().await.unwrap(), Head::EMPTY);
        assert_eq!(news.try_recv().map(|news| news.change), Err(TryRecvError::Empty));

        // The writer goes on, and the chain has no gap.
        store.audit([event()]).await.unwrap();
        assert_eq!(sound(store).await, 1);
        assert_eq!(news.try_recv().map(|news| news.change), Ok(Change::Audit(1)));
    }
}

#[tokio::test]
async fn a_process_killed_in_a_transaction_leaves_the_chain_whole() {
    for backend in backends().await {
        backend.store.audit([event()]).await.unwrap();
        let mut tx = backend.store.begin().await.unwrap();
        tx.audit(&event()).await.unwrap();
        // The files as a kill at this moment leaves them, opened by the next process.
        let copy = tempfile::tempdir().unwrap();
        for name in ["curfew.db", "curfew.db-wal"] {
            let from = backend.path().with_file_name(name);
            std::fs::copy(from, copy.path().join(name)).unwrap();
        }
        let next = Store::open(&copy.path().join("curfew.db"), backend.hand.clock(), "gate-1").await.unwrap();
        next.audit([event()]).await.unwrap();
        assert_eq!(sound(&next).await, 2);
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_whose_caller_leaves_is_still_told() {
    for backend in backends().await {
        let store = &backend.store;
        let mut news = store.changes();
        let mut tx = store.begin().await.unwrap();
        tx.audit(&event()).await.unwrap();
        {
            let mut commit = std::pin::pin!(tx.commit());
            assert!(futures_util::poll!(&mut commit).is_pending());
        }
        assert_eq!(news.recv().await.map(|news| news.change), Ok(Change::Audit(1)));
        assert_eq!(store.audit_head().await.unwrap().seq, 1);
    }
}

#[tokio::test]
async fn writers_take_turns_and_news_comes_in_the_order_of_commits() {
    for backend in backends().await {
        let mut news = backend.store.changes();
        let writers = (0..20).map(|_| backend.store.audit([event()]));
        for written in futures_util::future::join_all(writers).await {
            written.unwrap();
        }
        for seq in 1..=20 {
            assert_eq!(news.try_recv().map(|news| news.change), Ok(Change::Audit(seq)));
        }
        assert_eq!(sound(&backend.store).await, 20);
    }
}

#[tokio::test]
async fn two_processes_on_one_chain_cannot_fork_it() {
    for backend in backends().await {
        let other = backend.again().await.unwrap();
        for _ in 0..5 {
            let (one, two) = tokio::join!(backend.store.audit([event()]), other.audit([event()]));
            one.unwrap();
            two.unwrap();
        }
        assert_eq!(sound(&backend.store).await, 10);
    }
}

#[tokio::test]
async fn a_store_newer_than_the_binary_is_refused() {
    for backend in backends().await {
        let mut tx = backend.store.begin().await.unwrap();
        tx.connection()
            .execute(sqlx::raw_sql(
                "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9000, 'later', TRUE, '', 0)",
            ))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        backend.store.close().await;
        let refused = backend.again().await.unwrap_err();
        assert!(matches!(refused, StoreError::Newer { found: 9000, .. }), "{refused:?}");
        assert!(refused.to_string().contains("written by a newer Curfew"), "{refused}");
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_loses_nothing() {
    for backend in backends().await {
        let store = &backend.store;
        store.audit([event()]).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        // SQLite gives the code of a full disk at this size of the file, on this connection.
        tx.connection().execute(sqlx::raw_sql("PRAGMA max_page_count = 1")).await.unwrap();
        let full = loop {
            if let Err(error) = tx.audit(&event()).await {
                break error;
            }
        };
        assert!(matches!(full, StoreError::Full(_)), "{full:?}");
        assert!(full.sentence().contains("disk is full"), "{}", full.sentence());
        drop(tx);
        assert_eq!(store.audit_head().await.unwrap().seq, 1);
        store.audit([event()]).await.unwrap();
        assert_eq!(sound(store).await, 2);
    }
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone_and_commits_are_durable() {
    use std::os::unix::fs::PermissionsExt;
    for backend in backends().await {
        for name in ["curfew.db", "curfew.db-wal"] {
            let mode = std::fs::metadata(backend.path().with_file_name(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let mut tx = backend.store.begin().await.unwrap();
        let setting = |name: &'static str| format!("PRAGMA {name}");
        for (name, value) in [("synchronous", "2"), ("journal_mode", "wal"), ("foreign_keys", "1")] {
            let row =
                sqlx::query(sqlx::AssertSqlSafe(setting(name))).fetch_one(tx.connection()).await.unwrap();
            let found = sqlx::Row::try_get::<i64, _>(&row, 0).map(|number| number.to_string());
            let found = found.or_else(|_| sqlx::Row::try_get::<String, _>(&row, 0)).unwrap();
            assert_eq!(found, value, "{name}");
        }
        tx.rollback().await.unwrap();
        backend.store.ping().await.unwrap();
    }
}
