//! What all families share. A family (layers, losses, …) is a table of configuration structs; the table makes an enum over them that
//! reads and writes recipes.
//!
//! In a recipe a member stands as a table with one key, `{ leaky_relu = { slope = 0.2 } }`, or as its key alone where all defaults
//! are meant, `"leaky_relu"`. Where one number says all, that number may take the table's place: `{ global_norm = 1.0 }`. Unknown keys
//! and settings are errors that list the known ones.
//!
//! The table keeps each member's source as well: its documentation is what `gradus explain` prints, see [`explain`](crate::explain).

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;

/// One member of a family: plain data with defaults, readable from a recipe.
pub trait Config: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + 'static {
    /// The configurations that tests and documentation go through: the defaults and every option at least once.
    fn examples() -> Vec<Self>;

    /// The member that a number alone means, for those where one number says all.
    ///
    /// # Errors
    /// What was expected instead.
    fn from_number(x: f64) -> Result<Self, String> {
        Err(format!("expected a table of settings, received the number {x}"))
    }

    /// The member that a name alone means, for those that stand for a member of another family.
    ///
    /// # Errors
    /// What was expected instead.
    fn from_name<E: de::Error>(name: &str) -> Result<Self, E> {
        Err(E::invalid_type(de::Unexpected::Str(name), &"a table of settings"))
    }
}

/// A table without settings.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

/// Reads a key that must be one of these.
#[doc(hidden)]
pub struct Key(pub &'static [&'static str]);

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

/// Reads a member's settings: a table, a number, or for members that stand for another family its name.
#[doc(hidden)]
pub struct Settings<C>(PhantomData<C>);

impl<C> Default for Settings<C> {
    fn default() -> Settings<C> {
        Settings(PhantomData)
    }
}

impl<'de, C: Config> DeserializeSeed<'de> for Settings<C> {
    type Value = C;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<C, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, C: Config> Visitor<'de> for Settings<C> {
    type Value = C;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<C, A::Error> {
        C::deserialize(MapAccessDeserializer::new(map))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<C, E> {
        C::from_name(name)
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<C, E> {
        C::from_number(x).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, x: i64) -> Result<C, E> {
        self.visit_f64(x as f64)
    }

    fn visit_u64<E: de::Error>(self, x: u64) -> Result<C, E> {
        self.visit_f64(x as f64)
    }
}

/// A member's name, its source, and its default settings, as far as it has any: what is known of it at run time.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Its key in a recipe.
    pub key: &'static str,
    /// The name of its struct.
    pub name: &'static str,
    /// The file that it is written in.
    pub source: &'static str,
    /// Its first example, which has the defaults wherever there are any.
    pub example: fn() -> serde_json::Value,
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
///
/// A crate that uses it depends on `serde` and `serde_json`. Each module is a file beside the one with the table.
#[macro_export]
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

            /// What is known of each member, in the table's order.
            pub const PAGES: &'static [$crate::table::Page] = &[$($crate::table::Page {
                key: stringify!($module),
                name: stringify!($Config),
                source: include_str!(concat!(stringify!($module), ".rs")),
                example: || {
                    let example = <$Config as $crate::table::Config>::examples().into_iter().next();
                    serde_json::to_value(example).unwrap_or_default()
                },
            }),*];

            /// The examples of all members, see [`Config`]($crate::table::Config).
            pub fn examples() -> Vec<$Any> {
                let mut all = vec![];
                $(all.extend(<$Config as $crate::table::Config>::examples().into_iter().map($Any::$Config));)*
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
                        let Some(key) = map.next_key_seed($crate::table::Key($Any::KEYS))? else {
                            return Err(A::Error::invalid_length(0, &self));
                        };
                        let member = match key {
                            $(stringify!($module) => $Any::$Config(map.next_value_seed($crate::table::Settings::default())?),)*
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
