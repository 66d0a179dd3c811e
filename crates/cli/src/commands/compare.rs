//! `gradus compare`: recipes side by side, over several seeds.

use crate::compare::entry::{self, Judge};
use crate::compare::queue::{News, Queue};
use crate::compare::summary::Plan;
use crate::compare::{End, Entry, Finished, results};
use crate::failure::{Failure, Result};
use crate::materials::Raw;
use crate::report::comparison::{self, Comparison, text};
use crate::report::scale::{count, duration, epoch};
use crate::report::tables::{metric_in_words, metric_value, stop_words};
use crate::run_folder::{RunFolder, plain};
use crate::{console, recipe, signals};
use clap::Args;
use gradus_kernels::Isa;
use gradus_train::{Interrupt, Signal};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Train recipes side by side over several seeds, and tell which is better and how sure that is
///
/// Takes two recipes or more, or one with `[[variants]]`. Each seed gives all of them the same split, the same first weights where
/// their layers agree, and the same order of samples. The folder gets a report (report.html), the figures (results.json), and the
/// folder of each run.
#[derive(Args, Debug)]
pub struct Compare {
    /// The recipes, TOML files; the first is what the others are compared with
    #[arg(required = true)]
    recipes: Vec<PathBuf>,
    /// How many seeds (1, 2, …), or which, as in 3,5,9
    #[arg(long, default_value = "5", value_name = "N")]
    seeds: String,
    /// Set a key of every recipe, as in --set train.epochs=3; comes after what variants set
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Compare by this: accuracy, rmse, mae, r2, loss, …; otherwise accuracy of classifiers and rmse of regressions
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// The folder; runs/compare-NAME-1, … where it is not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace a comparison that is in the folder
    #[arg(long)]
    overwrite: bool,
    /// Use at most this many threads, all runs together; the figures do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print one line of JSON for each run, and one with all results at the end
    #[arg(long)]
    json: bool,
    /// Print nothing but warnings and errors
    #[arg(long, short)]
    quiet: bool,
}

impl Compare {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        let begun = Instant::now();
        let seeds = self.seeds()?;
        if self.threads == Some(0) {
            return Err(Failure::usage("--threads is 0, but must be at least 1", "leave it out to use every core"));
        }
        let threads = self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let entries = entry::load(&self.recipes, &self.set)?;
        entry::check_same_data(&entries)?;
        let judge = Judge::of(&entries[0].recipe.data)?;
        let raw = Raw::read(&entries[0].recipe.data, &entries[0].locator)?;

        // The first seed shows what does not fit, before anything is trained.
        let interrupt = Interrupt::new();
        let mut queue = Queue {
            entries: &entries,
            models: &[],
            raw: &raw,
            seeds: &seeds,
            judge,
            folders: &[],
            threads,
            isa: Isa::detect(),
            interrupt: interrupt.clone(),
        };
        let mut ready = HashMap::new();
        let (mut models, mut known) = (vec![], vec![]);
        for (i, entry) in entries.iter().enumerate() {
            let materials = match ready.get(&queue.key(i, seeds[0])) {
                Some(materials) => Arc::clone(materials),
                None => Arc::new(raw.materials(&entry.recipe.data, seeds[0])?),
            };
            ready.insert(queue.key(i, seeds[0]), Arc::clone(&materials));
            let model = entry::check(entry, &materials, seeds[0]).map_err(|failure| self.about(entry, failure))?;
            known.push(entry::scores(entry, &model, &materials));
            models.push(model);
        }
        let metric = entry::metric(self.metric.as_deref(), &entries, &known)?;
        let metrics = known[0].iter().filter(|name| known.iter().all(|known| known.contains(name))).cloned().collect();
        let shared =
            entries.iter().zip(&models).map(|other| entry::shared_start((&entries[0], &models[0]), other, seeds[0]));
        let shared = shared.collect::<Result<Vec<_>>>()?;
        let sample = &ready[&queue.key(0, seeds[0])];
        let plan = Plan {
            title: title(&self.recipes, &entries),
            entries: &entries,
            seeds: &seeds,
            judge,
            metric,
            metrics,
            shared,
            rows: [sample.train.len(), sample.part(judge.part())?.len()],
        };
        let name = format!("compare-{}", plan.title);
        let folder = self.folder(&name)?;
        let folders = self.run_folders(&folder, &entries, &seeds)?;
        (queue.models, queue.folders) = (&models, &folders);

        signals::listen(&interrupt);
        let mut watcher = Watcher {
            options: self,
            plan: &plan,
            folder: &folder,
            threads,
            begun,
            all: entries.len() * seeds.len(),
            finished: vec![],
            under_way: vec![],
            drawn: Instant::now(),
        };
        let ready = ready.into_iter().collect();
        queue.go(ready, |news| watcher.listen(news))?;
        watcher.end(interrupt.requested())
    }

    fn seeds(&self) -> Result<Vec<u64>> {
        let wrong = |problem: String| {
            Failure::usage(problem, "give a number of seeds, as in --seeds 5, or the seeds, as in --seeds 3,5,9")
        };
        let numbers: Vec<u64> = self
            .seeds
            .split(',')
            .map(|word| {
                word.trim().parse().map_err(|_| wrong(format!("--seeds is {}, which is no number", self.seeds)))
            })
            .collect::<Result<_>>()?;
        let seeds = match numbers[..] {
            [count] if count > 10_000 => return Err(wrong(format!("--seeds is {count}, but must be at most 10000"))),
            [count] => (1..=count).collect(),
            _ => numbers,
        };
        if seeds.len() < 2 {
            let help = "one pair of runs cannot tell a difference from chance; 5 or more can";
            return Err(Failure::usage(format!("--seeds is {}, but must be at least 2", self.seeds), help));
        }
        if let Some(twice) = (1..seeds.len()).find(|&i| seeds[..i].contains(&seeds[i])) {
            return Err(wrong(format!("seed {} is given twice", seeds[twice])));
        }
        Ok(seeds)
    }

    /// An error that does not say itself which recipe it is about.
    fn about(&self, entry: &Entry, failure: Failure) -> Failure {
        match &failure {
            Failure::Train(_) | Failure::Data(_) if !self.quiet => {
                console::say(&format!("checking {}:\n", entry.name));
                failure
            }
            _ => failure,
        }
    }

    fn folder(&self, name: &str) -> Result<RunFolder> {
        let help = "give another --out, or say --overwrite";
        RunFolder::create_for(
            "comparison",
            self.out.as_deref(),
            name,
            self.overwrite,
            &["results.json", "report.html"],
            help,
        )
    }

    /// A folder for each run, with its recipe.
    fn run_folders(&self, folder: &RunFolder, entries: &[Entry], seeds: &[u64]) -> Result<Vec<Vec<PathBuf>>> {
        let mut names: Vec<String> = vec![];
        let mut folders = vec![];
        for entry in entries {
            let mut name = plain(&entry.name);
            while names.contains(&name) || name.starts_with('.') {
                name = format!("recipe-{name}");
            }
            names.push(name.clone());
            let mut own = vec![];
            for &seed in seeds {
                let path = folder.file(&name).join(format!("seed-{seed}"));
                let failed = |error: std::io::Error| {
                    let problem = format!("cannot write to the folder {}: {error}", path.display());
                    Failure::files(problem, "give a folder of your own with --out")
                };
                std::fs::create_dir_all(&path).map_err(failed)?;
                for file in ["history.jsonl", "initial.safetensors", "best.safetensors"] {
                    if path.join(file).exists() {
                        std::fs::remove_file(path.join(file)).map_err(failed)?;
                    }
                }
                let text = recipe::render(&entry::seeded(&entry.resolved, seed));
                std::fs::write(path.join("recipe.toml"), text).map_err(failed)?;
                own.push(path);
            }
            folders.push(own);
        }
        Ok(folders)
    }
}

/// What the comparison is called: the file with the variants, or the recipes.
fn title(files: &[PathBuf], entries: &[Entry]) -> String {
    match files {
        [file] => file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(),
        _ if entries.len() <= 3 => entries.iter().map(|entry| entry.recipe.name.clone()).collect::<Vec<_>>().join("-"),
        _ => entries[0].recipe.name.clone(),
    }
}

/// Shows and writes down what happens.
struct Watcher<'a> {
    options: &'a Compare,
    plan: &'a Plan<'a>,
    folder: &'a RunFolder,
    threads: usize,
    begun: Instant,
    all: usize,
    finished: Vec<Finished>,
    /// Runs that go on: entry, seed, how far.
    under_way: Vec<(usize, u64, f64)>,
    drawn: Instant,
}

impl Watcher<'_> {
    fn listen(&mut self, news: &Receiver<News>) -> Result<()> {
        let mut failed = None;
        loop {
            match news.recv_timeout(Duration::from_millis(200)) {
                Ok(News::Begun(entry, seed)) => self.under_way.push((entry, seed, 0.0)),
                Ok(News::Progress(entry, seed, share)) => {
                    if let Some(run) = self.under_way.iter_mut().find(|run| (run.0, run.1) == (entry, seed)) {
                        run.2 = share;
                    }
                }
                Ok(News::Ended(run)) => self.ended(*run)?,
                Ok(News::Failed(failure)) => failed = failed.or(Some(*failure)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.draw();
        }
        self.clear();
        match failed {
            None => Ok(()),
            Some(failure) => {
                self.write()?;
                Err(failure)
            }
        }
    }

    fn ended(&mut self, run: Finished) -> Result<()> {
        self.under_way.retain(|other| (other.0, other.1) != (run.entry, run.seed));
        self.finished.push(run);
        let comparison = self.write_results()?;
        let Some(run) = self.finished.last() else { return Ok(()) };
        let (name, place) = (&self.plan.entries[run.entry].name, comparison.place());
        let row = comparison.recipes[run.entry].runs.iter().find(|row| row.seed == run.seed);
        if let (true, Some(row)) = (self.options.json, row) {
            let mut value = results::run(&comparison, row);
            if let Some(object) = value.as_object_mut() {
                object.insert("event".into(), "run".into());
                object.insert("recipe".into(), name.clone().into());
            }
            console::print_json(&value)?;
        }
        if self.options.quiet || self.options.json && !console::watched() {
            return Ok(());
        }
        let number = self.finished.iter().filter(|run| !matches!(run.end, End::Interrupted)).count();
        let head =
            format!("[{number:>width$}/{}] {name}, seed {}:", self.all, run.seed, width = self.all.to_string().len());
        let line = match &run.end {
            End::Interrupted => return Ok(()),
            End::Diverged(message) => format!("{head} diverged: {message}"),
            End::Done(done) => {
                let metric = &comparison.metrics[place];
                format!(
                    "{head} {} {}, {} epochs, {} steps, {}, {}",
                    metric_in_words(metric),
                    metric_value(metric, done.score(metric).unwrap_or(f64::NAN)),
                    epoch(done.epochs),
                    count(done.steps),
                    duration(done.seconds),
                    stop_words(&done.stopped_by)
                )
            }
        };
        self.clear();
        console::say(&format!("{line}\n"));
        Ok(())
    }

    fn environment(&self) -> Vec<(String, String)> {
        let alone: f64 = self.finished.iter().filter_map(Finished::done).map(|done| done.seconds).sum();
        let pairs = [
            ("Gradus", env!("CARGO_PKG_VERSION").to_string()),
            ("Machine", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
            ("Instruction set", Isa::detect().to_string()),
            ("Threads", self.threads.to_string()),
            ("Time", duration(self.begun.elapsed().as_secs_f64())),
            ("Training, all runs", duration(alone)),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }

    fn write_results(&self) -> Result<Comparison> {
        let comparison = self.plan.summary(&self.finished, self.environment());
        let text = serde_json::to_string_pretty(&results::json(&comparison)).unwrap_or_default();
        self.folder.write("results.json", &(text + "\n"))?;
        Ok(comparison)
    }

    fn write(&self) -> Result<Comparison> {
        let comparison = self.write_results()?;
        self.folder.write("report.html", &comparison::page(&comparison))?;
        Ok(comparison)
    }

    /// Writes the report, and says how it went.
    fn end(&self, signal: Option<Signal>) -> Result<()> {
        let comparison = self.write()?;
        let path = self.folder.path().display();
        if self.options.json {
            let mut value = results::json(&comparison);
            if let Some(object) = value.as_object_mut() {
                object.insert("event".into(), "done".into());
                object.insert("folder".into(), path.to_string().into());
            }
            console::print_json(&value)?;
        } else if !self.options.quiet && signal.is_none() {
            let text = text::summary(&comparison, console::width());
            console::print(&format!("\n{text}\nreport: {path}/report.html\n"))?;
        }
        match signal {
            None => Ok(()),
            Some(signal) => {
                if !self.options.quiet {
                    console::say(&format!("interrupted; the runs that have ended are in {path}/report.html\n"));
                }
                Err(Failure::Interrupted(if signal == Signal::Terminate { 143 } else { 130 }))
            }
        }
    }

    /// The line that tells how far the runs are.
    fn draw(&mut self) {
        if self.options.quiet || !console::watched() || self.drawn.elapsed() < Duration::from_millis(150) {
            return;
        }
        self.drawn = Instant::now();
        let runs = self.under_way.iter().map(|&(entry, seed, share)| {
            format!("{} seed {seed} {:.0}%", self.plan.entries[entry].name, share * 100.0)
        });
        let done = self.finished.len() as f64 + self.under_way.iter().map(|run| run.2).sum::<f64>();
        let passed = self.begun.elapsed().as_secs_f64();
        let left = if done > 0.5 {
            format!("  about {} left", duration(passed * (self.all as f64 / done - 1.0)))
        } else {
            String::new()
        };
        let line = format!("{}/{} runs  {}{left}", self.finished.len(), self.all, runs.collect::<Vec<_>>().join("  "));
        let line: String = line.chars().take(console::width() - 1).collect();
        console::say(&format!("\r\x1b[K{line}"));
    }

    fn clear(&self) {
        if !self.options.quiet && console::watched() {
            console::say("\r\x1b[K");
        }
    }
}
