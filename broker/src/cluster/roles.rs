//! What this node is to its cluster: `process.roles`.

use thiserror::Error;

use super::voters::StaticVoters;
use crate::config::Configs;

const KEY: &str = "process.roles";

/// The roles of a process. Without the config it has both, as a small cluster wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    /// Hosts partitions, registers, serves clients.
    pub(crate) broker: bool,
    /// May vote in the metadata quorum, and lead it.
    pub(crate) controller: bool,
}

/// The roles do not go with the voters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RolesError {
    /// A broker among the voters.
    #[error(
        "node {0} has the role broker alone, so controller.quorum.voters must not name it; add the role controller, or name other voters"
    )]
    BrokerVotes(i32),
    /// A broker that does not know where the controllers are.
    #[error(
        "a node with the role broker alone must be told where controllers are: set controller.quorum.voters or controller.quorum.bootstrap.servers"
    )]
    NoControllers,
    /// An address that is none.
    #[error("controller.quorum.bootstrap.servers: `{0}` is not of the form host:port")]
    Server(String),
}

impl Roles {
    /// Reads the config; values other than `broker` and `controller` are refused before.
    pub(crate) fn of(configs: &Configs) -> Self {
        Self::parse(&configs.static_text(KEY))
    }

    fn parse(text: &str) -> Self {
        let has = |role: &str| text.split(',').any(|item| item.trim() == role);
        let none = text.trim().is_empty();
        Self { broker: none || has("broker"), controller: none || has("controller") }
    }

    /// Whether these voters are possible for node `node_id`; `servers`: some controllers' addresses are known otherwise.
    ///
    /// # Errors
    /// [`RolesError`].
    pub(crate) fn check(
        self,
        node_id: i32,
        voters: &StaticVoters,
        servers: bool,
    ) -> Result<(), RolesError> {
        if self.controller {
            return Ok(());
        }
        if voters.addresses().iter().any(|(id, ..)| *id == node_id) {
            return Err(RolesError::BrokerVotes(node_id));
        }
        if voters.addresses().is_empty() && !servers {
            return Err(RolesError::NoControllers);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_both_roles_unless_it_is_told_otherwise() {
        let both = Roles { broker: true, controller: true };
        assert_eq!(Roles::parse(""), both);
        assert_eq!(Roles::parse("broker, controller"), both);
        assert_eq!(Roles::parse("broker"), Roles { broker: true, controller: false });
        assert_eq!(Roles::parse("controller"), Roles { broker: false, controller: true });
    }

    #[test]
    fn a_broker_alone_needs_controllers_and_is_none() {
        let broker = Roles::parse("broker");
        let voters = StaticVoters::new(vec![(1, "a".into(), 1)]);
        let none = StaticVoters::default();
        assert_eq!(broker.check(2, &voters, false), Ok(()));
        assert_eq!(broker.check(1, &voters, false), Err(RolesError::BrokerVotes(1)));
        assert_eq!(broker.check(2, &none, false), Err(RolesError::NoControllers));
        assert_eq!(broker.check(2, &none, true), Ok(()));
        assert_eq!(Roles::parse("").check(1, &voters, false), Ok(()));
    }
}
