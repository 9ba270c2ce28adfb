//! `curfew targets add-postgres`: what a server and the gate need to be told, so that the one is reached through the other.
//!
//! Owns the SQL of the accounts and the lines of pg_hba.conf (Postgres manual, 21.1). It changes nothing, on no machine.

use std::fmt::Write;
use std::net::IpAddr;

use super::pasted::{name, object};
use crate::cli::CliError;
use crate::cli::context::Context;
use crate::cli::output::Tone;

/// Arguments of `curfew targets add-postgres`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the target is to be called
    #[arg(value_parser = name)]
    name: String,
    /// Where its servers listen, the first to be tried first; port 5432 where none is said [default: NAME:5432]
    #[arg(value_name = "HOST[:PORT]", value_parser = address)]
    hosts: Vec<String>,
    /// The gate's address as the server sees it, or a network; may be given several times
    #[arg(long, value_name = "ADDRESS", required = true, value_parser = network)]
    from: Vec<String>,
    /// An account there; may be given several times [default: NAME_read]
    #[arg(long = "as", value_name = "ACCOUNT", value_parser = object)]
    accounts: Vec<String>,
    /// A database that may be opened; may be given several times [default: NAME]
    #[arg(long = "database", value_name = "NAME", value_parser = object)]
    databases: Vec<String>,
    /// The accounts sign in by certificate and have no password
    #[arg(long)]
    certificate: bool,
    /// The lines as JSON
    #[arg(long)]
    json: bool,
}

/// What is to be pasted, and where.
#[derive(Debug)]
struct Lines {
    sql: String,
    hba: String,
    target: String,
}

/// Runs it.
///
/// # Errors
/// Nobody reads what it prints.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let lines = lines(args);
    if args.json {
        let all = serde_json::json!({
            "sql": lines.sql, "pg_hba_conf": lines.hba, "target": lines.target,
        });
        return cx.out.raw(all.to_string().as_bytes());
    }
    let out = &mut cx.out;
    let mut part = |title: &str, text: &str| {
        let title = out.paint(Tone::Strong, title);
        out.line(title)?;
        out.raw(text.as_bytes())
    };
    part("# 1. On the server, in psql as a superuser: the accounts", &lines.sql)?;
    part(
        "\n# 2. On the server (each of them), at the top of pg_hba.conf, as the first line that matches counts;\n\
         #    then `select pg_reload_conf();`",
        &lines.hba,
    )?;
    part("\n# 3. In the gate's curfew.toml; then restart the gate", &lines.target)?;
    let keys = if args.certificate {
        "Each certificate's common name is the account, and it comes from the authority in the server's ssl_ca_file."
    } else {
        "What is typed at \\password also goes into the secret's file, as one line, and nowhere else: \
         `install -m 600 /dev/stdin FILE`."
    };
    out.note(format!(
        "\n{keys} A role may always give itself another password (ALTER ROLE … PASSWORD): the lines of pg_hba.conf make \
         that worth nothing.\nAt the end, `curfew targets check {} --config curfew.toml` says what is still open.",
        args.name
    ))
}

fn lines(args: &Args) -> Lines {
    let or = |given: &[String], otherwise: String| {
        if given.is_empty() { vec![otherwise] } else { given.to_vec() }
    };
    let target = &args.name;
    let accounts = or(&args.accounts, format!("{}_read", target.replace(['-', '.'], "_")));
    let databases = or(&args.databases, target.clone());
    let hosts = or(&args.hosts, format!("{target}:5432"));
    let quoted =
        |names: &[String]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    Lines {
        sql: sql(&accounts, &databases, args.certificate),
        hba: hba(args, &accounts, &databases),
        target: entry(target, &hosts, &quoted(&databases), &accounts, args.certificate),
    }
}

fn sql(accounts: &[String], databases: &[String], certificate: bool) -> String {
    let mut sql = String::new();
    if !certificate {
        sql.push_str("SET password_encryption = 'scram-sha-256';\n");
    }
    for account in accounts {
        // What is not granted here is the operator's to grant: tables, schemas, functions.
        let _ = writeln!(
            sql,
            "CREATE ROLE \"{account}\" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD NULL;"
        );
        if !certificate {
            let _ = writeln!(sql, "\\password \"{account}\"");
        }
        for database in databases {
            let _ = writeln!(sql, "GRANT CONNECT ON DATABASE \"{database}\" TO \"{account}\";");
        }
    }
    sql
}

fn hba(args: &Args, accounts: &[String], databases: &[String]) -> String {
    // Names in quotes are names, also where they are words such as all.
    let list =
        |names: &[String]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
    let (users, databases) = (list(accounts), list(databases));
    let method = if args.certificate { "cert" } else { "scram-sha-256" };
    let mut hba =
        String::from("# Curfew: these accounts from the gate alone, encrypted, and from nowhere else.\n");
    for from in &args.from {
        let _ = writeln!(hba, "hostssl {databases} {users} {from} {method}");
    }
    let _ = writeln!(hba, "host    all {users} all reject");
    let _ = writeln!(hba, "local   all {users} reject");
    hba
}

fn entry(name: &str, hosts: &[String], databases: &str, accounts: &[String], certificate: bool) -> String {
    let address = match hosts {
        [one] => format!("\"{one}\""),
        several => format!("[{}]", several.iter().map(|h| format!("\"{h}\"")).collect::<Vec<_>>().join(", ")),
    };
    let attrs =
        if hosts.len() > 1 { "target_session_attrs = \"read-write\" # or any, standby, …\n" } else { "" };
    let accounts: String = accounts
        .iter()
        .map(|account| match certificate {
            true => format!(
                "  {{ name = \"{account}\", certificate = true, tls = {{ cert = \"secrets/{account}.pem\", \
                 key = \"secrets/{account}.key\" }} }},\n"
            ),
            false => format!("  {{ name = \"{account}\", secret = {{ file = \"secrets/{account}\" }} }},\n"),
        })
        .collect();
    format!(
        "[[target]]\n\
         name = \"{name}\"\n\
         protocol = \"postgres\"\n\
         address = {address}\n\
         {attrs}\
         labels = {{ app = \"{name}\" }} # for contracts to match\n\
         databases = [{databases}]\n\
         tls = {{ mode = \"verify-full\", ca = \"ca/{name}.pem\" }} # the authority of the server's certificate\n\
         accounts = [\n{accounts}]\n"
    )
}

/// An address, or a network with its length, in the form of pg_hba.conf.
fn network(text: &str) -> Result<String, String> {
    let read = text.parse::<ipnet::IpNet>().or_else(|_| text.parse::<IpAddr>().map(ipnet::IpNet::from));
    read.map(|network| network.trunc().to_string())
        .map_err(|_| "an address such as 10.1.2.3, or a network such as 10.1.2.0/28".to_owned())
}

fn address(text: &str) -> Result<String, String> {
    let bare = text.ends_with(']') || !text.contains(':');
    let full = if bare { format!("{text}:5432") } else { text.to_owned() };
    crate::cli::route::host_port(&full).map(|_| full).map_err(|_| "such as db-1.internal:5432".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn args(hosts: &[&str], certificate: bool) -> Args {
        Args {
            name: "orders".to_owned(),
            hosts: hosts.iter().map(|text| address(text).unwrap()).collect(),
            from: ["10.0.0.5", "fd00::/64"].map(|text| network(text).unwrap()).to_vec(),
            accounts: ["orders_read", "orders_write"].map(|text| object(text).unwrap()).to_vec(),
            databases: ["orders", "all"].map(|text| object(text).unwrap()).to_vec(),
            certificate,
            json: false,
        }
    }

    #[test]
    fn the_lines_let_the_accounts_in_from_the_gate_alone() {
        let lines = lines(&args(&["db.internal"], false));
        insta::assert_snapshot!(lines.hba, @r#"
        # Curfew: these accounts from the gate alone, encrypted, and from nowhere else.
        hostssl "orders","all" "orders_read","orders_write" 10.0.0.5/32 scram-sha-256
        hostssl "orders","all" "orders_read","orders_write" fd00::/64 scram-sha-256
        host    all "orders_read","orders_write" all reject
        local   all "orders_read","orders_write" reject
        "#);
        insta::assert_snapshot!(lines.sql, @r#"
        SET password_encryption = 'scram-sha-256';
        CREATE ROLE "orders_read" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD NULL;
        \password "orders_read"
        GRANT CONNECT ON DATABASE "orders" TO "orders_read";
        GRANT CONNECT ON DATABASE "all" TO "orders_read";
        CREATE ROLE "orders_write" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD NULL;
        \password "orders_write"
        GRANT CONNECT ON DATABASE "orders" TO "orders_write";
        GRANT CONNECT ON DATABASE "all" TO "orders_write";
        "#);
    }

    #[test]
    fn accounts_by_certificate_have_no_password() {
        let lines = lines(&args(&["db.internal"], true));
        assert!(
            lines
                .hba
                .contains("hostssl \"orders\",\"all\" \"orders_read\",\"orders_write\" 10.0.0.5/32 cert\n")
        );
        assert!(!lines.sql.contains("\\password") && lines.sql.contains("PASSWORD NULL"));
    }

    #[test]
    fn the_targets_entry_is_one_that_the_configuration_takes() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["ca", "secrets"] {
            std::fs::create_dir(folder.path().join(file)).unwrap();
        }
        let authority = curfew_certs::Authority::generate("2026-11-21T12:00:00Z".parse().unwrap()).unwrap();
        std::fs::write(folder.path().join("ca/orders.pem"), authority.certificate_pem()).unwrap();
        for account in ["orders_read", "orders_write"] {
            for end in ["pem", "key"] {
                std::fs::write(folder.path().join(format!("secrets/{account}.{end}")), "").unwrap();
            }
        }
        let before = "[server]\npublic_url = \"https://gate.example.com\"\ndata_dir = \"data\"\n[listen]\n\
            http = { address = \"0.0.0.0:443\" }\npostgres = { address = \"0.0.0.0:5432\" }\n[[provider]]\n\
            name = \"example\"\nissuer = \"https://login.example.com\"\nclient_id = \"c\"\nemails = [\"example.com\"]\n\
            client_secret = { file = \"x\" }\n";
        for certificate in [false, true] {
            for hosts in [&["db.internal"][..], &["db-1.internal:6543", "[::1]"]] {
                let text = format!("{before}{}", lines(&args(hosts, certificate)).target);
                let config = Config::parse("curfew.toml", &text, folder.path());
                let config = config.unwrap_or_else(|wrong| panic!("{wrong}"));
                let target = config.target("orders").unwrap();
                assert_eq!(target.postgres.more.len() + 1, hosts.len());
                assert_eq!(target.databases, ["orders", "all"]);
                let by_certificate = target.account("orders_read").unwrap().certificate.is_some();
                assert_eq!(by_certificate, certificate);
            }
        }
    }

    #[test]
    fn names_that_mean_more_than_they_say_are_refused() {
        for text in ["", "a b", "a\"b", "a,b", "+group", "@file", "/^a", "a\nhost all all all trust", "a'b"] {
            assert!(object(text).is_err(), "{text}");
        }
        assert!(network("samenet").is_err() && network("10.0.0.5/33").is_err());
        assert_eq!(network("10.0.0.5/24").unwrap(), "10.0.0.0/24");
        assert_eq!(address("db-1").unwrap(), "db-1:5432");
        assert!(address("a b:5432").is_err() && address("db:x").is_err());
    }
}
