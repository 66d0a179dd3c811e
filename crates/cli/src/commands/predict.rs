//! `gradus predict`: what a trained network says of new data.

use crate::console;
use crate::failure::{Failure, Result};
use crate::network::OUTPUT;
use crate::onnx::loaded::{self, is_onnx};
use crate::session::Loaded;
use clap::Args;
use gradus_data::{Dataset, Locator, Source};
use gradus_nn::AnyLoss;
use gradus_nn::losses::{Loss, Task};
use gradus_onnx::{ModelFile, inputs};
use gradus_train::Predictor;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Predict classes with their probabilities, or values in the units of the data, as CSV
///
/// The columns are `class` and one `p_NAME` for each class (or `score`, for a loss without probabilities), or one for each
/// predicted value. Columns of a CSV file are found
/// by their names; a target column is left out.
#[derive(Args, Debug)]
pub struct Predict {
    /// The run folder, a model file, or an ONNX file
    model: PathBuf,
    /// The inputs: a CSV, NPY, NPZ or IDX file, or texts, one in each line; - is standard input
    #[arg(long, value_name = "FILE")]
    input: String,
    /// Where the predictions go: a CSV file, or - for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: String,
}

impl Predict {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        let locator = Locator::new(["."]);
        let (loaded, data) = if is_onnx(&self.model) {
            self.onnx(&locator)?
        } else {
            let loaded = Loaded::read(&self.model)?;
            let source = Source::for_inputs(&self.input, Some(&loaded.recipe.data.train), &locator)?;
            let data = source.read_inputs(&locator, &loaded.schema)?;
            (loaded, data)
        };
        gradus_data::check::check_part(&data, "input")?;
        let data = loaded.transforms.apply(data)?;
        let loss: &AnyLoss = &loaded.recipe.train.loss;
        let mut predictor = Predictor::new(&loaded.model, OUTPUT, Some(loss), &loaded.state)?;
        let width = predictor.width();
        let mut predicted = predictor.predict(data.input_values())?;
        let mut text = String::new();
        let scores = loaded.model.output_shape(OUTPUT).is_some_and(|y| loss.task(y) == Task::Sign);
        match loaded.schema.classes() {
            Some(classes) if scores && width == 1 && classes.len() == 2 => {
                text += "class,score\n";
                for row in predicted.chunks_exact(1) {
                    text += &format!("{},{}\n", cell(&classes[predictor.class_of(row)]), row[0]);
                }
            }
            Some(classes) if width == classes.len() || width == 1 && classes.len() == 2 => {
                let names = classes.iter().map(|name| cell(&format!("p_{name}")));
                text += &format!("class,{}\n", names.collect::<Vec<_>>().join(","));
                for row in predicted.chunks_exact(width) {
                    let class = &classes[predictor.class_of(row)];
                    let shares: Vec<String> = match row {
                        [yes] => vec![(1.0 - yes).to_string(), yes.to_string()],
                        several => several.iter().map(f32::to_string).collect(),
                    };
                    text += &format!("{},{}\n", cell(class), shares.join(","));
                }
            }
            _ => {
                loaded.transforms.inverse_target(&mut predicted, width)?;
                let names: Vec<String> = match &loaded.schema.target {
                    gradus_data::TargetSchema::Values(names) if names.len() == width => names.clone(),
                    _ => (0..width).map(|k| format!("y{k}")).collect(),
                };
                text += &format!("{}\n", names.iter().map(|name| cell(name)).collect::<Vec<_>>().join(","));
                for row in predicted.chunks_exact(width) {
                    text += &format!("{}\n", row.iter().map(f32::to_string).collect::<Vec<_>>().join(","));
                }
            }
        }
        if self.output == "-" {
            return console::print(&text);
        }
        let path = Path::new(&self.output);
        gradus_tensor::write_atomic(path, |out| out.write_all(text.as_bytes())).map_err(|e| {
            Failure::files(
                format!("cannot write {}: {e}", path.display()),
                "give another --output, or - for standard output",
            )
        })
    }
}

impl Predict {
    /// An ONNX file with inputs for it. Where its metadata do not say how data are read, the inputs' own shape counts.
    fn onnx(&self, locator: &Locator) -> Result<(Loaded, Dataset)> {
        let file = ModelFile::open(&self.model)?;
        let source = Source::for_inputs(&self.input, None, locator)?;
        if inputs::text(&file, "schema").is_some() {
            let loaded = loaded::load(&self.model, None)?;
            let data = source.read_inputs(locator, &loaded.schema)?;
            return Ok((loaded, data));
        }
        let data = source.read(locator)?;
        let loaded = loaded::load(&self.model, Some(data.feature_shape()))?;
        if let [first, _, ..] = &inputs::outputs(&file)[..] {
            console::say(&format!("predicted is `{}`, the first of several outputs\n", first.name));
        }
        Ok((loaded, data))
    }
}

/// A cell of a CSV file.
fn cell(text: &str) -> String {
    let plain = !text.contains([',', '"', '\n', '\r']);
    if plain { text.to_string() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}
