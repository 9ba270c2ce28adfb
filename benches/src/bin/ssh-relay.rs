//! A bare SSH relay: two legs of russh, a channel's bytes handed from one to the other, and nothing else. It lets
//! anybody in, runs commands at the target as one account, checks no host key, and is the floor under any gate that
//! is made of russh. It prints its address and its host key, and serves until it is killed.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use russh::client::{self, Handle};
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::server::{self, Auth, ChannelOpenHandle, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Preferred, cipher};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// The sshd.
    #[arg(long)]
    target: SocketAddr,
    /// The account there.
    #[arg(long)]
    user: String,
    /// Its private key.
    #[arg(long)]
    key: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arc::new(Arguments::parse());
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(arguments))
}

/// The gate's order: AES-GCM first, on both legs.
fn preferred() -> Preferred {
    Preferred {
        cipher: (&[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305][..]).into(),
        ..Preferred::default()
    }
}

async fn serve(arguments: Arc<Arguments>) -> Result<(), Box<dyn Error>> {
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[8; 32]));
    let line = key.public_key().to_openssh()?;
    let config =
        server::Config { keys: vec![key], nodelay: true, preferred: preferred(), ..Default::default() };
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {line}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let near = Near { arguments: arguments.clone(), target: None, far: None };
        let config = config.clone();
        spawn(async move {
            if let Ok(session) = server::run_stream(config, stream, near).await {
                // How it ends is the client's to tell.
                let _ = session.await;
            }
        });
    }
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
    drop(tokio::spawn(task));
}

struct Far;

impl client::Handler for Far {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

struct Near {
    arguments: Arc<Arguments>,
    target: Option<Handle<Far>>,
    far: Option<Arc<ChannelWriteHalf<client::Msg>>>,
}

impl Near {
    async fn connect(&self) -> Result<Handle<Far>, russh::Error> {
        let stream = TcpStream::connect(self.arguments.target).await?;
        let config = client::Config { nodelay: true, preferred: preferred(), ..Default::default() };
        let mut handle = client::connect_stream(Arc::new(config), stream, Far).await?;
        let key = load_secret_key(&self.arguments.key, None)?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
        handle.authenticate_publickey(&self.arguments.user, key).await?;
        Ok(handle)
    }
}

impl server::Handler for Near {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.target = Some(self.connect().await?);
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        near: Channel<server::Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let target = self.target.as_ref().ok_or(russh::Error::NotAuthenticated)?;
        let (far_read, far) = target.channel_open_session().await?.split();
        let (near_read, near) = near.split();
        let far = Arc::new(far);
        self.far = Some(far.clone());
        spawn(async move {
            // A leg that is gone ends the other with it.
            let _ = tokio::join!(up(near_read, &far), down(far_read, &near));
        });
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(far) = &self.far {
            far.exec(false, command).await?;
        }
        session.channel_success(channel)
    }
}

async fn up(mut near: ChannelReadHalf, far: &ChannelWriteHalf<client::Msg>) -> Result<(), russh::Error> {
    while let Some(message) = near.wait().await {
        match message {
            ChannelMsg::Data { data } => far.data_bytes(data).await?,
            ChannelMsg::Eof => far.eof().await?,
            _ => {}
        }
    }
    far.close().await
}

async fn down(mut far: ChannelReadHalf, near: &ChannelWriteHalf<server::Msg>) -> Result<(), russh::Error> {
    while let Some(message) = far.wait().await {
        match message {
            ChannelMsg::Data { data } => near.data_bytes(data).await?,
            ChannelMsg::ExitStatus { exit_status } => near.exit_status(exit_status).await?,
            _ => {}
        }
    }
    near.eof().await?;
    near.close().await
}
