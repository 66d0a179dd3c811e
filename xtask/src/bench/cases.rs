//! The standard cases and how they are built here.

use super::measure::{self, Timing};
use gradus_graph::{Engine, Graph, KernelCost, Model, Node, Request, State};
use gradus_kernels::{Isa, Pool};
use gradus_nn::layers::{BatchNorm, Conv, Dense, Flatten, MaxPool, Padding};
use gradus_nn::losses::{BinaryCrossEntropy, CrossEntropy, Mse};
use gradus_nn::optimizers::{Adam, Momentum, Sgd};
use gradus_nn::{LayerExt, TrainStep};
use gradus_tensor::Rng;

/// Steps of a profile.
const STEPS: usize = 40;

/// What a network learns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Regression,
    Binary,
    Classes,
    Latency,
}

/// The rule of a case's updates.
#[derive(Clone, Copy)]
enum Rule {
    Sgd,
    Momentum,
    Adam,
}

/// A case.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    input: &'static [usize],
    network: fn(&Node) -> Node,
    task: Task,
    rule: Rule,
    batch: usize,
    samples: usize,
}

/// All cases.
#[rustfmt::skip]
pub const CASES: &[Case] = &[
    Case { name: "A", input: &[1], network: |x| dense(x, &[4, 1], true), task: Task::Regression, rule: Rule::Sgd, batch: 10, samples: 2000 },
    Case { name: "B", input: &[2], network: |x| dense(x, &[3, 1], true), task: Task::Binary, rule: Rule::Sgd, batch: 5, samples: 1000 },
    Case { name: "C", input: &[14], network: |x| dense(x, &[32, 16, 8, 4, 1], false), task: Task::Binary, rule: Rule::Sgd, batch: 16, samples: 1600 },
    Case { name: "D", input: &[784], network: mnist, task: Task::Classes, rule: Rule::Sgd, batch: 64, samples: 6400 },
    Case { name: "E64", input: &[784], network: wide, task: Task::Classes, rule: Rule::Adam, batch: 64, samples: 6400 },
    Case { name: "E256", input: &[784], network: wide, task: Task::Classes, rule: Rule::Adam, batch: 256, samples: 6400 },
    Case { name: "F", input: &[1, 28, 28], network: small_cnn, task: Task::Classes, rule: Rule::Momentum, batch: 64, samples: 1280 },
    Case { name: "G", input: &[3, 32, 32], network: resnet, task: Task::Classes, rule: Rule::Momentum, batch: 64, samples: 256 },
    Case { name: "H", input: &[784], network: mnist, task: Task::Latency, rule: Rule::Sgd, batch: 1, samples: 1 },
];

/// A chain of dense layers.
fn dense(x: &Node, widths: &[usize], sigmoid: bool) -> Node {
    let last = widths.len() - 1;
    widths.iter().enumerate().fold(x.clone(), |y, (i, &units)| {
        let dense = Dense::new(units);
        y.layer(match (i == last, sigmoid) {
            (true, _) => dense,
            (false, true) => dense.sigmoid(),
            (false, false) => dense.relu(),
        })
    })
}

fn mnist(x: &Node) -> Node {
    dense(x, &[128, 64, 32, 16, 10], false)
}

fn wide(x: &Node) -> Node {
    dense(x, &[200, 10], true)
}

/// Two convolutions with pooling and two dense layers.
fn small_cnn(x: &Node) -> Node {
    let block =
        |x: &Node, filters: usize| x.layer(Conv::new(filters, 3).padding(Padding::SAME).relu()).layer(MaxPool::new(2));
    block(&block(x, 8), 16).layer(Flatten).layer(Dense::new(32).relu()).layer(Dense::new(10))
}

/// A residual network of eight layers.
fn resnet(x: &Node) -> Node {
    let conv = |x: &Node, filters: usize, size: usize, stride: usize| {
        let conv = Conv::new(filters, size).stride(stride).padding(Padding::Number((size / 2).into())).no_bias();
        x.layer(conv).layer(BatchNorm::default())
    };
    let block = |x: &Node, filters: usize, stride: usize| {
        let y = conv(&conv(x, filters, 3, stride).relu(), filters, 3, 1);
        let skip = if stride == 1 { x.clone() } else { conv(x, filters, 1, stride) };
        (y + skip).relu()
    };
    let y = conv(x, 16, 3, 1).relu();
    let y = block(&block(&block(&y, 16, 1), 32, 2), 64, 2);
    y.mean([2, 3]).layer(Flatten).layer(Dense::new(10))
}

/// The case of a name.
pub fn find(name: &str) -> Result<&'static Case, String> {
    CASES.iter().find(|c| c.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let known = CASES.iter().map(|c| c.name).collect::<Vec<_>>().join(", ");
        format!("there is no case `{name}`; there are {known}")
    })
}

/// Plans and compiles a case's training step.
pub fn prepare(model: &Model, case: &Case, threads: usize, isa: Isa) -> Result<(), String> {
    let request = Request { isa, threads, ..Request::training(&["data_loss"]) };
    let mut engine = Engine::<f32>::new(model, request).map_err(|e| e.to_string())?;
    engine.prepare(case.batch).map_err(|e| e.to_string())
}

impl Case {
    fn network(&self) -> Result<Model, String> {
        let g = Graph::new();
        let y = (self.network)(&g.input("x", self.input));
        g.model(&[("y", &y)]).map_err(|e| e.to_string())
    }

    /// Whether it is a training step.
    pub fn trains(&self) -> bool {
        self.task != Task::Latency
    }

    fn training(&self, refined: impl Fn(TrainStep) -> TrainStep) -> Result<Model, String> {
        let step = match self.rule {
            Rule::Sgd => TrainStep::new(Sgd { lr: 0.01, ..Sgd::default() }),
            Rule::Momentum => TrainStep::new(Momentum { lr: 0.01, momentum: 0.9, ..Momentum::default() }),
            Rule::Adam => TrainStep::new(Adam::default()),
        };
        let step = match self.task {
            Task::Regression => step.loss("y", Mse::default()),
            Task::Binary => step.loss("y", BinaryCrossEntropy::default()),
            Task::Classes | Task::Latency => step.loss("y", CrossEntropy::default()),
        };
        refined(step).build(&self.network()?).map_err(|e| e.to_string())
    }

    /// The case's training step.
    pub fn step(&self) -> Result<Model, String> {
        self.training(|step| step)
    }

    /// The bytes of its data.
    pub fn data_bytes(&self) -> usize {
        self.samples * (self.input.iter().product::<usize>() + 1) * size_of::<f32>()
    }

    /// Random inputs and targets as the other frameworks' programs draw them: x in [0, 1).
    fn data(&self) -> (Vec<f32>, Vec<f32>) {
        let mut rng = Rng::new(0, 0, 0);
        let features = self.input.iter().product::<usize>();
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

    /// What each kernel of a training step costs: the medians over some steps.
    pub fn profile(&self, threads: usize, isa: Isa) -> Result<Vec<KernelCost>, String> {
        let (x, y) = self.data();
        let model = self.training(|step| step)?;
        let mut state = State::<f32>::new(&model, 0);
        let request = Request { isa, threads, ..Request::training(&["data_loss"]) };
        let mut engine = Engine::new(&model, request).map_err(|e| e.to_string())?;
        let pool = Pool::new(threads);
        let features = self.input.iter().product::<usize>();
        let inputs = [&x[..self.batch * features], &y[..self.batch]];
        let steps = (0..STEPS)
            .map(|_| engine.profile(&mut state, &inputs, self.batch, 1, &pool).map_err(|e| e.to_string()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(KernelCost::medians(&steps))
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
        let (batch, batches) = (self.batch, self.samples / self.batch);
        let features = self.input.iter().product::<usize>();
        let (mut next, mut failed) = (0, None);
        let (us, cpu, first) = measure::steps(measure::SECONDS, |mut n| {
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
