//! The programs that people use over SSH, unchanged.

use std::ffi::OsString;
use std::path::Path;

use super::scene::Scene;

fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.into_iter().map(OsString::from).collect()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_command_has_its_output_errors_input_and_status() {
    let scene = Scene::at_once("").await;
    let (_alice, ssh) = scene.alice().await;
    let done = ssh.run(&scene.user(), ["echo out; echo err >&2; exit 3"]).await.unwrap();
    assert_eq!((done.code, done.stdout.as_str()), (Some(3), "out\n"), "{}", done.stderr);
    assert!(done.stderr.contains("err\n"), "{}", done.stderr);
    let killed = ssh.run(&scene.user(), ["kill -TERM $$"]).await.unwrap();
    assert_ne!(killed.code, Some(0));
}

#[tokio::test]
async fn scp_and_sftp_carry_files_both_ways() {
    let scene = Scene::at_once("").await;
    let (_alice, ssh) = scene.alice().await;
    let there = scene.sshd.folder().join("there");
    let here = ssh.path("here");
    let contents: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&here, &contents).unwrap();
    // scp takes the last colon-free part for the host, so the user goes by an option.
    let user = format!("User={}", scene.user());
    let remote = |path: &Path| format!("{}:{}", ssh.host(), path.display());
    for (count, protocol) in ["-s", "-O"].into_iter().enumerate() {
        let put = there.with_extension(count.to_string());
        let mut args = ssh.options();
        args.extend(words([protocol, "-q", "-P", &ssh.port().to_string(), "-o", &user]));
        let mut back = args.clone();
        args.extend(words([&text(&here), &remote(&put)]));
        ssh.program("scp", args).await.unwrap().success().unwrap();
        assert!(std::fs::read(&put).unwrap() == contents, "scp {protocol} put something else");
        let got = ssh.path("got");
        back.extend(words([&remote(&put), &text(&got)]));
        ssh.program("scp", back).await.unwrap().success().unwrap();
        assert!(std::fs::read(&got).unwrap() == contents, "scp {protocol} got something else");
    }
    let batch = ssh.path("batch");
    let moved = there.with_extension("moved");
    let script = format!(
        "put {} {}\nrename {} {}\nls -l {}\n",
        here.display(),
        there.display(),
        there.display(),
        moved.display(),
        scene.sshd.folder().display()
    );
    std::fs::write(&batch, script).unwrap();
    let mut args = ssh.options();
    args.extend(words(["-q", "-P", &ssh.port().to_string(), "-o", &user, "-b", &text(&batch), ssh.host()]));
    ssh.program("sftp", args).await.unwrap().success().unwrap();
    assert!(std::fs::read(&moved).unwrap() == contents);
}

#[tokio::test]
async fn sftp_for_reading_changes_nothing() {
    let scene = Scene::at_once("allow = [\"sftp:read\"]").await;
    let (_alice, ssh) = scene.alice().await;
    let file = scene.sshd.write("file", "as it was").unwrap();
    let (batch, got, mine) = (ssh.path("batch"), ssh.path("got"), ssh.path("mine"));
    std::fs::write(&mine, "changed").unwrap();
    let user = format!("User={}", scene.user());
    let run = async |script: String| {
        std::fs::write(&batch, script).unwrap();
        let mut args = ssh.options();
        args.extend(words([
            "-q",
            "-P",
            &ssh.port().to_string(),
            "-o",
            &user,
            "-b",
            &text(&batch),
            ssh.host(),
        ]));
        ssh.program("sftp", args).await.unwrap()
    };
    run(format!("get {} {}\n", file.display(), got.display())).await.success().unwrap();
    assert_eq!(std::fs::read_to_string(&got).unwrap(), "as it was");
    for change in [
        format!("put {} {}\n", mine.display(), file.display()),
        format!("rm {}\n", file.display()),
        format!("rename {0} {0}.away\n", file.display()),
        format!("chmod 600 {}\n", file.display()),
    ] {
        let refused = run(change.clone()).await;
        assert_ne!(refused.code, Some(0), "{change}: {}", refused.stdout);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "as it was", "{change}");
    }
    let refused = ssh.run(&scene.user(), ["echo out"]).await.unwrap();
    assert_eq!(refused.stdout, "");
    assert!(refused.code != Some(0) && refused.stderr.contains("does not allow"), "{}", refused.stderr);
}

#[tokio::test]
async fn rsync_and_git_work_unchanged() {
    let scene = Scene::at_once("").await;
    let (_alice, ssh) = scene.alice().await;
    let (here, there) = (ssh.path("tree"), scene.sshd.folder().join("tree"));
    std::fs::create_dir_all(here.join("deep/er")).unwrap();
    for n in 0..40 {
        std::fs::write(here.join(format!("deep/er/{n}")), vec![n; 10_000]).unwrap();
    }
    let shell: Vec<String> = ssh.options().iter().map(|word| word.to_str().unwrap().to_owned()).collect();
    let shell = format!("ssh {} -p {} -l {}", shell.join(" "), ssh.port(), scene.user());
    let to = format!("{}:{}", ssh.host(), there.display());
    let args = words(["-a", "-e", &shell, &format!("{}/", here.display()), &to]);
    ssh.program("rsync", args).await.unwrap().success().unwrap();
    assert!(std::fs::read(there.join("deep/er/7")).unwrap() == vec![7; 10_000]);

    let bare = scene.sshd.folder().join("bare.git");
    let init = format!("git init -q --bare {}", text(&bare));
    ssh.run(&scene.user(), [init.as_str()]).await.unwrap().success().unwrap();
    let clone = ssh.path("clone");
    let from = format!("{}:{}", ssh.host(), bare.display());
    let command = format!("core.sshCommand={shell}");
    let git = async |more: &[&str]| {
        let all = ["-c", &command, "-c", "user.name=a", "-c", "user.email=a@example.com"];
        let args = all.iter().chain(more).map(OsString::from).collect::<Vec<_>>();
        ssh.program("git", args).await.unwrap().success().unwrap()
    };
    git(&["clone", "-q", &from, &text(&clone)]).await;
    std::fs::write(clone.join("file"), "text").unwrap();
    git(&["-C", &text(&clone), "add", "file"]).await;
    git(&["-C", &text(&clone), "commit", "-q", "-m", "first"]).await;
    git(&["-C", &text(&clone), "push", "-q", "origin", "HEAD"]).await;
    let log =
        ssh.program("git", words(["--git-dir", &text(&bare), "log", "--all", "--format=%s"])).await.unwrap();
    assert_eq!(log.stdout, "first\n", "{}", log.stderr);
}

#[tokio::test]
async fn one_connection_is_shared_by_many() {
    let scene = Scene::at_once("").await;
    let (_alice, ssh) = scene.alice().await;
    let socket = format!("ControlPath={}", ssh.path("master").display());
    let mut master =
        ssh.spawn(&scene.user(), ["-o", "ControlMaster=yes", "-o", &socket, "-N", "--"]).unwrap();
    let ready = async {
        while !ssh.path("master").exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::world::LIMIT, ready).await.unwrap();
    for n in 0..8 {
        let said = ssh
            .run(&scene.user(), ["-o", "ControlMaster=no", "-o", &socket, "--", &format!("echo {n}")])
            .await
            .unwrap();
        assert_eq!(said.stdout, format!("{n}\n"), "{}", said.stderr);
    }
    let live = scene.sessions().await;
    assert_eq!(live, 2, "one that bound the key, and one for all the commands");
    ssh.run(&scene.user(), ["-O", "exit", "-o", &socket, "--"]).await.unwrap();
    master.ended(crate::world::LIMIT).await.unwrap();
}
