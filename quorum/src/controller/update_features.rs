//! Changes of finalized feature levels (UpdateFeatures, KIP-584).

use protocol::ErrorCode;
use thiserror::Error;

use super::{Command, Controller, Decision, Draft, Entropy};
use crate::features;
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

/// Changes levels: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateFeatures {
    /// Each feature at most once.
    pub updates: Vec<FeatureUpdate>,
    /// Only check.
    pub validate_only: bool,
}

/// The level that a feature shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureUpdate {
    /// Kafka's name.
    pub name: String,
    /// 0 takes the feature away.
    pub level: i16,
    /// Whether a lower level than now is meant.
    pub allow_downgrade: bool,
}

/// Why a level is not changed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum FeatureError {
    /// No such feature here.
    #[error("the feature {0} is not supported by this cluster's version")]
    Unknown(String),
    /// The level is out of range.
    #[error(
        "{name} cannot be set to level {level}: this cluster's version supports {min} to {max}"
    )]
    Level {
        /// The feature.
        name: String,
        /// As asked.
        level: i16,
        /// Lowest.
        min: i16,
        /// Highest.
        max: i16,
    },
    /// A lower level than now, which was not said to be meant.
    #[error("{name} is at level {now}; a downgrade to {level} must be asked for as one")]
    Downgrade {
        /// The feature.
        name: String,
        /// Its level.
        now: i16,
        /// As asked.
        level: i16,
    },
    /// The request names a feature twice.
    #[error("the request names {0} twice")]
    Twice(String),
}

impl FeatureError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            FeatureError::Twice(_) => ErrorCode::INVALID_REQUEST,
            _ => ErrorCode::INVALID_UPDATE_VERSION,
        }
    }
}

impl Command for UpdateFeatures {
    type Answer = Result<(), FeatureError>;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let mut draft = Draft::of(controller);
        for (i, update) in self.updates.iter().enumerate() {
            let twice = self.updates[..i].iter().any(|before| before.name == update.name);
            let checked = if twice {
                Err(FeatureError::Twice(update.name.clone()))
            } else {
                check(&draft.image, update)
            };
            if let Err(error) = checked {
                return Decision::refusal(Err(error));
            }
            let (name, level) = (update.name.clone(), update.level);
            draft.add(vec![MetadataRecord::FeatureLevel { name, level }]);
        }
        draft.decision(self.validate_only, Ok(()))
    }
}

fn check(image: &MetadataImage, update: &FeatureUpdate) -> Result<(), FeatureError> {
    let name = update.name.clone();
    let Some(feature) = features::supported(&name) else {
        return Err(FeatureError::Unknown(name));
    };
    let (min, max, level) = (feature.min, feature.max, update.level);
    let removes = level == 0 && feature.may_be_off;
    if !removes && !(min..=max).contains(&level) {
        return Err(FeatureError::Level { name, level, min, max });
    }
    let now = image.features().get(&name).copied().unwrap_or(0);
    if level < now && !update.allow_downgrade {
        return Err(FeatureError::Downgrade { name, now, level });
    }
    Ok(())
}
