//! `vltava up` as somebody at a desk runs it: the examples, a book-sized file, a kill in the middle.

use anyhow::Result;

use crate::dist;

pub(crate) fn run() -> Result<()> {
    super::e2e("laptop", &[("VLTAVA", dist::binary()?.into())])
}
