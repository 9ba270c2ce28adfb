//! What editors do that work on a remote host (VS Code's way): a server is brought there by a command, started by a
//! script on a shell's input, and reached on the host's own loopback through `ssh -D`.

use std::process::Stdio;

use curfew_harness::process::Process;
use curfew_harness::{Error, Result, free_port, repository};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::scene::Scene;
use crate::world::LIMIT;

/// Connects through a SOCKS server, by name (RFC 1928).
async fn through(socks: u16, host: &str, port: u16) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", socks)).await?;
    stream.write_all(&[5, 1, 0]).await?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await?;
    assert_eq!(chosen, [5, 0]);
    let length = u8::try_from(host.len()).unwrap();
    stream.write_all(&[&[5, 1, 0, 3, length][..], host.as_bytes(), &port.to_be_bytes()].concat()).await?;
    let mut reply = [0; 10];
    // ssh closes where the channel could not be opened.
    stream.read_exact(&mut reply).await?;
    if reply[1] == 0 { Ok(stream) } else { Err(Error::new(format!("SOCKS says {}", reply[1]))) }
}

/// Sends and hears back, both at once.
async fn echoed(stream: TcpStream, bytes: usize) {
    let sent: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
    let (mut from, mut to) = stream.into_split();
    let mut got = vec![0; bytes];
    let (written, read) = tokio::join!(to.write_all(&sent), from.read_exact(&mut got));
    written.unwrap();
    read.unwrap();
    assert!(got == sent, "something else came back");
}

/// ssh with a SOCKS port and a shell that reads `script`; whoever took the port meanwhile is left to it.
async fn shell(
    scene: &Scene,
    ssh: &curfew_harness::Ssh,
    script: &str,
) -> (Process, tokio::process::ChildStdin, u16) {
    for _ in 0..5 {
        let socks = free_port().unwrap();
        let dynamic = format!("127.0.0.1:{socks}");
        let options =
            ["-T", "-D", &dynamic, "-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes", "--", "sh"];
        let mut shell = ssh.spawn(&scene.user(), options).unwrap();
        let mut input = shell.take_stdin().unwrap();
        input.write_all(script.as_bytes()).await.unwrap();
        if shell.logs().wait_for("listening on", LIMIT).await.is_ok() {
            return (shell, input, socks);
        }
        assert!(shell.logs().tail().contains("in use"), "{}", shell.logs().tail());
    }
    panic!("five free ports were taken before ssh could bind them");
}

#[tokio::test]
async fn an_editor_brings_its_server_by_exec_and_reaches_it_through_ssh_d() {
    let scene = Scene::at_once(r#"allow = ["shell", "exec", "forward:localhost:*"]"#).await;
    let (_alice, ssh) = scene.alice().await;
    let there = scene.sshd.folder().join("editor");

    let mut tar = std::process::Command::new("tar");
    tar.args(["-c", "-f", "-", "-C"]).arg(repository().join("tests/fixtures/ssh"));
    let packed = tar.args(["editor_server.py", "common.py"]).stderr(Stdio::inherit()).output().unwrap();
    assert!(packed.status.success());
    let unpack = format!("mkdir -p {0} && tar -x -C {0} && ls {0}", there.display());
    let mut upload = ssh.piped(&scene.user(), ["-o", "BatchMode=yes", "--", &unpack]).unwrap();
    upload.stdin.take().unwrap().write_all(&packed.stdout).await.unwrap();
    let said = tokio::time::timeout(LIMIT, upload.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "common.py\neditor_server.py\n");

    let script = format!("cd {}\nexec python3 -B editor_server.py\n", there.display());
    let (mut shell, input, socks) = shell(&scene, &ssh, &script).await;
    let line = shell.logs().wait_for("listening on", LIMIT).await.unwrap();
    let port: u16 = line.rsplit(' ').next().unwrap().parse().unwrap();
    for host in ["127.0.0.1", "localhost"] {
        echoed(through(socks, host, port).await.unwrap(), 1000).await;
    }
    // As many at once as an editor opens, each with something to carry.
    let many =
        (0..20).map(async |_| echoed(through(socks, "127.0.0.1", port).await.unwrap(), 1_000_000).await);
    futures_util::future::join_all(many).await;
    assert!(through(socks, "db.internal", 5432).await.is_err());
    shell.logs().wait_for("curfew: this contract does not allow that forward", LIMIT).await.unwrap();

    // With its shell goes the server.
    drop(input);
    assert!(shell.ended(LIMIT).await.unwrap().success());
    scene.recorded(&format!(r#""command":"localhost:{port}""#)).await;
}
