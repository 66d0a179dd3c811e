//! What the kernels of a step cost, gathered for people: equal ones together, beside what the machine allows.

use gradus_graph::KernelCost;
use gradus_kernels::{Bound, Machine};

/// Kernels of one layer that do the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// What they do, with their shapes.
    pub label: String,
    /// The layer's path; empty where none is known.
    pub path: String,
    /// How many there are in a step.
    pub calls: usize,
    /// Their time in a step, in seconds.
    pub seconds: f64,
    /// Their floating-point operations in a step.
    pub operations: usize,
    /// The bytes that they read and write in a step.
    pub bytes: usize,
    /// The least time that they could take, in seconds.
    pub least: f64,
    /// What that time is made of.
    pub bound: Bound,
}

/// Gathers kernels that do the same, in the order they first run.
pub fn gather(kernels: &[KernelCost], machine: &Machine) -> Vec<Cost> {
    let mut costs: Vec<Cost> = vec![];
    let mut places = std::collections::HashMap::new();
    for kernel in kernels {
        let roof = machine.roof(kernel.operations, kernel.bytes);
        let key = (&kernel.label, &kernel.path, kernel.operations, kernel.bytes);
        let place = *places.entry(key).or_insert_with(|| {
            costs.push(Cost {
                label: kernel.label.clone(),
                path: kernel.path.clone(),
                calls: 0,
                seconds: 0.0,
                operations: 0,
                bytes: 0,
                least: 0.0,
                bound: roof.bound,
            });
            costs.len() - 1
        });
        let cost = &mut costs[place];
        cost.calls += 1;
        cost.seconds += kernel.time.as_secs_f64();
        cost.operations += kernel.operations;
        cost.bytes += kernel.bytes;
        cost.least += roof.seconds;
    }
    costs
}

impl Cost {
    /// Operations a second.
    pub fn flops(&self) -> f64 {
        rate(self.operations as f64, self.seconds)
    }

    /// Bytes a second.
    pub fn rate(&self) -> f64 {
        rate(self.bytes as f64, self.seconds)
    }

    /// The least time as a share of the time taken: 1 is as fast as the machine allows.
    pub fn share_of_peak(&self) -> f64 {
        rate(self.least, self.seconds)
    }

    /// Operations for each byte.
    pub fn intensity(&self) -> f64 {
        rate(self.operations as f64, self.bytes as f64)
    }
}

/// 0 where nothing can be said.
fn rate(amount: f64, per: f64) -> f64 {
    if per > 0.0 { amount / per } else { 0.0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use gradus_kernels::{Isa, Level};
    use std::time::Duration;

    pub(crate) fn machine() -> Machine {
        let level = |name, capacity, rate| Level { name, capacity, rate };
        let levels =
            vec![level("L1", Some(1 << 15), 200e9), level("L2", Some(1 << 20), 100e9), level("memory", None, 20e9)];
        Machine { isa: Isa::Portable, threads: 1, flops: 100e9, levels }
    }

    pub(crate) fn kernel(label: &str, path: &str, us: u64, operations: usize, bytes: usize) -> KernelCost {
        let (label, path, time) = (label.to_string(), path.to_string(), Duration::from_micros(us));
        KernelCost { label, path, time, operations, bytes }
    }

    #[test]
    fn equal_kernels_of_one_layer_stand_together() {
        let kernels = [
            kernel("matmul [64, 512] k=128 then add", "lstm", 100, 8_000_000, 500_000),
            kernel("map [64, 128] tanh", "lstm", 10, 8192, 65_536),
            kernel("matmul [64, 512] k=128 then add", "lstm", 60, 8_000_000, 500_000),
            kernel("matmul [64, 512] k=128 then add", "lstm_1", 80, 8_000_000, 500_000),
        ];
        let costs = gather(&kernels, &machine());
        assert_eq!(
            costs.iter().map(|cost| (cost.calls, &cost.path[..])).collect::<Vec<_>>(),
            [(2, "lstm"), (1, "lstm"), (1, "lstm_1")]
        );
        let product = &costs[0];
        assert!((product.seconds - 160e-6).abs() < 1e-12 && (product.flops() - 100e9).abs() < 1.0);
        // Two times 80 µs of arithmetic in 160 µs: all that the machine can do.
        assert!((product.share_of_peak() - 1.0).abs() < 1e-9 && product.bound == Bound::Arithmetic);
        assert_eq!(product.intensity(), 16.0);
        // 65,536 bytes from the second cache take 0.65536 µs of the 10.
        let map = &costs[1];
        assert_eq!(map.bound, Bound::Memory(1));
        assert!((map.share_of_peak() - 0.065536).abs() < 1e-9 && (map.rate() - 6.5536e9).abs() < 1.0);
    }

    #[test]
    fn nothing_gives_no_infinities() {
        let cost = &gather(&[kernel("guard", "", 0, 0, 0)], &machine())[0];
        assert_eq!([cost.flops(), cost.rate(), cost.share_of_peak(), cost.intensity()], [0.0; 4]);
    }
}
