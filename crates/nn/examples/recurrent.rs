//! How fast recurrent layers train here: milliseconds for compiling a step and for a step of an LSTM or a GRU with a classifier behind it.
//!
//! `cargo run --release -p gradus-nn --example recurrent [THREADS] [lstm|gru] [T,D,H,B] [plan]`; pin it to a core for steady figures.
//! `plan` prints the kernels of the step.

use gradus_graph::{Engine, Graph, Request, State};
use gradus_kernels::Pool;
use gradus_nn::layers::{Dense, Gru, Lstm};
use gradus_nn::losses::CrossEntropy;
use gradus_nn::optimizers::Sgd;
use gradus_nn::{LayerExt, TrainStep};
use gradus_tensor::Rng;
use std::time::Instant;

/// Steps, features, units, batch.
const CASES: [[usize; 4]; 11] = [
    [28, 28, 128, 64],
    [28, 64, 64, 64],
    [28, 64, 64, 16],
    [32, 128, 128, 32],
    [32, 256, 256, 32],
    [32, 512, 512, 32],
    [32, 512, 512, 64],
    [100, 64, 128, 32],
    [256, 32, 64, 16],
    [64, 64, 64, 1],
    [40, 1, 6, 100],
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let threads = args.first().map_or(1, |s| s.parse().expect("a number of threads"));
    let numbers = |s: &String| -> Option<[usize; 4]> {
        s.split(',').map(|n| n.parse().ok()).collect::<Option<Vec<_>>>()?.try_into().ok()
    };
    let own: Vec<[usize; 4]> = args.iter().skip(1).filter_map(numbers).collect();
    let cases = if own.is_empty() { CASES.to_vec() } else { own };
    let kinds: Vec<&str> = ["lstm", "gru"].into_iter().filter(|k| args.iter().any(|a| a == k)).collect();
    let kinds = if kinds.is_empty() { vec!["lstm", "gru"] } else { kinds };
    println!("{threads} threads\n{:<26} {:>10} {:>10} {:>10} {:>10}", "", "compile ms", "step ms", "p10", "p90");
    for kind in kinds {
        for &case in &cases {
            measure(kind, case, threads, args.iter().any(|a| a == "plan"));
        }
    }
}

fn measure(kind: &str, [length, features, units, batch]: [usize; 4], threads: usize, plan: bool) {
    let g = Graph::new();
    let x = g.input("x", [length, features]);
    let y = if kind == "lstm" { x.layer(Lstm::new(units)) } else { x.layer(Gru::new(units)) };
    let model = g.model(&[("y", &y.layer(Dense::new(10)))]).expect("sound");
    let step = TrainStep::new(Sgd { lr: 0.01, ..Sgd::default() }).loss("y", CrossEntropy::default());
    let model = step.build(&model).expect("sound");
    let mut state = State::<f32>::new(&model, 0);
    let request = Request { threads, ..Request::training(&["data_loss"]) };
    let mut engine = Engine::new(&model, request).expect("sound");
    let start = Instant::now();
    engine.prepare(batch).expect("sound");
    let compile = start.elapsed().as_secs_f64() * 1e3;
    if plan {
        println!("{}", engine.describe(batch).expect("prepared"));
    }
    let (pool, mut rng) = (Pool::new(threads), Rng::new(1, 0, 0));
    let x: Vec<f32> = (0..batch * length * features).map(|_| rng.uniform() as f32 - 0.5).collect();
    let labels: Vec<f32> = (0..batch).map(|i| (i % 10) as f32).collect();
    let mut step = || {
        let start = Instant::now();
        engine.run(&mut state, &[&x, &labels], batch, 1, &pool).expect("finite");
        start.elapsed().as_secs_f64() * 1e3
    };
    step();
    let whole = Instant::now();
    let mut times = vec![];
    while times.len() < 15 || times.len() < 1000 && whole.elapsed().as_secs_f64() < 1.0 {
        times.push(step());
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[times.len() * share / 10];
    let name = format!("{kind} T{length} D{features} H{units} B{batch}");
    println!("{name:<26} {compile:>10.1} {:>10.3} {:>10.3} {:>10.3}", at(5), at(1), at(9));
}
