//! Nets that nobody tuned for: sizes over wide ranges, ours beside PyTorch and JAX, and the list of points where one of them is faster.
//!
//! A point is a training step of a small net: forward, backward, plain descent, cross-entropy over ten classes, one batch again and
//! again, on one pinned thread. The programs of the others are `xtask/peers/sweep_NAME.py`; they read the points as JSON and print a
//! line of JSON for each.

use super::Options;
use super::measure;
use gradus_graph::{Engine, Graph, Model, Node, Request, State};
use gradus_kernels::{Isa, Pool};
use gradus_nn::layers::{Attention, Conv, Dense, Flatten, Gru, Lstm, Padding};
use gradus_nn::losses::CrossEntropy;
use gradus_nn::optimizers::Sgd;
use gradus_nn::{LayerExt, TrainStep};
use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

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

/// What one program says of a point.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answer {
    lib: String,
    point: String,
    us: f64,
    p10: f64,
    p90: f64,
    /// Processor time of a step; 0 where it is not known.
    cpu: f64,
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
        let (mut us, cpu, _) = measure::steps(SECONDS, |mut n| {
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
        us.sort_by(f64::total_cmp);
        let quantile = |q: f64| us[((us.len() - 1) as f64 * q).round() as usize];
        let (us, p10, p90) = (quantile(0.5), quantile(0.1), quantile(0.9));
        Ok(Answer { lib: "gradus".into(), point: self.name.clone(), us, p10, p90, cpu })
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
        return points.iter().try_for_each(|point| {
            let answer = point.measure(options.threads, isa)?;
            println!("{}", serde_json::to_string(&answer).map_err(|e| e.to_string())?);
            std::io::stdout().flush().map_err(|e| e.to_string())
        });
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
    let order = serde_json::to_string(&order).map_err(|e| e.to_string())?;
    let mut answers: Vec<Answer> = vec![];
    for round in 0..options.rounds.unwrap_or(1).max(1) {
        for (program, words) in &programs {
            eprintln!("round {}: {} {}", round + 1, program.display(), words.join(" "));
            let found = ask(program, words, &order, options)?;
            if options.json {
                for answer in &found {
                    println!("{}", serde_json::to_string(answer).map_err(|e| e.to_string())?);
                }
            }
            answers.extend(found);
        }
    }
    if !options.json {
        print(&points, &answers, options.threads);
    }
    Ok(())
}

/// What a program answers: a line for each point that it knows.
fn ask(program: &Path, words: &[String], order: &str, options: &Options) -> Result<Vec<Answer>, String> {
    let mut command = super::peers::pinned(program, options);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    let failed = |e: std::io::Error| format!("{}: {e}", program.display());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A program that knows the points already does not read them.
        let _ = input.write_all(order.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        eprintln!("{} {} ended with {}", program.display(), words.join(" "), output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// The answers to one point by one program: the median over rounds of each figure. Of one thread, processor time counts where it is less:
/// then a neighbour had the processor for a while.
fn median(answers: &[Answer], point: &str, lib: &str, threads: usize) -> Option<[f64; 3]> {
    let own: Vec<&Answer> = answers.iter().filter(|a| a.point == point && a.lib == lib).collect();
    let middle = |figure: fn(&Answer) -> f64| {
        let mut values: Vec<f64> = own.iter().map(|a| figure(a)).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let (us, cpu) = (middle(|a| a.us)?, middle(|a| a.cpu)?);
    let us = if threads == 1 && cpu > 0.0 { us.min(cpu) } else { us };
    Some([us, middle(|a| a.p10)?, middle(|a| a.p90)?])
}

fn print(points: &[Point], answers: &[Answer], threads: usize) {
    let mut libs: BTreeMap<&str, ()> = answers.iter().map(|answer| (&answer.lib[..], ())).collect();
    libs.remove("gradus");
    let wide = points.iter().map(|point| point.name.chars().count()).max().unwrap_or(0);
    print!("{:<wide$} {:>12} {:>19}", "point", "gradus µs", "p10–p90");
    libs.keys().for_each(|lib| print!(" {lib:>14} {:>19}", "p10–p90"));
    println!("{}", if libs.is_empty() { "" } else { "    best ratio" });
    let mut lost = vec![];
    for point in points {
        let Some(own) = median(answers, &point.name, "gradus", threads) else { continue };
        let spread = |[_, low, high]: [f64; 3]| format!("{low:.1}–{high:.1}");
        print!("{:<wide$} {:>12.1} {:>19}", point.name, own[0], spread(own));
        let mut best: Option<(f64, &str)> = None;
        for &lib in libs.keys() {
            let Some(other) = median(answers, &point.name, lib, threads) else {
                print!(" {:>14} {:>19}", "–", "");
                continue;
            };
            print!(" {:>14.1} {:>19}", other[0], spread(other));
            let ratio = other[0] / own[0];
            best = best.filter(|known| known.0 <= ratio).or(Some((ratio, lib)));
        }
        if let Some((ratio, lib)) = best {
            print!(" {ratio:>13.2}");
            if ratio < 1.0 {
                lost.push((ratio, &point.name, lib));
            }
        }
        println!();
    }
    if libs.is_empty() {
        return;
    }
    lost.sort_by(|a, b| a.0.total_cmp(&b.0));
    match lost.len() {
        0 => println!("\nno point where another program is faster"),
        n => println!("\n{n} points where another program is faster, the worst first:"),
    }
    for (ratio, name, lib) in lost {
        println!("  {ratio:.2}  {name} ({lib})");
    }
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
