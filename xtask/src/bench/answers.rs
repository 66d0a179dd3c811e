//! Programs that measure the same points in turn, and the table of what they say.

use super::Options;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What one program says of a point.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Which program.
    pub lib: String,
    /// Which point.
    pub point: String,
    /// Median time in microseconds.
    pub us: f64,
    /// Tenth percentile.
    pub p10: f64,
    /// Ninetieth percentile.
    pub p90: f64,
    /// Processor time; 0 where it is not known.
    pub cpu: f64,
    /// Milliseconds from the file to the first result, where a point is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_ms: Option<f64>,
}

impl Answer {
    /// Ours, from measured times and the processor's.
    pub fn new(point: &str, mut us: Vec<f64>, cpu: f64) -> Answer {
        us.sort_by(f64::total_cmp);
        let quantile = |q: f64| us[((us.len() - 1) as f64 * q).round() as usize];
        let (us, p10, p90) = (quantile(0.5), quantile(0.1), quantile(0.9));
        Answer { lib: "gradus".into(), point: point.into(), us, p10, p90, cpu, load_ms: None }
    }

    /// Prints it for the program that asks.
    pub fn say(&self) -> Result<(), String> {
        println!("{}", serde_json::to_string(self).map_err(|e| e.to_string())?);
        std::io::stdout().flush().map_err(|e| e.to_string())
    }
}

/// Runs each program, with these words, in turn for so many rounds, and prints what they say of the points. `order` is what they read.
pub fn compare(
    programs: &[(PathBuf, Vec<String>)],
    order: &impl Serialize,
    points: &[&str],
    options: &Options,
) -> Result<(), String> {
    let order = serde_json::to_string(order).map_err(|e| e.to_string())?;
    let mut answers: Vec<Answer> = vec![];
    for round in 0..options.rounds.unwrap_or(1).max(1) {
        for (program, words) in programs {
            eprintln!("round {}: {} {}", round + 1, program.display(), words.join(" "));
            let found = ask(program, words, &order, options)?;
            if options.json {
                found.iter().try_for_each(Answer::say)?;
            }
            answers.extend(found);
        }
    }
    if !options.json {
        print(points, &answers, options.threads);
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

/// The median over rounds of the time to load a point's file.
fn load(answers: &[Answer], point: &str, lib: &str) -> Option<f64> {
    let own = answers.iter().filter(|a| a.point == point && a.lib == lib);
    let mut values: Vec<f64> = own.filter_map(|a| a.load_ms).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn print(points: &[&str], answers: &[Answer], threads: usize) {
    let mut libs: BTreeMap<&str, ()> = answers.iter().map(|answer| (&answer.lib[..], ())).collect();
    libs.remove("gradus");
    let wide = points.iter().map(|point| point.chars().count()).max().unwrap_or(0);
    print!("{:<wide$} {:>12} {:>19}", "point", "gradus µs", "p10–p90");
    libs.keys().for_each(|lib| print!(" {lib:>14} {:>19}", "p10–p90"));
    println!("{}", if libs.is_empty() { "" } else { "    best ratio" });
    let mut lost = vec![];
    for &point in points {
        let Some(own) = median(answers, point, "gradus", threads) else { continue };
        let spread = |[_, low, high]: [f64; 3]| format!("{low:.1}–{high:.1}");
        print!("{:<wide$} {:>12.1} {:>19}", point, own[0], spread(own));
        let mut best: Option<(f64, &str)> = None;
        for &lib in libs.keys() {
            let Some(other) = median(answers, point, lib, threads) else {
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
                lost.push((ratio, point, lib));
            }
        }
        println!();
    }
    let loads = |lib: &str| -> Vec<String> {
        let of = |point: &&str| Some(format!("{:.0}", load(answers, point, lib)?));
        points.iter().filter_map(of).collect()
    };
    for lib in ["gradus"].into_iter().chain(libs.keys().copied()).filter(|lib| !loads(lib).is_empty()) {
        println!("{lib}: milliseconds from the file to the first result, point by point: {}", loads(lib).join(", "));
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
