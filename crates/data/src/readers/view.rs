//! A table as the options of a [`CsvSource`] see it: columns found, encoded, and reported on.

use super::Task;
use super::csv::{ColumnRef, CsvSource, OnMissing};
use super::table::Table;
use crate::dataset::{Target, number_name};
use crate::error::{DataError, list};
use crate::report::{ArrayReport, MOST_CLASSES};
use crate::schema::{Column, Encoding, Schema, TargetSchema};
use gradus_tensor::Tensor;
use std::collections::BTreeMap;

/// A column whose cells are text is made into categories by itself only up to so many of them.
const AUTOMATIC_CATEGORIES: usize = 100;

/// A table as the source's options see it.
pub(super) struct View<'a> {
    source: &'a CsvSource,
    table: &'a Table,
    names: Vec<String>,
    /// The first row of data.
    pub first: usize,
}

impl<'a> View<'a> {
    pub fn new(source: &'a CsvSource, table: &'a Table, header: bool) -> Result<View<'a>, DataError> {
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

    pub fn error(&self, problem: String, help: &str) -> DataError {
        DataError::Table { file: self.table.file.clone(), problem, help: help.to_string() }
    }

    pub fn find(&self, option: &str, column: &ColumnRef) -> Result<usize, DataError> {
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

    pub fn find_name(&self, name: &str) -> Result<usize, DataError> {
        self.names.iter().position(|known| known == name).ok_or_else(|| {
            let problem = format!("there is no column named {name:?}; there are {}", list(&self.names));
            self.error(problem, "correct the name, or check `header`, `delimiter` and `columns`")
        })
    }

    fn is_missing(&self, row: usize, column: usize) -> bool {
        let cell = self.table.cell(row, column);
        self.source.missing.iter().any(|word| word == cell)
    }

    /// The rows to use: all, but those that lack a cell if such are to be left out. Fails if none is left.
    pub fn complete_rows(&self, used: &[usize]) -> Result<Vec<usize>, DataError> {
        let rows = self.first..self.table.rows();
        if self.source.on_missing != OnMissing::Drop {
            return Ok(rows.collect());
        }
        let rows: Vec<usize> = rows.filter(|&row| !used.iter().any(|&column| self.is_missing(row, column))).collect();
        if rows.is_empty() {
            let help = "say on_missing = \"fill\", or list columns in `drop`";
            return Err(self.error("every row lacks a value".to_string(), help));
        }
        Ok(rows)
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
    pub fn infer(&self, column: usize, rows: &[usize], forced: bool) -> Result<Column, DataError> {
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
    pub fn encode(&self, features: &[usize], columns: &[Column], rows: &[usize]) -> Result<Tensor, DataError> {
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
        Ok(Tensor::new([rows.len(), width], values)?)
    }

    pub fn target(&self, targets: &[usize], rows: &[usize], schema: Option<&Schema>) -> Result<Target, DataError> {
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

    /// The cells of a column as names, none of which may be missing.
    pub fn names_of(&self, column: usize, rows: &[usize]) -> Result<Vec<String>, DataError> {
        let name = |&row: &usize| match self.is_missing(row, column) {
            true => Err(self.missing(row, column)),
            false => Ok(plain_label(self.table.cell(row, column))),
        };
        rows.iter().map(name).collect()
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

impl View<'_> {
    /// What a column holds.
    pub fn report(&self, column: usize) -> ArrayReport {
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

/// `1.0` and `1e0` name the class `1`.
fn plain_label(label: &str) -> String {
    match label.parse::<f64>() {
        Ok(x) if x.fract() == 0.0 && label.contains(['.', 'e', 'E']) => number_name(x),
        _ => label.to_string(),
    }
}
