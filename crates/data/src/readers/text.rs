//! Texts with labels: a column of a table, a folder with a folder of `.txt` files for each class, or a file with a text in each line.
//!
//! ```toml
//! train = { text = { path = "reviews.csv", column = "text", target = "label", vocabulary = 5000, length = 100 } }
//! train = { text = { path = "reviews/train", sentences = 12, length = 30 } }     # reviews/train/good/1.txt, …
//! train = { text = { path = "lines.txt" } }                                      # `label<TAB>text` or `__label__good text`
//! train = { text = { embedded = "incidents", sentences = 8, length = 16 } }
//! ```

use super::csv::ColumnRef;
use super::table::{Dialect, Table};
use super::view::View;
use super::{CsvSource, EmbeddedText, Stream};
use crate::dataset::{Dataset, Target};
use crate::error::{DataError, list};
use crate::locator::Locator;
use crate::schema::Schema;
use crate::text::Split;
use crate::text::TextOptions;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What fastText puts before a label.
const LABEL: &str = "__label__";

/// Texts with a class each.
///
/// Other data of the same recipe are cut as the training data are, and need no options but those of the file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSource {
    /// A table (`.csv`, `.tsv`, or any file if `column` is given); a folder; or a file with a text in each line. `-` is standard
    /// input with a text in each line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Texts that are part of the program, instead of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedded: Option<EmbeddedText>,
    /// The column of a table that holds the texts: by name or position; `"text"` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<ColumnRef>,
    /// The column of a table that holds the labels; without it there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ColumnRef>,
    /// Whether the first row of a table holds the names of the columns.
    #[serde(default = "yes")]
    pub header: bool,
    /// What stands between the cells of a table: a comma, or a tab in a `.tsv` file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether capital letters become small ones first.
    #[serde(default = "yes")]
    pub lower: bool,
    /// What a token is: `"words"`, `"spaces"` or `"characters"`.
    #[serde(default)]
    pub split: Split,
    /// The most ids, those of padding and the unknown word included; see [`TextOptions::vocabulary`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<usize>,
    /// How often a word must occur in the training data to be kept.
    #[serde(default = "one")]
    pub min_count: usize,
    /// How many tokens a sequence has; see [`TextOptions::length`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// How many sentences a text has, for texts of two levels; see [`TextOptions::sentences`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentences: Option<usize>,
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

/// Texts as they were read, with the place of each.
struct Texts {
    texts: Vec<String>,
    labels: Vec<Option<String>>,
    places: Vec<String>,
    /// What to call the whole in errors.
    file: String,
}

impl TextSource {
    /// The texts at `path` with every option at its default.
    pub fn new(path: impl Into<String>) -> TextSource {
        TextSource {
            path: path.into(),
            embedded: None,
            column: None,
            target: None,
            header: true,
            delimiter: None,
            lower: true,
            split: Split::default(),
            vocabulary: None,
            min_count: 1,
            length: None,
            sentences: None,
        }
    }

    /// How texts become ids.
    pub fn options(&self) -> TextOptions {
        TextOptions {
            lower: self.lower,
            split: self.split,
            vocabulary: self.vocabulary,
            min_count: self.min_count,
            length: self.length,
            sentences: self.sentences,
        }
    }

    /// The file, folder or set.
    pub(super) fn name(&self) -> String {
        self.embedded.map_or_else(|| self.path.clone(), |set| set.name().to_string())
    }

    pub(super) fn read(&self, locator: &Locator, schema: Option<&Schema>) -> Result<Dataset, DataError> {
        let texts = self.load(locator)?;
        let target = texts.target(schema)?;
        self.encode(texts, target, schema)
    }

    pub(super) fn read_inputs(&self, locator: &Locator, schema: &Schema) -> Result<Dataset, DataError> {
        let texts = TextSource { target: None, ..self.clone() }.load(locator)?;
        self.encode(texts, Target::None, Some(schema))
    }

    fn encode(&self, texts: Texts, target: Target, schema: Option<&Schema>) -> Result<Dataset, DataError> {
        let place = |i: usize| texts.places[i].clone();
        let (text, encoded) = match schema {
            None => self.options().read(&texts.texts, &place)?,
            Some(Schema { text: Some(text), .. }) => (text.clone(), text.encode_at(&texts.texts, &place)?),
            Some(_) => {
                return Err(DataError::Mismatch {
                    expected: "data of the kind that was trained on".to_string(),
                    received: format!("texts in {}", texts.file),
                    help: "the model was not trained on texts; give numbers".to_string(),
                });
            }
        };
        Dataset::of_texts(text, encoded, target).map_err(|e| e.of(&texts.file))
    }

    fn load(&self, locator: &Locator) -> Result<Texts, DataError> {
        let option = |received: &str, expected: &str| {
            Err(DataError::Option { option: "text", received: received.to_string(), expected: expected.to_string() })
        };
        match (self.embedded, self.path.is_empty()) {
            (Some(_), false) => return option("`path` and `embedded`", "give one of the two"),
            (None, true) => return option("without `path` and `embedded`", "say where the texts are"),
            (Some(set), true) => {
                let (texts, labels): (Vec<_>, Vec<_>) = set.texts().into_iter().unzip();
                let places = (0..texts.len()).map(|i| format!("{}, text {i}", set.name())).collect();
                let labels = labels.into_iter().map(Some).collect();
                return Ok(Texts { texts, labels, places, file: set.name().to_string() });
            }
            (None, false) => {}
        }
        let place = locator.find_entry(&self.path)?;
        let ends = |end: &str| {
            let name = place.to_string_lossy();
            let name = name.trim_end_matches(".gz").trim_end_matches(".xz");
            name.to_ascii_lowercase().ends_with(end)
        };
        if place.is_dir() {
            read_folder(&place)
        } else if place != Path::new("-") && !ends(".txt") && (self.column.is_some() || ends(".csv") || ends(".tsv")) {
            self.read_table(&place, ends(".tsv"))
        } else {
            read_lines(&place)
        }
    }

    fn read_table(&self, place: &Path, tabs: bool) -> Result<Texts, DataError> {
        let delimiter = self.delimiter.unwrap_or(if tabs { '\t' } else { ',' });
        let Some(byte) = u8::try_from(delimiter).ok().filter(u8::is_ascii) else {
            let (received, expected) = (format!("{delimiter:?}"), "it must be one ASCII character".to_string());
            return Err(DataError::Option { option: "text.delimiter", received, expected });
        };
        let table = Table::load(place, &Dialect { delimiter: byte, comment: None, skip_lines: 0 })?;
        let csv = CsvSource { header: self.header, ..CsvSource::new(self.path.clone()) };
        let view = View::new(&csv, &table, self.header)?;
        let column = match &self.column {
            Some(column) => view.find("text.column", column)?,
            None => view.find_name("text")?,
        };
        let target = self.target.as_ref().map(|target| view.find("text.target", target)).transpose()?;
        let rows: Vec<usize> = (view.first..table.rows()).collect();
        let labels = match target {
            Some(target) => view.names_of(target, &rows)?.into_iter().map(Some).collect(),
            None => vec![None; rows.len()],
        };
        let texts = rows.iter().map(|&row| table.cell(row, column).to_string()).collect();
        let places = rows.iter().map(|&row| format!("{}, line {}", table.file, table.line(row))).collect();
        Ok(Texts { texts, labels, places, file: table.file })
    }
}

impl Texts {
    /// The classes: all texts have one, or none has.
    fn target(&self, schema: Option<&Schema>) -> Result<Target, DataError> {
        let labelled = self.labels.iter().filter(|label| label.is_some()).count();
        if labelled == 0 {
            return Ok(Target::None);
        }
        if let Some(i) = self.labels.iter().position(Option::is_none) {
            return Err(DataError::unfit(
                format!("{}: the text has no label, but {labelled} of {} have one", self.places[i], self.texts.len()),
                "write `label<TAB>text` or `__label__NAME text` in each line",
            ));
        }
        let labels: Vec<&str> = self.labels.iter().flatten().map(String::as_str).collect();
        let known = schema.and_then(Schema::classes);
        if let Some(known) = known
            && let Some(i) = labels.iter().position(|label| !known.iter().any(|class| class == label))
        {
            return Err(DataError::unfit(
                format!("{}: label {:?} is none of the known classes {}", self.places[i], labels[i], list(known)),
                "correct the label, or train on data that have this class",
            ));
        }
        Target::from_labels(&labels, known).map_err(|e| e.of(&self.file))
    }
}

/// The text of a file, which must be UTF-8.
fn content(place: &Path, file: &str) -> Result<String, DataError> {
    let mut bytes = vec![];
    Stream::open(place)?.read_to_end(&mut bytes).map_err(|e| DataError::read(file, e))?;
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        let problem = "it is not UTF-8 text".to_string();
        let help = "save the file as UTF-8".to_string();
        DataError::Cell { file: file.to_string(), line: line as u64, column: None, problem, help }
    })
}

/// A text in each line that is not empty, after its label: `__label__NAME text` or `label<TAB>text`.
fn read_lines(place: &Path) -> Result<Texts, DataError> {
    let file = if place == Path::new("-") { "standard input".to_string() } else { place.display().to_string() };
    let content = content(place, &file)?;
    let mut found = Texts { texts: vec![], labels: vec![], places: vec![], file };
    for (i, line) in content.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = format!("{}, line {}", found.file, i + 1);
        let (label, text) = match line.trim_start().strip_prefix(LABEL) {
            Some(rest) => {
                let (label, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                if text.trim_start().starts_with(LABEL) {
                    return Err(DataError::unfit(
                        format!("{at}: the text has several labels, but one is expected"),
                        "keep one label in each line",
                    ));
                }
                (Some(label), text)
            }
            None => line.split_once('\t').map_or((None, line), |(label, text)| (Some(label), text)),
        };
        if label.is_some_and(|label| label.trim().is_empty()) {
            return Err(DataError::unfit(format!("{at}: the label is empty"), "write the name of the class there"));
        }
        found.labels.push(label.map(|label| label.trim().to_string()));
        found.texts.push(text.to_string());
        found.places.push(at);
    }
    match found.texts.is_empty() {
        true => Err(DataError::Table {
            file: found.file,
            problem: "it has no texts".to_string(),
            help: "give a file with a text in each line".to_string(),
        }),
        false => Ok(found),
    }
}

/// The `.txt` files of a folder: of its folders, which are the classes, or without a class if they lie in it.
fn read_folder(folder: &Path) -> Result<Texts, DataError> {
    let file = folder.display().to_string();
    let mut found = Texts { texts: vec![], labels: vec![], places: vec![], file: file.clone() };
    let mut add = |label: Option<String>, place: PathBuf| -> Result<(), DataError> {
        let shown = place.display().to_string();
        found.texts.push(content(&place, &shown)?);
        found.labels.push(label);
        found.places.push(shown);
        Ok(())
    };
    let (files, folders): (Vec<PathBuf>, Vec<PathBuf>) =
        entries(folder)?.into_iter().partition(|entry| entry.is_file());
    for place in files.into_iter().filter(|place| is_text(place)) {
        add(None, place)?;
    }
    for class in folders {
        let name = class.file_name().map(|name| name.to_string_lossy().into_owned());
        for place in entries(&class)?.into_iter().filter(|place| is_text(place)) {
            add(name.clone(), place)?;
        }
    }
    match found.texts.is_empty() {
        true => Err(DataError::Table {
            file,
            problem: "it has no .txt files".to_string(),
            help: "put the texts of each class into a folder named after it, as .txt files".to_string(),
        }),
        false => Ok(found),
    }
}

fn is_text(place: &Path) -> bool {
    place.extension().is_some_and(|end| end == "txt") && place.is_file()
}

/// What a folder holds, in the order of the names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |e| DataError::read(&folder.display().to_string(), e);
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut places: Vec<PathBuf> =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>().map_err(failed)?;
    places.sort();
    Ok(places)
}
