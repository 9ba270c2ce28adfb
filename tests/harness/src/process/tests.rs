use super::*;

const LIMIT: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Process {
    let mut command = command("sh", Stop::Term, None);
    command.args(["-c", script]);
    Process::spawn("sh", command, Stop::Term).unwrap()
}

#[tokio::test]
async fn output_is_kept_and_can_be_waited_for() {
    let mut process = shell("echo one; echo two >&2; echo three");
    process.logs().wait_for("three", LIMIT).await.unwrap();
    assert!(process.ended(LIMIT).await.unwrap().success());
    assert_eq!(process.logs().text(Stream::Out), "one\nthree\n");
    assert_eq!(process.logs().text(Stream::Err), "two\n");
    let error = process.logs().wait_for("four", LIMIT).await.unwrap_err();
    assert!(error.to_string().contains("ended without four"), "{error}");
}

#[tokio::test]
async fn dropping_kills_the_children_too() {
    let process = shell("sleep 1000 & echo child $!; wait");
    let child: i32 = process
        .logs()
        .find("the child's pid", LIMIT, |line| line.text.strip_prefix("child ")?.parse().ok())
        .await
        .unwrap();
    let child = Pid::from_raw(child).unwrap();
    assert!(rustix::process::test_kill_process(child).is_ok());
    drop(process);
    crate::until("the child to be gone", LIMIT, || async { gone(child).then_some(()) }).await.unwrap();
}

/// Gone, or a zombie that whoever is process 1 here has not reaped.
fn gone(pid: Pid) -> bool {
    match std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}

#[tokio::test]
async fn a_starter_that_is_killed_takes_its_programs_along() {
    let mut starter = shell("setpriv --pdeathsig KILL -- sh -c 'echo child $$; exec sleep 1000' & wait");
    let child: i32 = starter
        .logs()
        .find("the child's pid", LIMIT, |line| line.text.strip_prefix("child ")?.parse().ok())
        .await
        .unwrap();
    let child = Pid::from_raw(child).unwrap();
    rustix::process::kill_process(Pid::from_raw(starter.id()).unwrap(), Signal::KILL).unwrap();
    starter.ended(LIMIT).await.unwrap();
    crate::until("the child to be gone", LIMIT, || async { gone(child).then_some(()) }).await.unwrap();
}
