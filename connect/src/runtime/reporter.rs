//! How a running task tells the herder what it does.

use tokio::sync::mpsc;

use crate::herder::executor::Message;
use crate::herder::machine::{Epoch, Event};
use crate::herder::names::TaskId;
use crate::herder::status_record::TopicUse;

/// The voice of one run of a task.
#[derive(Debug)]
pub struct Reporter {
    pub id: TaskId,
    pub epoch: Epoch,
    pub events: mpsc::Sender<Message>,
    pub topic_tracking: bool,
    noted: Option<String>,
}

impl Reporter {
    pub fn new(
        id: TaskId,
        epoch: Epoch,
        events: mpsc::Sender<Message>,
        topic_tracking: bool,
    ) -> Reporter {
        Reporter { id, epoch, events, topic_tracking, noted: None }
    }

    async fn tell(&self, event: Event) {
        // Nobody listens any more only when the worker is gone, and then nobody needs to know.
        let _ = self.events.send(Message::Event(event)).await;
    }

    /// The task has started.
    pub async fn running(&self) {
        self.tell(Event::TaskRunning { id: self.id.clone(), epoch: self.epoch }).await;
    }

    /// What the task waits for; told when it changes.
    pub async fn note(&mut self, note: Option<String>) {
        if self.noted != note {
            self.noted.clone_from(&note);
            self.tell(Event::TaskNote { id: self.id.clone(), epoch: self.epoch, note }).await;
        }
    }

    /// The task uses a topic for the first time.
    pub async fn topic_used(&self, topic: &str, discovered_ms: i64) {
        if self.topic_tracking {
            self.tell(Event::TopicUsed(TopicUse {
                topic: topic.to_owned(),
                connector: self.id.connector.clone(),
                task: self.id.task,
                discovered_ms,
            }))
            .await;
        }
    }
}
