//! Errors of the API: problem+json (RFC 9457), one sentence of what happened and one of what to do next.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

/// The answer of a call that was refused or failed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status and the title tell the kind (RFC 9457, 4.2.1).
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The kind, in two or three words.
    pub title: &'static str,
    /// The HTTP status, again.
    pub status: u16,
    /// What happened and why: one sentence, for the person.
    pub detail: String,
    /// What to do next; left out where there is nothing to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// Facts for programs, such as the contracts that one may choose from.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub more: Map<String, Value>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $title:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(detail: impl Into<String>) -> Self {
            Self::new(StatusCode::$status, $title, detail)
        }
    )*};
}

impl Problem {
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            detail: detail.into(),
            hint: String::new(),
            more: Map::new(),
        }
    }

    kinds! {
        /// 400: the request makes no sense.
        bad_request = BAD_REQUEST, "Bad request";
        /// 401: nobody is signed in, or the token is worth nothing here.
        unauthorized = UNAUTHORIZED, "Not signed in";
        /// 403: signed in, and not allowed.
        forbidden = FORBIDDEN, "Not allowed";
        /// 404: there is none, or one that the caller may not know of.
        not_found = NOT_FOUND, "Not found";
        /// 405: not in this way.
        method_not_allowed = METHOD_NOT_ALLOWED, "Method not allowed";
        /// 409: not in the state that it is in.
        conflict = CONFLICT, "Conflict";
        /// 413: too much of it.
        too_large = PAYLOAD_TOO_LARGE, "Too large";
        /// 422: understood, and refused for what it says.
        unprocessable = UNPROCESSABLE_ENTITY, "Refused";
        /// 429: too many in too short a time.
        too_many = TOO_MANY_REQUESTS, "Too many";
        /// 503: something that Curfew needs is down.
        unavailable = SERVICE_UNAVAILABLE, "Unavailable";
    }

    /// 500: our fault. The cause goes to the operator's log and to nobody else.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal error",
            "Curfew could not do this because of an error of its own.",
        )
        .hint("Try again; if it stays so, ask whoever runs the gate to look at its log.")
    }

    /// What to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// A fact for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// The status as a value.
    pub fn code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code();
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"curfew\""));
        }
        response
    }
}

impl From<crate::store::StoreError> for Problem {
    fn from(error: crate::store::StoreError) -> Self {
        tracing::error!(
            cause = crate::store::with_causes(&error),
            "the store did not do what a request needs"
        );
        Self::unavailable(format!("{}.", error.sentence()))
    }
}
