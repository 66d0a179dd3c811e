//! What all families share. A family (layers, losses, …) is a table of configuration structs; the table makes an enum over them that
//! reads and writes recipes.
//!
//! In a recipe a member stands as a table with one key, `{ leaky_relu = { slope = 0.2 } }`, or as its key alone where all defaults
//! are meant, `"leaky_relu"`. Unknown keys and settings are errors that list the known ones.

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One member of a family: plain data with defaults, readable from a recipe.
pub trait Config: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + 'static {
    /// The configurations that tests and documentation go through: the defaults and every option at least once.
    fn examples() -> Vec<Self>;
}

/// A table without settings.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

/// Reads a key that must be one of these.
pub(crate) struct Key(pub &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", self.0.join(", "))
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<&'static str, E> {
        self.0.iter().find(|&&known| known == key).copied().ok_or_else(|| E::unknown_variant(key, self.0))
    }
}

/// A configuration struct without settings.
macro_rules! plain {
    ($(#[$doc:meta])* pub struct $Config:ident;) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(from = "crate::table::Empty", into = "crate::table::Empty")]
        pub struct $Config;

        impl From<crate::table::Empty> for $Config {
            fn from(_: crate::table::Empty) -> $Config { $Config }
        }

        impl From<$Config> for crate::table::Empty {
            fn from(_: $Config) -> crate::table::Empty { crate::table::Empty {} }
        }

        impl crate::table::Config for $Config {
            fn examples() -> Vec<$Config> { vec![$Config] }
        }
    };
}

/// A family: its modules, the enum over their structs, and the enum's recipe form.
macro_rules! table {
    ($(#[$doc:meta])* pub enum $Any:ident: $Trait:ident, $what:literal { $($module:ident::$Config:ident),* $(,)? }) => {
        $(mod $module; pub use $module::$Config;)*

        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $Any { $(#[doc = concat!("See [`", stringify!($Config), "`].")] $Config($Config)),* }

        impl $Any {
            /// The keys of all members, in the table's order.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($module)),*];

            /// Its key in a recipe.
            pub fn key(&self) -> &'static str {
                match self { $($Any::$Config(_) => stringify!($module)),* }
            }

            /// The examples of all members, see [`Config`](crate::table::Config).
            pub fn examples() -> Vec<$Any> {
                let mut all = vec![];
                $(all.extend(<$Config as crate::table::Config>::examples().into_iter().map($Any::$Config));)*
                all
            }
        }

        $(impl From<$Config> for $Any { fn from(config: $Config) -> $Any { $Any::$Config(config) } })*

        impl std::ops::Deref for $Any {
            type Target = dyn $Trait;

            fn deref(&self) -> &(dyn $Trait + 'static) {
                match self { $($Any::$Config(config) => config),* }
            }
        }

        impl std::ops::DerefMut for $Any {
            fn deref_mut(&mut self) -> &mut (dyn $Trait + 'static) {
                match self { $($Any::$Config(config) => config),* }
            }
        }

        impl serde::Serialize for $Any {
            /// A table with one key; the key alone for a member without settings.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                match self {
                    $($Any::$Config(_) if size_of::<$Config>() == 0 => serializer.serialize_str(self.key()),
                    $Any::$Config(config) => {
                        let mut map = serializer.serialize_map(Some(1))?;
                        map.serialize_entry(self.key(), config)?;
                        map.end()
                    })*
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $Any {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$Any, D::Error> {
                use serde::de::{Error, MapAccess, Visitor, value::MapDeserializer};

                struct Member;

                impl<'de> Visitor<'de> for Member {
                    type Value = $Any;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(f, concat!($what, ", as its name or as a table with its name: one of {}"), $Any::KEYS.join(", "))
                    }

                    fn visit_str<E: Error>(self, key: &str) -> Result<$Any, E> {
                        $(if key == stringify!($module) {
                            let defaults = MapDeserializer::<_, E>::new(std::iter::empty::<(&str, bool)>());
                            return <$Config as serde::Deserialize>::deserialize(defaults).map($Any::$Config);
                        })*
                        Err(E::unknown_variant(key, $Any::KEYS))
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$Any, A::Error> {
                        let Some(key) = map.next_key_seed(crate::table::Key($Any::KEYS))? else {
                            return Err(A::Error::invalid_length(0, &self));
                        };
                        let member = match key {
                            $(stringify!($module) => $Any::$Config(map.next_value()?),)*
                            _ => return Err(A::Error::unknown_variant(key, $Any::KEYS)),
                        };
                        match map.next_key::<String>()? {
                            None => Ok(member),
                            Some(second) => Err(A::Error::custom(format_args!(
                                concat!("expected one name of ", $what, ", found `{}` and `{}`: put each into a table of its own"), key, second
                            ))),
                        }
                    }
                }

                deserializer.deserialize_any(Member)
            }
        }
    };
}
