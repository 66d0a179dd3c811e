//! Update rules over many parameters, beside the memory traffic that they need.

use super::measure::{self, Timing};
use gradus_graph::{Constant, Engine, Graph, Kind, Request, Role, State};
use gradus_kernels::{Isa, Machine, Pool};
use gradus_nn::{AnyOptimizer, Updates};
use gradus_tensor::Shape;

/// Times every rule with its defaults and prints the time beside that of the memory traffic: parameters and slots read and written, the
/// gradient read.
pub fn run(parameters: usize, threads: usize, isa: Isa) -> Result<(), String> {
    let machine = Machine::measure(isa, &Pool::new(threads));
    let rate = machine.levels.last().map_or(f64::INFINITY, |level| level.rate);
    println!("triad: {:.1} GB/s\n", rate / 1e9);
    println!("{:<12} {:>6} {:>12} {:>12} {:>8}", "optimizer", "slots", "µs a step", "µs memory", "ratio");
    let mut seen = vec![];
    for optimizer in AnyOptimizer::examples() {
        if seen.contains(&optimizer.key()) {
            continue;
        }
        seen.push(optimizer.key());
        let (timing, slots) = measure(&optimizer, parameters, threads, isa)?;
        let bytes = (3 + 2 * slots) * parameters * size_of::<f32>();
        let memory = bytes as f64 / rate * 1e6;
        let (us, key) = (timing.us_per_step, optimizer.key());
        println!("{key:<12} {slots:>6} {us:>12.1} {memory:>12.1} {:>8.2}", us / memory);
    }
    Ok(())
}

fn measure(optimizer: &AnyOptimizer, parameters: usize, threads: usize, isa: Isa) -> Result<(Timing, usize), String> {
    let g = Graph::new();
    g.variable("w", [parameters], Constant(0.5), Role::Weight);
    let gradient = g.add_input("gradient", Shape::fixed(&[parameters]), Kind::Real);
    Updates::new(&**optimizer).apply(&g, &[(0, gradient)]);
    let model = g.model(&[]).map_err(|e| e.to_string())?;
    let slots = model.variables().iter().filter(|v| v.role == Role::Slot && v.len() == parameters).count();
    let mut state = State::<f32>::new(&model, 0);
    let request = Request { isa, threads, ..Request::training(&[]) };
    let mut engine = Engine::new(&model, request).map_err(|e| e.to_string())?;
    let (pool, gradient) = (Pool::new(threads), vec![1e-3f32; parameters]);
    let mut failed = None;
    let (us, cpu, first) = measure::steps(measure::SECONDS, |n| {
        for _ in 0..n {
            failed = engine.run(&mut state, &[&gradient], 1, 1, &pool).err().or(failed.take());
        }
    });
    match failed {
        Some(e) => Err(e.to_string()),
        None => Ok((Timing::new("gradus".into(), optimizer.key(), 1, us, cpu, first), slots)),
    }
}
