//! `gradus export`: a trained network as an ONNX file, which other programs run.

use super::describe::size;
use crate::agreement::{self, Difference, TOLERANCE};
use crate::console;
use crate::exported::Exported;
use crate::failure::{Failure, Result};
use crate::materials;
use crate::recipe::WeightLayout;
use crate::session::Loaded;
use crate::weights;
use clap::Args;
use gradus_graph::Kind;
use gradus_onnx::OnnxError;
use gradus_onnx::export::VERSIONS;
use gradus_tensor::{Dim, Shape};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// Write a trained network as an ONNX model, which other programs run, or its weights for PyTorch
///
/// The batch stays open. The output is `probabilities`, `score` or `y`, as `gradus predict` gives them. Classes, transforms, the recipe and the
/// meaning of the input are in the file's metadata.
#[derive(Args, Debug)]
pub struct Export {
    /// The run folder, or a model file
    model: PathBuf,
    /// The file to write; of weights alone (--layout) a safetensors file
    #[arg(value_name = "MODEL.onnx")]
    output: PathBuf,
    /// The version of ONNX's operators, 17 to 21
    #[arg(long, value_name = "VERSION", default_value_t = 17, value_parser = clap::value_parser!(i64).range(VERSIONS))]
    opset: i64,
    /// Put the transforms of the data into the graph: it then takes numbers as they were read, gives values in the units of the data, and of
    /// classes a `label` too
    #[arg(long)]
    with_preprocessing: bool,
    /// Read the file back and compare with the network, on the recipe's test, validation or training data where they are found; a difference
    /// above 1e-5 of an output's largest value is a failure (exit code 5)
    #[arg(long)]
    verify: bool,
    /// Write samples with what the network says of them, to compare another program with: arrays by the names of the input and the outputs
    #[arg(long, value_name = "FILE.npz")]
    samples: Option<PathBuf>,
    /// Write the weights alone, with names and layouts of this framework: `torch` gives the `state_dict` of a PyTorch module of the same layers
    #[arg(long, value_name = "LAYOUT", conflicts_with_all = ["opset", "with_preprocessing", "verify", "samples"])]
    layout: Option<WeightLayout>,
    /// What a layer is called there, as in --name dense_1=classifier.1; others have their paths for names. May be given several times
    #[arg(long, value_name = "LAYER=NAME", requires = "layout")]
    name: Vec<String>,
    /// Print one object of JSON
    #[arg(long)]
    json: bool,
}

impl Export {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        let loaded = Loaded::read(&self.model)?;
        if let Some(layout) = self.layout {
            return self.weights(&loaded, layout);
        }
        let mut exported = Exported::new(&loaded, self.with_preprocessing)?;
        let (bytes, nodes) = exported.file(&loaded.recipe.name, self.opset).map_err(|e| self.refused(e))?;
        gradus_tensor::write_atomic(&self.output, |out| out.write_all(&bytes)).map_err(|e| {
            Failure::files(format!("cannot write {}: {e}", self.output.display()), "give another place for the model")
        })?;
        let mut report = Report { command: self, bytes: bytes.len(), nodes, samples: None, differences: vec![] };
        if self.verify || self.samples.is_some() {
            let (of, raw) = agreement::samples(&loaded, &materials::locator(&self.recipe()))?;
            let expected = exported.expected(&loaded, raw)?;
            if let Some(path) = &self.samples {
                agreement::write(path, &exported, &expected)?;
            }
            if self.verify {
                report.differences = agreement::differences(&self.output, &exported, &expected)?;
            }
            report.samples = Some(of);
        }
        match self.json {
            true => console::print_json(&report.json(&exported))?,
            false => console::print(&report.text(&exported))?,
        }
        if report.fails() {
            return Err(Failure::Check);
        }
        Ok(())
    }

    /// Writes the weights alone.
    fn weights(&self, loaded: &Loaded, layout: WeightLayout) -> Result<()> {
        let names = self.name.iter().map(|pair| {
            let (layer, name) = pair.split_once('=').ok_or_else(|| {
                Failure::usage(
                    format!("--name {pair} has no `=`"),
                    "give LAYER=NAME, as in --name dense_1=classifier.1",
                )
            })?;
            Ok((layer.to_string(), name.to_string()))
        });
        let (tensors, numbers) = weights::write(loaded, layout, &names.collect::<Result<_>>()?, &self.output)?;
        let path = self.output.display().to_string();
        match self.json {
            true => console::print_json(&json!({ "file": path, "tensors": tensors, "numbers": numbers })),
            false => console::print(&format!("{path}: {tensors} tensors, {numbers} numbers\n")),
        }
    }

    /// The layers that cannot be written, one in each line.
    fn refused(&self, error: OnnxError) -> Failure {
        let list: Vec<&str> = error.received.lines().map(str::trim).collect();
        let problem = format!("the network cannot be exported to opset {}:\n  {}", self.opset, list.join("\n  "));
        Failure::usage(problem, "leave these layers out, try another --opset, or use the model where it was made")
    }

    /// The recipe beside the weights, from where files are looked for.
    fn recipe(&self) -> PathBuf {
        match self.model.is_dir() {
            true => self.model.join("recipe.toml"),
            false => self.model.clone(),
        }
    }
}

/// What was written, and how it compares.
struct Report<'a> {
    command: &'a Export,
    bytes: usize,
    nodes: usize,
    /// The samples that were used.
    samples: Option<String>,
    differences: Vec<Difference>,
}

impl Report<'_> {
    fn fails(&self) -> bool {
        // Not `>`: what is no number is no success.
        !self.differences.iter().all(|difference| difference.largest <= TOLERANCE)
    }

    fn text(&self, exported: &Exported) -> String {
        let model = &exported.model;
        let mut text = format!(
            "{}: opset {}, {} nodes, {} parameters, {}\n",
            self.command.output.display(),
            self.command.opset,
            self.nodes,
            exported.predictor.model().parameters(),
            size(self.bytes)
        );
        let mut rows: Vec<[String; 4]> = vec![];
        for input in model.inputs() {
            let kind = if input.kind == Kind::Index { "int64" } else { "float32" };
            rows.push([format!("input {}", input.name), kind.into(), sizes(&input.shape), exported.units.clone()]);
        }
        for (name, meaning) in &exported.outputs {
            let kind = if name == crate::exported::LABEL { "int64" } else { "float32" };
            let shape = model.output_shape(name).map(sizes).unwrap_or_default();
            rows.push([format!("output {name}"), kind.into(), shape, meaning.clone()]);
        }
        text += &super::aligned(&rows, &[0, 1, 2, 3]);
        if let (Some(path), Some(samples)) = (&self.command.samples, &self.samples) {
            text += &format!("{}: {samples}\n", path.display());
        }
        if let (true, Some(samples)) = (self.command.verify, &self.samples) {
            let verdict = if self.fails() { "DIFFERS" } else { "agrees" };
            text += &format!("read back, it {verdict} on {samples}, alone and in a batch:\n");
            let line = |d: &Difference| format!("  {:13} {:.1e} (at most {TOLERANCE:e})\n", d.output, d.largest);
            text += &self.differences.iter().map(line).collect::<String>();
        }
        text
    }

    fn json(&self, exported: &Exported) -> serde_json::Value {
        let model = &exported.model;
        let shape = |name: &str| model.output_shape(name).map(sizes);
        let difference = |d: &Difference| (d.output.clone(), console::number(d.largest));
        json!({
            "file": self.command.output,
            "opset": self.command.opset,
            "nodes": self.nodes,
            "parameters": exported.predictor.model().parameters(),
            "bytes": self.bytes,
            "inputs": model.inputs().iter().map(|i| json!({ "name": i.name, "shape": sizes(&i.shape) })).collect::<Vec<_>>(),
            "outputs": exported.outputs.iter().map(|(name, _)| json!({ "name": name, "shape": shape(name) })).collect::<Vec<_>>(),
            "metadata": exported.metadata.keys().collect::<Vec<_>>(),
            "samples": self.samples,
            "differences": self.differences.iter().map(difference).collect::<serde_json::Map<_, _>>(),
            "agrees": if self.command.verify { json!(!self.fails()) } else { json!(null) },
        })
    }
}

/// `[batch, 28, 28]`
fn sizes(shape: &Shape) -> String {
    let dim = |dim: &Dim| match *dim {
        Dim::Fixed(size) => size.to_string(),
        Dim::Batch(1) => "batch".to_string(),
        Dim::Batch(times) => format!("{times}·batch"),
    };
    format!("[{}]", shape.dims().iter().map(dim).collect::<Vec<_>>().join(", "))
}
