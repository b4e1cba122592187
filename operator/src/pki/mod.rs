//! TLS for what the API server calls: a certificate of the operator's own making, in a Secret that all operators of
//! one installation share.
//!
//! Each certificate has a CA of its own, whose key is thrown away once it has signed: there is no key that could
//! sign another one. The Secret holds the CAs of this certificate and of the one before, so that operators that
//! have not read the new one yet are trusted still. The leader makes and renews it ([`secret`]); every operator
//! serves with it ([`listener`]).

mod certificate;
mod listener;
mod secret;

pub(crate) use certificate::Material;
pub(crate) use listener::{Serving, TlsListener};
pub(crate) use secret::{read, write};
