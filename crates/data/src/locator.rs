//! Where relative paths are looked for.

use crate::error::DataError;
use std::env;
use std::path::{Path, PathBuf};

/// An ordered list of folders. A relative path is taken from the first folder that has it; an absolute one is taken as it is.
///
/// ```
/// use gradus_data::Locator;
/// let locator = Locator::new(["/usr/share/datasets"]);
/// let error = locator.find("no-such-set/train.csv").unwrap_err().to_string();
/// assert!(error.contains("/usr/share/datasets/no-such-set/train.csv"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Locator {
    roots: Vec<PathBuf>,
}

impl Locator {
    /// Exactly these folders, in this order.
    pub fn new<P: Into<PathBuf>>(roots: impl IntoIterator<Item = P>) -> Locator {
        let mut list: Vec<PathBuf> = Vec::new();
        for root in roots {
            let root = root.into();
            if !list.contains(&root) {
                list.push(root);
            }
        }
        Locator { roots: list }
    }

    /// The usual folders: `$GRADUS_DATA`, the recipe's folder, the current folder, the user's cache
    /// ([`cache_folder`]), and the system's `/usr/share/datasets` (where Debian's `dataset-fashion-mnist` lies).
    pub fn from_env(recipe_folder: Option<&Path>) -> Locator {
        let mut roots: Vec<PathBuf> = Vec::new();
        roots.extend(env::var_os("GRADUS_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from));
        roots.extend(recipe_folder.map(Path::to_path_buf));
        roots.push(PathBuf::from("."));
        roots.extend(cache_folder());
        roots.push(PathBuf::from("/usr/share/datasets"));
        Locator::new(roots)
    }

    /// The folders, in the order of the search.
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// The file that `path` means. A file that is there only with, or only without, `.gz` at its end is found too, since the
    /// readers look at the contents. `-`, standard input, stays as it is.
    ///
    /// Fails with the list of places if there is none.
    pub fn find(&self, path: &str) -> Result<PathBuf, DataError> {
        if path == "-" {
            return Ok(PathBuf::from(path));
        }
        let twin = path.strip_suffix(".gz").map_or_else(|| format!("{path}.gz"), str::to_string);
        let roots: &[PathBuf] = if Path::new(path).is_absolute() { &[PathBuf::new()] } else { &self.roots };
        for root in roots {
            for name in [path, &twin] {
                let place = root.join(name);
                if place.is_file() || name == path && place.exists() && !place.is_dir() {
                    return Ok(place);
                }
            }
        }
        Err(self.not_found(path, roots))
    }

    /// The file or folder that `path` means; a file as [`Locator::find`] finds it.
    ///
    /// Fails with the list of places if there is none.
    pub fn find_entry(&self, path: &str) -> Result<PathBuf, DataError> {
        let roots: &[PathBuf] = if Path::new(path).is_absolute() { &[PathBuf::new()] } else { &self.roots };
        match roots.iter().map(|root| root.join(path)).find(|place| place.is_dir()) {
            Some(folder) => Ok(folder),
            None => self.find(path),
        }
    }

    fn not_found(&self, path: &str, roots: &[PathBuf]) -> DataError {
        let looked = roots.iter().map(|root| root.join(path)).collect();
        DataError::NotFound { file: path.to_string(), looked, help: help(path) }
    }
}

/// The user's folder of fetched data sets: `$XDG_CACHE_HOME/gradus/data`, `~/.cache/gradus/data`, or the system's like.
pub fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let cache = cache.or_else(|| folder("LOCALAPPDATA")).or_else(|| folder("HOME").map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("gradus").join("data"))
}

fn help(path: &str) -> String {
    match Path::new(path).components().next().and_then(|first| first.as_os_str().to_str()) {
        Some(name) if crate::known::find(name).is_some() => {
            format!("\nfetch it with `gradus data get {name}`, or set GRADUS_DATA to the folder that holds {name}/")
        }
        _ => "\ncorrect the path, or set GRADUS_DATA to the folder that holds it".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_first_root_wins_and_gz_is_optional() {
        let folder = env::temp_dir().join(format!("gradus-locator-{}", std::process::id()));
        for root in ["a", "b"] {
            fs::create_dir_all(folder.join(root).join("set")).unwrap();
        }
        fs::write(folder.join("a/set/only-packed.idx.gz"), "").unwrap();
        fs::write(folder.join("b/set/both.csv"), "").unwrap();
        fs::write(folder.join("b/set/plain.idx"), "").unwrap();
        let locator = Locator::new([folder.join("a"), folder.join("b"), folder.join("a")]);
        assert_eq!(locator.roots().len(), 2);
        assert_eq!(locator.find("set/both.csv").unwrap(), folder.join("b/set/both.csv"));
        fs::write(folder.join("a/set/both.csv"), "").unwrap();
        assert_eq!(locator.find("set/both.csv").unwrap(), folder.join("a/set/both.csv"));
        assert_eq!(locator.find("set/only-packed.idx").unwrap(), folder.join("a/set/only-packed.idx.gz"));
        assert_eq!(locator.find("set/plain.idx.gz").unwrap(), folder.join("b/set/plain.idx"));
        let absolute = folder.join("b/set/plain.idx");
        assert_eq!(Locator::default().find(absolute.to_str().unwrap()).unwrap(), absolute);
        assert_eq!(locator.find("-").unwrap(), Path::new("-"));
        assert!(locator.find("set").is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
