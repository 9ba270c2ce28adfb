//! What the demo tells whoever started it: what to type, where to click.

use curfew_harness::Result;

use super::parts::Parts;

/// The text.
pub async fn text(parts: &Parts) -> Result<String> {
    let gate = &parts.gate;
    let (url, port) = (gate.url(), gate.postgres().port());
    let fingerprint = gate.person("guide")?.fingerprint().await?;
    let curfew = "target/debug/curfew";
    let folder = gate.folder().display();
    let metrics = gate.metrics();
    let (ssh_port, account) = (gate.ssh().port(), parts.sshd.account());
    let known_hosts = gate.folder().join("known_hosts");
    let line = format!("@cert-authority * {}\n", gate.public_key("ssh-authority")?);
    std::fs::write(&known_hosts, line)?;
    let known_hosts = known_hosts.display();
    Ok(format!(
        r#"
Curfew is up, with a Postgres, an sshd and an OIDC provider of its own. All of it is on 127.0.0.1; Ctrl-C stops all of it.

  1. In another terminal, as an engineer:

       psql "host=127.0.0.1 port={port} dbname=orders user=orders_read sslmode=require"

     psql prints a link and waits. Open it (the browser does not know the gate's certificate authority yet: go on),
     sign in as alice, say yes, and ask for access with a reason.

  2. In a private window, as the approver bob, decide:

       {url}/requests

  3. psql goes on by itself. Try

       select status, count(*) from orders group by 1;

     and watch the countdown: after three minutes the session is cut, whatever it is doing. `select pg_sleep(600);`
     shows that best.

The same with ssh, to a server of the demo (the link may be opened anywhere; its digits are typed into ssh):

       ssh -p {ssh_port} -o UserKnownHostsFile={known_hosts} {account}%web@127.0.0.1

     Where ssh has a key, it can be bound to the sign-in; the next ssh, scp, sftp or rsync is silent then.

With the command line (sign in as dave, an admin, or erin, an auditor, to see everything):

  {curfew} login {url} --ca-fingerprint {fingerprint}
  {curfew} targets
  {curfew} request orders --as orders_read --for 5m --reason "a look around" --wait
  {curfew} psql orders
  {curfew} sessions
  {curfew} audit verify

  people      alice (sre), bob (sre-leads, approves), carol (contractors), dave (admin), erin (auditor); no passwords
  gate        {url}
  metrics     http://{metrics}/metrics
  files       {folder}
"#
    ))
}
