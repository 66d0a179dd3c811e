//! Gaussian error linear unit, `y = x·Φ(x)` with the standard normal distribution function Φ. Hendrycks & Gimpel 2016,
//! arXiv:1606.08415.

use super::Activate;
use crate::table::Config;
use gradus_graph::Node;
use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

/// Gaussian error linear unit, `y = x·Φ(x)` with the standard normal distribution function Φ, or an approximation of it.
/// Hendrycks & Gimpel 2016, arXiv:1606.08415.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gelu {
    /// How Φ is computed: `exact`, `tanh` or `quick`. Exact in PyTorch, Keras and ONNX unless told otherwise; GPT-2 and the first
    /// BERT have `tanh`, CLIP has `quick`.
    pub form: GeluForm,
}

/// How Φ is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeluForm {
    /// `½(1 + erf(x/√2))`
    #[default]
    Exact,
    /// `½(1 + tanh(√(2/π)·(x + 0.044715·x³)))`: within 5e-4.
    Tanh,
    /// `σ(1.702·x)`: within 2e-2 of y.
    Quick,
}

impl Config for Gelu {
    fn examples() -> Vec<Gelu> {
        [GeluForm::Exact, GeluForm::Tanh, GeluForm::Quick].map(|form| Gelu { form }).to_vec()
    }
}

impl Activate for Gelu {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        match self.form {
            GeluForm::Exact => x * ((x * FRAC_1_SQRT_2).erf() * 0.5 + 0.5),
            GeluForm::Tanh => {
                let inner = x * (x.square() * (0.044715 * FRAC_2_PI.sqrt()) + FRAC_2_PI.sqrt());
                x * (inner.tanh() * 0.5 + 0.5)
            }
            GeluForm::Quick => x * (x * 1.702).sigmoid(),
        }
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(0.0)
    }
}
