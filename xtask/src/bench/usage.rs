//! What a process has used, as the kernel counts it (proc(5)).

use std::fs;

use curfew_harness::{Context, Result};

/// Seconds of CPU, in user and kernel mode, of all threads of `pid` since it started.
pub fn cpu_seconds(pid: i32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    let ticks = ticks(&stat).context(format!("no times in {stat:?}"))?;
    // Both are far below 2^52.
    #[expect(clippy::cast_precision_loss, reason = "ticks of minutes")]
    let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Ok(seconds)
}

/// All processes below `pid`, at this moment.
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut next = vec![pid];
    while let Some(pid) = next.pop() {
        let children = children(pid);
        next.extend(&children);
        found.extend(children);
    }
    found
}

/// The children of all threads. A process that has just ended has none.
fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// KiB of memory that `pid` has in RAM now (`VmRSS`).
pub fn resident_kib(pid: i32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context(line)
}

/// utime and stime, fields 14 and 15: the name in parentheses before them may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let time = |field: Option<&str>| field?.parse::<u64>().ok();
    Some(time(fields.next())? + time(fields.next())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) R 1) S 1 7 7 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 3 0 5 6 7";
        assert_eq!(ticks(stat), Some(281));
    }

    #[test]
    fn this_process_has_memory() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(resident_kib(pid).unwrap() > 100.0);
        assert!(cpu_seconds(pid).unwrap() >= 0.0);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = descendants(pid);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&i32::try_from(child.id()).unwrap()), "{found:?}");
    }
}
