//! Who somebody is, and what that is worth: providers, tokens, links, and the people who approve.

mod approvers;
mod oauth;
mod providers;
mod tokens;

use curfew_harness::{Person, Process};
use serde_json::Value;

use crate::world::{LIMIT, World};

/// Asks for `orders_read` under the contract with an approval, and gives the request's id.
async fn asked(who: &Person) -> String {
    let args = ["request", "orders", "--as", "orders_read", "--reason", "a test", "--json"];
    who.json(args).await.unwrap()["id"].as_str().unwrap().to_owned()
}

/// psql that waits, and the link that it shows.
pub async fn linked(world: &World) -> (Process, String) {
    let psql = world.psql("orders_read").spawn(["-Atc", "select 'in'"]).unwrap();
    let links = format!("{}/link/", world.gate.url());
    let find = |line: &curfew_harness::process::Line| curfew_harness::gate::address(&line.text, &links);
    let url = psql.logs().find("a link", LIMIT, find).await.unwrap();
    (psql, url)
}

/// The request as this person sees it.
async fn request(who: &Person, id: &str) -> Value {
    who.json(["requests", id, "--json"]).await.unwrap()
}
