//! `gradus data`: known data sets, where the files of a recipe are, and what any file holds.

use super::RecipeArgs;
use crate::failure::{Failure, Result};
use crate::recipe::nearest;
use crate::{console, materials};
use clap::{Args, Subcommand};
use gradus_data::{Locator, check_file, known, locator};
use std::path::PathBuf;

/// List, fetch, find and check data
#[derive(Args, Debug)]
pub struct Data {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Subcommand, Debug)]
enum DataCommand {
    /// List the data sets known by name, and where they are
    List {
        /// Print one object of JSON a line
        #[arg(long)]
        json: bool,
    },
    /// Fetch a known data set over HTTPS, or take it from a folder; checksums are compared
    Get {
        /// Its name
        name: String,
        /// Take the files from this folder
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// Store them in this folder instead of the user's cache
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Say where the files of a recipe are; exits with 3 if one is not there
    Find(RecipeArgs),
    /// Read any data or model file, or a folder of CIFAR, and say what it holds
    Check {
        /// The files; - is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print one object of JSON for each file
        #[arg(long)]
        json: bool,
    },
}

impl Data {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        match &self.command {
            DataCommand::List { json } => list(*json),
            DataCommand::Get { name, from, to } => get(name, from.as_ref(), to.as_ref()),
            DataCommand::Find(recipe) => find(recipe),
            DataCommand::Check { files, json } => check(files, *json),
        }
    }
}

fn find(args: &RecipeArgs) -> Result<()> {
    let (recipe, _) = args.load()?;
    let found = materials::find(&recipe, &materials::locator(&args.recipe))?;
    if found.is_empty() {
        return console::print(&format!("{} reads no files\n", recipe.name));
    }
    for (path, place) in found {
        console::print(&format!("{path}: {}\n", place.display()))?;
    }
    Ok(())
}

fn list(json: bool) -> Result<()> {
    for status in known::list(&Locator::from_env(None)) {
        let set = status.set;
        let embedded = set.files.is_empty();
        let place = status.folder().map(|folder| folder.display().to_string());
        if json {
            console::print_json(&serde_json::json!({
                "name": set.name, "about": set.about, "licence": set.licence, "origin": set.origin,
                "embedded": embedded, "complete": status.is_complete(), "folder": place,
                "files": set.files.iter().map(|file| file.name).collect::<Vec<_>>(),
            }))?;
            continue;
        }
        let found = status.found.iter().flatten().count();
        let state = match (embedded, status.is_complete(), place) {
            (true, ..) => "ready: embedded".to_string(),
            (_, true, Some(place)) => format!("ready: {place}"),
            (_, false, Some(place)) => format!("{found} of {} files: {place}", set.files.len()),
            _ => format!("not here: gradus data get {}", set.name),
        };
        console::print(&format!(
            "{:14} {}\n{:14} {state}\n{:14} licence: {}\n",
            set.name, set.about, "", "", set.licence
        ))?;
    }
    Ok(())
}

fn get(name: &str, from: Option<&PathBuf>, to: Option<&PathBuf>) -> Result<()> {
    if known::find(name).is_none() {
        let names: Vec<&str> = known::KNOWN.iter().map(|set| set.name).collect();
        let names = nearest::sorted(name, &names);
        return Err(Failure::usage(
            format!("no data set is known as `{name}`"),
            format!("known: {}", names.join(", ")),
        ));
    }
    let Some(cache) = to.cloned().or_else(locator::cache_folder) else {
        return Err(Failure::usage("there is no folder to store data in", "set HOME, or say --to DIR"));
    };
    let mut shown = String::new();
    let mut progress = |file: &str, done: u64, all: u64| {
        let line = format!("{file}: {} %", done.min(all) * 100 / all.max(1));
        if console::watched() && line != shown {
            console::say(&format!("\r\x1b[K{line}"));
            shown = line;
        }
    };
    let got = known::get(name, from.map(PathBuf::as_path), &cache, &mut progress);
    if !shown.is_empty() {
        console::say("\r\x1b[K");
    }
    let got = got?;
    if got.stored.is_empty() && got.present.is_empty() {
        return console::print(&format!("{name} is embedded: nothing to fetch\n"));
    }
    for (files, word) in [(&got.stored, "stored"), (&got.present, "already there")] {
        for file in files {
            console::print(&format!("{word}: {}\n", file.display()))?;
        }
    }
    Ok(())
}

/// Checks every file; the last error, if there is one, ends the command.
fn check(files: &[PathBuf], json: bool) -> Result<()> {
    let mut failed = None;
    for file in files {
        match check_file(file) {
            Ok(report) if json => {
                let value =
                    serde_json::to_value(&report).map_err(|e| Failure::usage(e.to_string(), "leave out --json"))?;
                console::print_json(&value)?;
            }
            Ok(report) => console::print(&format!("{report}\n"))?,
            Err(error) => {
                if json {
                    let name = file.display().to_string();
                    console::print_json(&serde_json::json!({ "file": name, "error": error.to_string() }))?;
                }
                if let Some(earlier) = failed.replace(Failure::from(error)) {
                    earlier.print();
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}
