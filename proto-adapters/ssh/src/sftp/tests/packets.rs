//! Packets, made by hand.

use super::super::wire;

pub const READ: u32 = 1;
pub const WRITE: u32 = 2;
pub const CREATE: u32 = 8;
pub const TRUNCATE: u32 = 16;

pub fn packet(kind: u8, id: u32, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u32::try_from(body.len() + 5).unwrap();
    [&length.to_be_bytes()[..], &[kind], &id.to_be_bytes(), &body].concat()
}

pub fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

pub fn strings(kind: u8, id: u32, all: &[&[u8]]) -> Vec<u8> {
    packet(kind, id, &[&all.iter().flat_map(|one| string(one)).collect::<Vec<_>>()])
}

pub fn init(version: u32) -> Vec<u8> {
    packet(wire::INIT, version, &[])
}

pub fn version(version: u32) -> Vec<u8> {
    packet(wire::VERSION_IS, version, &[&string(b"limits@openssh.com"), &string(b"1")])
}

pub fn one(kind: u8, id: u32, path: &str) -> Vec<u8> {
    strings(kind, id, &[path.as_bytes()])
}

pub fn two(kind: u8, id: u32, path: &str, to: &str) -> Vec<u8> {
    strings(kind, id, &[path.as_bytes(), to.as_bytes()])
}

pub fn extended(id: u32, name: &str, parts: &[&str]) -> Vec<u8> {
    let all: Vec<&[u8]> = [name].iter().chain(parts).map(|part| part.as_bytes()).collect();
    strings(wire::EXTENDED, id, &all)
}

pub fn open(id: u32, path: &str, flags: u32) -> Vec<u8> {
    packet(wire::OPEN, id, &[&string(path.as_bytes()), &flags.to_be_bytes(), &[0; 4]])
}

pub fn by_handle(kind: u8, id: u32, handle: &[u8]) -> Vec<u8> {
    packet(kind, id, &[&string(handle)])
}

pub fn close(id: u32, handle: &[u8]) -> Vec<u8> {
    by_handle(wire::CLOSE, id, handle)
}

pub fn fstat(id: u32, handle: &[u8]) -> Vec<u8> {
    by_handle(wire::FSTAT, id, handle)
}

pub fn stat(id: u32, path: &str) -> Vec<u8> {
    one(wire::STAT, id, path)
}

pub fn read(id: u32, handle: &[u8], offset: u64) -> Vec<u8> {
    packet(wire::READ, id, &[&string(handle), &offset.to_be_bytes(), &32768_u32.to_be_bytes()])
}

pub fn write(id: u32, handle: &[u8], offset: u64, contents: &[u8]) -> Vec<u8> {
    packet(wire::WRITE, id, &[&string(handle), &offset.to_be_bytes(), &string(contents)])
}

pub fn mode(id: u32, path: &str) -> Vec<u8> {
    packet(wire::SETSTAT, id, &[&string(path.as_bytes()), &4_u32.to_be_bytes(), &0o644_u32.to_be_bytes()])
}

pub fn owner_and_mode(id: u32, path: &str) -> Vec<u8> {
    let set = [6, 0, 33, 0o100_755_u32].map(u32::to_be_bytes).concat();
    packet(wire::SETSTAT, id, &[&string(path.as_bytes()), &set])
}

pub fn resize(id: u32, handle: &[u8], size: u64) -> Vec<u8> {
    packet(wire::FSETSTAT, id, &[&string(handle), &1_u32.to_be_bytes(), &size.to_be_bytes()])
}

pub fn copy(id: u32, from: &[u8], to: &[u8], length: u64) -> Vec<u8> {
    let parts = [string(b"copy-data"), string(from), vec![0; 8], length.to_be_bytes().to_vec(), string(to)];
    packet(wire::EXTENDED, id, &[&parts.concat(), &[0; 8]])
}

pub fn status(id: u32, code: u32, message: &str) -> Vec<u8> {
    packet(wire::STATUS, id, &[&code.to_be_bytes(), &string(message.as_bytes()), &string(b"")])
}

pub fn handle(id: u32, handle: &[u8]) -> Vec<u8> {
    by_handle(wire::HANDLE, id, handle)
}

pub fn data(id: u32, contents: &[u8]) -> Vec<u8> {
    packet(wire::DATA, id, &[&string(contents)])
}

pub fn attributes(id: u32, size: u64) -> Vec<u8> {
    packet(wire::ATTRS, id, &[&1_u32.to_be_bytes(), &size.to_be_bytes()])
}

pub fn reply(id: u32) -> Vec<u8> {
    packet(wire::EXTENDED_REPLY, id, &[&[0; 88]])
}
