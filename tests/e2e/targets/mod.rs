//! Targets as they are in the world: several hosts, client certificates, old password hashes, somebody in between; and
//! what an operator types to see that there is no way around the gate.

mod hosts;
mod operator;
mod proof;

use curfew_harness::GateOptions;

use crate::world::World;

/// A gate whose target `orders` has this `address`, `tls` and whatever else an entry may have, without the tap.
fn entry(mut options: GateOptions, address: &str, tls: &str, more: &str) -> GateOptions {
    let begin = options.tables.find("address = ").unwrap();
    let end = begin + options.tables[begin..].find('\n').unwrap();
    options.tables.replace_range(begin..end, &format!("address = {address}\n{more}"));
    options.tables = options.tables.replace("mode = \"disable\"", tls);
    options
}

/// The address in the entry, as TOML: that of the tap before the target.
fn address(options: &GateOptions) -> String {
    options.tables.split("address = ").nth(1).unwrap().lines().next().unwrap().to_owned()
}

/// What a session of this account answers to one query, as text; or the sentence that there is none.
async fn ask(world: &World, account: &str, sql: &str) -> Result<String, String> {
    let alice = world.signed_in("alice").await;
    world.grant(&alice, account, "30m").await;
    let mut wire = world.wire(account).await;
    let link = wire.link(&world.gate.url()).await.unwrap();
    alice.consent(&link).await.unwrap();
    loop {
        let message = wire.next().await.unwrap();
        match message.tag {
            b'E' => return Err(message.field('M').unwrap()),
            b'Z' => break,
            _ => {}
        }
    }
    wire.query(sql).await.unwrap();
    let said = wire.until(b'Z').await.unwrap();
    let row = said.iter().find(|message| message.tag == b'D').unwrap_or_else(|| panic!("no row: {said:?}"));
    Ok(row.row()[0].clone().unwrap())
}
