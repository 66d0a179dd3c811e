//! Models of every recipe, trained for a moment and exported in several ways, for other programs to be compared with.

use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Command;

const RECIPES: &str = "../recipes";
const VERSIONS: [&str; 2] = ["17", "21"];

/// What is exported, and where to.
#[derive(Args)]
pub struct Options {
    /// The folder for models, samples and runs
    folder: PathBuf,
    /// The program; without it, the one beside this
    #[arg(long)]
    gradus: Option<PathBuf>,
    /// Only recipes and variants whose name holds this
    #[arg(long, default_value = "")]
    only: String,
    /// The steps of training
    #[arg(long, default_value_t = 100)]
    steps: usize,
}

/// A recipe, or one of its variants.
struct Subject {
    name: String,
    recipe: PathBuf,
    variant: Option<String>,
    /// It comes from an ONNX file itself.
    grafted: bool,
}

/// Trains each recipe and each variant for some steps and exports it: `FOLDER/NAME/17.onnx`, `17-raw.onnx` with the transforms inside, and
/// the same for 21, with samples beside each. Then trains on from the first of them.
pub fn run(options: &Options) -> Result<(), String> {
    let beside = std::env::current_exe().map_err(|e| e.to_string())?.with_file_name("gradus");
    let program = options.gradus.clone().unwrap_or(beside);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECIPES);
    let mut failed = vec![];
    for subject in subjects(&root)?.into_iter().filter(|subject| subject.name.contains(&options.only)) {
        let found = Command::new(&program).args(["data", "find"]).arg(&subject.recipe).output();
        if found.map_err(|e| format!("{}: {e}", program.display()))?.status.code() == Some(3) {
            println!("skipped: {} reads files that are not here", subject.name);
            continue;
        }
        let folder = options.folder.join(&subject.name);
        if let Err(why) = export(&program, &subject, &folder, options.steps) {
            println!("FAILED: {}: {why}", subject.name);
            failed.push(subject.name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not exported: {}", failed.join(", "))) }
}

/// All recipes in a folder and those below it, each with its variants.
fn subjects(folder: &Path) -> Result<Vec<Subject>, String> {
    let mut found = vec![];
    let mut folders = vec![(folder.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
            let recipe = entry.map_err(|e| e.to_string())?.path();
            let stem = recipe.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{prefix}{stem}");
            if recipe.is_dir() {
                folders.push((recipe, format!("{name}-")));
                continue;
            }
            if recipe.extension().is_none_or(|ending| ending != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&recipe).map_err(|e| format!("{}: {e}", recipe.display()))?;
            let table: toml::Table = text.parse().map_err(|e| format!("{}: {e}", recipe.display()))?;
            let grafted = table.get("model").and_then(|model| model.get("onnx")).is_some();
            for variant in table.get("variants").and_then(toml::Value::as_array).into_iter().flatten() {
                let Some(variant) = variant.get("name").and_then(toml::Value::as_str) else { continue };
                let plain: String = variant.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
                let (name, variant) = (format!("{name}-{plain}"), Some(variant.to_string()));
                found.push(Subject { name, recipe: recipe.clone(), variant, grafted });
            }
            found.push(Subject { name, recipe, variant: None, grafted });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn export(program: &Path, subject: &Subject, folder: &Path, steps: usize) -> Result<(), String> {
    let run = folder.join("run");
    finish(&mut subject.training(program, &run, steps))?;
    for version in VERSIONS {
        for (suffix, option) in [("", None), ("-raw", Some("--with-preprocessing"))] {
            let file = folder.join(format!("{version}{suffix}.onnx"));
            let mut export = Command::new(program);
            export.arg("export").arg(&run).arg(&file).args(["--opset", version, "--verify", "--samples"]);
            export.arg(file.with_extension("npz")).args(option);
            let said = finish(&mut export)?;
            let differences = said.lines().filter(|line| line.contains("at most")).map(str::trim);
            println!("{} {version}{suffix}: {}", subject.name, differences.collect::<Vec<_>>().join("; "));
        }
    }
    if subject.grafted {
        return Ok(());
    }
    let file = folder.join(format!("{}.onnx", VERSIONS[0]));
    let file = std::path::absolute(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut again = subject.training(program, &folder.join("again"), steps);
    again.args(["--set", &format!("model.onnx={:?}", file.display().to_string()), "--set", "model.layers=[]"]);
    // Small steps: batch norms are part of the products by now.
    again.args(["--set", "train.optimizer={ adam = { lr = 1e-5 } }"]);
    finish(&mut again)?;
    println!("{}: trained on from the file", subject.name);
    Ok(())
}

impl Subject {
    /// Training for some steps.
    fn training(&self, program: &Path, run: &Path, steps: usize) -> Command {
        let mut train = Command::new(program);
        train.arg("train").arg(&self.recipe).arg("--run-dir").arg(run).args(["--overwrite", "--quiet"]);
        train.args(["--set", "train.epochs=1", "--set", &format!("train.stop=[{{ steps = {steps} }}]")]);
        if let Some(variant) = &self.variant {
            train.args(["--variant", variant]);
        }
        train
    }
}

/// Runs a command to its end; what it printed, or what went wrong.
fn finish(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| e.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(format!("{} {}", text(&output.stdout), text(&output.stderr))),
    }
}
