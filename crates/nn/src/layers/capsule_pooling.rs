//! Pooling by dynamic routing between capsules. Gong et al. 2018, arXiv:1806.01501; Sabour et al. 2017, arXiv:1710.09829.

use super::Layer;
use super::sequence::{Steps, softmax_among};
use crate::activations::Identity;
use crate::init::{Fans, Zero};
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, Role, ShapeError};
use gradus_tensor::Dim;
use serde::{Deserialize, Serialize};

/// Pooling over time by dynamic routing, `x: [B, T, D] -> [B, capsules, units]`: each step i sends a message to each capsule j, `u_ij =
/// x_i·W_j + b_j`; what part of it arrives is settled in rounds.
///
/// The agreements `a_ij` start at 0. In each round, `c_ij = softmax(a_i·)` over the capsules, so that each step sends 1 in all (`reversed`:
/// `softmax(a_·j)` over the steps, so that each capsule receives 1 in all); `s_j = Σ_i c_ij·u_ij`; `v_j = squash(s_j) = ‖s‖²/(1 + ‖s‖²)·s/‖s‖`; and
/// `a_ij` grows by `u_ij·v_j`. The last round's v is the result. Gradients flow through all rounds.
///
/// Padding (a mask) sends nothing; padding alone gives zeros. `weight: [D, capsules·units]` and `bias: [capsules·units]` hold capsule
/// after capsule. Flatten the result for a dense layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapsulePooling {
    /// How many capsules there are.
    pub capsules: usize,
    /// The length of each capsule's vector.
    pub units: usize,
    /// How many rounds the routing has.
    #[serde(default = "three")]
    pub iterations: usize,
    /// Each capsule receives 1 in all, instead of each step sending 1.
    #[serde(default)]
    pub reversed: bool,
    /// How the weights start.
    #[serde(default)]
    pub weight_init: AnyInit,
}

fn three() -> usize {
    3
}

impl CapsulePooling {
    /// So many capsules of so many units, with three rounds of the standard routing.
    pub fn new(capsules: usize, units: usize) -> CapsulePooling {
        CapsulePooling { capsules, units, iterations: three(), reversed: false, weight_init: AnyInit::default() }
    }

    /// Each capsule receives 1 in all.
    pub fn reversed(mut self) -> CapsulePooling {
        self.reversed = true;
        self
    }
}

impl Config for CapsulePooling {
    fn examples() -> Vec<CapsulePooling> {
        vec![
            CapsulePooling::new(2, 3),
            CapsulePooling { iterations: 2, ..CapsulePooling::new(3, 2).reversed() },
            CapsulePooling { iterations: 1, ..CapsulePooling::new(2, 2) },
        ]
    }
}

impl Layer for CapsulePooling {
    fn build(&self, x: &Node) -> Node {
        let steps = match Steps::of(x, "capsule_pooling") {
            Ok(steps) => steps,
            Err(refused) => return refused,
        };
        let (inputs, width) = (steps.units, self.capsules * self.units);
        let fans = Fans { inputs, outputs: self.units };
        let init = self.weight_init.resolve(&AnyActivation::from(Identity)).with(fans);
        let messages = steps.x.matmul(&x.param("weight", [inputs, width], init, Role::Weight));
        let messages = messages + x.param("bias", [width], AnyInit::from(Zero).with(fans), Role::Bias);
        let split = vec![steps.batch, Dim::Fixed(steps.length), Dim::Fixed(self.capsules), Dim::Fixed(self.units)];
        // [N, capsules, T, units]
        let messages = messages.reshape(split).permute([0, 2, 1, 3]);
        let square = vec![steps.batch, Dim::Fixed(self.capsules), Dim::Fixed(steps.length)];
        let mut agreement = x.graph().fill(0.0, square);
        let mut capsules = self.receive(&messages, &agreement, &steps);
        for _ in 1..self.iterations {
            agreement = agreement + messages.matmul(&capsules.transpose()).squeeze(-1);
            capsules = self.receive(&messages, &agreement, &steps);
        }
        steps.pooled(&capsules.squeeze(2))
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("capsules", self.capsules)?;
        check::at_least_one("units", self.units)?;
        check::at_least_one("iterations", self.iterations)?;
        self.weight_init.check()
    }
}

impl CapsulePooling {
    /// The capsules, `[N, capsules, 1, units]`, from `messages: [N, capsules, T, units]` and the agreements, `[N, capsules, T]`.
    fn receive(&self, messages: &Node, agreement: &Node, steps: &Steps) -> Node {
        let there = steps.mask.as_ref().map(|mask| mask.unsqueeze(1));
        let parts = if self.reversed {
            softmax_among(agreement, there.as_ref())
        } else {
            let sent = agreement.transpose().softmax().transpose();
            match &there {
                Some(there) => there.select(sent, 0.0),
                None => sent,
            }
        };
        squash(&parts.unsqueeze(2).matmul(messages))
    }
}

/// `‖s‖²/(1 + ‖s‖²)·s/‖s‖` over the last axis: the direction stays, the length becomes one below 1. At 0 it is 0 with gradient 0.
fn squash(s: &Node) -> Node {
    let square = s.square().sum(-1);
    let there = square.gt(0.0);
    let norm = there.select(&square, 1.0).sqrt();
    s * there.select(norm / (square + 1.0), 0.0)
}
