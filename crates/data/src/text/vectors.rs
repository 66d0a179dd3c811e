//! Word vectors from a file in the format of GloVe: a line `word v₁ … v_D` for each word, plain or compressed.
//!
//! Pennington, Socher and Manning 2014. The format of word2vec and fastText (`.vec`), whose first line has the two counts, is read too.

use super::{FIRST_WORD, TextSchema};
use crate::error::DataError;
use crate::readers::Stream;
use gradus_tensor::Rng;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The random stream that vectors of words that are not in the file draw from.
const VECTORS_STREAM: u32 = 0xDA7A_0003;

/// A vector for each id of a vocabulary.
#[derive(Clone, PartialEq, Debug)]
pub struct WordVectors {
    /// How many numbers a vector has: D.
    pub width: usize,
    /// `[V, D]`, a row for each id. Row 0, padding, is zeros; words that are not in the file, and the unknown word, have random vectors.
    pub values: Vec<f32>,
    /// How many words of the vocabulary the file has.
    pub found: usize,
}

impl WordVectors {
    /// Reads the vectors of a vocabulary's words from the file at `path`.
    ///
    /// The numbers of a random vector are normal with the mean and the standard deviation of all numbers found, and depend on the seed
    /// and the id alone. Of a word that the file has twice, the first line counts. The words are compared as they are: a file
    /// of small letters suits texts with `lower = true`.
    ///
    /// # Errors
    /// A file that cannot be read, a line with other than D numbers, a word that is no number where one should be, and a file that
    /// has none of the words.
    pub fn read(path: &Path, text: &TextSchema, seed: u64) -> Result<WordVectors, DataError> {
        let name = path.display().to_string();
        read_from(BufReader::with_capacity(1 << 16, Stream::open(path)?), &name, text, seed)
    }
}

fn read_from(mut lines: impl BufRead, name: &str, text: &TextSchema, seed: u64) -> Result<WordVectors, DataError> {
    let fault = |line: u64, problem: String| DataError::Cell {
        file: name.to_string(),
        line,
        column: None,
        problem,
        help: "give a text file with a line `word v1 v2 ...` for each word, all of one length".to_string(),
    };
    let ids: HashMap<&str, u32> = text.words.iter().map(String::as_str).zip(FIRST_WORD..).collect();
    let (mut width, mut values, mut has, mut found) = (0, vec![], vec![false; text.vocabulary()], 0);
    let (mut line, mut number) = (vec![], 0);
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(|e| DataError::read(name, e))? == 0 {
            break;
        }
        number += 1;
        let shown = String::from_utf8_lossy(&line);
        let shown = shown.trim_end();
        let fields = || shown.split([' ', '\t']).filter(|field| !field.is_empty());
        let count = fields().count();
        if count == 0 || number == 1 && count == 2 && fields().all(|field| field.parse::<u64>().is_ok()) {
            continue;
        }
        if width == 0 {
            width = count - 1;
            if width == 0 {
                return Err(fault(number, format!("a word and its numbers expected, but {:?} found", start(shown))));
            }
            values = vec![0.0f32; text.vocabulary() * width];
        }
        if count <= width {
            let problem =
                format!("{width} numbers after the word expected, as in the first line, but {} found", count - 1);
            return Err(fault(number, problem));
        }
        // Some words of published files have blanks in them.
        let word = fields().take(count - width).collect::<Vec<_>>().join(" ");
        let Some(&id) = ids.get(word.as_str()) else { continue };
        if std::mem::replace(&mut has[id as usize], true) {
            continue;
        }
        found += 1;
        let row = &mut values[id as usize * width..][..width];
        for (place, field) in row.iter_mut().zip(fields().skip(count - width)) {
            *place = match field.parse::<f32>() {
                Ok(value) if value.is_finite() => value,
                _ => return Err(fault(number, format!("a number expected, but {:?} found", start(field)))),
            };
        }
    }
    if found == 0 {
        let problem = format!("it has none of the {} words of the texts", text.words.len());
        let help = "check that the language and `lower` fit the file".to_string();
        return Err(DataError::Table { file: name.to_string(), problem, help });
    }
    let numbers = || values.chunks_exact(width).zip(&has).filter(|(_, has)| **has).flat_map(|(row, _)| row.iter());
    let count = (found * width) as f64;
    let mean = numbers().map(|&x| f64::from(x)).sum::<f64>() / count;
    let deviation = (numbers().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count).sqrt();
    for (id, row) in values.chunks_exact_mut(width).enumerate().skip(1) {
        if !has[id] {
            let mut rng = Rng::new(seed, VECTORS_STREAM, id as u64);
            row.iter_mut().for_each(|x| *x = (mean + deviation * rng.normal()) as f32);
        }
    }
    Ok(WordVectors { width, values, found })
}

fn start(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::TextOptions;
    use std::io::Write;

    fn schema(words: &[&str]) -> TextSchema {
        let options = TextOptions { length: Some(3), ..TextOptions::default() };
        TextSchema { options, words: words.iter().map(ToString::to_string).collect() }
    }

    fn read(text: &str, words: &[&str]) -> Result<WordVectors, DataError> {
        read_from(text.as_bytes(), "glove.txt", &schema(words), 7)
    }

    #[test]
    fn words_have_their_vectors_and_others_random_ones() {
        let text = "the 1 -1\ncat 0.5 0.25\nthe 9 9\nnew york 3 4\n";
        let vectors = read(text, &["cat", "dog", "the", "new york"]).unwrap();
        assert_eq!((vectors.width, vectors.found), (2, 3));
        assert_eq!(vectors.values[..2], [0.0, 0.0]);
        assert_eq!(vectors.values[4..6], [0.5, 0.25]);
        assert_eq!(vectors.values[8..], [1.0, -1.0, 3.0, 4.0]);
        // The unknown word's and the dog's vector do not depend on the other words.
        assert_ne!(vectors.values[2..4], vectors.values[6..8]);
        assert_eq!(read(text, &["the", "dog"]).unwrap().values[6..8].len(), 2);
        assert_eq!(read(text, &["cat", "dog", "the", "new york"]).unwrap(), vectors);
        // The two counts of the other format.
        assert_eq!(read(&format!("4 2\n{text}"), &["cat", "dog", "the", "new york"]).unwrap(), vectors);
    }

    #[test]
    fn random_vectors_are_scaled_like_those_of_the_file() {
        let words: Vec<String> = (0..2000).map(|i| format!("w{i}")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["a", "b"]).collect();
        let vectors = read("a 1 2 3 4\nb 5 4 3 2\n", &words).unwrap();
        let random = &vectors.values[8..8 + 8000];
        let mean = random.iter().sum::<f32>() / 8000.0;
        let variance = random.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 8000.0;
        assert!((mean - 3.0).abs() < 0.06 && (variance - 1.5).abs() < 0.1, "{mean} {variance}");
    }

    #[test]
    fn a_packed_file_is_read() {
        let path = std::env::temp_dir().join(format!("gradus-vectors-{}.gz", std::process::id()));
        let mut packed =
            flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
        packed.write_all(b"cat 1 2\n").unwrap();
        packed.finish().unwrap();
        let vectors = WordVectors::read(&path, &schema(&["cat"]), 1).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(vectors.values[4..], [1.0, 2.0]);
    }

    #[test]
    fn messages() {
        let error = |text: &str| read(text, &["cat"]).unwrap_err().to_string();
        let help = "give a text file with a line `word v1 v2 ...` for each word, all of one length";
        assert_eq!(
            error("the 1 2\ncat 1\n"),
            format!("glove.txt, line 2: 2 numbers after the word expected, as in the first line, but 1 found; {help}")
        );
        assert_eq!(
            error("the 1 2\n\ncat 1 x\n"),
            format!("glove.txt, line 3: a number expected, but \"x\" found; {help}")
        );
        assert_eq!(
            error("the\n"),
            format!("glove.txt, line 1: a word and its numbers expected, but \"the\" found; {help}")
        );
        assert_eq!(
            error("the 1 2\n"),
            "glove.txt: it has none of the 1 words of the texts; check that the language and `lower` fit the file"
        );
    }
}
