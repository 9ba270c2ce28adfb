//! Two verifiers, one finding: Curfew's own, and tests/verifier/verify.py, which was written from docs/formats.md
//! alone. Every way of breaking a recording or an audit log is shown to both.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use curfew::audit::chain::verify;
use curfew::audit::finding::{Finding, Verdict};
use curfew::audit::{Actor, Checkpoint, Head, PublicKeys, RecordingHead, SigningKey, What, next_line};
use curfew::record::{Folders, Opening, Verification, Writer};
use curfew_adapter::{
    Clock, EndReason, Event, GrantId, Hex, HostKeys, HostPort, Identity, IdentityId, IdentityKind, Login,
    ParameterPolicy, Protocol, RecordPolicy, RecordSink, RequestId, ResultPolicy, SessionId, SigninId,
    TargetRoute, TargetTls, Terms, Text, TlsMode,
};

/// The kinds of finding, and whether the exit status says that all is well.
type Outcome = (BTreeSet<String>, bool);

fn outcome(findings: &[Finding]) -> Outcome {
    let sound = findings.iter().all(|finding| finding.verdict == Verdict::CompletenessNotProven);
    (findings.iter().map(|finding| finding.verdict.to_string()).collect(), sound)
}

fn python() -> PathBuf {
    let python = std::env::var_os("CURFEW_PYTHON").map_or_else(curfew_harness::python, PathBuf::from);
    assert!(
        python.exists(),
        "there is no Python at {}: `cargo xtask test` installs it, or name one in CURFEW_PYTHON",
        python.display()
    );
    python
}

/// What the second verifier finds.
fn second(arguments: &[&OsStr]) -> Outcome {
    let script = curfew_harness::repository().join("tests/verifier/verify.py");
    let output = Command::new(python()).arg(script).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code();
    assert!(matches!(status, Some(0 | 1)), "{arguments:?}: {status:?}\n{text}{error}");
    let kinds = text
        .lines()
        .filter(|line| *line != "ok")
        .map(|line| line.split_once(": ").unwrap().0.to_owned())
        .collect();
    (kinds, status == Some(0))
}

/// A folder with the public key, and whatever is to be verified.
struct Desk {
    folder: tempfile::TempDir,
    key: Arc<SigningKey>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = Arc::new(SigningKey::generate().unwrap().0);
        fs::write(folder.path().join("key.pem"), key.public_pem().unwrap()).unwrap();
        Self { folder, key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn keys(&self) -> PublicKeys {
        PublicKeys::from_pem(&fs::read_to_string(self.path("key.pem")).unwrap()).unwrap()
    }

    /// Shows a recording to both, and demands that they agree.
    fn recording(
        &self,
        what: &str,
        bytes: &[u8],
        live: bool,
        checkpoint: Option<&RecordingHead>,
    ) -> BTreeSet<String> {
        let keys = self.keys();
        let mut verification = Verification::new(&keys, None);
        verification.push(bytes);
        let first = outcome(&verification.finish(live, checkpoint).findings);

        let (file, key, checkpoints) =
            (self.path("r.curfew"), self.path("key.pem"), self.path("checkpoints"));
        fs::write(&file, bytes).unwrap();
        let mut arguments: Vec<&OsStr> =
            vec![OsStr::new("recording"), file.as_ref(), OsStr::new("--key"), key.as_ref()];
        if live {
            arguments.push(OsStr::new("--live"));
        }
        if let Some(head) = checkpoint {
            let line = checkpoint_line(&self.key, Head::EMPTY, vec![head.clone()]);
            fs::write(&checkpoints, line + "\n").unwrap();
            arguments.extend([OsStr::new("--checkpoint"), checkpoints.as_ref()]);
        }
        assert_eq!(second(&arguments), first, "they do not agree on a recording that is {what}");
        first.0
    }

    /// Shows an audit log to both, and demands that they agree.
    fn audit(&self, what: &str, log: &[u8], checkpoints: Option<&[u8]>) -> BTreeSet<String> {
        let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            lines.pop_if(|last| last.is_empty());
            lines
        };
        let report = verify(lines(log), checkpoints.map(lines), &self.keys());
        let first = outcome(&report.findings);
        assert_eq!(first.1, report.is_sound());

        let (file, key, path) = (self.path("audit.jsonl"), self.path("key.pem"), self.path("checkpoints"));
        fs::write(&file, log).unwrap();
        let mut arguments: Vec<&OsStr> =
            vec![OsStr::new("audit"), file.as_ref(), OsStr::new("--key"), key.as_ref()];
        if let Some(checkpoints) = checkpoints {
            fs::write(&path, checkpoints).unwrap();
            arguments.extend([OsStr::new("--checkpoint"), path.as_ref()]);
        }
        assert_eq!(second(&arguments), first, "they do not agree on an audit log that is {what}");
        first.0
    }
}

fn checkpoint_line(key: &SigningKey, head: Head, recordings: Vec<RecordingHead>) -> String {
    Checkpoint::new(Clock::system().wall(), "gate-1", head, recordings).sign(key).unwrap()
}

fn kinds(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The same bytes with one of them changed, at a few dozen places.
fn changed(bytes: &[u8], places: usize) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let step = (bytes.len() / places).max(1);
    (0..bytes.len()).step_by(step).enumerate().map(move |(count, at)| {
        let mut changed = bytes.to_vec();
        changed[at] ^= [0x01, 0x20, 0x80, 0x04][count % 4];
        (at, changed)
    })
}

fn terms() -> Terms {
    Terms {
        identity: Identity {
            id: IdentityId::random(),
            person: "alice@example.com".to_owned(),
            email: "alice@example.com".to_owned(),
            name: "Alice \"Ö\" Example\u{7f}".to_owned(),
            groups: Vec::new(),
            kind: IdentityKind::User,
        },
        signin: SigninId::random(),
        grant: GrantId::random(),
        request: RequestId::random(),
        contract: "orders-debug".to_owned(),
        target: TargetRoute {
            name: "orders".to_owned(),
            protocol: Protocol::Postgres,
            address: HostPort { host: "::1".to_owned(), port: 5432 },
            tls: TargetTls::new(TlsMode::Disable, rustls::RootCertStore::empty()).unwrap(),
            postgres: curfew_adapter::PostgresRoute::default(),
            host_keys: HostKeys::default(),
        },
        account: "orders_read".to_owned(),
        login: Login::Password,
        allow: Vec::new(),
        database: None,
        record: RecordPolicy {
            parameters: ParameterPolicy::Full,
            results: ResultPolicy::None,
            input: false,
            mask: Vec::new(),
            strict: true,
        },
        countdown: Vec::new(),
        extend_hint: String::new(),
    }
}

/// The objects of a sealed recording of four chunks, in their order, and its folder.
async fn recorded(desk: &Desk) -> (Vec<Vec<u8>>, PathBuf) {
    let store = format!("file://{}", desk.path("recordings").display());
    let writer = Writer::start(Folders::open(&store).unwrap(), desk.key.clone(), Clock::system()).unwrap();
    let session = SessionId::random();
    let opening = Opening::new(session.clone(), &terms(), "192.0.2.7".parse().unwrap());
    let recorder = writer.begin(&opening).await.unwrap();
    for n in 1..4 {
        let text = Some("SELECT '\u{1}ünï\u{2028}', '\\'");
        recorder
            .append(&Event::Statement { n, text, prepared: None, continues: None, parameters: &[] })
            .unwrap();
        for data in [&b"\x1b[1m\xe2\x82"[..], b"\xac\0\r\n"] {
            recorder.append(&Event::Output { ch: 1, err: n == 2, data: Text(data) }).unwrap();
        }
        let (op, path, to, sha256) = ("get", "/tmp/ünï\u{2028}\"", Some("\u{1}"), Some(Hex(&[7; 32])));
        recorder.append(&Event::File { ch: 2, op, path, to, bytes: n, sha256, error: None }).unwrap();
        recorder.flush().await.unwrap();
    }
    recorder.seal(EndReason::Expired).await.unwrap();
    writer.stop().await;

    let folder = desk.path("recordings").join(session.as_str());
    let names = ["00000000.chunk", "00000001.chunk", "00000002.chunk", "00000003.chunk", "seal"];
    (names.map(|name| fs::read(folder.join(name)).unwrap()).to_vec(), folder)
}

#[tokio::test]
async fn both_verifiers_agree_on_recordings() {
    let desk = Desk::new();
    let (parts, folder) = recorded(&desk).await;
    let whole = parts.concat();
    let show = |what: &str, parts: &[Vec<u8>]| desk.recording(what, &parts.concat(), false, None);
    let without = |gone: usize| {
        let mut parts = parts.clone();
        parts.remove(gone);
        parts
    };
    let with = |at: usize, part: &[u8]| {
        let mut parts = parts.clone();
        parts.insert(at, part.to_vec());
        parts
    };
    let swapped = |one: usize, other: usize| {
        let mut parts = parts.clone();
        parts.swap(one, other);
        parts
    };

    assert_eq!(show("untouched", &parts), kinds(&[]));
    assert_eq!(show("gone", &[]), kinds(&["missing"]));
    assert_eq!(show("without its first chunk", &without(0)), kinds(&["missing"]));
    assert_eq!(show("without a chunk", &without(2)), kinds(&["missing"]));
    assert_eq!(show("without its last chunk", &without(3)), kinds(&["shortened"]));
    assert_eq!(show("without its seal", &without(4)), kinds(&["shortened"]));
    assert_eq!(show("only a seal", &parts[4..]), kinds(&["shortened"]));
    assert_eq!(show("in another order", &swapped(1, 2)), kinds(&["reordered"]));
    assert_eq!(show("sealed too early", &swapped(3, 4)), kinds(&["reordered"]));
    assert_eq!(show("repeated in part", &with(2, &parts[1])), kinds(&["reordered"]));
    assert_eq!(show("sealed twice", &with(5, &parts[4])), kinds(&["reordered"]));
    assert_eq!(show("longer by a line", &with(5, b"{}\n")), kinds(&["altered"]));
    assert_eq!(show("longer by half a line", &with(5, b"{}")), kinds(&["shortened"]));
    assert_eq!(show("longer by a very long line", &with(5, &[b'x'; 20_000])), kinds(&["altered"]));

    let (others, _) = recorded(&desk).await;
    assert_eq!(
        show("of two sessions", &[&parts[..3], &others[3..4], &parts[4..]].concat()),
        kinds(&["altered"])
    );
    assert_eq!(show("sealed by another's seal", &[&parts[..4], &others[4..]].concat()), kinds(&["altered"]));

    for (at, changed) in changed(&whole, 20) {
        assert_ne!(desk.recording(&format!("changed at byte {at}"), &changed, false, None), kinds(&[]));
    }
    for end in (1..whole.len()).step_by(whole.len() / 8) {
        assert_ne!(desk.recording(&format!("cut at byte {end}"), &whole[..end], false, None), kinds(&[]));
    }

    as_a_folder(&desk, &folder);
}

/// The folder is the file; its name says whose recording it should be.
fn as_a_folder(desk: &Desk, folder: &Path) {
    let key = desk.path("key.pem");
    let show = |folder: &Path| {
        second(&[OsStr::new("recording"), folder.as_ref(), OsStr::new("--key"), key.as_ref()])
    };
    assert_eq!(show(folder), (kinds(&[]), true));
    let renamed = folder.with_file_name("ses_another");
    fs::rename(folder, &renamed).unwrap();
    assert_eq!(show(&renamed), (kinds(&["altered"]), false));
}

#[tokio::test]
async fn both_verifiers_agree_on_live_recordings_and_their_checkpoints() {
    let desk = Desk::new();
    let (parts, folder) = recorded(&desk).await;
    let keys = desk.keys();
    let mut verification = Verification::new(&keys, None);
    verification.push(&parts.concat());
    let head = verification.finish(false, None).head;
    let session = folder.file_name().unwrap().to_str().unwrap();
    let known = |chunks, sealed| RecordingHead { session: session.to_owned(), chunks, head, sealed };
    let show = |what: &str, parts: &[Vec<u8>], known: Option<&RecordingHead>| {
        desk.recording(what, &parts.concat(), true, known)
    };

    let unproven = "completeness not proven";
    assert_eq!(show("live", &parts[..4], None), kinds(&[unproven]));
    assert_eq!(
        show("live and as the checkpoint says", &parts[..4], Some(&known(4, false))),
        kinds(&[unproven])
    );
    let short = show("live and shorter than it was", &parts[..3], Some(&known(4, false)));
    assert_eq!(short, kinds(&["shortened", unproven]));
    let opened = show("live and was sealed", &parts[..4], Some(&known(4, true)));
    assert_eq!(opened, kinds(&["shortened", unproven]));
    assert_eq!(show("not the one that was known", &parts, Some(&known(2, false))), kinds(&["altered"]));
    assert_eq!(show("sealed as was known", &parts, Some(&known(4, true))), kinds(&[]));
}

fn log(node: &str, count: u32) -> (Vec<String>, Head) {
    let mut lines = Vec::new();
    let mut head = Head::EMPTY;
    for n in 0..count {
        let what = What::SigninRefused {
            method: "link".to_owned(),
            why: format!("the \"link\" – No. {n}\u{1} – is used"),
        };
        let event = Actor::Stranger { address: None }.did(what);
        let (line, next) = next_line(head, Clock::system().wall(), node, &event).unwrap();
        lines.push(line + "\n");
        head = next;
    }
    (lines, head)
}

#[test]
fn both_verifiers_agree_on_audit_logs() {
    let desk = Desk::new();
    let (lines, head) = log("gate-1", 6);
    let whole = lines.concat();
    let empty = checkpoint_line(&desk.key, Head::EMPTY, Vec::new());
    let proof = format!("{empty}\n{}\n", checkpoint_line(&desk.key, head, Vec::new()));
    let show =
        |what: &str, lines: &[String]| desk.audit(what, lines.concat().as_bytes(), Some(proof.as_bytes()));
    let edited = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        edit(&mut lines);
        lines
    };
    let unproven = "completeness not proven";

    assert_eq!(show("untouched", &lines), kinds(&[]));
    assert_eq!(desk.audit("without checkpoint", whole.as_bytes(), None), kinds(&[unproven]));
    assert_eq!(desk.audit("empty", b"", None), kinds(&[unproven]));
    assert_eq!(show("gone", &[]), kinds(&["missing"]));
    assert_eq!(show("without its first line", &lines[1..]), kinds(&["missing"]));
    assert_eq!(show("without two lines", &edited(&|lines| drop(lines.drain(2..4)))), kinds(&["missing"]));
    assert_eq!(show("without its last lines", &lines[..4]), kinds(&["shortened"]));
    assert_eq!(show("in another order", &edited(&|lines| lines.swap(1, 2))), kinds(&["reordered"]));
    assert_eq!(
        show("repeated in part", &edited(&|lines| lines.insert(3, lines[1].clone()))),
        kinds(&["reordered"])
    );
    let replaced = |at: usize, from: &str, to: &str| edited(&|lines| lines[at] = lines[at].replace(from, to));
    assert_eq!(show("told otherwise", &replaced(2, "used", "lost")), kinds(&["altered"]));
    assert_eq!(show("told otherwise at its end", &replaced(5, "used", "lost")), kinds(&["altered"]));
    assert_eq!(show("given other line ends", &replaced(3, "\n", "\r\n")), kinds(&["altered"]));
    assert_eq!(
        show("unreadable at its start", &edited(&|lines| lines[0] = "?\n".to_owned())),
        kinds(&["altered"])
    );
    assert_eq!(
        show("longer by a blank line", &edited(&|lines| lines.insert(2, "\n".to_owned()))),
        kinds(&["altered"])
    );
    assert_eq!(show("of another node", &log("gate-2", 6).0), kinds(&["missing", unproven]));
    assert_eq!(show("written anew", &log("gate-1", 6).0), kinds(&["altered"]));
    let both: Vec<String> =
        lines.iter().zip(&log("gate-2", 6).0).flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
    assert_eq!(show("of two nodes", &both), kinds(&[unproven]));

    let forged = checkpoint_line(&SigningKey::generate().unwrap().0, head, Vec::new());
    assert_eq!(
        desk.audit("vouched for by a stranger", whole.as_bytes(), Some(forged.as_bytes())),
        kinds(&["altered", unproven])
    );

    for (at, changed) in changed(whole.as_bytes(), 20) {
        let found = desk.audit(&format!("changed at byte {at}"), &changed, Some(proof.as_bytes()));
        assert!(found.iter().any(|kind| kind != unproven), "byte {at}: {found:?}");
    }
    for (at, changed) in changed(proof.as_bytes(), 12) {
        let found =
            desk.audit(&format!("vouched for with byte {at} changed"), whole.as_bytes(), Some(&changed));
        assert!(found.contains("altered"), "byte {at} of the checkpoints: {found:?}");
    }
}
