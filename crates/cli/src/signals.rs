//! Ctrl-C and termination: the first asks the run to save and end, the second ends at once.

use gradus_train::Interrupt;
#[cfg(unix)]
use gradus_train::Signal;

/// Listens for signals as long as the program runs.
#[cfg(unix)]
pub fn listen(interrupt: &Interrupt) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    let interrupt = interrupt.clone();
    let mut signals = match Signals::new([SIGINT, SIGTERM]) {
        Ok(signals) => signals,
        Err(error) => return tracing::warn!("signals cannot be caught: {error}"),
    };
    let listener = std::thread::Builder::new().name("gradus-signals".into()).spawn(move || {
        for signal in signals.forever() {
            if interrupt.requested().is_some() {
                std::process::exit(128 + signal);
            }
            interrupt.request(if signal == SIGINT { Signal::Interrupt } else { Signal::Terminate });
            if crate::console::watched() {
                crate::console::say("\nfinishing the step and saving; once more to end at once\n");
            }
        }
    });
    if let Err(error) = listener {
        tracing::warn!("signals cannot be caught: {error}");
    }
}

/// Signals are left to the system.
#[cfg(not(unix))]
pub fn listen(_interrupt: &Interrupt) {}
