//! Dependencies point one way: serve -> core and adapters; core -> adapter; each protocol -> adapter only.

use curfew_harness::{Context, Result};
use serde_json::Value;

use super::sources::Sources;
use crate::run::{cargo, output};

/// What of ours a package may need to be built; `None` for a folder stands for every protocol. Tests may need more.
fn allowed(package: &str, folder: &str) -> Option<&'static [&'static str]> {
    Some(match package {
        "curfew-adapter" | "curfew-certs" | "curfew-harness" => &[],
        "curfew-conformance" => &["curfew-adapter"],
        "xtask" => &["curfew-harness"],
        // The wiring: what of it may be named where is checked by `names`.
        "curfew" => return None,
        _ if folder.contains("/proto-adapters/") => &["curfew-adapter"],
        _ => return None,
    })
}

/// Crates that no adapter may use: the store, the configuration, HTTP.
const NOT_FOR_ADAPTERS: [&str; 9] =
    ["axum", "clap", "hyper", "object_store", "openidconnect", "reqwest", "sqlx", "toml", "utoipa"];

/// Checks what each package says it depends on.
pub fn packages() -> Result<Vec<String>> {
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("no packages")?;
    Ok(packages.iter().flat_map(of_package).collect())
}

fn of_package(package: &Value) -> Vec<String> {
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, folder) = (text(package, "name"), text(package, "manifest_path"));
    let adapter = folder.contains("/proto-adapters/");
    let mut wrong = Vec::new();
    let dependencies = package.get("dependencies").and_then(Value::as_array);
    for dependency in dependencies.into_iter().flatten() {
        let on = text(dependency, "name");
        let for_tests = text(dependency, "kind") == "dev";
        let ours = on.starts_with("curfew");
        if let Some(allowed) = allowed(&name, &folder)
            && ours
            && !allowed.contains(&on.as_str())
            && !(for_tests && matches!(on.as_str(), "curfew-conformance" | "curfew-harness"))
        {
            wrong.push(format!("{name} must not depend on {on}"));
        }
        if adapter && !for_tests && NOT_FOR_ADAPTERS.contains(&on.as_str()) {
            wrong.push(format!(
                "{name} must not depend on {on}: an adapter sees no store, configuration or HTTP"
            ));
        }
    }
    wrong
}

/// Checks who names what in the sources.
pub fn names(sources: &Sources) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in sources.rust() {
        // Spelled in two halves, so that this file does not name it.
        if text.contains(concat!("Session::", "admitted")) && !may_admit(path) {
            wrong.push(format!(
                "{path} names Session::{}: only src/session/admit.rs makes sessions",
                "admitted"
            ));
        }
        let wiring =
            path.starts_with("src/serve") || path.starts_with("src/cli/") || path == "src/adapters.rs";
        for adapter in ["curfew_postgres", "curfew_ssh"] {
            if path.starts_with("src/") && !wiring && text.contains(adapter) {
                wrong.push(format!(
                    "{path} names {adapter}: only serve, cli and adapters.rs know the protocols"
                ));
            }
        }
    }
    wrong
}

fn may_admit(path: &str) -> bool {
    path == "src/session/admit.rs"
        || path.starts_with("proto-adapters/conformance/")
        || path.starts_with("proto-adapters/adapter/")
}
