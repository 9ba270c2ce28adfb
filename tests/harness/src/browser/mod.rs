//! A browser without scripts: cookies, redirects and forms over HTTP, from an address of one's choice. It sends what
//! real browsers send about where a request comes from, so that a gate's defences see what they will see.

mod cookies;
mod form;
mod html;
mod page;
#[cfg(test)]
mod tests;
mod tls;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Method, RequestBuilder};
use url::Url;

pub use cookies::Cookie;
pub use form::{Button, Form};
pub use page::Page;
pub use tls::Trust;

use crate::error::{Context, Error, Result};
use cookies::{Jar, Trigger};

/// As many as Chromium follows.
const REDIRECTS: usize = 20;

/// A client for plain HTTP to fixtures: no cookies, no proxies.
pub(crate) fn plain_client() -> Result<reqwest::Client> {
    tls::client(None, &Trust::Any)
}

/// One person's browser.
pub struct Browser {
    http: reqwest::Client,
    jar: Mutex<Jar>,
}

impl Browser {
    /// A fresh browser that trusts any certificate and connects from 127.0.0.1.
    ///
    /// # Errors
    /// When the client can't be built.
    pub fn new() -> Result<Self> {
        Self::with(None, &Trust::Any)
    }

    /// The same, connecting from another address of this machine, such as 127.0.0.2.
    ///
    /// # Errors
    /// When the client can't be built.
    pub fn from(address: &str) -> Result<Self> {
        Self::with(Some(address.parse().context("a browser's address")?), &Trust::Any)
    }

    /// A fresh browser with everything said.
    ///
    /// # Errors
    /// When the trusted certificates can't be read.
    pub fn with(from: Option<IpAddr>, trust: &Trust) -> Result<Self> {
        Ok(Self { http: tls::client(from, trust)?, jar: Mutex::default() })
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All cookies it holds.
    #[must_use]
    pub fn cookies(&self) -> Vec<Cookie> {
        self.jar().all()
    }

    /// Forgets all cookies.
    pub fn forget(&self) {
        self.jar().clear();
    }

    /// A request of one's own making, with this browser's cookies as for a page of the same site; sent as it is, no
    /// redirect followed, no cookie kept.
    ///
    /// # Errors
    /// When the address is none.
    pub fn request(&self, method: Method, url: &str) -> Result<RequestBuilder> {
        let url = Url::parse(url).context(url)?;
        let cookies = self.jar().header(&url, Trigger::SameSite);
        let request = self.http.request(method, url);
        Ok(match cookies {
            Some(cookies) => request.header(COOKIE, cookies),
            None => request,
        })
    }

    /// Opens an address as if it were typed, and follows redirects.
    ///
    /// # Errors
    /// When nobody answers. A page that says no is no error.
    pub async fn get(&self, url: &str) -> Result<Page> {
        self.navigate(Method::GET, Url::parse(url).context(url)?, None, None).await
    }

    /// Opens an address found on `page`.
    ///
    /// # Errors
    /// As for [`Browser::get`].
    pub async fn follow(&self, page: &Page, url: &str) -> Result<Page> {
        self.navigate(Method::GET, page.url.join(url)?, None, Some(page)).await
    }

    /// Clicks the link that says this.
    ///
    /// # Errors
    /// When the page has none.
    pub async fn click(&self, page: &Page, link: &str) -> Result<Page> {
        let found = page.links().into_iter().find(|(says, _)| says == link);
        let (_, url) = found.context(format!("no link {link:?} at {}: {}", page.url, page.text()))?;
        self.navigate(Method::GET, url, None, Some(page)).await
    }

    /// Fills in the first form with a button that says `button`, and presses that.
    ///
    /// # Errors
    /// When there is no such button or field.
    pub async fn press(&self, page: &Page, button: &str, values: &[(&str, &str)]) -> Result<Page> {
        let form = page.form(button)?;
        self.submit(page, &form, form.button(button), values).await
    }

    /// Fills in the first form with a button named `action` of this value, and presses that.
    ///
    /// # Errors
    /// When there is no such button or field.
    pub async fn act(&self, page: &Page, action: &str, values: &[(&str, &str)]) -> Result<Page> {
        let (form, button) = page.action(action)?;
        self.submit(page, &form, Some(&button), values).await
    }

    /// Fills in this form of `page` and sends it.
    ///
    /// # Errors
    /// When it has no such field, or nobody answers.
    pub async fn submit(
        &self,
        page: &Page,
        form: &Form,
        button: Option<&Button>,
        values: &[(&str, &str)],
    ) -> Result<Page> {
        let fields = form.filled(values, button)?;
        let action = button.and_then(|button| button.action.as_ref()).unwrap_or(&form.action);
        let mut url = if action.is_empty() { page.url.clone() } else { page.url.join(action)? };
        url.set_fragment(None);
        if form.method == "post" {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
            return self.navigate(Method::POST, url, Some(body), Some(page)).await;
        }
        url.query_pairs_mut().clear().extend_pairs(&fields);
        self.navigate(Method::GET, url, None, Some(page)).await
    }

    /// Opens an address and signs in at the provider as this person wherever that is asked.
    ///
    /// # Errors
    /// When nobody answers, or the provider never gets to an end.
    pub async fn sign_in(&self, url: &str, name: &str) -> Result<Page> {
        let page = self.get(url).await?;
        self.through_provider(page, name).await
    }

    /// From a page of the provider on to the first one that is not; any other page is given back as it is.
    ///
    /// # Errors
    /// As for [`Browser::sign_in`].
    pub async fn through_provider(&self, mut page: Page, name: &str) -> Result<Page> {
        // Sign in, consent, and once more each, for those who must sign in again.
        for _ in 0..4 {
            if !page.url.path().starts_with("/interaction/") {
                return Ok(page);
            }
            let forms = page.forms();
            let asked = forms.iter().find(|form| form.id == "login" || form.id == "consent");
            let form = asked.context(format!("the provider says: {}", page.text()))?;
            let values: &[(&str, &str)] = if form.id == "login" { &[("name", name)] } else { &[] };
            // The first button of either form is the one that goes on; pressing it sends no field.
            page = self.submit(&page, form, None, values).await?;
        }
        Err(Error::new(format!("the provider asks again and again: {}", page.text())))
    }

    async fn navigate(
        &self,
        mut method: Method,
        to: Url,
        body: Option<String>,
        on: Option<&Page>,
    ) -> Result<Page> {
        let mut url = to;
        let mut body = body;
        let mut cross_site = on.is_some_and(|page| !same_site(&page.url, &url));
        let mut redirects = Vec::new();
        loop {
            let trigger = match (cross_site, &method) {
                (false, _) => Trigger::SameSite,
                (true, &Method::GET) => Trigger::CrossSite,
                (true, _) => Trigger::CrossSitePost,
            };
            let mut request = self.http.request(method.clone(), url.clone());
            request = request.header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
            request = request.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
            request = request.header("sec-fetch-site", fetch_site(on, &url, cross_site));
            if let Some(cookies) = self.jar().header(&url, trigger) {
                request = request.header(COOKIE, cookies);
            }
            if let Some(body) = &body {
                request =
                    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.clone());
                request = request.header(ORIGIN, origin(on, &redirects));
            }
            let answer = request.send().await.context(format!("{method} {url}"))?;
            for header in answer.headers().get_all(SET_COOKIE) {
                self.jar().set(&url, header.to_str().unwrap_or_default());
            }
            let status = answer.status().as_u16();
            let next = answer.headers().get(LOCATION).and_then(|next| next.to_str().ok()).map(str::to_owned);
            if let (301 | 302 | 303 | 307 | 308, Some(next)) = (status, next) {
                if redirects.len() == REDIRECTS {
                    return Err(Error::new(format!("more than {REDIRECTS} redirects, the last to {next}")));
                }
                let next = url.join(&next).context(next)?;
                cross_site |= on.is_some() && !same_site(&url, &next);
                redirects.push(std::mem::replace(&mut url, next));
                if status < 307 {
                    (method, body) = (Method::GET, None);
                }
                continue;
            }
            let headers = answer.headers().clone();
            let body = answer.text().await.context(format!("reading {url}"))?;
            return Ok(Page { url, status, headers, body, redirects });
        }
    }
}

/// Scheme and host decide what a site is; the port does not (HTML, "schemelessly same site" and its scheme).
fn same_site(a: &Url, b: &Url) -> bool {
    (a.scheme(), a.host_str()) == (b.scheme(), b.host_str())
}

fn fetch_site(on: Option<&Page>, url: &Url, cross_site: bool) -> &'static str {
    match on {
        None => "none",
        Some(_) if cross_site => "cross-site",
        Some(page) if page.url.origin() == url.origin() => "same-origin",
        Some(_) => "same-site",
    }
}

/// The Origin header of a post. A page that forbids referrers makes even its own forms post from `null`, and so does a
/// redirect to another origin (Fetch, "append a request Origin header").
fn origin(on: Option<&Page>, redirects: &[Url]) -> String {
    let Some(page) = on else { return "null".to_owned() };
    let silent = page.header("referrer-policy") == Some("no-referrer");
    let strayed = redirects.iter().any(|url| url.origin() != page.url.origin());
    if silent || strayed { "null".to_owned() } else { page.url.origin().ascii_serialization() }
}
