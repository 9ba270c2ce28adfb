//! `curfew connect`: says how any program connects: with the certificate where it uses libpq, else with a credential.

use serde_json::json;

use super::CliError;
use super::client::Client;
use super::client::wire::NewCredential;
use super::context::{Common, Context};
use super::output::{Tone, clean};
use super::route::Route;

/// Arguments of `curfew connect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target, or TARGET/DATABASE
    target: String,
    /// The account on the target; needed where several are offered
    #[arg(long = "as", value_name = "ACCOUNT")]
    account: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Not signed in, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let route = Route::find(&args.common, &args.target, args.account.as_deref(), cx).await?;
    let client = Client::signed_in(&cx.saved(&args.common)?)?;
    let name = args.target.split_once('/').map_or(args.target.as_str(), |(name, _)| name);
    let wish = json!({ "target": name, "account": route.get("user") });
    let made: NewCredential = client.post(&["credentials"], &wish).await?.read()?;
    let tls = [("sslmode", route.get("sslmode")), ("sslrootcert", route.get("sslrootcert"))];
    let place = route.place();
    let strange = || CliError::failed("the gate's address can't stand in a URL");
    let uri = place.uri(&made.user, &made.password, &tls).ok_or_else(strange)?;
    let jdbc = place.jdbc(&made.user, &made.password, &tls).ok_or_else(strange)?;
    let psql = format!("psql {}", in_shell(&route.conninfo()));
    let service = route.service(&args.target);
    if args.common.json {
        let parameters: serde_json::Map<_, _> = route
            .parameters()
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect();
        let told = json!({
            "psql": psql,
            "parameters": parameters,
            "service": service,
            "credential": {
                "user": made.user,
                "password": made.password,
                "expires_at": made.expires_at.to_string(),
            },
            "uri": uri,
            "jdbc": jdbc,
        });
        return cx.out.raw(told.to_string().as_bytes());
    }
    let ends = cx.out.when(made.expires_at);
    let out = &mut cx.out;
    let mut part = |title: &str, text: &str| {
        let title = out.paint(Tone::Dim, &format!("# {title}"));
        out.line(title)?;
        out.raw(text.trim_end().as_bytes())?;
        out.raw(b"\n\n")
    };
    part("plain psql", &psql)?;
    part("for ~/.pg_service.conf; then `psql service=NAME`, or any program that uses libpq", &service)?;
    let fields = format!(
        "Host      {}\nPort      {}\nDatabase  {}\nUsername  {}\nPassword  {}\nSSL       mode verify-full, CA certificate {}",
        place.host,
        place.port,
        place.database,
        clean(&made.user),
        clean(&made.password),
        route.get("sslrootcert"),
    );
    part("a credential, for the fields of DBeaver and other GUI clients", &fields)?;
    part("the same as a connection string", &uri)?;
    part("the same for JDBC", &jdbc)?;
    out.note(format!(
        "The certificate is renewed by `curfew psql` and by `curfew connect`, as long as you are signed in.\n\
         The credential is shown this once; it is worth nothing when your sign-in ends, {ends}, and is good for {} as \
         {} alone. See and revoke credentials with `curfew credentials`.",
        clean(name),
        clean(route.get("user")),
    ))
}

/// One word for a POSIX shell.
fn in_shell(text: &str) -> String {
    let mut word = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            word.push('\\');
        }
        word.push(c);
    }
    word.push('"');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_takes_it_as_one_word() {
        assert_eq!(in_shell("a='b c' $x `y` \\ \""), "\"a='b c' \\$x \\`y\\` \\\\ \\\"\"");
    }
}
