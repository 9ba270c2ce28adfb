//! Who stands between a client and Postgres: nobody, HAProxy, pgbouncer, a relay that does nothing but TLS, and the gate.
//! All speak TLS to the client and plaintext to the target, but for HAProxy, which passes TLS through.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use curfew_harness::gate::TARGET;
use curfew_harness::postgres::{DATABASE, password};
use curfew_harness::{Context, Process, Psql, Result, free_port, process, until};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::super::crowd::{self, Size};
use super::super::light::Light;
use super::super::{release, usage};
use super::scene::{ACCOUNT, CROWD, Scene};

const LIMIT: Duration = Duration::from_secs(10);

/// Who stands in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Nobody,
    Haproxy,
    Pgbouncer,
    Bare,
    Gate,
}

/// All of them, in the order of a round.
pub const ALL: [Who; 5] = [Who::Nobody, Who::Haproxy, Who::Pgbouncer, Who::Bare, Who::Gate];

impl Who {
    /// The name in the figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "direct",
            Self::Haproxy => "haproxy",
            Self::Pgbouncer => "pgbouncer",
            Self::Bare => "bare",
            Self::Gate => "gate",
        }
    }
}

/// The peers, running. Dropped from the top.
pub struct Peers {
    haproxy: Proxy,
    pgbouncer: Proxy,
    bare: Light,
    bare_crowd: Light,
    /// The gate and what is behind it.
    pub scene: Scene,
}

/// A program of others, with a port for the Postgres and one for the stand-in.
struct Proxy {
    process: Process,
    postgres: SocketAddr,
    crowd: SocketAddr,
}

impl Peers {
    /// Starts all of them.
    pub async fn start() -> Result<Self> {
        let scene = Scene::start().await?;
        scene.grant(TARGET).await?;
        scene.grant(CROWD).await?;
        let bare = Light::relay("thread", scene.postgres.address()).await?;
        let bare_crowd = Light::relay("thread", scene.light.address).await?;
        let (haproxy, pgbouncer) = (haproxy(&scene).await?, pgbouncer(&scene).await?);
        Ok(Self { haproxy, pgbouncer, bare, bare_crowd, scene })
    }

    /// How a client connects.
    pub fn client(&self, who: Who) -> Result<Psql> {
        Ok(account(match who {
            Who::Nobody => self.scene.postgres.address(),
            Who::Haproxy => self.haproxy.postgres,
            Who::Pgbouncer => self.pgbouncer.postgres,
            Who::Bare => self.bare.address,
            Who::Gate => return self.scene.client(),
        }))
    }

    /// Who it is to the kernel.
    fn pid(&self, who: Who) -> Result<Option<i32>> {
        Ok(match who {
            Who::Nobody => None,
            Who::Haproxy => Some(self.haproxy.process.id()),
            Who::Pgbouncer => Some(self.pgbouncer.process.id()),
            Who::Bare => Some(self.bare.process.id()),
            Who::Gate => Some(self.scene.gate.pid()?),
        })
    }

    /// Does some work through it, and says what CPU seconds that took of it; NaN of nobody.
    pub async fn cpu<T>(&self, who: Who, work: impl Future<Output = Result<T>>) -> Result<(T, f64)> {
        let pid = self.pid(who)?;
        let seconds = || pid.map_or(Ok(f64::NAN), usage::cpu_seconds);
        let before = seconds()?;
        Ok((work.await?, seconds()? - before))
    }

    /// KiB that it has in RAM, where sessions to the stand-in go.
    pub fn resident_kib(&self, who: Who) -> Result<f64> {
        let bare = self.bare_crowd.process.id();
        let pid = if who == Who::Bare { Some(bare) } else { self.pid(who)? };
        usage::resident_kib(pid.context("nobody has no memory")?)
    }

    /// So many idle sessions through it to the stand-in.
    pub fn crowd(&self, who: Who, size: Size) -> Result<Command> {
        let address = match who {
            Who::Nobody => self.scene.light.address,
            Who::Haproxy => self.haproxy.crowd,
            Who::Pgbouncer => self.pgbouncer.crowd,
            Who::Bare => self.bare_crowd.address,
            Who::Gate => return self.scene.crowd(CROWD, size),
        };
        let mut command = process::command(release("curfew-benches", "pg-crowd")?, process::Stop::Kill, None);
        command.args(["--address", &address.to_string(), "--user", ACCOUNT, "--database", CROWD]);
        command.args(["--query", "select 'here'"]).env("PGPASSWORD", password(ACCOUNT));
        crowd::sized(&mut command, size);
        Ok(command)
    }
}

/// How the account connects where no gate stands in between, over TLS.
pub fn account(address: SocketAddr) -> Psql {
    Psql::to(address).user(ACCOUNT).database(DATABASE).password(&password(ACCOUNT))
}

fn free() -> Result<SocketAddr> {
    Ok((Ipv4Addr::LOCALHOST, free_port()?).into())
}

async fn listens(what: &str, address: SocketAddr) -> Result<()> {
    until(what, LIMIT, async || TcpStream::connect(address).await.ok().map(drop)).await.map(drop)
}

async fn haproxy(scene: &Scene) -> Result<Proxy> {
    let (postgres, crowd) = (free()?, free()?);
    let (to_postgres, to_crowd) = (scene.postgres.address(), scene.light.address);
    let config = format!(
        "global\n  maxconn 8000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
         listen postgres\n  bind {postgres}\n  server it {to_postgres}\n\
         listen crowd\n  bind {crowd}\n  server it {to_crowd}\n"
    );
    let file = scene.gate.folder().join("haproxy.cfg");
    std::fs::write(&file, config)?;
    let mut command = process::command("haproxy", process::Stop::Kill, None);
    command.args(["-db", "-f"]).arg(file);
    let process = Process::spawn("haproxy", command, process::Stop::Kill)?;
    listens("haproxy", postgres).await?;
    Ok(Proxy { process, postgres, crowd })
}

async fn pgbouncer(scene: &Scene) -> Result<Proxy> {
    // In the folder of Postgres, whose user it becomes, and whose certificate it shows.
    let folder = scene.postgres.socket();
    let here = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (address, to_postgres, to_crowd) = (free()?, scene.postgres.address(), scene.light.address);
    let (port, certificate, key, users) =
        (address.port(), here("server.pem"), here("server.key"), here("users"));
    let config = format!(
        "[databases]\n{DATABASE} = host=127.0.0.1 port={} dbname={DATABASE}\n\
         {CROWD} = host=127.0.0.1 port={} dbname={CROWD}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = scram-sha-256\nauth_file = {users}\npool_mode = session\nserver_reset_query =\n\
         client_tls_sslmode = require\nclient_tls_cert_file = {certificate}\nclient_tls_key_file = {key}\n\
         server_tls_sslmode = disable\nmax_client_conn = 4000\ndefault_pool_size = 2000\n\
         log_connections = 0\nlog_disconnections = 0\n",
        to_postgres.port(),
        to_crowd.port(),
    );
    std::fs::write(here("pgbouncer.ini"), config)?;
    std::fs::write(users, format!("\"{ACCOUNT}\" \"{}\"\n", password(ACCOUNT)))?;
    // It refuses to be root.
    let user = rustix::process::geteuid().is_root().then_some("postgres");
    let mut command = process::command("pgbouncer", process::Stop::Kill, user);
    command.arg(here("pgbouncer.ini"));
    let process = Process::spawn("pgbouncer", command, process::Stop::Kill)?;
    listens("pgbouncer", address).await?;
    Ok(Proxy { process, postgres: address, crowd: address })
}
