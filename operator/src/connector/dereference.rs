//! Step one: the Connect that runs it.

use crds::{Connect, Connector};
use kube::ResourceExt as _;

use crate::api::{self, ApiFailure};
use crate::connect;
use crate::context::Context;
use crate::references;

/// The Connect that a `connectRef` names.
#[derive(Clone, Debug)]
pub(crate) struct ConnectFound {
    /// Where its REST API is.
    pub(crate) url: String,
    /// Whether a worker is ready, even if the Connect as a whole is not what its spec asks for.
    pub(crate) serves: bool,
    pub(crate) deleting: bool,
    /// Why it is not ready, in its own word.
    pub(crate) reason: String,
}

/// What is there.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) connect: Option<ConnectFound>,
}

pub(crate) async fn dereference(object: &Connector, ctx: &Context) -> Result<Found, ApiFailure> {
    let namespace = object.namespace().unwrap_or_default();
    let name = &object.spec.connect_ref.name;
    let found = api::get::<Connect>(&ctx.client, &namespace, name).await?;
    let connect = found.map(|found| {
        let conditions = found.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
        ConnectFound {
            url: connect::url(name, &namespace),
            serves: found.status.as_ref().is_some_and(|s| s.ready_replicas > 0),
            deleting: api::is_deleted(&found),
            reason: references::ready_reason(conditions),
        }
    });
    Ok(Found { connect })
}
