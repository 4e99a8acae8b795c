//! Asking a source for a picture that one can begin with.

use tokio::sync::Notify;

/// Who wants a picture, and who may make one. Asking twice before it was heard is asking once; a source that makes
/// pictures by its own clock never hears of it.
#[derive(Debug, Default)]
pub struct Refresh(Notify);

impl Refresh {
    /// Asks.
    pub fn ask(&self) {
        self.0.notify_one();
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        self.0.notified().await;
    }
}
