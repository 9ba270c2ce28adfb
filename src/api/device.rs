//! The page on which a person signs in a machine without a browser: type its code here, consent, and type the digits
//! there.

use std::net::IpAddr;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Page, PageError, Shell};
use super::problem::Problem;
use super::who::{Browser, SentForm};
use crate::app::App;
use crate::identity::Method;
use crate::identity::oauth::{Agreed, DeviceError};

enum Step {
    Code { wrong: Option<String> },
    Consent { code: String, client: IpAddr, name: Option<String> },
    Digits { digits: String },
    Done,
    Refused,
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    shell: Shell,
    email: String,
    browser: IpAddr,
    step: Step,
}

fn page(browser: &Browser, step: Step) -> Response {
    let (email, address) = (browser.viewer.identity.email.clone(), browser.address);
    Page(DevicePage { shell: browser.shell("Sign in another machine"), email, browser: address, step })
        .into_response()
}

/// GET /device. The code is never prefilled.
pub(super) async fn ask(State(app): State<App>, browser: Browser) -> Response {
    if app.identities.stale(&browser.viewer.signin) {
        return Redirect::to("/signin?again=1&next=/device").into_response();
    }
    page(&browser, Step::Code { wrong: None })
}

/// What the person typed and pressed.
#[derive(Debug, Deserialize)]
pub(super) struct Typed {
    action: String,
    code: String,
}

/// POST /device
pub(super) async fn answer(
    State(app): State<App>,
    SentForm { browser, fields }: SentForm<Typed>,
) -> Result<Response, PageError> {
    let Typed { action, code } = fields;
    let step = match action.as_str() {
        "find" => {
            let found = app.identities.find_device(&code, browser.address).await;
            found.map(|found| Step::Consent {
                code: found.user_code,
                client: found.address,
                name: found.client,
            })
        }
        "yes" => match app.identities.agree_to_device(&browser.viewer, &code, browser.address).await {
            Ok(Agreed::Digits(digits)) => Ok(Step::Digits { digits }),
            Ok(Agreed::Done) => Ok(Step::Done),
            Err(why) => Err(why),
        },
        "no" => app.identities.deny_device(&code).await.map(|()| Step::Refused),
        _ => {
            return Err(PageError::from(Problem::bad_request("This page has no such button."))
                .within(&browser.shell("")));
        }
    };
    let step = match step {
        Ok(step) => step,
        Err(why @ DeviceError::NoSuchCode) => {
            Step::Code { wrong: Some(format!("{}.", super::sentence(&why.to_string()))) }
        }
        Err(why @ DeviceError::WrongAddress { .. }) => {
            let around = browser.shell("");
            let told = app.identities.refused(browser.actor(), Method::Device, &why.to_string()).await;
            told.map_err(|error| PageError::from(Problem::from(error)).within(&around))?;
            let problem = Problem::forbidden(format!("{}.", super::sentence(&why.to_string()))).hint(
                "Open this page in a browser on the machine or network where the program runs. If somebody sent you \
                 the code, don't: whoever gets you to agree to it has your access.",
            );
            return Err(PageError::from(problem).within(&around));
        }
        Err(DeviceError::Store(error)) => {
            return Err(PageError::from(Problem::from(error)).within(&browser.shell("")));
        }
    };
    Ok(page(&browser, step))
}
