//! LeNet-5. LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition.

use super::Build;
use crate::activations::Tanh;
use crate::layers::{AvgPool, Conv, Dense, Flatten, Padding};
use crate::table::Config;
use crate::{AnyActivation, AnyLayer, check};
use gradus_graph::ShapeError;
use serde::{Deserialize, Serialize};

/// LeNet-5 for images `[B, C, 28, 28]`: two convolutions of size 5 (6 and 16 filters) with average pooling, then dense layers of 120, 84 and
/// `classes` units.
///
/// 61,706 parameters for grey images and ten classes. Against the paper: each filter of the second convolution sees all six channels
/// (the paper's table leaves some out), pooling has no weights of its own, and the outputs are scores for a cross-entropy instead of
/// distances to drawn digits. Images of 32×32 pixels take `pad = 0`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lenet5 {
    /// The number of outputs.
    pub classes: usize,
    /// Zeros around the image: 2 makes 32×32 of 28×28.
    pub pad: usize,
    /// The function of all hidden layers; the paper's is a scaled tanh.
    pub activation: AnyActivation,
}

impl Default for Lenet5 {
    fn default() -> Lenet5 {
        Lenet5 { classes: 10, pad: 2, activation: Tanh.into() }
    }
}

impl Config for Lenet5 {
    fn examples() -> Vec<Lenet5> {
        let relu = crate::activations::Relu.into();
        vec![Lenet5::default(), Lenet5 { classes: 3, pad: 0, activation: relu }]
    }
}

impl Build for Lenet5 {
    fn layers(&self) -> Vec<AnyLayer> {
        let f = || self.activation.clone();
        vec![
            Conv::new(6, 5).padding(Padding::Number(self.pad.into())).activation(f()).into(),
            AvgPool::new(2).into(),
            Conv::new(16, 5).activation(f()).into(),
            AvgPool::new(2).into(),
            Flatten.into(),
            Dense::new(120).activation(f()).into(),
            Dense::new(84).activation(f()).into(),
            Dense::new(self.classes).into(),
        ]
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("classes", self.classes)?;
        self.activation.check()
    }
}
