//! The kernels of a step as a table, beside what the machine allows.

use gradus_graph::KernelCost;
use gradus_kernels::Machine;

/// Prints the machine's limits.
pub fn print_machine(machine: &Machine) {
    let levels = machine.levels.iter().map(|level| format!(", {} {:.0} GB/s", level.name, level.rate / 1e9));
    println!(
        "{}, {} thread(s): {:.0} GFLOP/s{}",
        machine.isa,
        machine.threads,
        machine.flops / 1e9,
        levels.collect::<String>()
    );
}

/// Prints the kernels with their times, rates and shares: of the step, and of what the machine allows.
pub fn print(kernels: &[KernelCost], machine: &Machine) {
    let total: f64 = kernels.iter().map(|kernel| kernel.time.as_secs_f64()).sum();
    println!("{:>10} {:>6} {:>8} {:>8} {:>7} {:<10}  kernel", "µs", "%", "GFLOP/s", "GB/s", "% peak", "bound by");
    let mut least = 0.0;
    for kernel in kernels {
        let seconds = kernel.time.as_secs_f64().max(1e-9);
        let roof = machine.roof(kernel.operations, kernel.bytes);
        least += roof.seconds;
        println!(
            "{:>10.2} {:>6.1} {:>8.1} {:>8.1} {:>7.0} {:<10}  {}{}",
            seconds * 1e6,
            100.0 * seconds / total,
            kernel.operations as f64 / seconds / 1e9,
            kernel.bytes as f64 / seconds / 1e9,
            100.0 * roof.seconds / seconds,
            machine.name(roof.bound),
            kernel.label,
            if kernel.path.is_empty() { String::new() } else { format!("  // {}", kernel.path) }
        );
    }
    println!("{:>10.2} {:>6.1} {:>17} {:>7.0} {:<10}  all", total * 1e6, 100.0, "", 100.0 * least / total, "");
}
