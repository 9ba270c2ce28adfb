//! How programs are told to connect to a Postgres target: connection parameters, a service entry, a URI, a JDBC URL.
//!
//! Owns their spelling, for the command line and for the pages alike. It knows nothing of who connects.

use url::Url;

/// Where to, and which database; through a gate, the target.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The host, without brackets.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The database: TARGET, or TARGET/DATABASE.
    pub database: &'a str,
}

impl Place<'_> {
    /// A connection URI of libpq (Postgres manual, 34.1.1.2), with more parameters; `None` where the host can't stand
    /// in one.
    pub fn uri(&self, user: &str, password: &str, more: &[(&str, &str)]) -> Option<String> {
        let mut url = self.url("postgresql")?;
        url.set_username(user).ok()?;
        url.set_password(Some(password)).ok()?;
        add(&mut url, more);
        Some(url.into())
    }

    /// A URL of pgjdbc, with more properties.
    pub fn jdbc(&self, user: &str, password: &str, more: &[(&str, &str)]) -> Option<String> {
        let mut url = self.url("postgresql")?;
        add(&mut url, &[("user", user), ("password", password)]);
        add(&mut url, more);
        Some(format!("jdbc:{url}"))
    }

    fn url(&self, scheme: &str) -> Option<Url> {
        let Self { host, port, database } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { (*host).to_owned() };
        let mut url = Url::parse(&format!("{scheme}://{host}:{port}")).ok()?;
        url.path_segments_mut().ok()?.push(database);
        Some(url)
    }
}

/// Blanks as `%20`: libpq and pgjdbc do not read `+` as one.
fn add(url: &mut Url, pairs: &[(&str, &str)]) {
    url.query_pairs_mut().extend_pairs(pairs);
    let query = url.query().map(|query| query.replace('+', "%20"));
    url.set_query(query.as_deref());
}

/// Parameters as one connection string (Postgres manual, 34.1.1.1).
pub fn conninfo(parameters: &[(&str, String)]) -> String {
    let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    pairs.join(" ")
}

/// Parameters as a section of pg_service.conf, where values are not quoted.
pub fn service(name: &str, parameters: &[(&str, String)]) -> String {
    let lines: String = parameters.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    format!("[{name}]\n{lines}")
}

/// Host and port of a listener, as the gate tells them: one plain host, as libpq reads several from one value and a
/// folder as a socket's, and ssh a dash as an option.
pub fn host_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    let good = !host.is_empty() && !host.starts_with('-') && host.chars().all(plain);
    Some((good.then_some(host)?, port.parse().ok()?))
}

/// The name of the folder in which `curfew login` keeps a sign-in, below `~/.config/curfew`: safe as a file name, one for
/// each origin.
pub fn gate_folder(gate: &Url) -> String {
    let mut name = String::new();
    if gate.scheme() == "http" {
        name.push_str("http_");
    }
    name.extend(gate.host_str().unwrap_or_default().chars().map(|c| match c {
        'a'..='z' | '0'..='9' | '.' | '-' => c,
        _ => '_',
    }));
    if let Some(port) = gate.port() {
        name.push_str(&format!("_{port}"));
    }
    name
}

/// A value of a connection string: quoted where it must be.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_database_is_called_it_stays_one() {
        let place = Place { host: "gate.example.com", port: 5432, database: "orders/a b?c=d&e" };
        let ca = [("sslmode", "verify-full"), ("sslrootcert", "/home/o'neil x/ca.pem")];
        assert_eq!(
            place.uri("c-abc", "s_e-cret", &ca).unwrap(),
            "postgresql://c-abc:s_e-cret@gate.example.com:5432/orders%2Fa%20b%3Fc=d&e\
             ?sslmode=verify-full&sslrootcert=%2Fhome%2Fo%27neil%20x%2Fca.pem"
        );
        assert_eq!(
            Place { host: "::1", port: 5432, database: "orders" }.jdbc("c-abc", "s", &[]).unwrap(),
            "jdbc:postgresql://[::1]:5432/orders?user=c-abc&password=s"
        );
    }

    #[test]
    fn a_gate_cannot_send_psql_to_several_hosts_or_to_a_socket() {
        assert_eq!(host_port("[::1]:5432"), Some(("::1", 5432)));
        for address in
            ["a,b:5432", "/tmp:5432", "-oProxyCommand=x:22", ":5432", "gate", "gate:99999", "a b:5432"]
        {
            assert!(host_port(address).is_none(), "{address}");
        }
    }
}
