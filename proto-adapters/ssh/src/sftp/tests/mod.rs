//! Whole conversations, hostile packets, any pieces, and OpenSSH itself.

mod hostile;
mod openssh;
mod packets;
mod pieces;

use super::wire;
use super::{Access, Outlet, SftpFault, Watch};
use bytes::Bytes;
use curfew_adapter::{Event, RecordError};
use packets::*;

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tap {
    target: Vec<u8>,
    client: Vec<u8>,
    events: Vec<String>,
}

impl Outlet for Tap {
    fn to_target(&mut self, bytes: Bytes) {
        self.target.extend_from_slice(&bytes);
    }

    fn to_client(&mut self, bytes: Bytes) {
        self.client.extend_from_slice(&bytes);
    }

    fn record(&mut self, event: &Event<'_>) -> Result<(), RecordError> {
        self.events.push(serde_json::to_string(event).unwrap().replace("\"kind\":\"file\",\"ch\":1,", ""));
        Ok(())
    }
}

/// A conversation, watched.
struct Talk {
    watch: Watch,
    tap: Tap,
}

impl Talk {
    /// One in which the versions are agreed.
    fn new(access: Access) -> Self {
        let mut talk = Self { watch: Watch::new(1, access), tap: Tap::default() };
        talk.asks(init(3)).unwrap();
        talk.answers(version(3)).unwrap();
        talk.tap = Tap::default();
        talk
    }

    fn asks(&mut self, packet: Vec<u8>) -> Result<(), SftpFault> {
        let mut input = Bytes::from(packet);
        self.watch.client(&mut input, &mut self.tap)?;
        assert!(input.is_empty(), "it had room");
        Ok(())
    }

    fn answers(&mut self, packet: Vec<u8>) -> Result<(), SftpFault> {
        self.watch.target(Bytes::from(packet), &mut self.tap)
    }

    /// A request that goes on, and its answer, which goes on.
    fn exchange(&mut self, request: Vec<u8>, answer: Vec<u8>) {
        let before = (self.tap.target.len(), self.tap.client.len());
        self.asks(request.clone()).unwrap();
        self.answers(answer.clone()).unwrap();
        assert_eq!((&self.tap.target[before.0..], &self.tap.client[before.1..]), (&*request, &*answer));
    }

    fn events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.tap.events)
    }
}

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn a_file_that_is_read_to_its_end_has_a_hash() {
    let mut talk = Talk::new(Access::ReadOnly);
    talk.exchange(open(1, "/etc/motd", READ), handle(1, b"h"));
    talk.asks(read(2, b"h", 0)).unwrap();
    talk.asks(read(3, b"h", 2)).unwrap();
    talk.asks(read(4, b"h", 3)).unwrap();
    talk.answers(data(2, b"ab")).unwrap();
    talk.answers(data(3, b"c")).unwrap();
    talk.answers(status(4, wire::EOF, "")).unwrap();
    assert_eq!(talk.events(), Vec::<String>::new());
    talk.exchange(close(5, b"h"), status(5, wire::OK, ""));
    assert_eq!(talk.events(), [format!(r#"{{"op":"get","path":"/etc/motd","bytes":3,"sha256":"{ABC}"}}"#)]);
}

#[test]
fn a_part_of_a_file_has_bytes_and_no_hash() {
    let mut talk = Talk::new(Access::ReadWrite);
    talk.exchange(open(1, "/f", READ), handle(1, b"h"));
    talk.exchange(read(2, b"h", 0), data(2, b"ab"));
    talk.exchange(close(3, b"h"), status(3, wire::OK, ""));
    assert_eq!(talk.events(), [r#"{"op":"get","path":"/f","bytes":2}"#]);
}

#[test]
fn a_size_that_the_target_told_says_that_a_file_was_read_whole() {
    let whole = format!(r#"{{"op":"get","path":"/f","bytes":3,"sha256":"{ABC}"}}"#);
    let mut talk = Talk::new(Access::ReadWrite);
    talk.exchange(stat(9, "/f"), attributes(9, 3));
    talk.exchange(open(1, "/f", READ), handle(1, b"h"));
    talk.exchange(read(2, b"h", 0), data(2, b"abc"));
    talk.exchange(close(3, b"h"), status(3, wire::OK, ""));
    assert_eq!(talk.events().first(), Some(&whole));
    talk.exchange(stat(9, "/other"), attributes(9, 7));
    talk.exchange(open(1, "/f", READ), handle(1, b"h"));
    talk.exchange(fstat(4, b"h"), attributes(4, 3));
    talk.exchange(read(2, b"h", 0), data(2, b"abc"));
    talk.exchange(close(3, b"h"), status(3, wire::OK, ""));
    assert_eq!(talk.events(), [whole]);
}

#[test]
fn answers_out_of_order_cost_the_hash_and_nothing_else() {
    let mut talk = Talk::new(Access::ReadWrite);
    talk.exchange(open(1, "/f", READ), handle(1, b"h"));
    talk.asks(read(2, b"h", 0)).unwrap();
    talk.asks(read(3, b"h", 2)).unwrap();
    talk.answers(data(3, b"c")).unwrap();
    talk.answers(data(2, b"ab")).unwrap();
    talk.exchange(read(4, b"h", 3), status(4, wire::EOF, "end"));
    talk.exchange(close(5, b"h"), status(5, wire::OK, ""));
    assert_eq!(talk.events(), [r#"{"op":"get","path":"/f","bytes":3}"#]);
}

/// Writes `abc` in two pieces, which are both on their way before the first is answered.
fn writes(talk: &mut Talk, flags: u32, last: Vec<Vec<u8>>) -> String {
    talk.exchange(open(1, "/f", flags), handle(1, b"h"));
    talk.asks(write(2, b"h", 0, b"a")).unwrap();
    talk.asks(write(3, b"h", 1, b"bc")).unwrap();
    talk.answers(status(2, wire::OK, "")).unwrap();
    talk.answers(status(3, wire::OK, "")).unwrap();
    for request in last {
        let id = u32::from_be_bytes(request[5..9].try_into().unwrap());
        talk.exchange(request, status(id, wire::OK, ""));
    }
    talk.exchange(close(5, b"h"), status(5, wire::OK, ""));
    talk.events().pop().unwrap()
}

#[test]
fn a_file_that_is_written_from_nothing_in_order_has_a_hash() {
    let whole = format!(r#"{{"op":"put","path":"/f","bytes":3,"sha256":"{ABC}"}}"#);
    let part = r#"{"op":"put","path":"/f","bytes":3}"#;
    let mut talk = Talk::new(Access::ReadWrite);
    assert_eq!(writes(&mut talk, WRITE | CREATE | TRUNCATE, vec![]), whole);
    assert_eq!(writes(&mut talk, WRITE | CREATE, vec![]), part, "what was behind it before, is so still");
    // scp does not truncate at the beginning, but cuts at the end.
    assert_eq!(writes(&mut talk, WRITE | CREATE, vec![resize(4, b"h", 3)]), whole);
    assert_eq!(writes(&mut talk, WRITE | CREATE, vec![resize(4, b"h", 2)]), part);
    assert_eq!(writes(&mut talk, WRITE | CREATE | TRUNCATE, vec![resize(4, b"h", 9)]), part);
    assert_eq!(writes(&mut talk, WRITE | CREATE | TRUNCATE | wire::APPENDING, vec![]), part);
    let again = writes(&mut talk, WRITE | TRUNCATE, vec![write(4, b"h", 0, b"x")]);
    assert_eq!(again, r#"{"op":"put","path":"/f","bytes":4}"#);
}

#[test]
fn an_empty_file_is_a_file() {
    let mut talk = Talk::new(Access::ReadWrite);
    talk.exchange(open(1, "/f", WRITE | CREATE | TRUNCATE), handle(1, b"h"));
    talk.exchange(close(5, b"h"), status(5, wire::OK, ""));
    talk.exchange(open(1, "/f", READ), handle(1, b"h"));
    talk.exchange(read(2, b"h", 0), status(2, wire::EOF, ""));
    talk.exchange(close(5, b"h"), status(5, wire::OK, ""));
    let expected = |op| format!(r#"{{"op":"{op}","path":"/f","sha256":"{EMPTY}"}}"#);
    assert_eq!(talk.events(), [expected("put"), expected("get")]);
}

#[test]
fn a_write_that_failed_is_in_the_record() {
    let mut talk = Talk::new(Access::ReadWrite);
    talk.exchange(open(1, "/f", WRITE | CREATE | TRUNCATE), handle(1, b"h"));
    talk.exchange(write(2, b"h", 0, b"abc"), status(2, wire::FAILURE, "No space left on device"));
    talk.exchange(close(3, b"h"), status(3, wire::OK, ""));
    assert_eq!(talk.events(), [r#"{"op":"put","path":"/f","error":"No space left on device"}"#]);
}

#[test]
fn a_file_open_for_both_is_recorded_as_both() {
    let mut talk = Talk::new(Access::ReadWrite);
    talk.exchange(open(1, "/f", READ | WRITE), handle(1, b"h"));
    talk.exchange(read(2, b"h", 0), data(2, b"abc"));
    talk.exchange(write(3, b"h", 3, b"defg"), status(3, wire::OK, ""));
    talk.exchange(close(4, b"h"), status(4, wire::OK, ""));
    assert_eq!(
        talk.events(),
        [r#"{"op":"get","path":"/f","bytes":3}"#, r#"{"op":"put","path":"/f","bytes":4}"#]
    );
}

#[test]
fn every_operation_is_recorded_with_its_outcome() {
    let mut talk = Talk::new(Access::ReadWrite);
    let ok = |id| status(id, wire::OK, "Success");
    talk.exchange(one(wire::OPENDIR, 1, "/d"), handle(1, b"d"));
    talk.exchange(by_handle(wire::READDIR, 2, b"d"), status(2, wire::EOF, ""));
    talk.exchange(close(3, b"d"), ok(3));
    talk.exchange(one(wire::REMOVE, 4, "/a"), status(4, 2, ""));
    talk.exchange(one(wire::MKDIR, 5, "/m"), ok(5));
    talk.exchange(one(wire::RMDIR, 6, "/m"), status(6, wire::FAILURE, "Directory not empty"));
    talk.exchange(two(wire::RENAME, 7, "/a", "/b"), ok(7));
    talk.exchange(two(wire::SYMLINK, 8, "there", "/link"), ok(8));
    talk.exchange(extended(9, "posix-rename@openssh.com", &["/b", "/c"]), ok(9));
    talk.exchange(extended(10, "hardlink@openssh.com", &["/c", "/h"]), ok(10));
    talk.exchange(mode(11, "/c"), ok(11));
    talk.exchange(extended(12, "statvfs@openssh.com", &["/"]), reply(12));
    talk.exchange(owner_and_mode(16, "/c"), status(16, wire::OK, ""));
    talk.exchange(extended(13, "do-it@example.com", &["all"]), reply(13));
    talk.exchange(open(14, "/no", READ), status(14, wire::PERMISSION_DENIED, "Permission denied"));
    talk.exchange(one(wire::OPENDIR, 15, "/no"), status(15, 2, "No such file"));
    assert_eq!(
        talk.events(),
        [
            r#"{"op":"list","path":"/d"}"#,
            r#"{"op":"remove","path":"/a","error":"no such file"}"#,
            r#"{"op":"mkdir","path":"/m"}"#,
            r#"{"op":"rmdir","path":"/m","error":"Directory not empty"}"#,
            r#"{"op":"rename","path":"/a","to":"/b"}"#,
            r#"{"op":"symlink","path":"there","to":"/link"}"#,
            r#"{"op":"rename","path":"/b","to":"/c"}"#,
            r#"{"op":"hardlink","path":"/c","to":"/h"}"#,
            r#"{"op":"chmod","path":"/c","to":"0644"}"#,
            r#"{"op":"setstat","path":"/c","to":"0:33 0755"}"#,
            r#"{"op":"extended","path":"do-it@example.com"}"#,
            r#"{"op":"get","path":"/no","error":"Permission denied"}"#,
            r#"{"op":"list","path":"/no","error":"No such file"}"#,
        ]
    );
}

#[test]
fn a_copy_on_the_target_names_both_files() {
    let mut talk = Talk::new(Access::ReadWrite);
    talk.exchange(open(1, "/from", READ), handle(1, b"f"));
    talk.exchange(open(2, "/to", WRITE | CREATE | TRUNCATE), handle(2, b"t"));
    talk.exchange(copy(3, b"f", b"t", 77), status(3, wire::OK, ""));
    assert_eq!(talk.events(), [r#"{"op":"copy","path":"/from","to":"/to","bytes":77}"#]);
    talk.exchange(close(4, b"t"), status(4, wire::OK, ""));
    assert_eq!(talk.events(), [r#"{"op":"put","path":"/to"}"#], "what is in it, was not seen");
}

#[test]
fn who_may_read_only_changes_nothing() {
    let mut talk = Talk::new(Access::ReadOnly);
    talk.exchange(open(1, "/f", READ), handle(1, b"h"));
    let before = talk.tap.target.clone();
    let requests = [
        ("put", open(2, "/w", WRITE)),
        ("put", open(2, "/w", READ | CREATE)),
        ("put", open(2, "/w", READ | TRUNCATE)),
        ("put", open(2, "/w", READ | wire::APPENDING)),
        ("put", open(2, "/w", READ | 0x8000)),
        ("put", write(2, b"h", 0, b"contents")),
        ("chmod", mode(2, "/f")),
        ("truncate", resize(2, b"h", 0)),
        ("remove", one(wire::REMOVE, 2, "/f")),
        ("mkdir", one(wire::MKDIR, 2, "/f")),
        ("rmdir", one(wire::RMDIR, 2, "/f")),
        ("rename", two(wire::RENAME, 2, "/f", "/g")),
        ("symlink", two(wire::SYMLINK, 2, "/f", "/g")),
        ("rename", extended(2, "posix-rename@openssh.com", &["/f", "/g"])),
        ("hardlink", extended(2, "hardlink@openssh.com", &["/f", "/g"])),
        ("fsync", extended(2, "fsync@openssh.com", &["h"])),
        ("copy", copy(2, b"h", b"h", 0)),
        ("extended", extended(2, "do-it@example.com", &["all"])),
    ];
    for (op, request) in requests {
        talk.tap.client.clear();
        talk.asks(request).unwrap();
        let events = talk.events();
        assert_eq!(talk.tap.target, before, "{op} went on");
        assert_eq!(talk.tap.client[4..13], [101, 0, 0, 0, 2, 0, 0, 0, 3], "{op}");
        assert!(events[0].starts_with(&format!(r#"{{"op":"{op}","#)), "{events:?}");
        assert!(events[0].contains("lets this session read files"), "{events:?}");
    }
    talk.exchange(read(2, b"h", 0), data(2, b"abc"));
}

#[test]
fn a_refusal_waits_for_the_end_of_the_packet_that_the_client_is_getting() {
    let mut talk = Talk::new(Access::ReadOnly);
    talk.exchange(open(1, "/f", READ), handle(1, b"h"));
    talk.asks([read(2, b"h", 0), read(3, b"h", 100)].concat()).unwrap();
    let (first, second) = (data(2, &[7; 100]), data(3, &[8; 50]));
    talk.tap.client.clear();
    talk.answers(first[..60].to_vec()).unwrap();
    talk.asks(one(wire::REMOVE, 4, "/f")).unwrap();
    assert_eq!(talk.tap.client, first[..60]);
    talk.answers([&first[60..], &second[..30]].concat()).unwrap();
    talk.answers(second[30..].to_vec()).unwrap();
    let client = std::mem::take(&mut talk.tap.client);
    let refusal = client.len() - first.len() - second.len();
    assert!(refusal > 20);
    assert_eq!(client[..first.len()], first);
    assert_eq!(client[first.len() + 4..first.len() + 9], [101, 0, 0, 0, 4]);
    assert_eq!(client[first.len() + refusal..], second);
}

#[test]
fn a_later_version_is_asked_for_as_the_third() {
    let mut talk = Talk { watch: Watch::new(1, Access::ReadWrite), tap: Tap::default() };
    talk.asks(init(6)).unwrap();
    assert_eq!(talk.tap.target, init(3));
    let error = talk.answers(version(6)).unwrap_err();
    assert!(matches!(error, SftpFault::Target(_)), "{error}");
}

#[test]
fn what_is_cut_short_is_recorded_as_such() {
    let mut talk = Talk::new(Access::ReadWrite);
    talk.exchange(open(1, "/f", WRITE | CREATE | TRUNCATE), handle(1, b"h"));
    talk.exchange(write(2, b"h", 0, b"abc"), status(2, wire::OK, ""));
    talk.asks(one(wire::REMOVE, 3, "/r")).unwrap();
    let (watch, tap) = (&mut talk.watch, &mut talk.tap);
    watch.finish(tap).unwrap();
    let events = talk.events();
    assert!(
        events[0].contains(r#""op":"remove","path":"/r","error":"the channel ended before"#),
        "{events:?}"
    );
    assert!(events[1].contains(r#""op":"put","path":"/f","bytes":3,"#), "{events:?}");
    assert!(events[1].contains("the channel ended before the file was closed"), "{events:?}");
}

#[test]
fn a_name_that_is_not_utf_8_is_legible() {
    let mut talk = Talk::new(Access::ReadWrite);
    talk.exchange(strings(wire::REMOVE, 1, &[b"/caf\xe9"]), status(1, wire::OK, ""));
    assert_eq!(talk.events(), [r#"{"op":"remove","path":"/caf\\xe9"}"#]);
}
