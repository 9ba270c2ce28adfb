//! What a browser got: the last answer of a chain of redirects.

use reqwest::header::HeaderMap;
use url::Url;

use super::form::{Button, Form, forms};
use super::html::{Token, tokens};
use crate::error::{Context, Result};

/// A page, or any other answer.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it is from, after redirects.
    pub url: Url,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
    /// The addresses that were gone through, in order, the last one left out.
    pub redirects: Vec<Url>,
}

impl Page {
    /// The six digits in its text.
    #[must_use]
    pub fn digits(&self) -> Option<String> {
        let text = self.text();
        let is = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        text.split(|c: char| !c.is_ascii_alphanumeric()).find(is).map(str::to_owned)
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The text that a person sees, white space joined.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut hidden = false;
        for token in tokens(&self.body) {
            match token {
                Token::Open(name, _) if name == "script" || name == "style" || name == "title" => {
                    hidden = true
                }
                Token::Text(piece) if !hidden => {
                    text.push_str(&piece);
                    text.push(' ');
                }
                Token::Close(_) => hidden = false,
                _ => {}
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// All forms.
    #[must_use]
    pub fn forms(&self) -> Vec<Form> {
        forms(&tokens(&self.body))
    }

    /// The first form with a button that says this.
    ///
    /// # Errors
    /// When there is none; the page's text is in the error.
    pub fn form(&self, button: &str) -> Result<Form> {
        let form = self.forms().into_iter().find(|form| form.button(button).is_some());
        form.context(format!("no button {button:?} at {} ({}): {}", self.url, self.status, self.text()))
    }

    /// The first form with a button named `action` of this value, and that button: what it does, whatever it says.
    ///
    /// # Errors
    /// When there is none; the page's text is in the error.
    pub fn action(&self, value: &str) -> Result<(Form, Button)> {
        let wanted = |button: &&Button| {
            !button.disabled
                && button.field.as_ref().is_some_and(|(name, has)| name == "action" && has == value)
        };
        let find = |form: Form| form.buttons.iter().find(wanted).cloned().map(|button| (form, button));
        let found = self.forms().into_iter().find_map(find);
        found.context(format!("nothing to {value} at {} ({}): {}", self.url, self.status, self.text()))
    }

    /// Whether there is a button that says this.
    #[must_use]
    pub fn offers(&self, button: &str) -> bool {
        self.forms().iter().any(|form| form.button(button).is_some())
    }

    /// All links: what each says, and where it leads.
    #[must_use]
    pub fn links(&self) -> Vec<(String, Url)> {
        let mut links = Vec::new();
        let mut open: Option<(String, Url)> = None;
        for token in tokens(&self.body) {
            match token {
                Token::Open(name, attributes) if name == "a" => {
                    let href = attributes.iter().find(|(key, _)| key == "href");
                    open = href.and_then(|(_, href)| Some((String::new(), self.url.join(href).ok()?)));
                }
                Token::Text(text) => {
                    if let Some((says, _)) = &mut open {
                        says.push_str(&text);
                    }
                }
                Token::Close(name) if name == "a" => links.extend(open.take()),
                _ => {}
            }
        }
        for (says, _) in &mut links {
            *says = says.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        links
    }
}
