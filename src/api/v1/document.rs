//! The OpenAPI document: the descriptions at the handlers, and what is the same for all of them.

use std::sync::LazyLock;

use serde_json::{Value, json};
use utoipa::OpenApi as _;

use super::grants::GrantScope;
use super::requests::Whose;
use super::signins::SigninsOf;
use crate::api::problem::Problem;

/// The parts that no handler describes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Curfew",
        version = "1",
        description = "Access that ends on time: requests, grants, sessions, recordings and the audit log of a gate. \
                       Times are RFC 3339 in UTC, durations whole seconds. What one may not see answers 404, like what \
                       is not there. Bodies have 64 KiB at most; a field or a query parameter that is not described \
                       here is refused."
    ),
    components(schemas(Problem, Whose, GrantScope, SigninsOf))
)]
struct Head;

static DOCUMENT: LazyLock<String> = LazyLock::new(make);

/// The document as text, for GET /api/v1/openapi.json and docs/openapi.json.
pub fn document() -> &'static str {
    &DOCUMENT
}

/// The head, for the router to add the paths to.
pub(super) fn head() -> utoipa::openapi::OpenApi {
    Head::openapi()
}

/// Every operation may end in a problem, and, unless it says otherwise, takes a bearer token; those that only read
/// take the browser's cookie too.
fn make() -> String {
    let mut document = serde_json::to_value(super::described().into_openapi()).unwrap_or_default();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (method, operation) in paths.into_iter().flat_map(|paths| paths.values_mut()).flat_map(operations) {
        if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            responses.insert("default".to_owned(), refusal());
        }
        let Some(operation) = operation.as_object_mut() else { continue };
        let mut ways = vec![json!({ "bearer": [] })];
        if method == "get" {
            ways.push(json!({ "cookie": [] }));
        }
        operation.entry("security").or_insert(Value::Array(ways));
    }
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("securitySchemes".to_owned(), schemes());
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn operations(path: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    path.as_object_mut().into_iter().flat_map(|path| path.iter_mut())
}

fn refusal() -> Value {
    json!({
        "description": "Refused or failed, and why (RFC 9457)",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

fn schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "The token that `curfew login` gets from POST /oauth/token",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-curfew-signin",
            "description": "A browser that is signed in; for reading only",
        },
    })
}
