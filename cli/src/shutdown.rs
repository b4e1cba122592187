//! SIGINT and SIGTERM, turned into one token that everything long-running waits on.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell expects of a process that an interrupt ended.
const EXIT_INTERRUPTED: i32 = 130;

/// A token that is cancelled by the first SIGINT or SIGTERM. The second one ends the process at once, for somebody
/// who does not want to wait for a clean stop.
///
/// # Errors
/// When the process may not listen to signals.
pub(crate) fn on_signal() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if cancel.is_cancelled() {
                std::process::exit(EXIT_INTERRUPTED);
            }
            tracing::info!("stopping");
            cancel.cancel();
        }
    });
    Ok(token)
}
