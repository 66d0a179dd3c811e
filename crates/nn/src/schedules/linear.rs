//! Warm-up, then a line to 0. Devlin et al. 2019.

use super::clock::CLOSE;
use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};
use std::ops::Bound;

/// Warm-up and linear decay: `r₀·t/w`, then `r₀·max(0, (T-t)/(T-w))`, t from 1. As BERT is trained (Devlin et al. 2019) and Hugging Face has it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Linear {
    /// w: the length of the rise; 0 for none.
    pub warm_up: f64,
    /// T: when it reaches 0; the end of the run where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<f64>,
}

impl Default for Linear {
    fn default() -> Linear {
        Linear { warm_up: 0.0, length: None }
    }
}

impl Config for Linear {
    fn examples() -> Vec<Linear> {
        vec![Linear::default(), Linear { warm_up: 1.0, length: Some(4.0) }]
    }
}

impl Schedule for Linear {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let (t, length) = (clock.t_from_1(), clock.length(self.length));
        let falling = ((&length - &t) / (length - self.warm_up)).maximum(0.0);
        base * if self.warm_up == 0.0 { falling } else { t.le(self.warm_up + CLOSE).select(&t / self.warm_up, falling) }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("warm_up", self.warm_up)?;
        self.length.map_or(Ok(()), |length| {
            check::within("length", length, (Bound::Excluded(self.warm_up), Bound::Unbounded), "above `warm_up`")
        })
    }
}
