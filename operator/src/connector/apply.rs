//! Step four: the order reaches Connect. The reading that goes before it is here too, since it speaks to the
//! same door.

use super::plan::{Change, Live};
use super::validate::Wanted;
use crate::connect_rest::RestFailure;
use crate::context::Context;

/// The connector as it is.
pub(crate) async fn look(ctx: &Context, wanted: &Wanted) -> Result<Live, RestFailure> {
    let config = ctx.connect.config(&wanted.url, &wanted.name).await?;
    let info = match config {
        Some(_) => ctx.connect.status(&wanted.url, &wanted.name).await?,
        None => None,
    };
    Ok(Live { config, info })
}

pub(crate) async fn apply(
    ctx: &Context,
    wanted: &Wanted,
    change: &Change,
) -> Result<(), RestFailure> {
    let Wanted { name, url, config, state } = wanted;
    match change {
        Change::Create => ctx.connect.create(url, name, config, state.as_kafka()).await,
        Change::Reconfigure => ctx.connect.reconfigure(url, name, config).await,
        Change::Turn(verb) => ctx.connect.turn(url, name, verb).await,
    }
}
