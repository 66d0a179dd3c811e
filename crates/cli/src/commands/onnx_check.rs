//! `gradus onnx-check`: the standard's test cases, run by our importer.

use crate::console;
use crate::failure::{Failure, Result};
use clap::Args;
use gradus_onnx::check::{self, Case, Outcome};
use gradus_onnx::{Limits, OnnxError};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Run ONNX test cases: folders with model.onnx and test_data_set_N of input_M.pb and output_M.pb
///
/// Folders are searched for cases. Shapes and kinds must be equal, values within rtol 1e-3 and atol 1e-7. Inputs of whole numbers and truth
/// values are bound as constants.
#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 all cases pass, 1 some are wrong, 2 some cannot be read (and none is wrong), \
    3 the others pass and some ask for what is not supported.")]
pub struct OnnxCheck {
    /// Folders with cases
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Compare the inputs' gradients too, where a case holds grad_M.pb and cotangent_M.pb
    #[arg(long)]
    grad: bool,
    /// Print one object of JSON
    #[arg(long, conflicts_with = "by_operator")]
    json: bool,
    /// Print a table of operators (Markdown) instead of the cases
    #[arg(long)]
    by_operator: bool,
    /// The most memory that one value, or all stored values of a model, may take
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().memory)]
    memory: u64,
}

impl OnnxCheck {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        let limits = Limits { memory: self.memory };
        let mut cases = vec![];
        for folder in &self.folders {
            let found = check::cases(folder).map_err(|e| Failure::files(e.to_string(), "give folders with cases"))?;
            if found.is_empty() {
                let problem = format!("there is no model.onnx in or below {}", folder.display());
                return Err(Failure::files(problem, "give folders in the layout of the standard's cases"));
            }
            for folder in found {
                let case = check::run(&folder, self.grad, limits);
                if !self.json && !self.by_operator {
                    console::print(&line(&case))?;
                }
                cases.push(case);
            }
        }
        let counts = Counts::of(cases.iter());
        if self.json {
            console::print_json(&report(&cases, &counts))?;
        } else if self.by_operator {
            console::print(&table(&cases))?;
        }
        if !self.json {
            console::print(&format!("{counts}\n{}", missing(&cases)))?;
        }
        match counts {
            Counts { wrong: 1.., .. } => Err(Failure::Own(1)),
            Counts { unreadable: 1.., .. } => Err(Failure::Own(2)),
            Counts { unsupported: 1.., .. } => Err(Failure::Own(3)),
            Counts { .. } => Ok(()),
        }
    }
}

#[derive(Default)]
struct Counts {
    pass: usize,
    wrong: usize,
    unreadable: usize,
    unsupported: usize,
}

impl Counts {
    fn of<'a>(cases: impl Iterator<Item = &'a Case>) -> Counts {
        let mut counts = Counts::default();
        for case in cases {
            match case.outcome {
                Outcome::Pass(_) => counts.pass += 1,
                Outcome::Wrong(_) => counts.wrong += 1,
                Outcome::Unreadable(_) => counts.unreadable += 1,
                Outcome::Unsupported(..) => counts.unsupported += 1,
            }
        }
        counts
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { pass, wrong, unreadable, unsupported } = self;
        write!(f, "{pass} pass, {wrong} wrong, {unreadable} unreadable, {unsupported} unsupported")
    }
}

fn name(case: &Case) -> String {
    case.folder.file_name().map_or_else(|| case.folder.display().to_string(), |n| n.to_string_lossy().into_owned())
}

/// One case in a line.
fn line(case: &Case) -> String {
    let name = name(case);
    match &case.outcome {
        Outcome::Pass(d) if d.name.is_empty() => format!("pass         {name}  (no data)\n"),
        Outcome::Pass(d) => format!("pass         {name}  {:.1e} in `{}`\n", d.error, d.name),
        Outcome::Wrong(m) => {
            format!("WRONG        {name}  `{}`: expected {}, received {}\n", m.name, m.expected, m.received)
        }
        Outcome::Unreadable(e) => format!("UNREADABLE   {name}  {}\n", reason(e)),
        Outcome::Unsupported(e, _) => format!("unsupported  {name}  {}\n", reason(e)),
    }
}

fn reason(e: &OnnxError) -> String {
    format!("{}: expected {}, received {}", e.place, e.expected, e.received)
}

/// The operators that are missing, with the number of cases that ask for each.
fn missing(cases: &[Case]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases {
        if let Outcome::Unsupported(_, missing) = &case.outcome {
            missing.iter().for_each(|operator| *counts.entry(operator).or_default() += 1);
        }
    }
    if counts.is_empty() {
        return String::new();
    }
    let list: Vec<String> = counts.into_iter().map(|(operator, count)| format!("{operator} ({count})")).collect();
    format!("operators that are missing: {}\n", list.join(", "))
}

/// The name under which a case of several operators is counted.
const SEVERAL: &str = "(several operators)";

/// A row for each operator, of the cases that are of it alone.
fn table(cases: &[Case]) -> String {
    let mut rows: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        let row = if let [one] = &case.operators[..] { one } else { SEVERAL };
        rows.entry(row).or_default().push(case);
    }
    let mut text = "| operator | pass | wrong | unreadable | unsupported |\n|---|---|---|---|---|\n".to_string();
    for (operator, cases) in rows {
        let Counts { pass, wrong, unreadable, unsupported } = Counts::of(cases.into_iter());
        text += &format!("| {operator} | {pass} | {wrong} | {unreadable} | {unsupported} |\n");
    }
    text + "\n"
}

fn report(cases: &[Case], counts: &Counts) -> serde_json::Value {
    let error =
        |e: &OnnxError| json!({ "place": e.place, "expected": e.expected, "received": e.received, "help": e.help });
    let one = |case: &Case| {
        let (outcome, details) = match &case.outcome {
            Outcome::Pass(d) => ("pass", json!({ "error": d.error, "output": d.name })),
            Outcome::Wrong(m) => ("wrong", json!({ "output": m.name, "expected": m.expected, "received": m.received })),
            Outcome::Unreadable(e) => ("unreadable", error(e)),
            Outcome::Unsupported(e, missing) => {
                let mut details = error(e);
                details["missing"] = json!(missing);
                ("unsupported", details)
            }
        };
        json!({ "case": case.folder, "operators": case.operators, "outcome": outcome, "details": details })
    };
    json!({
        "cases": cases.iter().map(one).collect::<Vec<_>>(),
        "pass": counts.pass, "wrong": counts.wrong, "unreadable": counts.unreadable, "unsupported": counts.unsupported,
    })
}
