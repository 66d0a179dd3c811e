//! Data for validation or test: a source of its own, or a part held out of the training data.

use gradus_data::readers::{
    Augmented, CifarSource, CsvSource, Embedded, IdxSource, NpySource, NpzSource, Take, TextSource,
};
use gradus_data::{Holdout, Source};
use serde::{Deserialize, Serialize};

/// `{ fraction = 0.1 }`, `{ count = 1000, stratified = false }`, `{ fold = 2, of = 5 }`, or a source such as `{ npz = { … } }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub enum Part {
    /// Held out of the training data.
    Held(Holdout),
    /// Data of their own.
    Source(Source),
}

/// Everything that a part can be made of, so that an unknown key is found at its place.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    fraction: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fold: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stratified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shuffle: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idx: Option<IdxSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    npy: Option<NpySource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    npz: Option<NpzSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    csv: Option<CsvSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cifar: Option<CifarSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedded: Option<Embedded>,
    #[serde(skip_serializing_if = "Option::is_none")]
    take: Option<Box<Take>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    augmented: Option<Box<Augmented>>,
}

impl TryFrom<Fields> for Part {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Part, &'static str> {
        let Fields {
            fraction,
            count,
            fold,
            of,
            stratified,
            shuffle,
            idx,
            npy,
            npz,
            csv,
            cifar,
            text,
            embedded,
            take,
            augmented,
        } = fields;
        let sizes = usize::from(fraction.is_some()) + usize::from(count.is_some()) + usize::from(fold.is_some());
        let held = sizes > 0 || of.is_some() || stratified.is_some() || shuffle.is_some();
        let mut sources: Vec<Source> = vec![];
        sources.extend(idx.map(Source::Idx));
        sources.extend(npy.map(Source::Npy));
        sources.extend(npz.map(Source::Npz));
        sources.extend(csv.map(Source::Csv));
        sources.extend(cifar.map(Source::Cifar));
        sources.extend(text.map(Source::Text));
        sources.extend(embedded.map(Source::Embedded));
        sources.extend(take.map(Source::Take));
        sources.extend(augmented.map(Source::Augmented));
        match (held, sources.pop()) {
            (false, Some(source)) if sources.is_empty() => Ok(Part::Source(source)),
            (true, None) if fold.is_some() != of.is_some() => {
                Err("`fold` and `of` need each other\nwrite { fold = 2, of = 5 }")
            }
            (true, None) if sizes == 1 => Ok(Part::Held(Holdout {
                fraction,
                count,
                fold,
                of,
                stratified: stratified.unwrap_or(true),
                shuffle: shuffle.unwrap_or(true),
            })),
            (true, None) => Err("a part held out of the training data needs one of `fraction`, `count` and `fold`\n\
                 write { fraction = 0.1 }, { count = 1000 } or { fold = 2, of = 5 }"),
            _ => Err("a part is either one source or held out of the training data\n\
                 write { fraction = 0.1 }, or one source such as { npz = { path = \"test.npz\", task = \"classes\" } }"),
        }
    }
}

impl From<Part> for Fields {
    fn from(part: Part) -> Fields {
        let mut fields = Fields::default();
        match part {
            Part::Held(Holdout { fraction, count, fold, of, stratified, shuffle }) => {
                (fields.fraction, fields.count) = (fraction, count);
                (fields.fold, fields.of) = (fold, of);
                (fields.stratified, fields.shuffle) = (Some(stratified), Some(shuffle));
            }
            Part::Source(Source::Idx(source)) => fields.idx = Some(source),
            Part::Source(Source::Npy(source)) => fields.npy = Some(source),
            Part::Source(Source::Npz(source)) => fields.npz = Some(source),
            Part::Source(Source::Csv(source)) => fields.csv = Some(source),
            Part::Source(Source::Cifar(source)) => fields.cifar = Some(source),
            Part::Source(Source::Text(source)) => fields.text = Some(source),
            Part::Source(Source::Embedded(source)) => fields.embedded = Some(source),
            Part::Source(Source::Take(source)) => fields.take = Some(source),
            Part::Source(Source::Augmented(source)) => fields.augmented = Some(source),
        }
        fields
    }
}
