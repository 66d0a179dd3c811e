//! From texts to ids: tokens, a vocabulary, sequences of one length, word vectors.
//!
//! Id 0 is padding, id 1 stands for every word that is not in the vocabulary, the words follow from 2 in the order of how often they
//! occur in the training data (equally frequent ones in the order of the alphabet). The vocabulary is taken from the training samples
//! alone, after validation and test samples have been held out, and is kept in the [`Schema`](crate::Schema) of a model.
//!
//! | read | for |
//! |---|---|
//! | [`TextOptions`] | how texts are cut and which words are kept |
//! | [`TextSchema`] | the words by their ids, and sentences to ids |
//! | [`tokens`] | what a token is |
//! | [`vocabulary`] | which words training data have |
//! | [`vectors`] | word vectors from files in the format of GloVe |

pub mod tokens;
pub mod vectors;
pub mod vocabulary;

pub use tokens::Split;
pub use vectors::WordVectors;

use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The id of padding.
pub const PADDING: u32 = 0;

/// The id of a word that is not in the vocabulary.
pub const UNKNOWN: u32 = 1;

/// The id of the first word.
pub const FIRST_WORD: u32 = 2;

/// How texts become sequences of ids.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextOptions {
    /// Whether capital letters become small ones first.
    pub lower: bool,
    /// What a token is: `"words"`, `"spaces"` or `"characters"`.
    pub split: Split,
    /// The most ids, those of padding and the unknown word included: the most frequent words are kept. All of them without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<usize>,
    /// How often a word must occur in the training data to be kept.
    pub min_count: usize,
    /// How many tokens a sequence has: a longer one is cut at its end, a shorter one filled up with padding there. Without it, as
    /// many as the longest one of the file that the training data come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Where given, a text is cut into sentences first, and is then `[sentences, length]`: later sentences are left out, missing
    /// ones are padding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentences: Option<usize>,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions {
            lower: true,
            split: Split::default(),
            vocabulary: None,
            min_count: 1,
            length: None,
            sentences: None,
        }
    }
}

/// What a model must remember to read other texts: the options and the words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSchema {
    /// How texts are cut; `length` is always there.
    pub options: TextOptions,
    /// The words; the id of the first is 2.
    pub words: Vec<String>,
}

/// Texts as ids: `[N, length]` or `[N, sentences, length]`, row after row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoded {
    /// The ids.
    pub ids: Vec<u32>,
    /// The shape of one text.
    pub shape: Vec<usize>,
}

impl TextOptions {
    /// Checks the numbers.
    ///
    /// # Errors
    /// A vocabulary without a word, or a count, length or number of sentences of 0.
    pub fn check(&self) -> Result<(), DataError> {
        let fault = |option, received: usize, expected: &str| {
            Err(DataError::Option { option, received: received.to_string(), expected: expected.to_string() })
        };
        match (self.vocabulary, self.min_count, self.length, self.sentences) {
            (Some(n @ 0..=2), ..) => {
                fault("text.vocabulary", n, "it must be at least 3: padding, the unknown word and one word")
            }
            (_, 0, ..) => fault("text.min_count", 0, "it must be at least 1"),
            (_, _, Some(0), _) => fault("text.length", 0, "it must be at least 1"),
            (.., Some(0)) => {
                fault("text.sentences", 0, "it must be at least 1; leave it out for texts without that level")
            }
            _ => Ok(()),
        }
    }

    /// A text's tokens by sentence; all in one where there is no level of sentences.
    fn cut(&self, text: &str) -> Vec<Vec<String>> {
        match self.sentences {
            None => vec![self.split.tokens(text, self.lower)],
            Some(most) => {
                let sentences = tokens::sentences(text).map(|sentence| self.split.tokens(sentence, self.lower));
                sentences.filter(|tokens| !tokens.is_empty()).take(most).collect()
            }
        }
    }

    /// The schema of training texts with all their words, and the texts in its ids. `place` names a text for errors.
    pub(crate) fn read(
        &self,
        texts: &[String],
        place: &dyn Fn(usize) -> String,
    ) -> Result<(TextSchema, Encoded), DataError> {
        self.check()?;
        let cut = self.cut_all(texts, place)?;
        let longest = cut.iter().flatten().map(Vec::len).max().unwrap_or(1);
        let mut known: HashMap<&str, ()> = HashMap::new();
        let mut words = vec![];
        for token in cut.iter().flatten().flatten() {
            if known.insert(token, ()).is_none() {
                words.push(token.clone());
            }
        }
        let options = TextOptions { length: Some(self.length.unwrap_or(longest)), ..self.clone() };
        let schema = TextSchema { options, words };
        let encoded = schema.encode_cut(&cut);
        Ok((schema, encoded))
    }

    fn cut_all(&self, texts: &[String], place: &dyn Fn(usize) -> String) -> Result<Vec<Vec<Vec<String>>>, DataError> {
        let cut_one = |(i, text): (usize, &String)| {
            let cut = self.cut(text);
            if cut.iter().all(Vec::is_empty) {
                let start: String = text.chars().take(40).collect();
                let noun = if self.split == Split::Characters { "character" } else { "word" };
                return Err(DataError::unfit(
                    format!("{}: the text {start:?} has no {noun}", place(i)),
                    "leave such texts out, or cut texts otherwise: `split = \"spaces\"` or `\"characters\"`",
                ));
            }
            Ok(cut)
        };
        texts.iter().enumerate().map(cut_one).collect()
    }
}

impl TextSchema {
    /// How many ids there are: padding, the unknown word, and the words.
    pub fn vocabulary(&self) -> usize {
        self.words.len() + FIRST_WORD as usize
    }

    /// The word of an id; nothing for padding, the unknown word, and ids that there are not.
    pub fn word(&self, id: u32) -> Option<&str> {
        self.words.get(id.checked_sub(FIRST_WORD)? as usize).map(String::as_str)
    }

    /// The shape of one text: `[length]` or `[sentences, length]`.
    pub fn shape(&self) -> Vec<usize> {
        self.options.sentences.into_iter().chain(self.options.length).collect()
    }

    /// Texts in ids: `[N, length]` or `[N, sentences, length]`.
    ///
    /// ```
    /// use gradus_data::text::{TextOptions, TextSchema};
    /// let options = TextOptions { length: Some(4), ..TextOptions::default() };
    /// let schema = TextSchema { options, words: vec!["the".into(), "cat".into()] };
    /// let encoded = schema.encode(&["The cat, the dog.".into(), "A cat!".into()])?;
    /// assert_eq!(encoded.ids, [2, 3, 2, 1, 1, 3, 0, 0]);
    /// # Ok::<(), gradus_data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// A text without a token.
    pub fn encode(&self, texts: &[String]) -> Result<Encoded, DataError> {
        self.encode_at(texts, &|i| format!("text {i}"))
    }

    pub(crate) fn encode_at(&self, texts: &[String], place: &dyn Fn(usize) -> String) -> Result<Encoded, DataError> {
        Ok(self.encode_cut(&self.options.cut_all(texts, place)?))
    }

    fn encode_cut(&self, texts: &[Vec<Vec<String>>]) -> Encoded {
        let ids: HashMap<&str, u32> = self.words.iter().map(String::as_str).zip(FIRST_WORD..).collect();
        let (rows, length) = (self.options.sentences.unwrap_or(1), self.options.length.unwrap_or(1));
        let mut encoded = vec![PADDING; texts.len() * rows * length];
        for (text, place) in texts.iter().zip(encoded.chunks_exact_mut(rows * length)) {
            for (sentence, place) in text.iter().zip(place.chunks_exact_mut(length)) {
                for (token, id) in sentence.iter().zip(place) {
                    *id = ids.get(token.as_str()).copied().unwrap_or(UNKNOWN);
                }
            }
        }
        Encoded { ids: encoded, shape: self.shape() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &TextOptions, texts: &[&str]) -> Result<(TextSchema, Encoded), DataError> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        options.read(&texts, &|i| format!("t.txt, line {}", i + 1))
    }

    #[test]
    fn sequences_have_the_length_of_the_longest_or_as_told() {
        let (schema, encoded) = read(&TextOptions::default(), &["one two two", "Two"]).unwrap();
        assert_eq!((schema.shape(), &schema.words[..]), (vec![3], &["one".to_string(), "two".to_string()][..]));
        assert_eq!(encoded.ids, [2, 3, 3, 3, 0, 0]);
        let options = TextOptions { length: Some(2), lower: false, ..TextOptions::default() };
        let (schema, encoded) = read(&options, &["one two two", "Two"]).unwrap();
        assert_eq!((schema.vocabulary(), encoded.ids), (5, vec![2, 3, 4, 0]));
        assert_eq!((schema.word(4), schema.word(1), schema.word(5)), (Some("Two"), None, None));
    }

    #[test]
    fn documents_have_sentences() {
        let options = TextOptions { sentences: Some(2), length: Some(3), ..TextOptions::default() };
        let (_, encoded) = read(&options, &["It rains. ... It still rains today! Then sun.", "Sun?"]).unwrap();
        assert_eq!(encoded.shape, [2, 3]);
        assert_eq!(encoded.ids, [2, 3, 0, 2, 4, 3, 6, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn messages() {
        assert_eq!(
            read(&TextOptions::default(), &["a", "?!"]).unwrap_err().to_string(),
            "t.txt, line 2: the text \"?!\" has no word; leave such texts out, or cut texts otherwise: `split = \"spaces\"` or \
             `\"characters\"`"
        );
        let error = |options: TextOptions| options.check().unwrap_err().to_string();
        assert_eq!(
            error(TextOptions { vocabulary: Some(2), ..TextOptions::default() }),
            "text.vocabulary is 2: it must be at least 3: padding, the unknown word and one word"
        );
        assert_eq!(
            error(TextOptions { length: Some(0), ..TextOptions::default() }),
            "text.length is 0: it must be at least 1"
        );
    }
}
