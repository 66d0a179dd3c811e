//! What a look into a network means, in words, with the thresholds below.
//!
//! Hidden layers are all but the last. A layer's gradient is measured by its norm, which the usual initialisations keep from layer to
//! layer; the spread of activations by their standard deviation, among hidden layers with the same activation function.

use super::{LayerSnapshot, Snapshot};
use serde::Serialize;
use std::fmt;

/// Gradients vanish where the first layer's norm is below this share of the last layer's.
pub const VANISHING: f64 = 0.01;
/// Gradients explode where the first layer's norm is above so many times the last layer's.
pub const EXPLODING: f64 = 100.0;
/// Activations collapse where the last hidden layer's spread is below this share of the first's.
pub const COLLAPSING: f64 = 0.1;
/// Activations grow too large where the last hidden layer's spread is above so many times the first's.
pub const GROWING: f64 = 10.0;
/// A hidden layer is saturated where this share of its values is.
pub const SATURATED: f64 = 0.5;
/// It is saturated at both ends where so many of its values are at either.
pub const EITHER_END: f64 = 0.2;
/// So many dead units of a hidden layer are told.
pub const DEAD: f64 = 0.1;
/// A weight hardly moves where a step changes it by less than this share.
pub const STILL: f64 = 1e-6;
/// A weight is thrown about where a step changes it by more than this share.
pub const WILD: f64 = 0.1;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth a thought.
    Warning,
    /// Learning suffers.
    Bad,
}

/// One thing that a look shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "finding")]
pub enum Finding {
    /// An activation or a gradient is not finite.
    NotFinite {
        /// The first layer of which.
        layer: String,
    },
    /// All units of these layers are alike for ever.
    Symmetric {
        /// The layers.
        layers: Vec<String>,
    },
    /// Gradients shrink too much on their way back.
    Vanishing {
        /// First layer's norm over last layer's.
        ratio: f64,
        /// The factor from each layer to the one before it.
        per_layer: f64,
    },
    /// Gradients grow too much on their way back.
    Exploding {
        /// First layer's norm over last layer's.
        ratio: f64,
        /// The factor from each layer to the one before it.
        per_layer: f64,
    },
    /// Gradients keep about their size.
    GradientsKept {
        /// First layer's norm over last layer's.
        ratio: f64,
    },
    /// Values lie at both ends of the activation's range.
    BothEnds {
        /// The layers.
        layers: Vec<String>,
        /// The largest share of saturated values.
        share: f64,
    },
    /// Values lie at the ends of the activation's range, most at one of them.
    Saturated {
        /// The layers.
        layers: Vec<String>,
        /// The largest share of saturated values.
        share: f64,
    },
    /// The spread of activations falls towards 0 from layer to layer.
    Collapsing {
        /// Last hidden layer's spread over the first's.
        ratio: f64,
        /// The factor for each layer.
        per_layer: f64,
    },
    /// The spread of activations rises from layer to layer.
    Growing {
        /// Last hidden layer's spread over the first's.
        ratio: f64,
        /// The factor for each layer.
        per_layer: f64,
    },
    /// The spread of activations stays about the same.
    SpreadKept {
        /// Last hidden layer's spread over the first's.
        ratio: f64,
    },
    /// Units that give 0 for every sample.
    Dead {
        /// The layer with the largest share of them.
        layer: String,
        /// How many.
        units: usize,
        /// Of how many.
        of: usize,
    },
    /// A weight that a step hardly changes.
    Still {
        /// Its path.
        path: String,
        /// ‖Δw‖ / ‖w‖
        ratio: f64,
    },
    /// A weight that a step changes much.
    Wild {
        /// Its path.
        path: String,
        /// ‖Δw‖ / ‖w‖
        ratio: f64,
    },
}

impl Finding {
    /// How serious it is.
    pub fn level(&self) -> Level {
        match self {
            Finding::GradientsKept { .. } | Finding::SpreadKept { .. } => Level::Good,
            Finding::Saturated { .. } | Finding::Dead { .. } | Finding::Still { .. } | Finding::Wild { .. } => {
                Level::Warning
            }
            _ => Level::Bad,
        }
    }

    /// In a few words: `gradients vanish`.
    pub fn title(&self) -> &'static str {
        match self {
            Finding::NotFinite { .. } => "not finite",
            Finding::Symmetric { .. } => "units stay alike",
            Finding::Vanishing { .. } => "gradients vanish",
            Finding::Exploding { .. } => "gradients explode",
            Finding::GradientsKept { .. } => "gradients keep their size",
            Finding::BothEnds { .. } => "activations at both ends",
            Finding::Saturated { .. } => "activations saturated",
            Finding::Collapsing { .. } => "activations collapse towards 0",
            Finding::Growing { .. } => "activations grow",
            Finding::SpreadKept { .. } => "activations keep their spread",
            Finding::Dead { .. } => "dead units",
            Finding::Still { .. } => "a weight hardly moves",
            Finding::Wild { .. } => "a weight is thrown about",
        }
    }

    /// What to do about it; empty where nothing is to be done.
    pub fn remedy(&self) -> &'static str {
        match self {
            Finding::NotFinite { .. } => "lower the learning rate, or clip gradients; scale the inputs",
            Finding::Symmetric { .. } => "start the weights at random: Xavier, or MSRA before a rectifier",
            Finding::Vanishing { .. } => {
                "MSRA before rectifiers, Xavier before tanh; ReLU for sigmoid; batch norm; fewer layers"
            }
            Finding::Exploding { .. } => "smaller first weights (MSRA, Xavier), batch norm, or clipped gradients",
            Finding::BothEnds { .. } | Finding::Saturated { .. } => {
                "smaller first weights (Xavier), scaled inputs, or batch norm"
            }
            Finding::Collapsing { .. } => "larger first weights: MSRA before rectifiers; or batch norm",
            Finding::Growing { .. } => {
                "smaller first weights: MSRA before rectifiers, Xavier before tanh; or batch norm"
            }
            Finding::Dead { .. } => "a lower learning rate, or leaky ReLU; few are no harm",
            Finding::Still { .. } => "a higher learning rate, if the loss does not fall",
            Finding::Wild { .. } => "a lower learning rate, if the loss jumps",
            Finding::GradientsKept { .. } | Finding::SpreadKept { .. } => "",
        }
    }
}

impl fmt::Display for Finding {
    /// One sentence with its figures.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.title())?;
        match self {
            Finding::NotFinite { layer } => write!(f, "first in {layer}"),
            Finding::Symmetric { layers } => {
                write!(
                    f,
                    "in {} all units give the same and get the same gradient; training cannot tell them apart",
                    some(layers)
                )
            }
            Finding::Vanishing { ratio, per_layer } => {
                write!(
                    f,
                    "at the first layer {} of what they are at the last, ×{per_layer:.2} a layer",
                    in_short(*ratio)
                )
            }
            Finding::Exploding { ratio, per_layer } => {
                write!(
                    f,
                    "at the first layer {} times what they are at the last, ×{per_layer:.2} a layer",
                    in_short(*ratio)
                )
            }
            Finding::GradientsKept { ratio } => {
                write!(f, "at the first layer {} of what they are at the last", in_short(*ratio))
            }
            Finding::BothEnds { layers, share } | Finding::Saturated { layers, share } => {
                write!(f, "up to {:.0} % of the values, in {}", 100.0 * share, some(layers))
            }
            Finding::Collapsing { ratio, per_layer } | Finding::Growing { ratio, per_layer } => {
                write!(
                    f,
                    "the last hidden layer has {} of the first's spread, ×{per_layer:.2} a layer",
                    in_short(*ratio)
                )
            }
            Finding::SpreadKept { ratio } => write!(f, "the last hidden layer has {} of the first's", in_short(*ratio)),
            Finding::Dead { layer, units, of } => write!(f, "{units} of {of} in {layer} give 0 for every sample"),
            Finding::Still { path, ratio } | Finding::Wild { path, ratio } => {
                write!(f, "a step changes {path} by {} of its norm", in_short(*ratio))
            }
        }
    }
}

/// Two digits: `0.0012`, `3.1e-7`.
pub fn in_short(x: f64) -> String {
    // Rounded first: 0.9999 has the digits of 1.0.
    let rounded: f64 = format!("{x:.1e}").parse().unwrap_or(x);
    match rounded.abs() {
        0.0 => "0".into(),
        a if (1e-3..1e4).contains(&a) => {
            let digits = (1 - a.log10().floor() as i32).clamp(0, 4) as usize;
            format!("{x:.digits$}")
        }
        _ => format!("{x:.1e}"),
    }
}

fn some(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, .., last] => format!("{first} to {last} ({} layers)", names.len()),
    }
}

impl Snapshot {
    /// What this look shows, the most serious first.
    pub fn findings(&self) -> Vec<Finding> {
        let bad = |l: &&LayerSnapshot| !l.output.is_finite() || !l.gradient.is_finite();
        if let Some(layer) = self.layers.iter().find(bad) {
            return vec![Finding::NotFinite { layer: layer.name.clone() }];
        }
        let hidden = &self.layers[..self.layers.len().saturating_sub(1)];
        let names = |layers: Vec<&LayerSnapshot>| layers.into_iter().map(|l| l.name.clone()).collect::<Vec<_>>();
        let mut found = vec![];
        let symmetric: Vec<&LayerSnapshot> = hidden.iter().filter(|l| l.symmetric).collect();
        let alike = !symmetric.is_empty();
        if alike {
            found.push(Finding::Symmetric { layers: names(symmetric) });
        }
        // Where nothing comes back because all units are alike, that is said already.
        found.extend(self.gradients().filter(|_| !alike || self.gradient_ratio() > Some(0.0)));
        let saturated: Vec<&LayerSnapshot> =
            hidden.iter().filter(|l| l.saturated_low + l.saturated_high >= SATURATED).collect();
        // The spread of saturated values says nothing.
        found.extend(spread(hidden).filter(|_| !alike && saturated.is_empty()));
        if !saturated.is_empty() {
            let share = saturated.iter().fold(0.0, |most: f64, l| most.max(l.saturated_low + l.saturated_high));
            let both = saturated.iter().any(|l| l.saturated_low.min(l.saturated_high) >= EITHER_END);
            let layers = names(saturated);
            found.push(if both { Finding::BothEnds { layers, share } } else { Finding::Saturated { layers, share } });
        }
        let share = |l: &&LayerSnapshot| l.dead as f64 / l.units.max(1) as f64;
        let dead = hidden.iter().filter(|l| share(l) >= DEAD && !l.symmetric);
        if let Some(l) = dead.max_by(|a, b| share(a).total_cmp(&share(b))) {
            found.push(Finding::Dead { layer: l.name.clone(), units: l.dead, of: l.units });
        }
        let ratios = || self.updates.iter().filter(|u| u.weight).filter_map(|u| Some((u.path.clone(), u.ratio?)));
        let lowest = ratios().min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, ratio)| *ratio < STILL);
        found.extend(lowest.map(|(path, ratio)| Finding::Still { path, ratio }));
        let highest = ratios().max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, ratio)| *ratio > WILD && !alike);
        found.extend(highest.map(|(path, ratio)| Finding::Wild { path, ratio }));
        found.sort_by_key(|finding| std::cmp::Reverse(finding.level() as u8));
        found
    }

    /// First layer's gradient norm over the last layer's; none for a single layer, or where nothing comes back at all.
    pub fn gradient_ratio(&self) -> Option<f64> {
        let (first, last) = (self.layers.first()?, self.layers.last()?);
        (self.layers.len() > 1 && last.gradient.norm > 0.0).then(|| first.gradient.norm / last.gradient.norm)
    }

    fn gradients(&self) -> Option<Finding> {
        let ratio = self.gradient_ratio()?;
        let per_layer = ratio.powf(1.0 / (self.layers.len() - 1) as f64);
        Some(match ratio {
            r if r < VANISHING => Finding::Vanishing { ratio, per_layer },
            r if r > EXPLODING => Finding::Exploding { ratio, per_layer },
            _ => Finding::GradientsKept { ratio },
        })
    }

    /// Last hidden layer's spread over the first's, with the number of layers between them; among layers with the last one's
    /// activation.
    pub fn spread_ratio(&self) -> Option<f64> {
        spread_ratio(&self.layers[..self.layers.len().saturating_sub(1)]).map(|(ratio, _)| ratio)
    }
}

fn spread_ratio(hidden: &[LayerSnapshot]) -> Option<(f64, usize)> {
    let last = hidden.last()?;
    let alike: Vec<&LayerSnapshot> = hidden.iter().filter(|l| l.activation == last.activation).collect();
    let first = alike.first().filter(|first| first.output.sd > 0.0 && alike.len() > 1)?;
    Some((last.output.sd / first.output.sd, alike.len() - 1))
}

fn spread(hidden: &[LayerSnapshot]) -> impl Iterator<Item = Finding> + use<> {
    let finding = spread_ratio(hidden).map(|(ratio, between)| {
        let per_layer = ratio.powf(1.0 / between as f64);
        match ratio {
            r if r < COLLAPSING => Finding::Collapsing { ratio, per_layer },
            r if r > GROWING => Finding::Growing { ratio, per_layer },
            _ => Finding::SpreadKept { ratio },
        }
    });
    finding.into_iter()
}

#[cfg(test)]
mod tests {
    use super::in_short;

    #[test]
    fn two_digits() {
        let shown = [0.0, 0.99999, 0.85, 1236.0, 0.00123, 3.14e-7, 99_999.0, -0.5].map(in_short);
        assert_eq!(shown, ["0", "1.0", "0.85", "1236", "0.0012", "3.1e-7", "1.0e5", "-0.50"]);
    }
}
