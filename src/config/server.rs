//! `[server]`: what the gate is called and where it keeps its things.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use url::Url;

use super::{resolve, words};
use crate::toml_doc::Section;

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Where people and clients reach the pages and the API: scheme, host and port, no path.
    pub public_url: Url,
    /// Further names for the gate's own certificates, such as the one that psql connects to.
    pub names: Vec<String>,
    /// Where the store, recordings and checkpoints live.
    pub data_dir: PathBuf,
    /// The folder with the authority's and the audit log's keys.
    pub keys: PathBuf,
    /// The folder with the contracts.
    pub contracts: PathBuf,
    /// Whose word about a client's address is believed. Empty: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// How long sessions may go on after SIGTERM.
    pub drain: Duration,
    /// This node's name: its audit chain is called so.
    pub node: String,
}

impl Server {
    pub(super) fn read(section: &Section<'_>, base: &Path) -> Option<Self> {
        let public_url = section.require("public_url", "\"https://gate.example.com\"").and_then(|value| {
            let url = words::secure_url(&value)?;
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            value.check(bare.then_some(url).ok_or("must end after the host and port"))
        });
        let names = section.strings("names");
        let data_dir = section.string("data_dir", "\"/var/lib/curfew\"").map(|path| resolve(base, &path));
        let folder = |key: &str| resolve(base, section.optional_string(key).as_deref().unwrap_or(key));
        let (keys, contracts) = (folder("keys"), folder("contracts"));
        let trusted_proxies =
            section.get("trusted_proxies").map_or(Some(Vec::new()), |value| value.list_of(words::network));
        let drain = section.optional_duration("drain", Duration::ZERO..=Duration::from_secs(24 * 3600));
        let node = section.get("node").map_or(Some("main".to_owned()), |value| words::name(&value));
        Some(Self {
            public_url: public_url?,
            names,
            data_dir: data_dir?,
            keys,
            contracts,
            trusted_proxies: trusted_proxies?,
            drain: drain.unwrap_or(Duration::from_secs(600)),
            node: node?,
        })
    }
}
