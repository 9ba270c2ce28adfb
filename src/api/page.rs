//! Pages: what all of them share, and how errors look on one.

use askama::Template;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::assets;
use super::next::Next;
use super::problem::Problem;

/// What surrounds the contents of every page.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    /// The title, without ours behind it.
    pub title: String,
    /// As whom the browser is signed in: an email.
    pub who: Option<String>,
    /// The proof for the sign-out form; empty where nobody is signed in.
    pub csrf: String,
    /// Reload after so many seconds.
    pub refresh: Option<u32>,
}

impl Shell {
    /// For somebody who is not signed in.
    pub fn anonymous(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Reloads the page after so many seconds: how a page without scripts stays live.
    #[must_use]
    pub const fn refresh(mut self, seconds: u32) -> Self {
        self.refresh = Some(seconds);
        self
    }

    /// The style sheet's URL, which changes with its contents.
    pub fn style(&self) -> String {
        assets::style_url()
    }
}

/// A template, rendered as the answer.
#[derive(Debug)]
pub struct Page<T>(pub T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(text) => Html(text).into_response(),
            Err(cause) => Problem::internal(cause).into_response(),
        }
    }
}

/// Why there is no page, for a person; `?` turns a [`Problem`] into it.
#[derive(Debug)]
pub enum PageError {
    /// A page that says so.
    Problem {
        /// What happened.
        problem: Problem,
        /// What surrounds it.
        shell: Box<Shell>,
    },
    /// Nobody is signed in: to the sign-in page, and then back.
    SignIn(Next),
}

impl From<Problem> for PageError {
    fn from(problem: Problem) -> Self {
        let shell = Box::new(Shell::anonymous(problem.title));
        Self::Problem { problem, shell }
    }
}

impl PageError {
    /// The same, on a page that knows who is signed in.
    #[must_use]
    pub fn within(self, around: &Shell) -> Self {
        match self {
            Self::Problem { problem, .. } => {
                let shell =
                    Box::new(Shell { title: problem.title.to_owned(), refresh: None, ..around.clone() });
                Self::Problem { problem, shell }
            }
            other => other,
        }
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    shell: Shell,
    problem: Problem,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(next) => Redirect::to(&format!("/signin?next={}", next.encoded())).into_response(),
            Self::Problem { problem, shell } => {
                let status = problem.code();
                (status, Page(ProblemPage { shell: *shell, problem })).into_response()
            }
        }
    }
}

/// For paths that nobody has: a page for browsers, problem+json for the rest.
pub async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    let problem =
        Problem::not_found("There is no such page.").hint("Check the address, or begin at the start page.");
    either(problem, &uri, &headers)
}

/// For a known path with another method. What the address does take is in the header `Allow`.
pub async fn method_not_allowed(uri: Uri, headers: HeaderMap) -> Response {
    either(Problem::method_not_allowed("This address does not take that method."), &uri, &headers)
}

fn either(problem: Problem, uri: &Uri, headers: &HeaderMap) -> Response {
    let wants_html = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if wants_html && !uri.path().starts_with("/api/") {
        PageError::from(problem).into_response()
    } else {
        problem.into_response()
    }
}
