//! Members of a family in a recipe's list: `{ z_score = { on = "target" } }`, or the name alone where all settings have defaults, `"z_score"`.

use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, MapAccess, Visitor};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

/// Reads a list of members.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let members = Vec::<Named<T>>::deserialize(deserializer)?;
    Ok(members.into_iter().map(|Named(member)| member).collect())
}

struct Named<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named<T>, D::Error> {
        deserializer.deserialize_any(Member(PhantomData)).map(Named)
    }
}

struct Member<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Member<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or a table with one key")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<T, E> {
        T::deserialize(MapAccessDeserializer::new(MapDeserializer::new(std::iter::once((name, NoSettings)))))
    }
}

/// An empty table.
struct NoSettings;

impl<'de, E: de::Error> IntoDeserializer<'de, E> for NoSettings {
    type Deserializer = MapDeserializer<'de, std::collections::hash_map::IntoIter<&'de str, &'de str>, E>;

    fn into_deserializer(self) -> Self::Deserializer {
        MapDeserializer::new(HashMap::new().into_iter())
    }
}

#[cfg(test)]
mod tests {
    use crate::transforms::{Pipeline, Transform, ZScore};

    #[test]
    fn a_name_means_its_defaults() {
        let read = |text: &str| serde_json::from_str::<Pipeline>(text);
        let steps = read(r#"["z_score", { "log1p": {} }]"#).unwrap().steps;
        assert_eq!(steps[0], Transform::ZScore(ZScore::default()));
        assert_eq!(steps.len(), 2);
        let message = |text: &str| read(text).unwrap_err().to_string();
        assert!(message(r#"["z_scor"]"#).contains("unknown variant `z_scor`"));
        assert!(message("[3]").contains("expected a name, or a table with one key"));
        assert!(message(r#"[{ "z_score": { "om": 1 } }]"#).contains("unknown field `om`"));
    }
}
