//! The kernels of a step as a table.

use gradus_graph::KernelCost;

/// Prints the kernels with their times, rates and shares.
pub fn print(kernels: &[KernelCost]) -> Result<(), String> {
    let total: f64 = kernels.iter().map(|kernel| kernel.time.as_secs_f64()).sum();
    println!("{:>10} {:>6} {:>8} {:>8}  kernel", "µs", "%", "GFLOP/s", "GB/s");
    for kernel in kernels {
        let seconds = kernel.time.as_secs_f64().max(1e-9);
        println!(
            "{:>10.2} {:>6.1} {:>8.1} {:>8.1}  {}",
            seconds * 1e6,
            100.0 * seconds / total,
            kernel.operations as f64 / seconds / 1e9,
            kernel.bytes as f64 / seconds / 1e9,
            kernel.label
        );
    }
    println!("{:>10.2} {:>6.1} {:>17}  all", total * 1e6, 100.0, "");
    Ok(())
}
