//! `gradus profile`: what each kernel of a training step costs, and how near it is to what the machine can do.

use super::describe::size;
use super::{RecipeArgs, aligned, instruction_set, write_text};
use crate::costs::{Cost, gather};
use crate::failure::{Failure, Result};
use crate::materials::{self, Materials};
use crate::report::flame::{self, duration_of};
use crate::report::roofline::{self, shortened};
use crate::report::scale::count;
use crate::{console, network, session, trace};
use clap::Args;
use gradus_kernels::{Machine, Pool};
use gradus_train::StepProfile;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Rows of the table; JSON has all.
const ROWS: usize = 30;

/// Show where the time of a training step goes: each kernel, and how near it is to what the machine can do
///
/// The recipe's step runs on its data: half of --steps to warm up, then, a few in turn, --steps as a whole and --steps kernel by kernel;
/// times are medians. This machine's limits are measured too: multiply-adds a second in registers, bytes a second from each cache and
/// from memory. A kernel's roof is the longer one of its arithmetic at the peak and its bytes at the rate of the nearest cache that
/// holds them all; "% of peak" is that least time as a share of the time taken. A convolution that needs fewer operations than
/// the direct sum, which is what is counted, can be above 100.
#[derive(Args, Debug)]
pub struct Profile {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Samples of a step, instead of the recipe's batch_size
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// How many steps are timed
    #[arg(long, value_name = "N", default_value_t = 200)]
    steps: usize,
    /// Threads of a step; one tells most about the kernels
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Use this instruction set: portable, avx2 or avx512
    #[arg(long, value_name = "SET")]
    isa: Option<String>,
    /// Write the last steps as a trace for Perfetto (ui.perfetto.dev) or chrome://tracing
    #[arg(long, value_name = "FILE.json")]
    trace: Option<PathBuf>,
    /// Write a flame chart: the step, its layers, their kernels
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
    /// Write the machine's roofline with the kernels below it
    #[arg(long, value_name = "FILE.svg")]
    roofline: Option<PathBuf>,
    /// Print one object of JSON
    #[arg(long)]
    json: bool,
}

/// What was found.
struct Found<'a> {
    name: &'a str,
    machine: &'a Machine,
    profile: &'a StepProfile,
    costs: &'a [Cost],
    /// The time of all kernels in seconds.
    kernels: f64,
}

impl Profile {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        for (option, value) in [("--batch", self.batch.unwrap_or(1)), ("--threads", self.threads)] {
            if value == 0 {
                let problem = format!("{option} is 0, but must be at least 1");
                return Err(Failure::usage(problem, format!("leave {option} out for the usual number")));
            }
        }
        let isa = instruction_set(self.isa.as_deref())?;
        let (recipe, document) = self.recipe.load()?;
        let locator = materials::locator(&self.recipe.recipe);
        let materials = Materials::load(&recipe, &locator)?;
        let model = network::build(&recipe, &document, &materials)?.model;
        let mut trainer = session::trainer(&recipe, &model, &materials.train).threads(self.threads).isa(isa);
        if let Some(batch) = self.batch {
            trainer = trainer.batch_size(batch);
        }
        if let Some(state) = session::initial(&recipe, &model, &locator)? {
            trainer = trainer.initial(state);
        }
        let profile = trainer.profile(&materials.train, self.steps)?;
        let machine = Machine::measure(isa, &Pool::new(self.threads));
        let costs = gather(&profile.kernels, &machine);
        let kernels = costs.iter().map(|cost| cost.seconds).sum();
        let found = Found { name: &recipe.name, machine: &machine, profile: &profile, costs: &costs, kernels };
        if let Some(path) = &self.trace {
            let first = profile.steps - profile.last.len();
            write_text(path, &trace::events(&recipe.name, first, &profile.last).to_string(), "--trace")?;
        }
        if let Some(path) = &self.svg {
            let picture =
                flame::draw(&format!("{}: a training step", recipe.name), &found.words(), profile.step[0], &costs);
            write_text(path, &picture, "--svg")?;
        }
        if let Some(path) = &self.roofline {
            let title = format!("{}: kernels below the roofline of this machine", recipe.name);
            write_text(path, &roofline::draw(&title, &machine, &costs), "--roofline")?;
        }
        if self.json {
            return console::print_json(&found.json());
        }
        let mut text = format!("{}: {}\n\n", recipe.name, found.words());
        text += &found.table();
        text += "\n";
        text += &found.summary();
        for (what, path) in [("trace", &self.trace), ("flame chart", &self.svg), ("roofline", &self.roofline)] {
            if let Some(path) = path {
                text += &format!("  {what}: {}\n", path.display());
            }
        }
        console::print(&text)
    }
}

impl Found<'_> {
    /// What was timed.
    fn words(&self) -> String {
        let profile = self.profile;
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        format!(
            "{} sample{}, {} thread{}, {}, median of {} step{}",
            count(profile.batch as u64),
            plural(profile.batch),
            profile.threads,
            plural(profile.threads),
            profile.isa,
            count(profile.steps as u64),
            plural(profile.steps)
        )
    }

    /// What the step takes beside its kernels.
    fn dispatch(&self) -> f64 {
        self.profile.step[0] - self.kernels
    }

    fn table(&self) -> String {
        let mut sorted: Vec<&Cost> = self.costs.iter().collect();
        sorted.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        let row = |names: [String; 2], calls: usize, seconds: f64, rates: [String; 2], roof: [String; 2]| {
            let share = format!("{:.1}", 100.0 * seconds / self.profile.step[0].max(f64::MIN_POSITIVE));
            let ([kernel, layer], [flops, bytes], [bound, peak]) = (names, rates, roof);
            [kernel, layer, calls.to_string(), format!("{:.2}", seconds * 1e6), share, flops, bytes, peak, bound]
        };
        let titles = ["kernel", "layer", "calls", "µs", "% of step", "GFLOP/s", "GB/s", "% of peak", "bound by"];
        let mut rows = vec![titles.map(String::from)];
        let giga = |x: f64| if x > 0.0 { format!("{:.1}", x / 1e9) } else { "–".into() };
        let shown = &sorted[..sorted.len().min(ROWS)];
        let layers = shown.iter().map(|cost| cost.path.chars().count().min(34)).max().unwrap_or(0);
        let room = console::width().saturating_sub(76 + layers).clamp(24, 60);
        for cost in shown {
            let layer = if cost.path.is_empty() { "–".into() } else { shortened(&cost.path, 34) };
            let peak = format!("{:.0}", 100.0 * cost.share_of_peak());
            let roof = [self.machine.name(cost.bound).into(), peak];
            let names = [shortened(&cost.label, room), layer];
            rows.push(row(names, cost.calls, cost.seconds, [giga(cost.flops()), giga(cost.rate())], roof));
        }
        if let Some(rest) = sorted.get(ROWS..).filter(|rest| !rest.is_empty()) {
            let (calls, seconds) = (rest.iter().map(|c| c.calls).sum(), rest.iter().map(|c| c.seconds).sum());
            let names = [format!("{} others", rest.len()), String::new()];
            rows.push(row(names, calls, seconds, Default::default(), Default::default()));
        }
        let (calls, least) =
            (self.costs.iter().map(|c| c.calls).sum(), self.costs.iter().map(|c| c.least).sum::<f64>());
        let peak = if self.kernels > 0.0 { format!("{:.0}", 100.0 * least / self.kernels) } else { "–".into() };
        let names = ["all kernels".into(), String::new()];
        rows.push(row(names, calls, self.kernels, Default::default(), [String::new(), peak]));
        aligned(&rows, &[0, 1, 8])
    }

    fn summary(&self) -> String {
        let (profile, machine) = (self.profile, self.machine);
        let [median, low, high] = profile.step;
        let levels: Vec<String> =
            machine.levels.iter().map(|level| format!("{} {:.0}", level.name, level.rate / 1e9)).collect();
        let memory = &profile.memory;
        let rows = [
            ("machine", format!("{:.0} GFLOP/s; {} GB/s", machine.flops / 1e9, levels.join(", "))),
            (
                "step",
                format!(
                    "{}, 80 % of steps between {} and {}; {} samples/s",
                    duration_of(median),
                    duration_of(low),
                    duration_of(high),
                    count((profile.batch as f64 / median.max(f64::MIN_POSITIVE)) as u64)
                ),
            ),
            (
                "between kernels",
                match self.dispatch() {
                    rest if rest >= 0.0 => format!("{}, {:.1} % of the step", duration_of(rest), 100.0 * rest / median),
                    _ => "too little to measure: the kernels' own times add up to more than the step".into(),
                },
            ),
            ("one prediction", duration_of(profile.predicting)),
            (
                "before the first step",
                format!(
                    "losses, gradients and updates {}; plan and compile {}; the first step itself {}",
                    duration_of(profile.differentiating),
                    duration_of(profile.compiling),
                    duration_of(profile.first)
                ),
            ),
            (
                "memory",
                format!(
                    "{}: arena {}, constants {}, state {}; {} parameters",
                    size(memory.total()),
                    size(memory.arena),
                    size(memory.constants),
                    size(memory.state),
                    count(profile.parameters as u64)
                ),
            ),
        ];
        rows.iter().map(|(name, text)| format!("  {name:<21}  {text}\n")).collect()
    }

    fn json(&self) -> Value {
        let (profile, machine) = (self.profile, self.machine);
        let level = |level: &gradus_kernels::Level| json!({ "name": level.name, "capacity": level.capacity, "gb_s": console::number(level.rate / 1e9) });
        let kernel = |cost: &Cost| {
            json!({
                "kernel": cost.label, "layer": cost.path, "calls": cost.calls, "us": cost.seconds * 1e6,
                "share": console::number(cost.seconds / profile.step[0]), "operations": cost.operations, "bytes": cost.bytes,
                "gflop_s": cost.flops() / 1e9, "gb_s": cost.rate() / 1e9, "intensity": cost.intensity(),
                "bound": machine.name(cost.bound), "share_of_peak": cost.share_of_peak(),
            })
        };
        let memory = &profile.memory;
        json!({
            "name": self.name, "batch_size": profile.batch, "threads": profile.threads, "isa": profile.isa.to_string(),
            "steps": profile.steps,
            "machine": {
                "gflop_s": machine.flops / 1e9, "levels": machine.levels.iter().map(level).collect::<Vec<_>>(),
            },
            "step_us": { "median": profile.step[0] * 1e6, "p10": profile.step[1] * 1e6, "p90": profile.step[2] * 1e6 },
            "kernels_us": self.kernels * 1e6, "between_kernels_us": self.dispatch() * 1e6,
            "prediction_us": profile.predicting * 1e6,
            "differentiating_ms": profile.differentiating * 1e3, "compiling_ms": profile.compiling * 1e3,
            "first_step_ms": profile.first * 1e3,
            "memory": {
                "arena": memory.arena, "constants": memory.constants, "state": memory.state, "total": memory.total(),
            },
            "parameters": profile.parameters,
            "kernels": self.costs.iter().map(kernel).collect::<Vec<_>>(),
        })
    }
}
