//! However the bytes are cut into pieces, the same comes out.

use super::*;
use proptest::prelude::*;

/// A conversation with a bit of everything; true: from the client. Who may only read gets no answer from the target to
/// what changes something, because the target is never asked.
fn script(access: Access) -> Vec<(bool, Vec<u8>)> {
    let contents: Vec<u8> = (0..70_000_u32).map(|n| (n % 251) as u8).collect();
    let mut script = vec![(true, init(4)), (false, version(3))];
    let mut both = |changes: bool, request: Vec<u8>, answer: Vec<u8>| {
        script.push((true, request));
        if !changes || access == Access::ReadWrite {
            script.push((false, answer));
        }
    };
    both(true, open(1, "/put", WRITE | CREATE | TRUNCATE), handle(1, b"handle"));
    let (first, second) = contents.split_at(40_000);
    both(
        true,
        [write(2, b"handle", 0, first), write(3, b"handle", 40_000, second), close(4, b"handle")].concat(),
        [status(2, wire::OK, ""), status(3, wire::OK, "Success"), status(4, wire::OK, "")].concat(),
    );
    both(false, open(5, "/put", READ), handle(5, b""));
    both(
        false,
        [read(6, b"", 0), read(7, b"", 40_000), stat(8, "/put"), read(9, b"", 70_000)].concat(),
        [data(6, first), data(7, second), attributes(8, 70_000), status(9, wire::EOF, "End of file")]
            .concat(),
    );
    both(false, close(10, b""), status(10, wire::OK, ""));
    both(
        false,
        [one(wire::OPENDIR, 11, "/"), extended(12, "statvfs@openssh.com", &["/"])].concat(),
        [reply(12), handle(11, b"d")].concat(),
    );
    both(false, by_handle(wire::READDIR, 13, b"d"), packet(wire::NAME, 13, &[&[0; 3000]]));
    both(true, two(wire::RENAME, 14, "/put", "/there"), status(14, wire::FAILURE, "no"));
    both(true, one(wire::REMOVE, 15, "/there"), status(15, wire::OK, ""));
    script
}

fn run(access: Access, cut: &mut dyn FnMut() -> usize) -> Tap {
    let mut talk = Talk { watch: Watch::new(1, access), tap: Tap::default() };
    for (client, bytes) in script(access) {
        let mut bytes = Bytes::from(bytes);
        while !bytes.is_empty() {
            let mut piece = bytes.split_to(cut().clamp(1, bytes.len()));
            if client {
                talk.watch.client(&mut piece, &mut talk.tap).unwrap();
                assert!(piece.is_empty());
            } else {
                talk.watch.target(piece, &mut talk.tap).unwrap();
            }
        }
    }
    assert!(!talk.watch.in_packet());
    talk.watch.finish(&mut talk.tap).unwrap();
    talk.tap
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    for access in [Access::ReadWrite, Access::ReadOnly] {
        assert_eq!(run(access, &mut || 1), run(access, &mut || usize::MAX));
    }
}

#[test]
fn what_went_on_is_what_came() {
    let tap = run(Access::ReadWrite, &mut || usize::MAX);
    let came = |client: bool| -> Vec<u8> {
        script(Access::ReadWrite)
            .into_iter()
            .filter(|(from, _)| *from == client)
            .flat_map(|(_, it)| it)
            .collect()
    };
    assert_eq!(tap.target[9..], came(true)[9..], "all but the version");
    assert_eq!(tap.client, came(false));
    assert_eq!(tap.events.len(), 5, "{:?}", tap.events);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_pieces_are_the_same(
        cuts in proptest::collection::vec(prop_oneof![1..30_usize, 1..50_000_usize], 1..60),
        read_only in any::<bool>(),
    ) {
        let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
        let mut next = cuts.iter().copied().cycle();
        prop_assert_eq!(run(access, &mut || next.next().unwrap()), run(access, &mut || usize::MAX));
    }
}
