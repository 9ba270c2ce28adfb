//! A client before its session: its proofs are carried to the gate, and what the gate tells or asks is carried back
//! in rounds of keyboard-interactive (RFC 4256).
//!
//! While a person is waited for, a round ends every few seconds, so that a client that leaves is noticed.

use super::front::Offer;
use crate::flow::Flow;
use crate::{text, user};
use curfew_adapter::{
    Ask, Gate, Notice, Progress, Proof, ProvedKey, Question, Refusal, RefusalKind, Session, SignedIn, Step,
};
use russh::server::Auth;
use russh::{MethodKind, MethodSet};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A round in which nothing happens.
const ROUND: Duration = Duration::from_secs(3);

/// How long a notice waits for what may come right behind it.
const SETTLE: Duration = Duration::from_millis(30);

/// Proofs that one connection may bring; the library counts refused ones only.
const PROOFS: usize = 64;

/// What a client is answered.
#[derive(Debug)]
pub enum Reply {
    /// It goes on.
    Auth(Auth),
    /// It is in, once its target is reached.
    Admitted(Session),
    /// It is answered this, and told no right behind it.
    Refused(Auth, Box<Notice>),
}

/// Who the client is, and how far it has come.
#[derive(Debug)]
enum Stage {
    Stranger,
    SigningIn(Progress<SignedIn>),
    Known(SignedIn),
    Choosing(SignedIn, Progress<Ask>),
    Admitting(Progress<Session>),
}

/// One step further.
enum Turn {
    Told,
    Asked,
    Moved,
    Refused(Refusal),
    Admitted(Session),
}

/// One client at the gate's door.
pub struct Door {
    gate: Gate,
    flow: Arc<Flow>,
    user: Option<String>,
    ask: Ask,
    key: Option<ProvedKey>,
    stage: Stage,
    /// What it is to be told with the next round.
    told: String,
    question: Option<Question>,
    /// Admitted, and something is left to tell first.
    session: Option<Session>,
    refused: Option<Box<Notice>>,
    proofs: usize,
}

impl Door {
    /// A client that has said nothing yet.
    pub fn new(gate: Gate, flow: Arc<Flow>) -> Self {
        let ask = Ask {
            target: String::new(),
            account: String::new(),
            database: None,
            program: String::new(),
            can_wait: true,
            can_answer: true,
        };
        Self {
            gate,
            flow,
            user: None,
            ask,
            key: None,
            stage: Stage::Stranger,
            told: String::new(),
            question: None,
            session: None,
            refused: None,
            proofs: 0,
        }
    }

    /// Answers one proof.
    pub async fn hear(&mut self, name: &str, offer: Offer) -> Reply {
        self.proofs += 1;
        if self.proofs > PROOFS && !matches!(offer, Offer::Interactive(Some(_))) {
            return no(&offer, "curfew: too many attempts to sign in on one connection", "Connect again.");
        }
        // Whose factors these are must not change on the way (CVE-2023-48712).
        if self.user.get_or_insert_with(|| name.to_owned()) != name {
            return no(
                &offer,
                "curfew: the user name changed while signing in",
                "Connect again, with one user name.",
            );
        }
        (self.ask.account, self.ask.target) = match self.stage {
            Stage::Stranger => user::parse(name),
            _ => (std::mem::take(&mut self.ask.account), std::mem::take(&mut self.ask.target)),
        };
        if self.ask.program.is_empty() {
            self.ask.program = self.flow.program().to_owned();
        }
        match offer {
            Offer::Key(ref key) => {
                let parting = offer.parting();
                self.key = Some(key.clone());
                self.prove(Proof::Key(key.clone()), parting).await
            }
            Offer::Certificate(ref line, ref key) => {
                let (parting, line) = (offer.parting(), line.clone());
                self.key = Some(key.clone());
                self.prove(Proof::UserCertificate(line), parting).await
            }
            Offer::Interactive(answers) => self.interact(answers).await,
        }
    }

    /// A proof that takes no person, unless admission does.
    async fn prove(&mut self, proof: Proof, parting: Auth) -> Reply {
        let certified = matches!(proof, Proof::UserCertificate(_));
        let silent = Ask { can_wait: false, can_answer: false, ..self.ask.clone() };
        self.stage = Stage::SigningIn(self.gate.sign_in(proof, &silent));
        loop {
            let signing_in = matches!(self.stage, Stage::SigningIn(_));
            match self.step().await {
                Turn::Moved => {}
                // It would have to wait or to answer, and said that it can't: the link comes next.
                Turn::Told | Turn::Asked if signing_in => self.question = None,
                // Admission takes a person: whoever can be talked to goes on there.
                Turn::Told | Turn::Asked => {
                    return Reply::Auth(Auth::Reject {
                        proceed_with_methods: Some(MethodSet::from(&[MethodKind::KeyboardInteractive][..])),
                        partial_success: true,
                    });
                }
                Turn::Refused(refusal) if signing_in && refusal.kind == RefusalKind::NotSignedIn => {
                    self.stage = Stage::Stranger;
                    self.told.clear();
                    if certified {
                        // Whoever has one wants to know why it is worth nothing; keys are tried one after the other.
                        self.told.push_str(&text::lines(&Notice {
                            message: refusal.notice.message,
                            ..Notice::default()
                        }));
                    }
                    let methods = [MethodKind::PublicKey, MethodKind::KeyboardInteractive];
                    return Reply::Auth(Auth::Reject {
                        proceed_with_methods: Some(MethodSet::from(&methods[..])),
                        partial_success: false,
                    });
                }
                Turn::Refused(refusal) => return Reply::Refused(parting, refusal.notice),
                Turn::Admitted(session) => return Reply::Admitted(session),
            }
        }
    }

    /// One round of keyboard-interactive.
    async fn interact(&mut self, answers: Option<Vec<String>>) -> Reply {
        if let Some(notice) = self.refused.take() {
            return Reply::Refused(round(String::new(), None), notice);
        }
        if let Some(session) = self.session.take() {
            return Reply::Admitted(session);
        }
        // A client that begins anew is asked again.
        if let Some(answers) = answers
            && let Some(question) = self.question.take()
            && let Some(answer) = answers.into_iter().next()
        {
            question.answer(answer);
        }
        if matches!(self.stage, Stage::Stranger) {
            let proof = Proof::Link { key: self.key.clone() };
            self.stage = Stage::SigningIn(self.gate.sign_in(proof, &self.ask));
        }
        let startup = self.gate.connection().startup.clone();
        let mut until = Instant::now() + ROUND;
        if !self.told.is_empty() {
            until = Instant::now() + SETTLE;
        }
        loop {
            if let Some(question) = &self.question {
                startup.pause();
                let prompt = (Cow::Owned(question.prompt.clone()), question.echo);
                return Reply::Auth(round(std::mem::take(&mut self.told), Some(prompt)));
            }
            let Ok(turn) = timeout_at(until, self.step()).await else {
                return Reply::Auth(round(std::mem::take(&mut self.told), None));
            };
            match turn {
                Turn::Told => {
                    // A person is waited for.
                    startup.pause();
                    until = Instant::now() + SETTLE;
                }
                Turn::Asked => {}
                Turn::Moved => startup.resume(),
                Turn::Refused(refusal) => {
                    startup.resume();
                    self.told.push_str(&text::lines(&refusal.notice));
                    self.refused = Some(refusal.notice);
                    return Reply::Auth(round(std::mem::take(&mut self.told), None));
                }
                Turn::Admitted(session) => {
                    startup.resume();
                    if self.told.is_empty() {
                        return Reply::Admitted(session);
                    }
                    self.session = Some(session);
                    return Reply::Auth(round(std::mem::take(&mut self.told), None));
                }
            }
        }
    }

    /// Goes one step further. Cancel safe.
    async fn step(&mut self) -> Turn {
        if let Stage::Known(who) = &self.stage {
            let who = who.clone();
            self.stage = if self.ask.target.is_empty() {
                Stage::Choosing(who.clone(), self.gate.choose(who, &self.ask))
            } else {
                Stage::Admitting(self.gate.admit(who, &self.ask))
            };
        }
        match &mut self.stage {
            Stage::SigningIn(progress) => match progress.next().await {
                Step::Done(who) => {
                    self.stage = Stage::Known(who);
                    Turn::Moved
                }
                Step::Show(notice) => self.tell(&notice),
                Step::Ask(question) => self.put(question),
                Step::Refused(refusal) => Turn::Refused(refusal),
            },
            Stage::Choosing(who, progress) => match progress.next().await {
                Step::Done(ask) => {
                    self.ask = ask;
                    self.stage = Stage::Admitting(self.gate.admit(who.clone(), &self.ask));
                    Turn::Moved
                }
                Step::Show(notice) => self.tell(&notice),
                Step::Ask(question) => self.put(question),
                Step::Refused(refusal) => Turn::Refused(refusal),
            },
            Stage::Admitting(progress) => match progress.next().await {
                Step::Done(session) => Turn::Admitted(session),
                Step::Show(notice) => self.tell(&notice),
                Step::Ask(question) => self.put(question),
                Step::Refused(refusal) => Turn::Refused(refusal),
            },
            // Each caller has begun something.
            Stage::Stranger | Stage::Known(_) => std::future::pending().await,
        }
    }

    fn tell(&mut self, notice: &Notice) -> Turn {
        self.told.push_str(&text::lines(notice));
        Turn::Told
    }

    fn put(&mut self, question: Question) -> Turn {
        self.question = Some(question);
        Turn::Asked
    }
}

fn round(instructions: String, prompt: Option<(Cow<'static, str>, bool)>) -> Auth {
    Auth::Partial {
        name: Cow::Borrowed(""),
        instructions: Cow::Owned(instructions),
        prompts: Cow::Owned(prompt.into_iter().collect()),
    }
}

fn no(offer: &Offer, message: &str, hint: &str) -> Reply {
    Reply::Refused(offer.parting(), Refusal::new(RefusalKind::TooMany, message, hint).notice)
}
