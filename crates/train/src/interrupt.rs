//! Asking a run to end: a flag that signal handlers, other threads or a user interface set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A person, as with Ctrl-C (SIGINT).
    Interrupt,
    /// The system (SIGTERM).
    Terminate,
}

/// A flag shared between a run and those who may end it. The run finishes the steps at hand (some 50 ms of work), writes its
/// checkpoint and returns with `stopped_by` "interrupted".
///
/// Setting it is one atomic store: it may be done in a signal handler.
///
/// ```
/// use gradus_train::{Interrupt, Signal};
/// let interrupt = Interrupt::new();
/// let handle = interrupt.clone();
/// handle.request(Signal::Terminate);
/// assert_eq!(interrupt.requested(), Some(Signal::Terminate));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Nobody has asked.
    pub fn new() -> Interrupt {
        Interrupt::default()
    }

    /// Asks the run to end.
    pub fn request(&self, signal: Signal) {
        self.0.store(if signal == Signal::Interrupt { 1 } else { 2 }, Ordering::Release);
    }

    /// Whether somebody has asked, and who.
    pub fn requested(&self) -> Option<Signal> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Signal::Interrupt),
            _ => Some(Signal::Terminate),
        }
    }

    /// Takes the request back, so that the flag can be used for another run.
    pub fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }
}
