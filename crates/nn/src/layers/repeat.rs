//! The same layers several times, each time with parameters of their own.

use super::held::{self, Held, chain};
use super::{AnyLayer, Layer};
use crate::table::Config;
use crate::{AnyInit, check};
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// The same layers several times in a row, each time with parameters of their own, `x: [B, ..] -> y` as the layers make it.
///
/// Put `shared` inside to use one set of parameters every time. Parameters stand under `repeat/dense`, `repeat/dense_1`, …
///
/// ```toml
/// { repeat = { times = 3, layers = [ { dense = { units = 64, activation = "relu" } }, { batch_norm = {} } ] } }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How often, at most 10,000 times; at most 10,000 layers may come of it, those inside counted too.
    pub times: usize,
    /// What is repeated.
    pub layers: Vec<AnyLayer>,
}

impl Repeat {
    /// These layers so many times.
    pub fn new(times: usize, layers: impl IntoIterator<Item = AnyLayer>) -> Repeat {
        Repeat { times, layers: layers.into_iter().collect() }
    }
}

impl Config for Repeat {
    fn examples() -> Vec<Repeat> {
        use super::{Dense, RmsNorm};
        vec![Repeat::new(2, [Dense::new(3).tanh().into()]), Repeat::new(1, [RmsNorm::default().into()])]
    }
}

impl Layer for Repeat {
    fn build(&self, x: &Node) -> Node {
        (0..self.times).fold(x.clone(), |x, _| chain(&x, &self.layers))
    }

    fn held(&self) -> Vec<Held<'_>> {
        vec![Held { times: self.times, ..Held::plain(&self.layers) }]
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        held::set_default_init(&mut self.layers, init);
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("times", self.times)?;
        if self.times > 10_000 {
            let help = "give fewer: each time has parameters of its own";
            return Err(ShapeError::new("`times` of at most 10000", self.times.to_string(), help));
        }
        let made = self.held().iter().map(Held::count).fold(0, usize::saturating_add);
        if made > Held::MOST {
            let expected = format!("`times` of so few that at most {} layers come of it", Held::MOST);
            let inside = made / self.times;
            let received = match made {
                usize::MAX => format!("{}, each time of more layers than can be counted", self.times),
                _ => format!("{}, each time of {inside} layers", self.times),
            };
            return Err(ShapeError::new(expected, received, "repeat less, here or inside"));
        }
        held::check_some(&self.layers)
    }
}
