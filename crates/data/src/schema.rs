//! What a model must remember of its training data, so that other data are read the same way: the order and encoding of the
//! columns, the list of classes, the names of the targets.

use crate::text::TextSchema;
use serde::{Deserialize, Serialize};

/// The shape and meaning of a data set, without its rows. Stored in the model file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The shape of one sample's inputs.
    pub features: Vec<usize>,
    /// How each column of a table becomes features; `None` for arrays and pictures.
    #[serde(default)]
    pub columns: Option<Vec<Column>>,
    /// How texts become the ids that are the inputs; `None` where they are numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSchema>,
    /// What is to be predicted.
    pub target: TargetSchema,
}

/// One column of a table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name: from the header, or `c0`, `c1`, … by position in the file.
    pub name: String,
    /// How its cells become numbers.
    pub encoding: Encoding,
}

/// How a column's cells become numbers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Encoding {
    /// One feature: the number itself.
    Number {
        /// What stands in for a missing cell: the mean of the training data, if they were asked to be filled.
        fill: Option<f64>,
    },
    /// One feature per category, 1 for the cell's own and 0 for the others.
    Categories {
        /// The categories in the order of their features.
        values: Vec<String>,
        /// What stands in for a missing cell: the most frequent category, if they were asked to be filled.
        fill: Option<String>,
    },
}

/// What is to be predicted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetSchema {
    /// Nothing: inputs only.
    None,
    /// One of these classes; a label is the index into the list.
    Classes(Vec<String>),
    /// Real numbers of these names.
    Values(Vec<String>),
}

impl Schema {
    /// The classes, if the target is one.
    pub fn classes(&self) -> Option<&[String]> {
        match &self.target {
            TargetSchema::Classes(classes) => Some(classes),
            _ => None,
        }
    }

    /// In a few words, for messages: `[8, 8] features, classes "a", "b"`.
    pub(crate) fn in_short(&self) -> String {
        let target = match &self.target {
            TargetSchema::None => "no target".to_string(),
            TargetSchema::Classes(classes) => format!("classes {}", crate::error::list(classes)),
            TargetSchema::Values(names) => format!("values {}", crate::error::list(names)),
        };
        format!("{:?} features, {target}", self.features)
    }

    /// How many numbers one sample's inputs have.
    pub fn feature_len(&self) -> usize {
        self.features.iter().product()
    }
}

impl Column {
    /// How many features the column becomes.
    pub fn width(&self) -> usize {
        match &self.encoding {
            Encoding::Number { .. } => 1,
            Encoding::Categories { values, .. } => values.len(),
        }
    }

    /// The names of its features: the column's own, or `column=category`.
    pub fn feature_names(&self) -> Vec<String> {
        match &self.encoding {
            Encoding::Number { .. } => vec![self.name.clone()],
            Encoding::Categories { values, .. } => {
                values.iter().map(|value| format!("{}={value}", self.name)).collect()
            }
        }
    }
}
