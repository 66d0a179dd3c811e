//! Nets that nobody tuned for: sizes over wide ranges, ours beside PyTorch and JAX, and the list of points where one of them is faster.
//!
//! A point is a training step of a small net: forward, backward, plain descent, cross-entropy over ten classes, one batch again and
//! again, on one pinned thread. The programs of the others are `xtask/peers/sweep_NAME.py`; they read the points as JSON and print a
//! line of JSON for each.

use super::Options;
use super::answers::{self, Answer};
use super::measure;
use gradus_graph::{Engine, Graph, Model, Node, Request, State};
use gradus_kernels::{Isa, Pool};
use gradus_nn::layers::{Attention, Conv, Dense, Flatten, Gru, Lstm, Padding};
use gradus_nn::losses::CrossEntropy;
use gradus_nn::optimizers::Sgd;
use gradus_nn::{LayerExt, TrainStep};
use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Seconds of measuring at each point.
const SECONDS: f64 = 0.8;
/// Of classes.
const CLASSES: usize = 10;
/// Bytes of input that a run of several steps may have.
const SEVERAL: usize = 1 << 20;
/// Steps in one run, as an epoch has many.
const STEPS: usize = 8;

/// Which nets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sweep {
    /// Dense layers of 100 to 1000 units, odd ones too, batches of 1 to 1024.
    Dense,
    /// Two convolutions: windows of 1, 3 and 5, depthwise, strided, 8 to 256 channels, 7 to 64 pixels.
    Conv,
    /// LSTM and GRU of 64 to 512 units.
    Rnn,
    /// Self-attention over 16 to 256 steps.
    Attention,
}

/// One net at one batch size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its name in tables.
    name: String,
    batch: usize,
    net: Net,
}

/// What stands before the ten classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
enum Net {
    /// The input's width and those of hidden layers with ReLU.
    Dense { widths: Vec<usize> },
    /// A convolution of `channels` to `filters`, ReLU, one of `filters` to `filters` without stride, ReLU, the mean over all pixels.
    /// With `depthwise` every channel has a filter of its own in both.
    Conv { channels: usize, filters: usize, size: usize, stride: usize, depthwise: bool, pixels: usize },
    /// The last output.
    Lstm { steps: usize, features: usize, units: usize },
    /// The last output.
    Gru { steps: usize, features: usize, units: usize },
    /// Multi-head self-attention with biases, the mean over all steps.
    Attention { steps: usize, features: usize, heads: usize },
}

impl Sweep {
    #[rustfmt::skip]
    fn points(self) -> Vec<Point> {
        match self {
            Sweep::Dense => [
                (&[100, 100][..], 1), (&[100, 100], 16), (&[100, 100], 256), (&[300, 100, 100], 32), (&[257, 131, 67], 64),
                (&[784, 300], 1), (&[784, 300], 32), (&[784, 300], 256), (&[784, 300], 1024), (&[500, 500, 500], 8),
                (&[500, 500, 500], 64), (&[333, 777], 128), (&[1000, 1000], 1), (&[1000, 1000], 16), (&[1000, 1000], 64),
                (&[1000, 1000], 256), (&[1000, 1000, 1000], 1024), (&[64, 999, 101], 100), (&[100, 1000], 1024), (&[150, 150, 150, 150], 512),
            ].map(|(widths, batch)| dense(widths, batch)).into(),
            Sweep::Conv => [
                // channels, filters, size, stride, depthwise, pixels, batch
                (8, 8, 3, 1, false, 64, 16), (3, 16, 3, 1, false, 32, 64), (3, 16, 5, 1, false, 32, 32), (16, 32, 3, 2, false, 32, 64),
                (16, 16, 1, 1, false, 28, 64), (32, 32, 3, 1, false, 28, 32), (24, 40, 3, 1, false, 19, 32), (32, 64, 5, 1, false, 14, 32),
                (64, 64, 3, 1, false, 14, 32), (64, 64, 1, 1, false, 14, 64), (64, 128, 3, 2, false, 14, 32), (64, 64, 5, 2, false, 28, 8),
                (128, 128, 3, 1, false, 7, 32), (128, 256, 1, 1, false, 7, 64), (256, 256, 3, 1, false, 7, 16), (256, 256, 3, 1, false, 7, 1),
                (32, 32, 3, 1, true, 28, 32), (64, 64, 5, 1, true, 14, 32), (128, 128, 3, 2, true, 28, 16), (20, 20, 3, 1, false, 64, 1),
            ].map(conv).into(),
            Sweep::Rnn => [
                // steps, features, units, batch
                (28, 28, 128, 64), (28, 64, 64, 16), (32, 128, 256, 32), (20, 100, 512, 32), (16, 64, 200, 1), (50, 32, 64, 128),
                (28, 28, 100, 64), (64, 64, 128, 8),
            ].into_iter().flat_map(|shape| [recurrent(true, shape), recurrent(false, shape)]).collect(),
            Sweep::Attention => [
                // steps, features, heads, batch
                (16, 64, 4, 32), (16, 64, 4, 1), (32, 128, 4, 16), (50, 100, 5, 16), (64, 64, 8, 32), (64, 256, 8, 8), (100, 96, 6, 16),
                (128, 64, 4, 16), (128, 128, 8, 8), (128, 256, 4, 4), (200, 60, 3, 8), (256, 64, 4, 8), (256, 128, 8, 4), (256, 256, 8, 2),
            ].map(|(steps, features, heads, batch)| Point {
                name: format!("T{steps} {features}/{heads} b{batch}"), batch, net: Net::Attention { steps, features, heads },
            }).into(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Sweep::Dense => "dense",
            Sweep::Conv => "conv",
            Sweep::Rnn => "rnn",
            Sweep::Attention => "attention",
        }
    }
}

fn dense(widths: &[usize], batch: usize) -> Point {
    let words: Vec<String> = widths.iter().chain(&[CLASSES]).map(ToString::to_string).collect();
    Point { name: format!("{} b{batch}", words.join("-")), batch, net: Net::Dense { widths: widths.to_vec() } }
}

type ConvShape = (usize, usize, usize, usize, bool, usize, usize);

fn conv((channels, filters, size, stride, depthwise, pixels, batch): ConvShape) -> Point {
    let kind = if depthwise { "dw" } else { "" };
    let stride_text = if stride == 1 { String::new() } else { format!("/{stride}") };
    let name = format!("{size}×{size}{kind}{stride_text} {channels}→{filters} {pixels}px b{batch}");
    Point { name, batch, net: Net::Conv { channels, filters, size, stride, depthwise, pixels } }
}

fn recurrent(lstm: bool, (steps, features, units, batch): (usize, usize, usize, usize)) -> Point {
    let (kind, net) = match lstm {
        true => ("lstm", Net::Lstm { steps, features, units }),
        false => ("gru", Net::Gru { steps, features, units }),
    };
    Point { name: format!("{kind} T{steps} {features}→{units} b{batch}"), batch, net }
}

impl Point {
    fn input(&self) -> Vec<usize> {
        match &self.net {
            Net::Dense { widths } => widths[..1].to_vec(),
            &Net::Conv { channels, pixels, .. } => vec![channels, pixels, pixels],
            &Net::Lstm { steps, features, .. } | &Net::Gru { steps, features, .. } => vec![steps, features],
            &Net::Attention { steps, features, .. } => vec![steps, features],
        }
    }

    fn network(&self, x: &Node) -> Node {
        let y = match &self.net {
            Net::Dense { widths } => widths[1..].iter().fold(x.clone(), |y, &units| y.layer(Dense::new(units).relu())),
            &Net::Conv { channels, filters, size, stride, depthwise, .. } => {
                let conv = |groups: usize, stride: usize| {
                    let padding = Padding::Number((size / 2).into());
                    Conv::new(filters, size).stride(stride).padding(padding).groups(if depthwise { groups } else { 1 })
                };
                x.layer(conv(channels, stride).relu()).layer(conv(filters, 1).relu()).mean([2, 3]).layer(Flatten)
            }
            &Net::Lstm { units, .. } => x.layer(Lstm::new(units)),
            &Net::Gru { units, .. } => x.layer(Gru::new(units)),
            &Net::Attention { heads, .. } => x.layer(Attention::new(heads)).mean([1]).layer(Flatten),
        };
        y.layer(Dense::new(CLASSES))
    }

    fn step(&self) -> Result<Model, String> {
        let g = Graph::new();
        let y = self.network(&g.input("x", &self.input()[..]));
        let model = g.model(&[("y", &y)]).map_err(|e| format!("{}: {e}", self.name))?;
        let step = TrainStep::new(Sgd { lr: 0.01, ..Sgd::default() }).loss("y", CrossEntropy::default());
        step.build(&model).map_err(|e| format!("{}: {e}", self.name))
    }

    /// Times our step.
    fn measure(&self, threads: usize, isa: Isa) -> Result<Answer, String> {
        let model = self.step()?;
        let mut state = State::<f32>::new(&model, 0);
        let request = Request { isa, threads, ..Request::training(&["data_loss"]) };
        let mut engine = Engine::new(&model, request).map_err(|e| e.to_string())?;
        let features = self.batch * self.input().iter().product::<usize>();
        let several = (SEVERAL / (features * size_of::<f32>())).clamp(1, STEPS);
        let mut rng = Rng::new(0, 0, 0);
        let x: Vec<f32> = (0..several * features).map(|_| rng.uniform() as f32).collect();
        let y: Vec<f32> = (0..several * self.batch).map(|_| rng.below(CLASSES as u32) as f32).collect();
        let pool = Pool::new(threads);
        let mut failed = None;
        let (us, cpu, _) = measure::steps(SECONDS, |mut n| {
            while n > 0 && failed.is_none() {
                let count = n.min(several);
                let inputs = [&x[..count * features], &y[..count * self.batch]];
                failed = engine.run(&mut state, &inputs, self.batch, count, &pool).err();
                n -= count;
            }
        });
        if let Some(error) = failed {
            return Err(format!("{}: {error}", self.name));
        }
        Ok(Answer::new(&self.name, us, cpu))
    }
}

/// What the other programs read.
#[derive(Serialize)]
struct Order<'a> {
    seconds: f64,
    threads: usize,
    compile: bool,
    points: &'a [Point],
}

/// Runs a sweep; with `--vs` beside others.
pub fn run(sweep: Sweep, options: &Options, isa: Isa) -> Result<(), String> {
    let points = sweep.points();
    if options.worker {
        return points.iter().try_for_each(|point| point.measure(options.threads, isa)?.say());
    }
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let words = ["bench", "--worker", "--isa", &isa.to_string(), "--threads", &options.threads.to_string(), "--sweep"];
    let mut programs = vec![(own, words.iter().copied().chain([sweep.name()]).map(String::from).collect::<Vec<_>>())];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    for name in options.vs.iter().flat_map(|vs| vs.split(',')).filter(|name| !name.is_empty()) {
        let script = folder.join(format!("sweep_{name}.py"));
        if !script.exists() {
            return Err(format!("there is no program for `{name}` in {}; known: torch, jax", folder.display()));
        }
        programs.push((PathBuf::from(super::peers::python(name, options)), vec![script.display().to_string()]));
    }
    let compile = options.compile;
    let order = Order { seconds: SECONDS, threads: options.threads, compile, points: &points };
    answers::compare(&programs, &order, &points.iter().map(|point| &point.name[..]).collect::<Vec<_>>(), options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_builds_and_has_its_own_name() {
        for sweep in [Sweep::Dense, Sweep::Conv, Sweep::Rnn, Sweep::Attention] {
            let points = sweep.points();
            assert!(points.len() <= 20, "{sweep:?}");
            for (i, point) in points.iter().enumerate() {
                let model = point.step().unwrap();
                assert_eq!(model.output_shape("y").unwrap().to_string(), "[B, 10]", "{}", point.name);
                assert!(points[..i].iter().all(|other| other.name != point.name), "{}", point.name);
                let text = serde_json::to_string(point).unwrap();
                assert_eq!(serde_json::from_str::<Point>(&text).unwrap(), *point);
            }
        }
    }
}
