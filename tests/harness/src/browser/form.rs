//! The forms of a page, filled in and pressed as a person does: only fields that are there can be filled.

use super::html::Token;
use crate::error::{Error, Result};

/// A form as it stands on the page.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Its `id`, or nothing.
    pub id: String,
    /// Its `action` as written; empty means the page's own address.
    pub action: String,
    /// `get` or `post`.
    pub method: String,
    /// What would be sent: hidden, typed and chosen values, without the buttons.
    pub fields: Vec<(String, String)>,
    /// Boxes and radio buttons that are there but not chosen, with the value each would send.
    pub unchecked: Vec<(String, String)>,
    /// What can be pressed.
    pub buttons: Vec<Button>,
}

/// Something that sends a form.
#[derive(Clone, Debug, Default)]
pub struct Button {
    /// What it says, white space joined.
    pub text: String,
    /// What pressing it adds to the form, if it has a name.
    pub field: Option<(String, String)>,
    /// Where it sends the form instead.
    pub action: Option<String>,
    /// A disabled button can't be pressed.
    pub disabled: bool,
}

impl Form {
    /// The button with this text.
    #[must_use]
    pub fn button(&self, text: &str) -> Option<&Button> {
        self.buttons.iter().find(|button| button.text == text && !button.disabled)
    }

    /// Whether a field of this name can be filled in.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.fields.iter().chain(&self.unchecked).any(|(name, _)| name == field)
    }

    /// The value that a field has now.
    #[must_use]
    pub fn value(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }

    /// What is sent when `values` are filled in and `button` is pressed.
    ///
    /// # Errors
    /// When the form has no such field.
    pub fn filled(&self, values: &[(&str, &str)], button: Option<&Button>) -> Result<Vec<(String, String)>> {
        let mut fields = self.fields.clone();
        for (name, value) in values {
            if let Some(field) = fields.iter_mut().find(|(known, _)| known == name) {
                (*value).clone_into(&mut field.1);
            } else if self.has(name) {
                fields.push(((*name).to_owned(), (*value).to_owned()));
            } else {
                let known: Vec<_> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
                return Err(Error::new(format!("the form has no field {name}, only {}", known.join(", "))));
            }
        }
        fields.extend(button.and_then(|button| button.field.clone()));
        Ok(fields)
    }
}

/// Reads all forms of a page, in order.
pub(super) fn forms(tokens: &[Token]) -> Vec<Form> {
    let mut reader = Reader::default();
    for token in tokens {
        reader.take(token);
    }
    reader.forms
}

#[derive(Default)]
struct Reader {
    forms: Vec<Form>,
    inside: bool,
    button: Option<(usize, Button)>,
    select: Option<(usize, String, Option<String>)>,
    textarea: Option<(usize, String)>,
}

impl Reader {
    fn take(&mut self, token: &Token) {
        match token {
            Token::Open(name, attributes) => self.open(name, &Attributes(attributes)),
            Token::Close(name) => self.close(name),
            Token::Text(text) => {
                if let Some((_, button)) = &mut self.button {
                    button.text.push_str(text);
                } else if let Some((form, name)) = self.textarea.take() {
                    self.add(form, name, text.clone());
                }
            }
        }
    }

    fn open(&mut self, name: &str, attributes: &Attributes<'_>) {
        if name == "form" {
            self.forms.push(Form {
                id: attributes.or("id", ""),
                action: attributes.or("action", ""),
                method: attributes.or("method", "get").to_ascii_lowercase(),
                ..Form::default()
            });
            self.inside = true;
            return;
        }
        // A control outside its form names it.
        let form = match attributes.value("form") {
            Some(id) => self.forms.iter().position(|form| form.id == id),
            None if self.inside => self.forms.len().checked_sub(1),
            None => None,
        };
        let Some(form) = form else { return };
        let field = attributes.value("name").filter(|name| !name.is_empty());
        match name {
            "input" => self.input(form, field, attributes),
            "button" if attributes.or("type", "submit") == "submit" => {
                self.button = Some((form, attributes.button(field)));
            }
            "select" => {
                self.select = field.map(|field| (form, field.to_owned(), None));
            }
            "option" => {
                if let Some((_, _, chosen)) = &mut self.select
                    && (chosen.is_none() || attributes.value("selected").is_some())
                {
                    *chosen = Some(attributes.or("value", ""));
                }
            }
            "textarea" => self.textarea = field.map(|field| (form, field.to_owned())),
            _ => {}
        }
    }

    fn input(&mut self, form: usize, field: Option<&str>, attributes: &Attributes<'_>) {
        let kind = attributes.or("type", "text").to_ascii_lowercase();
        match (kind.as_str(), field) {
            ("submit" | "image", field) => {
                let mut button = attributes.button(field);
                button.text = attributes.or("value", "Submit");
                self.press(form, button);
            }
            ("button" | "reset", _) | (_, None) => {}
            ("checkbox" | "radio", Some(field)) => {
                let value = attributes.or("value", "on");
                if attributes.value("checked").is_some() {
                    self.add(form, field.to_owned(), value);
                } else if let Some(form) = self.forms.get_mut(form) {
                    form.unchecked.push((field.to_owned(), value));
                }
            }
            (_, Some(field)) => self.add(form, field.to_owned(), attributes.or("value", "")),
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "form" => self.inside = false,
            "button" => {
                if let Some((form, button)) = self.button.take() {
                    self.press(form, button);
                }
            }
            "select" => {
                if let Some((form, field, Some(chosen))) = self.select.take() {
                    self.add(form, field, chosen);
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, form: usize, name: String, value: String) {
        if let Some(form) = self.forms.get_mut(form) {
            form.fields.push((name, value));
        }
    }

    fn press(&mut self, form: usize, mut button: Button) {
        button.text = button.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(form) = self.forms.get_mut(form) {
            form.buttons.push(button);
        }
    }
}

struct Attributes<'a>(&'a [(String, String)]);

impl Attributes<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn or(&self, name: &str, other: &str) -> String {
        self.value(name).unwrap_or(other).to_owned()
    }

    fn button(&self, field: Option<&str>) -> Button {
        Button {
            text: String::new(),
            field: field.map(|field| (field.to_owned(), self.or("value", ""))),
            action: self.value("formaction").map(str::to_owned),
            disabled: self.value("disabled").is_some(),
        }
    }
}
