//! The cells of a CSV file as text, with the place of every row for error messages.

use super::Stream;
use crate::error::DataError;
use gradus_tensor::Format;
use std::io::Read;
use std::path::Path;

/// How the text is cut into cells.
pub(super) struct Dialect {
    pub delimiter: u8,
    pub comment: Option<u8>,
    pub skip_lines: usize,
}

/// Rows of equally many cells. Space around a cell is trimmed, empty lines are left out.
pub(super) struct Table {
    pub file: String,
    source: Vec<u8>,
    comment: Option<u8>,
    text: String,
    ends: Vec<usize>,
    starts: Vec<usize>,
    width: usize,
}

impl Table {
    /// Reads the file at `path`, plain or compressed, or standard input for `-`.
    pub fn load(path: &Path, dialect: &Dialect) -> Result<Table, DataError> {
        let file = if path == Path::new("-") { "standard input".to_string() } else { path.display().to_string() };
        let mut source = Vec::new();
        Stream::open(path)?.read_to_end(&mut source).map_err(|e| DataError::read(&file, e))?;
        Table::parse(source, file, dialect)
    }

    pub fn parse(source: Vec<u8>, file: String, dialect: &Dialect) -> Result<Table, DataError> {
        let found = Format::of(&source);
        let text = matches!(found, Format::Text | Format::Json)
            || found == Format::Binary && !source[..source.len().min(Format::HEAD)].contains(&0);
        if !text {
            let help = match found {
                Format::Utf16 => "save it as UTF-8",
                Format::Zip => "if it is an NPZ file, say npz instead of csv; if it holds a table, unpack it first",
                Format::Npy => "say npy instead of csv",
                Format::Idx => "say idx instead of csv",
                _ => "give a text file with one row a line",
            };
            return Err(DataError::Table {
                file,
                problem: format!("it looks like {found}, not CSV"),
                help: help.into(),
            });
        }
        let skip = source.split_inclusive(|&byte| byte == b'\n').take(dialect.skip_lines).map(<[u8]>::len).sum();
        let mut table = Table {
            file,
            source,
            comment: dialect.comment,
            text: String::new(),
            ends: Vec::new(),
            starts: Vec::new(),
            width: 0,
        };
        let source = std::mem::take(&mut table.source);
        let result = table.read_records(&source[skip..], skip, dialect);
        table.source = source;
        result.map_err(|(start, problem, help)| table.fault(table.line_at(start), None, problem, help))?;
        if table.starts.is_empty() {
            let problem = "it has no rows".to_string();
            return Err(DataError::Table { file: table.file, problem, help: "give a file with data".to_string() });
        }
        Ok(table)
    }

    fn read_records(
        &mut self,
        source: &[u8],
        skip: usize,
        dialect: &Dialect,
    ) -> Result<(), (usize, String, &'static str)> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(dialect.delimiter)
            .comment(dialect.comment)
            .from_reader(source);
        let mut record = csv::StringRecord::new();
        loop {
            let start = skip + reader.position().byte() as usize;
            match reader.read_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(error) => {
                    let problem = match error.kind() {
                        csv::ErrorKind::Utf8 { err, .. } => format!("field {} is not UTF-8 text", err.field() + 1),
                        _ => error.to_string(),
                    };
                    return Err((start, problem, "save the file as UTF-8"));
                }
            }
            if self.starts.is_empty() {
                self.width = record.len();
            } else if record.len() != self.width {
                let problem =
                    format!("{} expected, as in the first row, but {} found", fields(self.width), fields(record.len()));
                let help = match self.starts.len() {
                    1 => "if the first line is no row, say skip_lines = 1; else check quotes and the delimiter",
                    _ => "complete the row, or check quotes and the delimiter",
                };
                return Err((start, problem, help));
            }
            self.starts.push(start);
            for cell in &record {
                self.text.push_str(cell);
                self.ends.push(self.text.len());
            }
        }
    }

    /// How many rows there are, the header included.
    pub fn rows(&self) -> usize {
        self.starts.len()
    }

    /// How many cells a row has.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn cell(&self, row: usize, column: usize) -> &str {
        let at = row * self.width + column;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
    }

    pub fn row(&self, row: usize) -> impl Iterator<Item = &str> {
        (0..self.width).map(move |column| self.cell(row, column))
    }

    /// The line on which a row starts, counted from 1.
    pub fn line(&self, row: usize) -> u64 {
        self.line_at(self.starts[row])
    }

    /// An error at a cell.
    pub fn cell_error(&self, row: usize, column: usize, name: &str, problem: String, help: &str) -> DataError {
        self.fault(self.line(row), Some(format!("{name:?} (field {})", column + 1)), problem, help)
    }

    fn fault(&self, line: u64, column: Option<String>, problem: String, help: &str) -> DataError {
        DataError::Cell { file: self.file.clone(), line, column, problem, help: help.to_string() }
    }

    /// The parser stands before the line ends, blank lines and comments that precede a record; its line is past them.
    fn line_at(&self, start: usize) -> u64 {
        let mut at = start;
        while let Some(&byte) = self.source.get(at) {
            if byte == b'\n' || byte == b'\r' {
                at += 1;
            } else if Some(byte) == self.comment {
                at += self.source[at..].iter().take_while(|&&byte| byte != b'\n').count();
            } else {
                break;
            }
        }
        1 + self.source[..at.min(self.source.len())].iter().filter(|&&byte| byte == b'\n').count() as u64
    }
}

fn fields(n: usize) -> String {
    if n == 1 { "1 field".to_string() } else { format!("{n} fields") }
}
