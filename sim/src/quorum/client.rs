//! What clients and the administrator ask for.

use std::sync::Arc;

use parking_lot::Mutex;
use quorum::controller::{Controller, Entropy};
use quorum::node::{ChangeDone, ChangeVotersError, Input, Proposal, ProposeError, VoterChange};
use quorum::record::ConfigResource;
use quorum::{Command, Decision, MetadataImage, MetadataRecord};

/// Writes a number that nobody else writes: once it is answered it must be there for ever.
#[derive(Debug)]
pub(crate) struct Note(pub(crate) u64);

impl Command for Note {
    type Answer = u64;

    fn decide(self, _: &mut Controller, _: &mut dyn Entropy) -> Decision<u64> {
        let key = format!("{:06}", self.0);
        let record = MetadataRecord::Config { resource: notes(), key, value: Some("x".into()) };
        Decision { records: vec![record], answer: self.0 }
    }
}

fn notes() -> ConfigResource {
    ConfigResource::Group("notes".into())
}

/// Whether a number is in an image.
pub(crate) fn has_note(image: &MetadataImage, number: u64) -> bool {
    image.configs(&notes()).is_some_and(|notes| notes.contains_key(&format!("{number:06}")))
}

type NoteAnswer = (u64, Result<u64, ProposeError>);
type ChangeAnswer = (VoterChange, Result<(), ChangeVotersError>);

/// What was answered and not yet looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    pub(super) notes: Arc<Mutex<Vec<NoteAnswer>>>,
    pub(super) changes: Arc<Mutex<Vec<ChangeAnswer>>>,
}

impl Answers {
    pub(super) fn note(&self, number: u64) -> Input {
        let notes = Arc::clone(&self.notes);
        Input::Propose(Proposal::new(Note(number), move |answer| {
            notes.lock().push((number, answer));
        }))
    }

    pub(super) fn change(&self, change: VoterChange) -> Input {
        let changes = Arc::clone(&self.changes);
        let done = ChangeDone::new(move |result| changes.lock().push((change, result)));
        Input::ChangeVoters { change, done }
    }
}
