//! How long a key takes to be seen on a remote terminal.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use curfew_harness::{Context, Result};

use super::super::figure::median;
use super::scene::{Scene, Way};

/// Keys before it counts: what is slow once is not typing.
const WARM: usize = 50;

/// Milliseconds from a key to its echo on a terminal at the target, the median of `keys`. The line is never ended: what
/// echoes is the terminal itself, which takes 4095 keys.
pub async fn median_ms(scene: &Scene, way: Way, keys: usize) -> Result<f64> {
    let mut command = scene.command("ssh", None)?;
    command.args(["-tt", way.host(), "echo ready; sleep 600"]);
    let mut command = command.into_std();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // With blocking reads, so that no event loop stands in between.
    let times = tokio::task::spawn_blocking(move || type_keys(command, keys)).await.context("typing")??;
    Ok(median(times))
}

fn type_keys(mut command: std::process::Command, keys: usize) -> Result<Vec<f64>> {
    let mut child = command.spawn()?;
    let (keyboard, screen) = (child.stdin.take(), child.stdout.take());
    let (mut keyboard, mut screen) = keyboard.zip(screen).context("no pipes")?;
    let typed = (|| {
        let mut shown = Vec::new();
        let mut buffer = [0; 1024];
        while !shown.ends_with(b"ready\r\n") {
            let read = screen.read(&mut buffer)?;
            if read == 0 {
                return Err(curfew_harness::Error::new("the terminal was closed"));
            }
            shown.extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
        let mut times = Vec::new();
        for key in 0..WARM + keys {
            let start = Instant::now();
            keyboard.write_all(b"x")?;
            screen.read_exact(buffer.get_mut(..1).unwrap_or_default())?;
            let took = start.elapsed();
            if key >= WARM {
                times.push(took.as_secs_f64() * 1e3);
            }
            // As somebody types: what the last key left to do is done.
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(times)
    })();
    child.kill()?;
    child.wait()?;
    typed
}
