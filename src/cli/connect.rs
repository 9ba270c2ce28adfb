//! `curfew connect`: says how any program that uses libpq connects, signed in by certificate.

use super::CliError;
use super::context::{Common, Context};
use super::output::Tone;
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
    if args.common.json {
        let parameters: serde_json::Map<_, _> = route
            .parameters()
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect();
        return cx.out.raw(serde_json::Value::from(parameters).to_string().as_bytes());
    }
    let out = &mut cx.out;
    let title = out.paint(Tone::Dim, "# plain psql");
    out.line(title)?;
    out.line(format!("psql {}", in_shell(&route.conninfo())))?;
    let title = out.paint(
        Tone::Dim,
        "\n# for ~/.pg_service.conf; then `psql service=NAME`, or any program that uses libpq",
    );
    out.line(title)?;
    out.raw(route.service(&args.target).as_bytes())?;
    out.note("\nThe certificate is renewed by `curfew psql` and by `curfew connect`, as long as you are signed in.")
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
