//! What refinements of training add to a step.

use super::cases::Case;
use gradus_kernels::Isa;
use gradus_nn::TrainStep;
use gradus_nn::clips::{GlobalNorm, Norm, Value};
use gradus_nn::regularizers::{L1, L2};
use gradus_nn::schedules::{Cosine, OneCycle, WarmUp};
use gradus_nn::step::Time;

/// A refinement by name.
type Extra = (&'static str, fn(TrainStep) -> TrainStep);

const EXTRAS: &[Extra] = &[
    ("l2", |step| step.regularizer(L2::new(1e-4))),
    ("l1", |step| step.regularizer(L1::new(1e-5))),
    ("clip value", |step| step.clip(Value::new(1.0))),
    ("clip norm", |step| step.clip(Norm::new(1.0))),
    ("clip global", |step| step.clip(GlobalNorm::new(1.0))),
    ("max norm", |step| step.max_norm(3.0)),
    ("cosine", |step| step.schedule(Cosine::default(), TIME)),
    ("one cycle", |step| step.schedule(OneCycle::default(), TIME)),
    ("warm-up", |step| step.schedule(WarmUp::default(), TIME)),
];

const TIME: Time = Time { per: gradus_nn::schedules::Per::Step, steps_per_epoch: 100, total_steps: Some(1 << 40) };

/// Times each case plain and with each refinement, in turn, and prints medians and their ratio.
pub fn run(cases: &[&Case], threads: usize, isa: Isa, rounds: usize) -> Result<(), String> {
    println!("{:<6} {:<12} {:>12} {:>12} {:>8}", "case", "with", "µs plain", "µs with", "ratio");
    for case in cases.iter().filter(|case| case.trains()) {
        for (name, refined) in EXTRAS {
            let (mut plain, mut with) = (vec![], vec![]);
            for _ in 0..rounds.max(1) {
                plain.push(case.measure_training(|step| step, threads, isa)?.us_per_step);
                with.push(case.measure_training(refined, threads, isa)?.us_per_step);
            }
            let (plain, with) = (median(plain), median(with));
            println!("{:<6} {name:<12} {plain:>12.2} {with:>12.2} {:>8.3}", case.name, with / plain);
        }
    }
    Ok(())
}

/// Prints each case's schedule with each refinement.
pub fn plans(cases: &[&Case], threads: usize, isa: Isa) -> Result<(), String> {
    for case in cases.iter().filter(|case| case.trains()) {
        for (name, refined) in EXTRAS {
            println!("{} with {name}\n{}", case.name, case.plan(refined, threads, isa)?);
        }
    }
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
