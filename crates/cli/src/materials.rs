//! The data of a recipe: read, split, checked and transformed.

use crate::failure::{Failure, Result};
use crate::recipe::{DataSection, Part, Recipe};
use gradus_data::text::vocabulary::Vocabulary;
use gradus_data::{Dataset, FittedPipeline, Locator, Schema, Source, check, hold_out};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All that a recipe learns from, ready for training.
pub struct Materials {
    /// To train on.
    pub train: Arc<Dataset>,
    /// To watch the training with.
    pub valid: Option<Dataset>,
    /// To judge the result with.
    pub test: Option<Dataset>,
    /// How other data are read alike.
    pub schema: Schema,
    /// How other data are transformed alike.
    pub transforms: FittedPipeline,
    /// Where further files are looked for: word vectors.
    pub locator: Locator,
}

/// Where a recipe's files are looked for.
pub fn locator(recipe: &Path) -> Locator {
    Locator::from_env(recipe.parent().filter(|folder| !folder.as_os_str().is_empty()))
}

/// The data of a recipe as they were read: neither split nor transformed.
pub struct Raw {
    whole: Dataset,
    valid: Option<Dataset>,
    test: Option<Dataset>,
    schema: Schema,
    locator: Locator,
}

impl Raw {
    /// Reads and checks.
    ///
    /// # Errors
    /// Whatever is wrong with the data.
    pub fn read(data: &DataSection, locator: &Locator) -> Result<Raw> {
        let whole = data.train.read(locator)?;
        check::check_part(&whole, "training")?;
        let schema = whole.schema();
        let part = |part: &Option<Part>, name: &str| -> Result<Option<Dataset>> {
            let Some(Part::Source(source)) = part else { return Ok(None) };
            let data = source.read_like(locator, &schema)?;
            check::check_part(&data, name)?;
            Ok(Some(data))
        };
        let (test, valid) = (part(&data.test, "test")?, part(&data.valid, "validation")?);
        Ok(Raw { whole, valid, test, schema, locator: locator.clone() })
    }

    /// About how many bytes a copy takes.
    pub fn bytes(&self) -> usize {
        let of = |data: &Dataset| data.len() * (data.feature_len() + data.target().width()) * 4;
        of(&self.whole) + self.valid.as_ref().map_or(0, of) + self.test.as_ref().map_or(0, of)
    }

    /// Splits and transforms copies, so that other seeds can follow. `data` may have other transforms than what was read.
    ///
    /// # Errors
    /// A split or transform that does not fit.
    pub fn materials(&self, data: &DataSection, seed: u64) -> Result<Materials> {
        make(
            data,
            seed,
            Cow::Borrowed(&self.whole),
            [self.valid.clone(), self.test.clone()],
            &self.schema,
            &self.locator,
        )
    }
}

/// Splits and transforms.
fn make(
    data: &DataSection,
    seed: u64,
    whole: Cow<'_, Dataset>,
    [valid, test]: [Option<Dataset>; 2],
    schema: &Schema,
    locator: &Locator,
) -> Result<Materials> {
    let mut schema = schema.clone();
    let mut held = vec![];
    for part in [&data.test, &data.valid] {
        if let Some(Part::Held(holdout)) = part {
            held.push(holdout.clone());
        }
    }
    let (train, mut parts) = match held.is_empty() {
        true => (whole.into_owned(), vec![]),
        false => hold_out(&whole, &held, seed)?,
    };
    let mut part = |part: &Option<Part>, read: Option<Dataset>| match part {
        Some(Part::Held(_)) => Some(parts.remove(0)),
        _ => read,
    };
    let (test, valid) = (part(&data.test, test), part(&data.valid, valid));
    let (train, valid, test) = match Vocabulary::fit(&train) {
        None => (train, valid, test),
        Some(vocabulary) => {
            if !data.transforms.is_empty_for_inputs() {
                let problem = "transforms of the inputs do not suit texts, which are ids of words";
                return Err(Failure::usage(problem, "leave them out: an embedding learns what each word means"));
            }
            schema.text = Some(vocabulary.text().clone());
            let apply = |data: Dataset| vocabulary.apply(data);
            (apply(train), valid.map(apply), test.map(apply))
        }
    };
    let (transforms, train) = data.transforms.fit_apply(train)?;
    let train = train.with_augmentation(&data.augment)?;
    let apply = |data: Option<Dataset>| data.map(|data| transforms.apply(data)).transpose();
    let (valid, test) = (apply(valid)?, apply(test)?);
    Ok(Materials { train: Arc::new(train), valid, test, schema, transforms, locator: locator.clone() })
}

impl Materials {
    /// Reads, splits, checks and transforms.
    ///
    /// # Errors
    /// Whatever is wrong with the data.
    pub fn load(recipe: &Recipe, locator: &Locator) -> Result<Materials> {
        let Raw { whole, valid, test, schema, .. } = Raw::read(&recipe.data, locator)?;
        make(&recipe.data, recipe.seed, Cow::Owned(whole), [valid, test], &schema, locator)
    }

    /// One part by its name.
    ///
    /// # Errors
    /// A part that the recipe does not have.
    pub fn part(&self, name: &str) -> Result<&Dataset> {
        let part = match name {
            "train" => Some(&*self.train),
            "valid" => self.valid.as_ref(),
            _ => self.test.as_ref(),
        };
        part.ok_or_else(|| {
            let help = format!("add `{name}` to its [data], for example {name} = {{ fraction = 0.1 }}");
            Failure::usage(format!("the recipe has no {name} data"), help)
        })
    }
}

/// The recipe with every path that was found made absolute, so that it means the same files from any folder.
pub fn with_absolute_paths(recipe: &Recipe, locator: &Locator) -> Recipe {
    let mut recipe = recipe.clone();
    each_path(&mut recipe, &mut |path| {
        if let Ok(found) = locator.find_entry(path) {
            *path = std::path::absolute(&found).unwrap_or(found).display().to_string();
        }
    });
    recipe
}

/// The files and folders that a recipe reads, each once, with where they were found.
///
/// # Errors
/// The first that is not there.
pub fn find(recipe: &Recipe, locator: &Locator) -> Result<Vec<(String, PathBuf)>> {
    let mut paths: Vec<String> = vec![];
    each_path(&mut recipe.clone(), &mut |path| {
        if !paths.contains(path) {
            paths.push(path.clone());
        }
    });
    paths.into_iter().map(|path| Ok((path.clone(), locator.find_entry(&path)?))).collect()
}

/// Everything in a recipe that names a file or folder to read; standard input is none.
fn each_path(recipe: &mut Recipe, place: &mut impl FnMut(&mut String)) {
    let mut place = |path: &mut String| {
        if path != "-" {
            place(path);
        }
    };
    if let Some(file) = &mut recipe.model.onnx {
        place(file);
    }
    if let Some(init) = &mut recipe.model.init {
        place(&mut init.from);
    }
    if let Ok(known) = toml::Value::try_from(&recipe.model) {
        let mut found = known.clone();
        each_vectors(&mut found, &mut place);
        if found != known
            && let Ok(model) = found.try_into()
        {
            recipe.model = model;
        }
    }
    let mut sources = vec![&mut recipe.data.train];
    for part in [&mut recipe.data.valid, &mut recipe.data.test] {
        if let Some(Part::Source(source)) = part {
            sources.push(source);
        }
    }
    for source in sources {
        match source.origin_mut() {
            Source::Idx(idx) => [Some(&mut idx.images), idx.labels.as_mut()].into_iter().flatten().for_each(&mut place),
            Source::Npy(npy) => [Some(&mut npy.data), npy.label.as_mut()].into_iter().flatten().for_each(&mut place),
            Source::Npz(npz) => place(&mut npz.path),
            Source::Csv(csv) => place(&mut csv.path),
            Source::Cifar(cifar) => place(&mut cifar.path),
            Source::Text(text) if text.embedded.is_some() => {}
            Source::Text(text) => place(&mut text.path),
            Source::Embedded(_) | Source::Take(_) | Source::Augmented(_) => {}
        }
    }
}

/// Every `vectors` that names a file, in layers at any depth.
fn each_vectors(value: &mut toml::Value, place: &mut impl FnMut(&mut String)) {
    match value {
        toml::Value::Table(table) => table.iter_mut().for_each(|(key, value)| match value {
            toml::Value::String(path) if key == "vectors" => place(path),
            value => each_vectors(value, place),
        }),
        toml::Value::Array(list) => list.iter_mut().for_each(|value| each_vectors(value, place)),
        _ => {}
    }
}
