//! Packets that nobody should send, and more of them than anybody should.

use super::*;
use proptest::prelude::*;

fn client_fault(packets: &[Vec<u8>]) -> &'static str {
    let mut talk = Talk::new(Access::ReadWrite);
    match talk.asks(packets.concat()) {
        Err(SftpFault::Client(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn target_fault(request: Vec<u8>, answer: Vec<u8>) -> &'static str {
    let mut talk = Talk::new(Access::ReadWrite);
    talk.exchange(open(100, "/f", READ), handle(100, b"h"));
    talk.asks(request).unwrap();
    match talk.answers(answer) {
        Err(SftpFault::Target(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lengths_that_cannot_be() {
    for length in [0_u32, 1, 4] {
        let packet = [&length.to_be_bytes()[..], &[wire::STAT, 0, 0, 0, 1]].concat();
        assert_eq!(client_fault(&[packet]), "a packet is shorter than any may be");
    }
    for length in [256 * 1024 + 1, u32::MAX] {
        let packet = [&length.to_be_bytes()[..], &[wire::WRITE]].concat();
        assert_eq!(client_fault(&[packet]), "a packet is longer than any may be");
    }
}

#[test]
fn parts_that_end_before_they_do() {
    let short = "a packet ends before its parts do";
    assert_eq!(client_fault(&[packet(wire::REMOVE, 1, &[&[0, 0, 1, 0], b"/f"])]), short);
    assert_eq!(client_fault(&[packet(wire::READ, 1, &[&string(b"h")])]), short);
    assert_eq!(client_fault(&[packet(wire::WRITE, 1, &[&string(b"h")])]), short);
    assert_eq!(client_fault(&[packet(wire::WRITE, 1, &[])]), short);
    assert_eq!(client_fault(&[packet(wire::EXTENDED, 1, &[])]), short);
    let other = packet(wire::WRITE, 1, &[&string(b"h"), &[0; 8], &[0, 0, 0, 9], b"abc"]);
    assert_eq!(client_fault(&[other]), "a WRITE of another length than its contents");
    let long = [7; 257];
    assert_eq!(client_fault(&[close(1, &long)]), "a handle is longer than 256 bytes");
    assert_eq!(client_fault(&[write(1, &long, 0, b"")]), "a handle is longer than 256 bytes");
    assert_eq!(client_fault(&[one(wire::REMOVE, 1, "/f\0g")]), "a path holds a zero byte");
}

#[test]
fn a_fault_is_found_at_the_byte_that_makes_it_one() {
    let unknown = packet(77, 1, &[b"x"]);
    for cut in [1, 5, 9] {
        let mut talk = Talk::new(Access::ReadWrite);
        let taken = unknown[..5].chunks(cut).map(|piece| talk.answers(piece.to_vec()));
        let faults: Vec<bool> = taken.map(|taken| taken.is_err()).collect();
        assert!(faults.last().unwrap(), "{cut}");
    }
}

#[test]
fn what_comes_at_the_wrong_time() {
    let mut talk = Talk { watch: Watch::new(1, Access::ReadWrite), tap: Tap::default() };
    assert_eq!(
        talk.asks(stat(1, "/")).unwrap_err().to_string(),
        "the client broke the SFTP protocol: a request before INIT"
    );
    let mut talk = Talk { watch: Watch::new(1, Access::ReadWrite), tap: Tap::default() };
    assert!(matches!(talk.answers(version(3)), Err(SftpFault::Target(_))), "nobody asked");
    talk.asks([init(3), stat(1, "/")].concat()).unwrap();
    assert!(matches!(talk.answers(attributes(1, 1)), Err(SftpFault::Target("an answer before VERSION"))));
    assert_eq!(client_fault(&[init(3)]), "a second INIT");
    let twice = "a request with the id of one that has no answer yet";
    assert_eq!(client_fault(&[stat(1, "/"), stat(1, "/")]), twice);
}

#[test]
fn answers_that_do_not_fit() {
    assert_eq!(target_fault(stat(1, "/"), attributes(2, 1)), "an answer to no request");
    assert_eq!(target_fault(stat(1, "/"), packet(77, 1, &[])), "a packet is of a type that no target sends");
    let kind = "an answer of another kind than its request";
    assert_eq!(target_fault(stat(1, "/"), data(1, b"abc")), kind);
    assert_eq!(target_fault(read(1, b"h", 0), handle(1, b"x")), kind);
    assert_eq!(target_fault(read(1, b"h", 0), status(1, wire::OK, "")), kind);
    assert_eq!(target_fault(open(1, "/g", READ), status(1, wire::OK, "")), kind);
    assert_eq!(target_fault(open(1, "/g", READ), attributes(1, 5)), kind);
    assert_eq!(target_fault(one(wire::REMOVE, 1, "/g"), reply(1)), kind);
    assert_eq!(target_fault(open(1, "/g", READ), handle(1, b"h")), "a handle is given out twice");
    let data = packet(wire::DATA, 1, &[&[0, 0, 0, 9], b"abc"]);
    assert_eq!(target_fault(read(1, b"h", 0), data), "a DATA of another length than its contents");
}

/// The code of the status that the client got, and nothing went on.
fn refused(talk: &mut Talk, request: Vec<u8>) -> u32 {
    let before = talk.tap.target.clone();
    talk.tap.client.clear();
    talk.asks(request).unwrap();
    assert_eq!(talk.tap.target, before);
    u32::from_be_bytes(talk.tap.client[9..13].try_into().unwrap())
}

#[test]
fn a_handle_that_was_guessed_is_not_passed_on() {
    let mut talk = Talk::new(Access::ReadWrite);
    talk.asks(open(1, "/f", READ | WRITE)).unwrap();
    for request in [
        read(2, b"h", 0),
        write(2, b"h", 0, b"abc"),
        close(2, b"h"),
        resize(2, b"h", 0),
        copy(2, b"h", b"h", 0),
        extended(2, "fsync@openssh.com", &["h"]),
    ] {
        assert_eq!(refused(&mut talk, request), wire::FAILURE);
    }
    talk.answers(handle(1, b"h")).unwrap();
    talk.asks(close(3, b"h")).unwrap();
    assert_eq!(refused(&mut talk, read(4, b"h", 0)), wire::FAILURE, "it is being closed");
}

#[test]
fn types_and_paths_that_are_not_followed_are_refused() {
    let mut talk = Talk::new(Access::ReadWrite);
    assert_eq!(refused(&mut talk, packet(21, 1, &[b"link"])), wire::UNSUPPORTED);
    assert_eq!(refused(&mut talk, one(wire::REMOVE, 1, &"x".repeat(4097))), wire::FAILURE);
    assert_eq!(talk.events(), Vec::<String>::new());
}

#[test]
fn open_files_have_a_bound() {
    let mut talk = Talk::new(Access::ReadWrite);
    for id in 0..1024_u32 {
        talk.asks(open(id, "/f", READ)).unwrap();
        if id % 2 == 0 {
            talk.answers(handle(id, &id.to_be_bytes())).unwrap();
        }
    }
    assert_eq!(refused(&mut talk, open(5000, "/f", READ)), wire::FAILURE);
    talk.exchange(close(5001, &[0; 4]), status(5001, wire::OK, ""));
    talk.asks(open(5002, "/f", READ)).unwrap();
}

#[test]
fn a_client_that_asks_without_end_is_not_read_from() {
    for path in ["x".repeat(4000), "/".to_owned()] {
        let (request, most) = (stat(0, &path), path.len());
        let mut talk = Talk::new(Access::ReadWrite);
        let mut sent = 0_u32;
        let mut input = Bytes::new();
        while input.is_empty() && sent < 100_000 {
            let mut packet = request.clone();
            packet[5..9].copy_from_slice(&sent.to_be_bytes());
            input = Bytes::from(packet);
            talk.watch.client(&mut input, &mut talk.tap).unwrap();
            sent += 1;
        }
        assert!(sent < 100_000 && sent as usize * most < 2 * 1024 * 1024, "{sent}");
        let held = input.clone();
        talk.answers(attributes(0, 1)).unwrap();
        talk.tap.target.clear();
        talk.watch.client(&mut input, &mut talk.tap).unwrap();
        assert!(input.is_empty() && talk.tap.target == held, "there is room again");
    }
}

#[test]
fn refusals_that_wait_have_a_bound() {
    let mut talk = Talk::new(Access::ReadOnly);
    talk.exchange(open(1, "/f", READ), handle(1, b"h"));
    talk.asks(read(2, b"h", 0)).unwrap();
    talk.answers(data(2, &[7; 100])[..60].to_vec()).unwrap();
    let mut input = Bytes::from(one(wire::REMOVE, 3, "/f").repeat(10_000));
    talk.watch.client(&mut input, &mut talk.tap).unwrap();
    assert!(!input.is_empty() && talk.watch.state.waiting.len() < 128 * 1024);
    talk.answers(data(2, &[7; 100])[60..].to_vec()).unwrap();
    talk.watch.client(&mut input, &mut talk.tap).unwrap();
    assert!(input.is_empty(), "nothing is half sent any more");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Neither side can bring it down, nor have it invent bytes.
    #[test]
    fn any_bytes_are_taken_without_panic(
        script in proptest::collection::vec((any::<bool>(), noise()), 1..20),
        read_only in any::<bool>(),
    ) {
        let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
        let mut talk = Talk::new(access);
        let (mut asked, mut ok) = (0, true);
        for (client, packet) in script {
            asked += packet.len();
            ok = ok && if client {
                talk.watch.client(&mut Bytes::from(packet), &mut talk.tap).is_ok()
            } else {
                talk.answers(packet).is_ok()
            };
            if !ok {
                break;
            }
        }
        prop_assert!(talk.tap.target.len() <= asked);
        talk.watch.finish(&mut talk.tap).unwrap();
    }
}

/// Something like a packet.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![1..22_u8, 101..106_u8, 200..202_u8, any::<u8>()];
    let parts = proptest::collection::vec(
        prop_oneof![
            Just(string(b"h")),
            Just(string(b"/f")),
            Just(string(b"copy-data")),
            Just(vec![0, 0, 0, 1]),
            proptest::collection::vec(any::<u8>(), 0..12),
        ],
        0..5,
    );
    (kind, 0..4_u32, parts, 0..20_u32).prop_map(|(kind, id, parts, off)| {
        let mut packet = packet(kind, id, &[&parts.concat()]);
        let length = u32::from_be_bytes(packet[..4].try_into().unwrap());
        packet[..4].copy_from_slice(&length.saturating_sub(off.saturating_sub(16)).to_be_bytes());
        packet
    })
}
