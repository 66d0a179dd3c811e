//! Tables as text: CSV and its relatives.
//!
//! A column whose cells are mostly numbers becomes one feature, where a cell that is not a number is an error; any other column
//! becomes one feature per category. Categories, fill-in values and classes are taken from the training data and kept in the
//! [`Schema`], so that other files are read alike.

use super::table::{Dialect, Table};
use super::view::View;
use super::{Stream, Task};
use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use crate::locator::Locator;
use crate::report::ArrayReport;
use crate::schema::{Column, Encoding, Schema};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;

/// A table in a text file.
///
/// ```
/// use gradus_data::{Source, Task};
/// let source: Source = toml::from_str(r#"csv = { path = "houses.csv", target = "price", task = "values" }"#).unwrap();
/// let Source::Csv(csv) = source else { panic!() };
/// assert!(csv.header && csv.task == Some(Task::Values));
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvSource {
    /// The file, plain or compressed with gzip; `-` is standard input.
    pub path: String,
    /// Whether the first row holds the names of the columns.
    #[serde(default = "yes")]
    pub header: bool,
    /// The names of the columns, for a file without a header (or instead of it). Without either they are `c0`, `c1`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// What stands between cells.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// Lines that start with this character are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<char>,
    /// How many lines to leave out at the start.
    #[serde(default)]
    pub skip_lines: usize,
    /// The column to predict, or several: by name, or by position (0 is the first, -1 the last). Without it there is no target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ColumnRefs>,
    /// What the target is. A target that is no number is taken as classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Characters cut off the end of class labels, such as the dot that ends the labels of `adult.test`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label_trim: String,
    /// Columns whose numbers are codes of categories. Columns of text are made into categories by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categorical: Vec<ColumnRef>,
    /// Columns to leave out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<ColumnRef>,
    /// A column of training data whose equal cells make a group, such as a patient: when parts are held out, a group stays whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<ColumnRef>,
    /// Whether the column `group` is an input, too; otherwise it is left out of the inputs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub group_is_input: bool,
    /// What stands for a missing cell.
    #[serde(default = "missing_words")]
    pub missing: Vec<String>,
    /// What to do about missing cells.
    #[serde(default)]
    pub on_missing: OnMissing,
}

/// A column by name or by position.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ColumnRef {
    /// Its name.
    Name(String),
    /// Its position: 0 is the first, -1 the last.
    Position(i64),
}

/// One column or several.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ColumnRefs {
    /// One.
    One(ColumnRef),
    /// Several, in this order.
    Many(Vec<ColumnRef>),
}

/// What to do about missing cells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// Fail, and name the first.
    #[default]
    Error,
    /// Leave out the rows that have one.
    Drop,
    /// Fill with the column's mean, or its most frequent category, over the training data. A missing target still fails.
    Fill,
}

fn yes() -> bool {
    true
}

fn comma() -> char {
    ','
}

fn missing_words() -> Vec<String> {
    ["", "?", "NA", "N/A", "NaN", "nan", "null", "NULL"].map(str::to_string).to_vec()
}

impl CsvSource {
    /// The file at `path` with every option at its default: a header, commas, no target.
    pub fn new(path: impl Into<String>) -> CsvSource {
        CsvSource {
            path: path.into(),
            header: true,
            columns: None,
            delimiter: comma(),
            comment: None,
            skip_lines: 0,
            target: None,
            task: None,
            label_trim: String::new(),
            categorical: Vec::new(),
            drop: Vec::new(),
            group: None,
            group_is_input: false,
            missing: missing_words(),
            on_missing: OnMissing::Error,
        }
    }

    pub(super) fn read(&self, locator: &Locator, schema: Option<&Schema>) -> Result<Dataset, DataError> {
        let table = Table::load(&locator.find(&self.path)?, &self.dialect()?)?;
        let view = View::new(self, &table, self.header)?;
        let targets = match &self.target {
            None => Vec::new(),
            Some(ColumnRefs::One(column)) => vec![view.find("target", column)?],
            Some(ColumnRefs::Many(columns)) => {
                columns.iter().map(|column| view.find("target", column)).collect::<Result<_, _>>()?
            }
        };
        let drop: Vec<usize> = self.drop.iter().map(|column| view.find("drop", column)).collect::<Result<_, _>>()?;
        let forced: Vec<usize> =
            self.categorical.iter().map(|column| view.find("categorical", column)).collect::<Result<_, _>>()?;
        // Only training data are split.
        let group = match &self.group {
            Some(column) if schema.is_none() => Some(view.find("group", column)?),
            _ => None,
        };
        let is_input = |column: &usize| {
            let left_out = group == Some(*column) && !self.group_is_input;
            !targets.contains(column) && !drop.contains(column) && !left_out
        };
        let features: Vec<usize> = match schema.and_then(|schema| schema.columns.as_ref()) {
            Some(columns) => columns.iter().map(|column| view.find_name(&column.name)).collect::<Result<_, _>>()?,
            None => (0..table.width()).filter(is_input).collect(),
        };
        if features.is_empty() {
            return Err(view.error("no column is left for the inputs".to_string(), "drop fewer columns"));
        }
        let used: Vec<usize> = features.iter().chain(&targets).chain(&group).copied().collect();
        let rows = view.complete_rows(&used)?;
        let columns = match schema.and_then(|schema| schema.columns.clone()) {
            Some(columns) => columns,
            None => {
                let infer = |&column: &usize| view.infer(column, &rows, forced.contains(&column));
                features.iter().map(infer).collect::<Result<_, _>>()?
            }
        };
        let inputs = view.encode(&features, &columns, &rows)?;
        let target = view.target(&targets, &rows, schema)?;
        let data = Dataset::new(inputs, target).map_err(|e| e.of(&table.file))?.with_columns(columns)?;
        match group {
            Some(column) => data.with_groups(&view.names_of(column, &rows)?),
            None => Ok(data),
        }
    }

    /// Reads the columns that the model was trained on, by name if the file has a header and else by position. Every cell must
    /// be there, unless the training data were filled in too.
    pub(super) fn read_inputs(&self, locator: &Locator, schema: &Schema) -> Result<Dataset, DataError> {
        let table = Table::load(&locator.find(&self.path)?, &self.dialect()?)?;
        let number = |name: String| Column { name, encoding: Encoding::Number { fill: None } };
        let columns = match &schema.columns {
            Some(columns) => columns.clone(),
            // A model of arrays: the table's columns are the features in their order.
            None => (0..table.width()).map(|i| number(format!("c{i}"))).collect(),
        };
        let header = has_header(&table, &columns, schema.columns.is_some());
        let same_width = table.width() == columns.len();
        let names = if header { None } else { self.columns.clone().filter(|names| names.len() == table.width()) };
        let source = CsvSource { header, columns: names, on_missing: OnMissing::Error, ..self.clone() };
        let view = View::new(&source, &table, header)?;
        let by_position = same_width && !(header && schema.columns.is_some());
        let features: Vec<usize> = if by_position {
            (0..columns.len()).collect()
        } else {
            columns.iter().map(|column| view.find_name(&column.name)).collect::<Result<_, _>>()?
        };
        let rows: Vec<usize> = (view.first..table.rows()).collect();
        let data =
            Dataset::new(view.encode(&features, &columns, &rows)?, Target::None).map_err(|e| e.of(&table.file))?;
        if schema.columns.is_some() { data.with_columns(columns) } else { Ok(data) }
    }

    fn dialect(&self) -> Result<Dialect, DataError> {
        let byte = |option, c: char| {
            u8::try_from(c).ok().filter(u8::is_ascii).ok_or_else(|| DataError::Option {
                option,
                received: format!("{c:?}"),
                expected: "it must be one ASCII character".to_string(),
            })
        };
        Ok(Dialect {
            delimiter: byte("csv.delimiter", self.delimiter)?,
            comment: self.comment.map(|c| byte("csv.comment", c)).transpose()?,
            skip_lines: self.skip_lines,
        })
    }
}

/// Whether the first row is a header: it has the names of all columns, or text where the model knows a number.
fn has_header(table: &Table, columns: &[Column], named: bool) -> bool {
    if named && columns.iter().all(|column| table.row(0).any(|cell| cell == column.name)) {
        return true;
    }
    let number = |cell: &str| cell.parse::<f64>().is_ok();
    match table.rows() {
        1 => !named && !table.row(0).all(number),
        _ => !table.row(0).any(number) && table.row(1).any(number),
    }
}

/// A report on every column of a table whose options are not known: the delimiter is the one that makes most columns, and the
/// first row is a header if it has no number where the next has one.
pub(crate) fn report(path: &Path) -> Result<Vec<ArrayReport>, DataError> {
    let mut source = Vec::new();
    let file = path.display().to_string();
    Stream::open(path)?.read_to_end(&mut source).map_err(|e| DataError::read(&file, e))?;
    let dialect = |delimiter| Dialect { delimiter, comment: None, skip_lines: 0 };
    let head: Vec<u8> = source.split_inclusive(|&byte| byte == b'\n').take(20).flatten().copied().collect();
    let width = |delimiter| Table::parse(head.clone(), file.clone(), &dialect(delimiter)).map_or(0, |t| t.width());
    let candidates = [b'|', b'\t', b';', b','].map(|delimiter| (width(delimiter), delimiter));
    let wide = candidates.into_iter().filter(|(width, _)| *width > 1).max_by_key(|(width, _)| *width);
    let table = Table::parse(source, file.clone(), &dialect(wide.map_or(b',', |(_, delimiter)| delimiter)))?;
    let number = |cell: &str| cell.parse::<f64>().is_ok();
    let header = table.rows() > 1 && !table.row(0).any(number) && table.row(1).any(number);
    let mut source = CsvSource { header, ..CsvSource::new(file) };
    let mut names: Vec<String> = Vec::new();
    for (i, name) in table.row(0).enumerate() {
        let name = if header { name.to_string() } else { format!("c{i}") };
        let used = names.contains(&name);
        names.push(if used { format!("{name} (field {})", i + 1) } else { name });
    }
    source.columns = Some(names);
    let view = View::new(&source, &table, header)?;
    Ok((0..table.width()).map(|column| view.report(column)).collect())
}
