//! Which words a vocabulary has: those of the training samples, the most frequent first.

use super::{FIRST_WORD, PADDING, TextSchema, UNKNOWN};
use crate::dataset::Dataset;
use gradus_tensor::Tensor;
use std::sync::Arc;

/// From the ids of all words that were read to those of the vocabulary.
#[derive(Clone, PartialEq, Debug)]
pub struct Vocabulary {
    text: Arc<TextSchema>,
    /// The new id of each old one.
    ids: Vec<u32>,
}

impl Vocabulary {
    /// The vocabulary of training samples, if they are texts. Words that occur in none of them (but in samples that were held out)
    /// are unknown.
    ///
    /// ```
    /// use gradus_data::text::vocabulary::Vocabulary;
    /// use gradus_data::{Locator, Source};
    /// let source: Source = toml::from_str(r#"text = { embedded = "incidents", vocabulary = 50 }"#).unwrap();
    /// let texts = source.read(&Locator::default())?;
    /// let (train, rest) = (texts.select(&[0, 1, 2, 3])?, texts.select(&[4])?);
    /// let vocabulary = Vocabulary::fit(&train).unwrap();
    /// assert!(vocabulary.text().vocabulary() <= 50);
    /// let (train, rest) = (vocabulary.apply(train), vocabulary.apply(rest));
    /// assert_eq!(train.schema().text, rest.schema().text);
    /// # Ok::<(), gradus_data::DataError>(())
    /// ```
    pub fn fit(train: &Dataset) -> Option<Vocabulary> {
        let known = train.text()?;
        let mut counts = vec![0usize; known.words.len()];
        for &id in train.input_values() {
            if let Some(count) = (id as usize).checked_sub(FIRST_WORD as usize).and_then(|word| counts.get_mut(word)) {
                *count += 1;
            }
        }
        let least = known.options.min_count.max(1);
        let mut kept: Vec<usize> = (0..counts.len()).filter(|&word| counts[word] >= least).collect();
        kept.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then_with(|| known.words[a].cmp(&known.words[b])));
        kept.truncate(known.options.vocabulary.map_or(usize::MAX, |n| n.saturating_sub(FIRST_WORD as usize)));
        let mut ids = vec![UNKNOWN; known.vocabulary()];
        ids[PADDING as usize] = PADDING;
        for (&word, id) in kept.iter().zip(FIRST_WORD..) {
            ids[word + FIRST_WORD as usize] = id;
        }
        let words = kept.iter().map(|&word| known.words[word].clone()).collect();
        Some(Vocabulary { text: Arc::new(TextSchema { options: known.options.clone(), words }), ids })
    }

    /// The words, with the options.
    pub fn text(&self) -> &TextSchema {
        &self.text
    }

    /// Samples that were read alike, in the ids of the vocabulary.
    pub fn apply(&self, data: Dataset) -> Dataset {
        let new = |&id: &f32| self.ids.get(id as usize).copied().unwrap_or(UNKNOWN) as f32;
        let ids: Vec<f32> = data.input_values().iter().map(new).collect();
        let shape = data.inputs().shape().to_vec();
        let inputs = Tensor::new(shape, ids).expect("as many ids as before");
        Dataset { inputs, text: Some(self.text.clone()), ..data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Target;
    use crate::text::TextOptions;

    fn texts(options: TextOptions, texts: &[&str]) -> Dataset {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        let (schema, encoded) = options.read(&texts, &|i| i.to_string()).unwrap();
        Dataset::of_texts(schema, encoded, Target::None).unwrap()
    }

    #[test]
    fn words_are_counted_in_the_training_samples_alone() {
        let all = texts(TextOptions::default(), &["b a c c", "a b d c", "e e e e"]);
        let (train, held) = (all.select(&[0, 1]).unwrap(), all.select(&[2]).unwrap());
        let vocabulary = Vocabulary::fit(&train).unwrap();
        assert_eq!(vocabulary.text().words, ["c", "a", "b", "d"]);
        assert_eq!(vocabulary.apply(train).input_values(), [4.0, 3.0, 2.0, 2.0, 3.0, 4.0, 5.0, 2.0]);
        assert_eq!(vocabulary.apply(held).input_values(), [1.0; 4]);
    }

    #[test]
    fn rare_words_are_left_out() {
        let rare = TextOptions { min_count: 2, ..TextOptions::default() };
        let data = texts(rare, &["b a c c", "a b d"]);
        let vocabulary = Vocabulary::fit(&data).unwrap();
        assert_eq!(vocabulary.text().words, ["a", "b", "c"]);
        assert_eq!(vocabulary.apply(data).input_values(), [3.0, 2.0, 4.0, 4.0, 2.0, 3.0, 1.0, 0.0]);
        let small = TextOptions { vocabulary: Some(4), ..TextOptions::default() };
        let vocabulary = Vocabulary::fit(&texts(small, &["b a c c", "a b d"])).unwrap();
        assert_eq!(vocabulary.text().words, ["a", "b"]);
    }
}
