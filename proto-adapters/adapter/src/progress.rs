//! What takes a person's time: it tells, asks, and is done at last.

use crate::{Notice, Refusal};
use futures_util::future::BoxFuture;
use std::fmt;
use std::future::Future;
use tokio::sync::{mpsc, oneshot};

/// One step of a [`Progress`].
#[derive(Debug)]
pub enum Step<T> {
    /// Tell the client this, and go on waiting.
    Show(Notice),
    /// Ask its user this, and go on with the answer. Only where [`Ask::can_answer`] says so.
    Ask(Question),
    /// It is done.
    Done(T),
    /// It will not be.
    Refused(Refusal),
}

/// A question to the client's user. Dropping it unanswered means that there will be no answer.
#[derive(Debug)]
pub struct Question {
    /// What to type, in a word or two, with a colon and a space behind.
    pub prompt: String,
    /// Whether what is typed may be seen.
    pub echo: bool,
    answer: oneshot::Sender<String>,
}

impl Question {
    /// What the user typed, without the end of the line.
    pub fn answer(self, text: String) {
        // Nobody waits for it any more: the progress is about to say why.
        let _ = self.answer.send(text);
    }
}

#[derive(Debug)]
enum Told {
    Notice(Notice),
    Question(Question),
}

impl<T> From<Told> for Step<T> {
    fn from(told: Told) -> Self {
        match told {
            Told::Notice(notice) => Self::Show(notice),
            Told::Question(question) => Self::Ask(question),
        }
    }
}

/// Something that takes a person's time. Dropping it gives up, and takes links back.
pub struct Progress<T> {
    told: mpsc::Receiver<Told>,
    work: BoxFuture<'static, Result<T, Refusal>>,
    /// What the work came to, while there are notices from before it to show.
    outcome: Option<Result<T, Refusal>>,
}

/// Tells the client something, or asks it, while a [`Progress`] goes on.
#[derive(Clone, Debug)]
pub struct Teller(mpsc::Sender<Told>);

impl Teller {
    /// Tells it; waits while the client has not been told the notice before.
    pub async fn show(&self, notice: Notice) {
        // A closed channel means that nobody waits any more: the future is about to be dropped.
        let _ = self.0.send(Told::Notice(notice)).await;
    }

    /// Asks its user; `None` where there will be no answer.
    pub async fn ask(&self, prompt: impl Into<String>, echo: bool) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        let question = Question { prompt: prompt.into(), echo, answer };
        self.0.send(Told::Question(question)).await.ok()?;
        answered.await.ok()
    }
}

impl<T> Progress<T> {
    /// Runs `work`, which may tell the client things on the way.
    pub fn new<F>(work: impl FnOnce(Teller) -> F) -> Self
    where
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let (sender, told) = mpsc::channel(1);
        Self { told, work: Box::pin(work(Teller(sender))), outcome: None }
    }

    /// The next step. Cancel safe. Not to be called after `Done` or `Refused`.
    pub async fn next(&mut self) -> Step<T> {
        if self.outcome.is_none() {
            tokio::select! {
                biased;
                Some(told) = self.told.recv() => return told.into(),
                outcome = &mut self.work => self.outcome = Some(outcome),
            }
        }
        if let Ok(told) = self.told.try_recv() {
            return told.into();
        }
        match self.outcome.take() {
            Some(Ok(value)) => Step::Done(value),
            Some(Err(refusal)) => Step::Refused(refusal),
            // Called again after the last step: there is nothing more to come.
            None => std::future::pending().await,
        }
    }
}

impl<T> fmt::Debug for Progress<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn progress_shows_and_then_is_done() {
        let mut progress = Progress::new(|tell| async move {
            tell.show(Notice { message: "wait".into(), ..Notice::default() }).await;
            Ok(7)
        });
        assert!(matches!(progress.next().await, Step::Show(notice) if notice.message == "wait"));
        assert!(matches!(progress.next().await, Step::Done(7)));
    }

    #[tokio::test]
    async fn progress_asks_and_goes_on_with_the_answer() {
        let mut progress = Progress::new(|tell| async move {
            let first = tell.ask("digits: ", true).await;
            let second = tell.ask("again: ", true).await;
            Ok((first, second))
        });
        let Step::Ask(question) = progress.next().await else { panic!() };
        assert_eq!(question.prompt, "digits: ");
        question.answer("123456".to_owned());
        let Step::Ask(question) = progress.next().await else { panic!() };
        drop(question);
        let Step::Done(answers) = progress.next().await else { panic!() };
        assert_eq!(answers, (Some("123456".to_owned()), None));
    }
}
