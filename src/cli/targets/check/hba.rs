//! pg_hba.conf as a server has read it: which of its lines let an account in from where the gate is not (Postgres manual,
//! 21.1). The first line that matches counts, so what stands behind a `reject` for everywhere is nothing.
//!
//! It errs on the side of telling: a line whose reach can't be known counts as one that reaches further than the gate.

use std::net::IpAddr;

use curfew_postgres::check::Rule;

/// Connections of a kind that an earlier line has refused from everywhere.
#[derive(Clone, Copy, Debug, Default)]
struct Refused {
    local: bool,
    encrypted: bool,
    plain: bool,
}

/// The lines that let `account` (a member of `roles`) into `database` from elsewhere than `gate`: each in a few words.
pub fn open(
    rules: &[Rule],
    account: &str,
    roles: &[String],
    databases: &[String],
    gate: Option<IpAddr>,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut refused = Refused::default();
    for rule in rules.iter().filter(|rule| names(rule, account, roles)) {
        let kinds = Refused {
            local: rule.kind == "local",
            encrypted: matches!(rule.kind.as_str(), "host" | "hostssl" | "hostgssenc"),
            plain: matches!(rule.kind.as_str(), "host" | "hostnossl" | "hostnogssenc"),
        };
        if rule.method == "reject" {
            let everywhere = kinds.local || rule.address.as_deref() == Some("all");
            if everywhere && rule.databases.iter().any(|name| name == "all") {
                refused.local |= kinds.local;
                refused.encrypted |= kinds.encrypted && rule.kind != "hostgssenc";
                refused.plain |= kinds.plain && rule.kind != "hostnogssenc";
            }
            continue;
        }
        let reachable = (kinds.local && !refused.local)
            || (kinds.encrypted && !refused.encrypted)
            || (kinds.plain && !refused.plain);
        if reachable && concerns(rule, databases) && !is_gate_alone(rule, gate) {
            found.push(told(rule));
        }
    }
    found
}

/// Replication alone is another thing; a list of databases that are not ours is another too, if it is plain.
fn concerns(rule: &Rule, databases: &[String]) -> bool {
    rule.databases.iter().any(|name| {
        let special = ["all", "sameuser", "samerole", "samegroup"].contains(&name.as_str());
        special || name.starts_with('/') || databases.iter().any(|ours| ours == name)
    })
}

fn names(rule: &Rule, account: &str, roles: &[String]) -> bool {
    rule.users.iter().any(|user| match user.strip_prefix('+') {
        Some(group) => roles.iter().any(|role| role == group),
        // A pattern (from Postgres 16 on) may match anything.
        None => user == "all" || user == account || user.starts_with('/'),
    })
}

fn is_gate_alone(rule: &Rule, gate: Option<IpAddr>) -> bool {
    let address = rule.address.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
    let whole = |ip: IpAddr| match ip {
        IpAddr::V4(_) => "255.255.255.255",
        IpAddr::V6(_) => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };
    matches!((address, gate), (Some(address), Some(gate)) if address == gate && rule.mask.as_deref() == Some(whole(address)))
}

fn told(rule: &Rule) -> String {
    let Rule { line, kind, address, mask, method, .. } = rule;
    let from = match (kind.as_str(), address, mask) {
        ("local", ..) => "the server's own machine".to_owned(),
        (_, Some(address), Some(mask)) => match address.parse::<IpAddr>().ok().and_then(|_| bits(mask)) {
            Some(bits) => format!("{address}/{bits}"),
            None => address.clone(),
        },
        (_, Some(address), None) if address == "all" => "everywhere".to_owned(),
        (_, Some(address), None) => address.clone(),
        (_, None, _) => "somewhere".to_owned(),
    };
    format!("from {from} by {method} (pg_hba.conf, line {line})")
}

fn bits(mask: &str) -> Option<u32> {
    Some(match mask.parse::<IpAddr>().ok()? {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `host DATABASE USER ADDRESS MASK METHOD`, with `-` for what is not there.
    fn rules(lines: &[&str]) -> Vec<Rule> {
        let rule = |(number, line): (usize, &&str)| {
            let [kind, databases, users, address, mask, method] =
                line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let list = |text: &str| text.split(',').map(str::to_owned).collect();
            let given = |text: &str| (text != "-").then(|| text.to_owned());
            Rule {
                line: (number + 1).to_string(),
                kind: kind.to_owned(),
                databases: list(databases),
                users: list(users),
                address: given(address),
                mask: given(mask),
                method: method.to_owned(),
            }
        };
        lines.iter().enumerate().map(rule).collect()
    }

    fn found(lines: &[&str]) -> Vec<String> {
        let gate = "10.0.0.5".parse().unwrap();
        let roles = ["orders_read".to_owned(), "readers".to_owned()];
        open(&rules(lines), "orders_read", &roles, &["orders".to_owned()], Some(gate))
    }

    const GATE: &str = "hostssl orders orders_read 10.0.0.5 255.255.255.255 scram-sha-256";

    #[test]
    fn behind_the_printed_lines_nothing_is_open() {
        let reject = ["host all orders_read all - reject", "local all orders_read - - reject"];
        let open = ["local all all - - trust", "host all all all - md5", "hostssl all +readers ::1 - peer"];
        let all: Vec<_> = [&[GATE][..], &reject, &open].concat();
        assert_eq!(found(&all), Vec::<String>::new());
        assert_eq!(found(&[&[GATE][..], &open].concat()).len(), 3);
    }

    #[test]
    fn each_line_that_reaches_further_is_told() {
        let lines = [
            GATE,
            "hostssl all all 10.0.0.0 255.255.255.0 scram-sha-256",
            "host orders orders_read 10.0.0.6 255.255.255.255 md5",
            "host all +readers samenet - scram-sha-256",
            "hostnossl all all db.example.com - trust",
            "local all all - - peer",
            "host all /^orders_.*$ all - scram-sha-256",
        ];
        assert_eq!(
            found(&lines),
            [
                "from 10.0.0.0/24 by scram-sha-256 (pg_hba.conf, line 2)",
                "from 10.0.0.6/32 by md5 (pg_hba.conf, line 3)",
                "from samenet by scram-sha-256 (pg_hba.conf, line 4)",
                "from db.example.com by trust (pg_hba.conf, line 5)",
                "from the server's own machine by peer (pg_hba.conf, line 6)",
                "from everywhere by scram-sha-256 (pg_hba.conf, line 7)",
            ]
        );
    }

    #[test]
    fn what_is_not_about_the_account_is_not_told() {
        let lines = [
            "host all others all - trust",
            "host all +writers all - trust",
            "host billing orders_read all - trust",
            "host replication all all - trust",
        ];
        assert_eq!(found(&lines), Vec::<String>::new());
    }

    #[test]
    fn a_reject_counts_only_for_what_it_covers() {
        let open = "host all all all - scram-sha-256";
        for reject in [
            "hostssl all orders_read all - reject",
            "hostnossl all orders_read all - reject",
            "host orders orders_read all - reject",
            "host all orders_read 10.0.0.0 255.0.0.0 - reject",
            "local all orders_read - - reject",
        ] {
            let reject = reject.replace("255.0.0.0 - ", "255.0.0.0 ");
            assert_eq!(found(&[&reject, open]).len(), 1, "{reject}");
        }
        let both = ["hostssl all orders_read all - reject", "hostnossl all orders_read all - reject", open];
        assert_eq!(found(&both).len(), 0);
    }
}
