//! Addresses and networks (`network_send` in network.c).

use std::fmt::Write;
use std::net::IpAddr;

/// Appends an `inet`, or a `cidr`.
pub fn write(value: &[u8], network: bool, out: &mut String) -> Option<()> {
    let [family, bits, _, length, address @ ..] = value else { return None };
    let (address, most): (IpAddr, u8) = match (family, length) {
        (2, 4) => (<[u8; 4]>::try_from(address).ok()?.into(), 32),
        (3, 16) => (<[u8; 16]>::try_from(address).ok()?.into(), 128),
        _ => return None,
    };
    if *bits > most {
        return None;
    }
    write!(out, "{address}").ok()?;
    if network || *bits < most {
        write!(out, "/{bits}").ok()?;
    }
    Some(())
}
