//! Known data sets.

/// A data set that Gradus knows by name.
pub struct KnownSet {
    /// Its name, which is its folder's too.
    pub name: &'static str,
}

const KNOWN: [KnownSet; 2] = [KnownSet { name: "mnist" }, KnownSet { name: "fashion-mnist" }];

/// The known set of this name.
pub fn find(name: &str) -> Option<&'static KnownSet> {
    KNOWN.iter().find(|set| set.name == name)
}
