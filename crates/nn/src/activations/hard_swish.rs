//! Hard swish, `y = x·relu6(x + 3)/6`. Howard et al. 2019, arXiv:1905.02244.

use super::Activate;
use gradus_graph::Node;

plain! {
    /// Hard swish, `y = x·relu6(x + 3)/6`: like [`Silu`](super::Silu), of straight lines and a parabola. Howard et al. 2019,
    /// arXiv:1905.02244 (MobileNetV3).
    ///
    /// Its derivative is 0 at -3 and 1 at 3.
    pub struct HardSwish;
}

impl Activate for HardSwish {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x * (x + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0)
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(0.0)
    }
}
