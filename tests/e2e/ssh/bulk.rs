//! A large file each way, by a command's streams and by sftp: it arrives as it was, and never stands still on its way.
//! `cargo xtask soak ssh` does the same with more of it.

use curfew_harness::Bulk;

use super::scene::Scene;

const BYTES: u64 = 256 * 1024 * 1024;

#[tokio::test]
async fn a_large_file_goes_both_ways_without_a_stall() {
    let scene = Scene::at_once("").await;
    let (_alice, ssh) = scene.alice().await;
    let user = scene.user();
    let bulk = Bulk::make(&ssh.path("bulk"), BYTES).await.unwrap();
    let (there, back) = (scene.sshd.folder().join("bulk"), ssh.path("back"));
    let work = async {
        bulk.put_by_exec(&ssh, &user).await?;
        bulk.put_by_sftp(&ssh, &user, &there).await?;
        bulk.get_by_exec(&ssh, &user, &there).await?;
        bulk.get_by_sftp(&ssh, &user, &there, &back).await
    };
    let (done, grown) = scene.gate.growth(work).await.unwrap();
    done.unwrap();
    assert!(grown < 64 * 1024, "the gate grew by {grown} KiB");
    scene.recorded(bulk.sha256()).await;
}
