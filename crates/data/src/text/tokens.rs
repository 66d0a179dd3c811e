//! Tokens: the pieces of a text that have an id each.

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// What a token is.
///
/// ```
/// use gradus_data::text::Split;
/// assert_eq!(Split::Words.tokens("It's 3.5 km, isn't it?", true), ["it's", "3.5", "km", "isn't", "it"]);
/// assert_eq!(Split::Spaces.tokens("well -- no .", true), ["well", "--", "no", "."]);
/// assert_eq!(Split::Characters.tokens("Zoë \n!", false), ["Z", "o", "ë", " ", "!"]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Words as Unicode defines them (UAX #29): runs of letters and digits, with the apostrophes and points inside them; what has no
    /// letter or digit, such as punctuation, is left out. Each character of Chinese or Japanese is a word.
    #[default]
    Words,
    /// Whatever stands between white space: for texts that were cut into tokens already, as those of GloVe and fastText are.
    Spaces,
    /// Characters as people see them (extended grapheme clusters of UAX #29), any run of white space being one blank.
    Characters,
}

impl Split {
    /// The tokens of a text; with `lower`, of the text in small letters.
    pub fn tokens(self, text: &str, lower: bool) -> Vec<String> {
        let lowered = if lower { text.to_lowercase() } else { String::new() };
        let text = if lower { &lowered } else { text };
        match self {
            Split::Words => text.unicode_words().map(String::from).collect(),
            Split::Spaces => text.split_whitespace().map(String::from).collect(),
            Split::Characters => {
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                text.graphemes(true).map(String::from).collect()
            }
        }
    }
}

/// The sentences of a text by the rules of UAX #29; a line of its own is one, too.
pub fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.unicode_sentences()
}
