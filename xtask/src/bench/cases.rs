//! The standard cases and how they are built here.

use super::measure::{self, Timing};
use gradus_graph::{Engine, Graph, Model, Request, State};
use gradus_kernels::{Isa, Pool};
use gradus_nn::layers::Dense;
use gradus_nn::losses::{BinaryCrossEntropy, CrossEntropy, Mse};
use gradus_nn::optimizers::{Adam, Sgd};
use gradus_nn::{LayerExt, TrainStep};
use gradus_tensor::Rng;

/// What a network learns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Regression,
    Binary,
    Classes,
    Latency,
}

/// A case.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    widths: &'static [usize],
    task: Task,
    sigmoid: bool,
    adam: bool,
    batch: usize,
    samples: usize,
}

const MNIST: &[usize] = &[784, 128, 64, 32, 16, 10];
const WIDE: &[usize] = &[784, 200, 10];

/// All cases.
pub const CASES: &[Case] = &[
    Case {
        name: "A",
        widths: &[1, 4, 1],
        task: Task::Regression,
        sigmoid: true,
        adam: false,
        batch: 10,
        samples: 2000,
    },
    Case { name: "B", widths: &[2, 3, 1], task: Task::Binary, sigmoid: true, adam: false, batch: 5, samples: 1000 },
    Case {
        name: "C",
        widths: &[14, 32, 16, 8, 4, 1],
        task: Task::Binary,
        sigmoid: false,
        adam: false,
        batch: 16,
        samples: 3200,
    },
    Case { name: "D", widths: MNIST, task: Task::Classes, sigmoid: false, adam: false, batch: 64, samples: 6400 },
    Case { name: "E64", widths: WIDE, task: Task::Classes, sigmoid: true, adam: true, batch: 64, samples: 6400 },
    Case { name: "E256", widths: WIDE, task: Task::Classes, sigmoid: true, adam: true, batch: 256, samples: 6400 },
    Case { name: "H", widths: MNIST, task: Task::Latency, sigmoid: false, adam: false, batch: 1, samples: 1 },
];

/// The case of a name.
pub fn find(name: &str) -> Result<&'static Case, String> {
    CASES.iter().find(|c| c.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let known = CASES.iter().map(|c| c.name).collect::<Vec<_>>().join(", ");
        format!("there is no case `{name}`; there are {known}")
    })
}

impl Case {
    fn network(&self) -> Result<Model, String> {
        let g = Graph::new();
        let mut y = g.input("x", [self.widths[0]]);
        let last = self.widths.len() - 1;
        for (i, &units) in self.widths.iter().enumerate().skip(1) {
            let dense = Dense::new(units);
            y = y.layer(match (i == last, self.sigmoid) {
                (true, _) => dense,
                (false, true) => dense.sigmoid(),
                (false, false) => dense.relu(),
            });
        }
        g.model(&[("y", &y)]).map_err(|e| e.to_string())
    }

    /// Whether it is a training step.
    pub fn trains(&self) -> bool {
        self.task != Task::Latency
    }

    fn training(&self, refined: impl Fn(TrainStep) -> TrainStep) -> Result<Model, String> {
        let step = if self.adam {
            TrainStep::new(Adam::default())
        } else {
            TrainStep::new(Sgd { lr: 0.01, ..Sgd::default() })
        };
        let step = match self.task {
            Task::Regression => step.loss("y", Mse::default()),
            Task::Binary => step.loss("y", BinaryCrossEntropy::default()),
            Task::Classes | Task::Latency => step.loss("y", CrossEntropy::default()),
        };
        refined(step).build(&self.network()?).map_err(|e| e.to_string())
    }

    /// Random inputs and targets as the other frameworks' programs draw them: x in [0, 1).
    fn data(&self) -> (Vec<f32>, Vec<f32>) {
        let mut rng = Rng::new(0, 0, 0);
        let features = self.widths[0];
        let x: Vec<f32> = (0..self.samples * features).map(|_| rng.uniform() as f32).collect();
        let y = x
            .chunks(features)
            .map(|row| match self.task {
                Task::Regression => (3.0 * row[0]).sin(),
                Task::Binary => f32::from(row.iter().sum::<f32>() > features as f32 / 2.0),
                Task::Classes | Task::Latency => rng.below(10) as f32,
            })
            .collect();
        (x, y)
    }

    /// The schedule of the case's step, or of its prediction.
    pub fn plan(&self, refined: impl Fn(TrainStep) -> TrainStep, threads: usize, isa: Isa) -> Result<String, String> {
        let (model, request) = match self.task {
            Task::Latency => (self.network()?, Request::predicting(&["y"])),
            _ => (self.training(refined)?, Request::training(&["data_loss"])),
        };
        let request = Request { isa, threads, ..request };
        let mut engine = Engine::<f32>::new(&model, request).map_err(|e| e.to_string())?;
        engine.describe(self.batch).map_err(|e| e.to_string())
    }

    /// Times the case's step, or its prediction.
    pub fn measure(&self, threads: usize, isa: Isa) -> Result<Timing, String> {
        if self.task == Task::Latency {
            let pool = Pool::new(threads);
            let lib = format!("gradus-{threads}t");
            let (x, _) = self.data();
            let model = self.network()?;
            let mut state = State::<f32>::new(&model, 0);
            let request = Request { isa, threads, ..Request::predicting(&["y"]) };
            let mut engine = Engine::new(&model, request).map_err(|e| e.to_string())?;
            engine.run(&mut state, &[&x], 1, 1, &pool).map_err(|e| e.to_string())?;
            let mut failed = None;
            let us = measure::calls(|| failed = engine.run(&mut state, &[&x], 1, 1, &pool).err().or(failed.take()));
            return match failed {
                Some(e) => Err(e.to_string()),
                None => Ok(Timing::new(lib, self.name, 1, us, 0.0, 0.0)),
            };
        }
        self.measure_training(|step| step, threads, isa)
    }

    /// Times the case's training step with something added to it.
    pub fn measure_training(
        &self,
        refined: impl Fn(TrainStep) -> TrainStep,
        threads: usize,
        isa: Isa,
    ) -> Result<Timing, String> {
        let pool = Pool::new(threads);
        let lib = format!("gradus-{threads}t");
        let (x, y) = self.data();
        let model = self.training(refined)?;
        let mut state = State::<f32>::new(&model, 0);
        let request = Request { isa, threads, ..Request::training(&["data_loss"]) };
        let mut engine = Engine::new(&model, request).map_err(|e| e.to_string())?;
        let (features, batch, batches) = (self.widths[0], self.batch, self.samples / self.batch);
        let (mut next, mut failed) = (0, None);
        let (us, cpu, first) = measure::steps(|mut n| {
            while n > 0 && failed.is_none() {
                let count = n.min(batches - next);
                let rows = next * batch..(next + count) * batch;
                let inputs = [&x[rows.start * features..rows.end * features], &y[rows]];
                failed = engine.run(&mut state, &inputs, batch, count, &pool).err();
                next = (next + count) % batches;
                n -= count;
            }
        });
        match failed {
            Some(e) => Err(e.to_string()),
            None => Ok(Timing::new(lib, self.name, batch, us, cpu, first)),
        }
    }
}
