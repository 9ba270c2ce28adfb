//! The command line as people and scripts meet it: every command against a running gate, with its exit status.

mod certificates;
mod credentials;
mod login;
mod records;
mod requests;

use curfew_harness::psql::{Output, output};
use curfew_harness::{Person, Process, Psql};
use serde_json::Value;

use crate::world::LIMIT;

/// Runs a command that must be refused with this exit status, and gives what it says about that.
async fn refused<const N: usize>(person: &Person, args: [&str; N], code: i32) -> String {
    let said = person.curfew(args).await.unwrap();
    assert_eq!(said.code, Some(code), "{args:?}: {}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("curfew: "), "{args:?}: {}", said.stderr);
    said.stderr
}

/// Waits for a command that was started, and reads what it printed as JSON.
async fn ended(mut process: Process) -> (Output, Value) {
    let said = output(&mut process, LIMIT).await.unwrap();
    let value = serde_json::from_str(&said.stdout).unwrap_or_default();
    (said, value)
}

/// The id of the only item of a list.
fn only(list: &Value) -> String {
    let items = list["items"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
    assert_eq!(items.len(), 1, "{list}");
    items[0]["id"].as_str().unwrap().to_owned()
}

/// psql with what `curfew connect` tells, and nothing of `curfew` at run time.
pub async fn plain_psql(person: &Person) -> Psql {
    let told = person.json(["connect", "orders", "--as", "orders_read", "--json"]).await.unwrap();
    let mut psql = Psql::to(([127, 0, 0, 1], 1).into());
    for (name, value) in told["parameters"].as_object().unwrap() {
        psql = psql.param(name, value.as_str().unwrap());
    }
    psql
}
