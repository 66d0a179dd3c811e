//! Tables as text: CSV and its relatives.
//!
//! A column whose cells are mostly numbers becomes one feature, where a cell that is not a number is an error; any other column
//! becomes one feature per category. Categories, fill-in values and classes are taken from the training data and kept in the
//! [`Schema`], so that other files are read alike.

use super::table::{Dialect, Table};
use super::{Stream, Task};
use crate::dataset::{Dataset, Target, number_name};
use crate::error::{DataError, list};
use crate::locator::Locator;
use crate::report::{ArrayReport, MOST_CLASSES};
use crate::schema::{Column, Encoding, Schema, TargetSchema};
use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// A column whose cells are text is made into categories by itself only up to so many of them.
const AUTOMATIC_CATEGORIES: usize = 100;

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
        let features: Vec<usize> = match schema.and_then(|schema| schema.columns.as_ref()) {
            Some(columns) => columns.iter().map(|column| view.find_name(&column.name)).collect::<Result<_, _>>()?,
            None => (0..table.width()).filter(|column| !targets.contains(column) && !drop.contains(column)).collect(),
        };
        let used: Vec<usize> = features.iter().chain(&targets).copied().collect();
        let rows = view.complete_rows(&used);
        let columns = match schema.and_then(|schema| schema.columns.clone()) {
            Some(columns) => columns,
            None => {
                let infer = |&column: &usize| view.infer(column, &rows, forced.contains(&column));
                features.iter().map(infer).collect::<Result<_, _>>()?
            }
        };
        let inputs = view.encode(&features, &columns, &rows)?;
        let target = view.target(&targets, &rows, schema)?;
        Dataset::new(inputs, target).map_err(|e| e.of(&table.file))?.with_columns(columns)
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

/// A table as the source's options see it.
struct View<'a> {
    source: &'a CsvSource,
    table: &'a Table,
    names: Vec<String>,
    /// The first row of data.
    first: usize,
}

impl<'a> View<'a> {
    fn new(source: &'a CsvSource, table: &'a Table, header: bool) -> Result<View<'a>, DataError> {
        let names: Vec<String> = match (&source.columns, header) {
            (Some(columns), _) => columns.clone(),
            (None, true) => table.row(0).map(str::to_string).collect(),
            (None, false) => (0..table.width()).map(|i| format!("c{i}")).collect(),
        };
        let view = View { source, table, names, first: usize::from(header) };
        if view.names.len() != table.width() {
            let problem = format!("`columns` names {} columns, but the file has {}", view.names.len(), table.width());
            return Err(view.error(problem, "name every column once"));
        }
        if let Some(i) = (1..view.names.len()).find(|&i| view.names[..i].contains(&view.names[i])) {
            let problem = format!("two columns are named {:?}", view.names[i]);
            return Err(view.error(problem, "rename one, or give all names in `columns`"));
        }
        if table.rows() <= view.first {
            return Err(view.error("it has a header but no rows".to_string(), "give a file with data"));
        }
        Ok(view)
    }

    fn error(&self, problem: String, help: &str) -> DataError {
        DataError::Table { file: self.table.file.clone(), problem, help: help.to_string() }
    }

    fn find(&self, option: &str, column: &ColumnRef) -> Result<usize, DataError> {
        match column {
            ColumnRef::Name(name) => self.find_name(name),
            ColumnRef::Position(position) => {
                let width = self.table.width() as i64;
                let at = if *position < 0 { position.saturating_add(width) } else { *position };
                usize::try_from(at).ok().filter(|&at| at < self.table.width()).ok_or_else(|| {
                    let problem = format!("`{option}` asks for column {position}, but there are {width}");
                    self.error(problem, "columns count from 0, and from the end as -1, -2, …")
                })
            }
        }
    }

    fn find_name(&self, name: &str) -> Result<usize, DataError> {
        self.names.iter().position(|known| known == name).ok_or_else(|| {
            let problem = format!("there is no column named {name:?}; there are {}", list(&self.names));
            self.error(problem, "correct the name, or check `header`, `delimiter` and `columns`")
        })
    }

    fn is_missing(&self, row: usize, column: usize) -> bool {
        let cell = self.table.cell(row, column);
        self.source.missing.iter().any(|word| word == cell)
    }

    /// The rows to use: all, but those that lack a cell if such are to be left out.
    fn complete_rows(&self, used: &[usize]) -> Vec<usize> {
        let rows = self.first..self.table.rows();
        match self.source.on_missing {
            OnMissing::Error | OnMissing::Fill => rows.collect(),
            OnMissing::Drop => rows.filter(|&row| !used.iter().any(|&column| self.is_missing(row, column))).collect(),
        }
    }

    fn number(&self, row: usize, column: usize) -> Result<f64, DataError> {
        let cell = self.table.cell(row, column);
        cell.parse().map_err(|_| {
            let problem = format!("a number expected, but {cell:?} found");
            let help = "correct it; if it stands for a missing value, list it in `missing`; if the column holds categories, \
                        list it in `categorical`";
            self.table.cell_error(row, column, &self.names[column], problem, help)
        })
    }

    fn missing(&self, row: usize, column: usize) -> DataError {
        let cell = self.table.cell(row, column);
        let help = "fill it in, or say on_missing = \"drop\" or \"fill\", or list the column in `drop`";
        let problem =
            if cell.is_empty() { "the value is missing".into() } else { format!("the value is missing ({cell:?})") };
        self.table.cell_error(row, column, &self.names[column], problem, help)
    }

    /// How a column becomes features, from the cells of the given rows.
    fn infer(&self, column: usize, rows: &[usize], forced: bool) -> Result<Column, DataError> {
        let name = self.names[column].clone();
        let present = || rows.iter().copied().filter(|&row| !self.is_missing(row, column));
        let fill = self.source.on_missing == OnMissing::Fill;
        let cells = present().count();
        if cells == 0 {
            let problem = format!("column {name:?} has no values");
            return Err(self.error(problem, "list it in `drop`"));
        }
        let numbers = present().filter(|&row| self.table.cell(row, column).parse::<f64>().is_ok()).count();
        if !forced && 2 * numbers > cells {
            let sum = present().try_fold(0.0, |sum, row| self.number(row, column).map(|x| sum + x))?;
            return Ok(Column { name, encoding: Encoding::Number { fill: fill.then_some(sum / cells as f64) } });
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        present().for_each(|row| *counts.entry(self.table.cell(row, column)).or_default() += 1);
        if !forced && counts.len() > AUTOMATIC_CATEGORIES {
            let problem = format!("column {name:?} holds {} different texts", counts.len());
            return Err(self.error(problem, "list it in `drop`, or in `categorical` to have one feature for each"));
        }
        let most = counts.iter().rev().max_by_key(|(_, count)| **count).map(|(value, _)| (*value).to_string());
        let mut values: Vec<String> = counts.keys().map(|value| (*value).to_string()).collect();
        if let Some(mut numbers) =
            values.iter().map(|v| v.parse::<f64>().ok().map(|x| (x, v.clone()))).collect::<Option<Vec<_>>>()
        {
            numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
            values = numbers.into_iter().map(|(_, value)| value).collect();
        }
        Ok(Column { name, encoding: Encoding::Categories { values, fill: most.filter(|_| fill) } })
    }

    /// The inputs: `[rows, features]`.
    fn encode(&self, features: &[usize], columns: &[Column], rows: &[usize]) -> Result<Tensor, DataError> {
        let width: usize = columns.iter().map(Column::width).sum();
        let mut values = Vec::with_capacity(rows.len() * width);
        for &row in rows {
            for (&column, how) in features.iter().zip(columns) {
                let missing = self.is_missing(row, column);
                match &how.encoding {
                    Encoding::Number { fill: Some(fill) } if missing => values.push(*fill as f32),
                    Encoding::Categories { values: known, fill: Some(fill) } if missing => {
                        values.extend(known.iter().map(|value| f32::from(u8::from(value == fill))));
                    }
                    _ if missing => return Err(self.missing(row, column)),
                    Encoding::Number { .. } => values.push(self.number(row, column)? as f32),
                    Encoding::Categories { values: known, .. } => {
                        let cell = self.table.cell(row, column);
                        if !known.iter().any(|value| value == cell) {
                            let problem = format!("{cell:?} is none of the known categories {}", list(known));
                            let help = "correct it, or train on data that have this category";
                            return Err(self.table.cell_error(row, column, &self.names[column], problem, help));
                        }
                        values.extend(known.iter().map(|value| f32::from(u8::from(value == cell))));
                    }
                }
            }
        }
        if rows.is_empty() {
            return Err(self
                .error("every row lacks a value".to_string(), "say on_missing = \"fill\", or list columns in `drop`"));
        }
        Ok(Tensor::new([rows.len(), width], values)?)
    }

    fn target(&self, targets: &[usize], rows: &[usize], schema: Option<&Schema>) -> Result<Target, DataError> {
        if targets.is_empty() {
            return Ok(Target::None);
        }
        for &row in rows {
            if let Some(&column) = targets.iter().find(|&&column| self.is_missing(row, column)) {
                return Err(self.missing(row, column));
            }
        }
        let numeric = |column: usize| rows.iter().all(|&row| self.table.cell(row, column).parse::<f64>().is_ok());
        let task = match (self.source.task, schema.map(|schema| &schema.target)) {
            (Some(task), _) => task,
            (None, Some(TargetSchema::Classes(_))) => Task::Classes,
            (None, Some(TargetSchema::Values(_))) => Task::Values,
            (None, _) if targets.len() == 1 && !numeric(targets[0]) => Task::Classes,
            (None, _) => {
                let problem = "the numbers of the target can be class labels or real values".to_string();
                return Err(self.error(problem, "say task = \"classes\" or task = \"values\""));
            }
        };
        match (task, targets) {
            (Task::Classes, &[column]) => self.classes(column, rows, schema),
            (Task::Classes, _) => {
                let problem = "several target columns cannot be class labels".to_string();
                Err(self.error(problem, "name one target column, or say task = \"values\""))
            }
            (Task::Values, _) => {
                let cells = rows.iter().flat_map(|&row| targets.iter().map(move |&column| (row, column)));
                let values = cells
                    .map(|(row, column)| self.number(row, column).map(|x| x as f32))
                    .collect::<Result<Vec<_>, _>>()?;
                let names = targets.iter().map(|&column| self.names[column].clone()).collect();
                Target::from_values(Tensor::new([rows.len(), targets.len()], values)?, Some(names))
            }
        }
    }

    fn classes(&self, column: usize, rows: &[usize], schema: Option<&Schema>) -> Result<Target, DataError> {
        let known = schema.and_then(Schema::classes);
        let trim: Vec<char> = self.source.label_trim.chars().collect();
        let mut labels = Vec::with_capacity(rows.len());
        for &row in rows {
            let label = plain_label(self.table.cell(row, column).trim_end_matches(&trim[..]));
            if let Some(known) = known.filter(|known| !known.contains(&label)) {
                let problem = format!("label {label:?} is none of the known classes {}", list(known));
                let help = "correct the label, cut its end with `label_trim`, or train on data that have this class";
                return Err(self.table.cell_error(row, column, &self.names[column], problem, help));
            }
            labels.push(label);
        }
        Target::from_labels(&labels, known)
    }
}

/// `1.0` and `1e0` name the class `1`.
fn plain_label(label: &str) -> String {
    match label.parse::<f64>() {
        Ok(x) if x.fract() == 0.0 && label.contains(['.', 'e', 'E']) => number_name(x),
        _ => label.to_string(),
    }
}

/// A report on every column of a table whose options are not known: the delimiter is the one that makes most columns, and the
/// first row is a header if it has no number where the next has one.
pub(crate) fn report(path: &Path) -> Result<Vec<ArrayReport>, DataError> {
    let mut source = Vec::new();
    let file = path.display().to_string();
    Stream::open(path)?.read_to_end(&mut source).map_err(|e| DataError::read(&file, e))?;
    let parse =
        |delimiter| Table::parse(source.clone(), file.clone(), &Dialect { delimiter, comment: None, skip_lines: 0 });
    let comma = parse(b',');
    let others = [b';', b'\t', b'|'].into_iter().filter_map(|delimiter| parse(delimiter).ok());
    let wider = others.max_by_key(Table::width).filter(|table| table.width() > comma.as_ref().map_or(1, Table::width));
    let table = wider.map_or(comma, Ok)?;
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

impl View<'_> {
    fn report(&self, column: usize) -> ArrayReport {
        let rows = self.first..self.table.rows();
        let (count, mut texts) = (rows.len(), BTreeMap::new());
        let (mut missing, mut numbers) = (0, Vec::new());
        for row in rows {
            let cell = self.table.cell(row, column);
            if self.is_missing(row, column) {
                missing += 1;
                continue;
            }
            numbers.extend(cell.parse::<f64>().ok());
            if texts.len() <= MOST_CLASSES {
                *texts.entry(cell).or_insert(0) += 1;
            }
        }
        let name = &self.names[column];
        if 2 * numbers.len() > count - missing {
            let all_numbers = numbers.len() == count - missing;
            let kind = if all_numbers {
                "number".to_string()
            } else {
                format!("number (but {} text)", count - missing - numbers.len())
            };
            return ArrayReport {
                shape: vec![count],
                kind,
                missing,
                ..ArrayReport::of(name, &Tensor::vector(numbers))
            };
        }
        let counted =
            (texts.len() <= MOST_CLASSES).then(|| texts.into_iter().map(|(t, n)| (t.to_string(), n)).collect());
        let (min, max, nan, infinite) = (None, None, 0, 0);
        let (shape, kind) = (vec![count], "text".to_string());
        ArrayReport { name: name.clone(), shape, kind, min, max, nan, infinite, missing, classes: counted }
    }
}

impl fmt::Display for ColumnRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnRef::Name(name) => write!(f, "{name:?}"),
            ColumnRef::Position(position) => write!(f, "{position}"),
        }
    }
}
