//! OpenSSH's own sftp and scp against its own server, with the watch in between.

use super::*;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Where Debian and its kin, Fedora, and Arch keep it.
const SERVERS: [&str; 3] =
    ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"];

/// Reads to the end, in pieces; an empty one is the end.
fn pump(mut from: impl Read + Send + 'static, client: bool, to: SyncSender<(bool, Bytes)>) {
    thread::spawn(move || {
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let count = from.read(&mut buffer).unwrap_or(0);
            if to.send((client, Bytes::copy_from_slice(&buffer[..count]))).is_err() || count == 0 {
                return;
            }
        }
    });
}

/// Runs `client`, whose server is the program at the path that it is given: two pipes that lead here.
fn watched(dir: &Path, access: Access, client: impl FnOnce(&Path) -> Command) -> (Output, Vec<String>) {
    let (up, down, bridge) = (dir.join("up"), dir.join("down"), dir.join("bridge"));
    let pipes = Command::new("mkfifo").args([&up, &down]).status().unwrap();
    assert!(pipes.success());
    let script = format!("#!/bin/sh\ncat {} &\nexec cat > {}\n", down.display(), up.display());
    fs::write(&bridge, script).unwrap();
    fs::set_permissions(&bridge, Permissions::from_mode(0o755)).unwrap();

    let server =
        SERVERS.into_iter().find(|path| Path::new(path).exists()).expect("no sftp-server is installed");
    let mut server =
        Command::new(server).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let client =
        client(&bridge).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();

    let (events, all) = sync_channel(1024);
    let mut to_client = File::options().write(true).open(&down).unwrap();
    pump(File::open(&up).unwrap(), true, events.clone());
    pump(server.stdout.take().unwrap(), false, events);
    let mut to_server = server.stdin.take();
    let mut watch = Watch::new(1, access);
    let mut tap = Tap::default();
    for (from_client, mut bytes) in all {
        match (from_client, bytes.is_empty()) {
            (true, true) => drop(to_server.take()),
            (false, true) => break,
            (true, false) => watch.client(&mut bytes, &mut tap).unwrap(),
            (false, false) => watch.target(bytes, &mut tap).unwrap(),
        }
        if let Some(to_server) = &mut to_server {
            to_server.write_all(&std::mem::take(&mut tap.target)).unwrap();
        }
        to_client.write_all(&std::mem::take(&mut tap.client)).unwrap();
    }
    drop(to_client);
    watch.finish(&mut tap).unwrap();
    server.wait().unwrap();
    (client.wait_with_output().unwrap(), tap.events)
}

fn sftp(dir: &Path, access: Access, batch: &str) -> (Output, Vec<String>) {
    let file = dir.join("batch");
    fs::write(&file, batch).unwrap();
    watched(dir, access, |bridge| {
        let mut sftp = Command::new("sftp");
        sftp.arg("-b").arg(file).arg("-D").arg(bridge).current_dir(dir);
        sftp
    })
}

fn sha256(contents: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, contents);
    curfew_adapter::Hex(digest.as_ref()).to_string()
}

#[test]
fn sftp_does_its_work_and_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let contents: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 253) as u8).collect();
    fs::write(dir.path().join("here"), &contents).unwrap();
    let batch = "put here there\nget there back\nmkdir sub\nrename there sub/moved\nln -s moved sub/link\n\
                 chmod 600 sub/moved\nls sub\n-get absent\nrm sub/link\nrm sub/moved\nrmdir sub\n";
    let (output, events) = sftp(dir.path(), Access::ReadWrite, batch);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(dir.path().join("back")).unwrap(), contents);

    let home = dir.path().canonicalize().unwrap();
    let home = home.to_str().unwrap();
    let sha256 = sha256(&contents);
    let all: Vec<String> = events.iter().map(|event| event.replace(home, "~")).collect();
    assert_eq!(
        all,
        [
            format!(r#"{{"op":"put","path":"~/there","bytes":3000000,"sha256":"{sha256}"}}"#),
            format!(r#"{{"op":"get","path":"~/there","bytes":3000000,"sha256":"{sha256}"}}"#),
            r#"{"op":"mkdir","path":"~/sub"}"#.into(),
            r#"{"op":"rename","path":"~/there","to":"~/sub/moved"}"#.into(),
            r#"{"op":"symlink","path":"moved","to":"~/sub/link"}"#.into(),
            r#"{"op":"chmod","path":"~/sub/moved","to":"0600"}"#.into(),
            r#"{"op":"list","path":"~/sub/"}"#.into(),
            r#"{"op":"remove","path":"~/sub/link"}"#.into(),
            r#"{"op":"remove","path":"~/sub/moved"}"#.into(),
            r#"{"op":"rmdir","path":"~/sub"}"#.into(),
        ]
    );
}

#[test]
fn scp_has_a_hash_though_the_file_was_there_before() {
    let dir = tempfile::tempdir().unwrap();
    let contents = vec![b'x'; 100_000];
    fs::write(dir.path().join("here"), &contents).unwrap();
    fs::write(dir.path().join("there"), vec![b'y'; 200_000]).unwrap();
    let (output, events) = watched(dir.path(), Access::ReadWrite, |bridge| {
        let mut scp = Command::new("scp");
        scp.arg("-s").arg("-D").arg(bridge).arg("here").arg("gate:there").current_dir(dir.path());
        scp
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(dir.path().join("there")).unwrap(), contents);
    let put = events.last().unwrap();
    assert!(put.contains(r#""op":"put""#) && put.contains(&sha256(&contents)), "{events:?}");
}

#[test]
fn sftp_that_may_only_read_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("here"), "contents").unwrap();
    let (output, events) =
        sftp(dir.path(), Access::ReadOnly, "get here back\n-put here there\n-rm here\nls\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(dir.path().join("back")).unwrap(), b"contents");
    assert!(!dir.path().join("there").exists() && dir.path().join("here").exists());
    let denied: Vec<_> =
        events.iter().filter(|event| event.contains("read files, not change them")).collect();
    assert_eq!(denied.len(), 2, "{events:?}");
    assert!(events[0].contains(&sha256(b"contents")), "{events:?}");
}
