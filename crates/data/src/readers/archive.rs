//! Files that lie in a folder or in a tar archive (plain, gzip or xz): asked for by name, read without unpacking to disk.

use super::Stream;
use crate::error::DataError;
use gradus_tensor::{Format, TensorError};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// The contents of the files with one of these names, and the place of each for messages. A name that is not there is not an error.
///
/// In a folder the files lie at its top, or at the top of its folder `inner`. In an archive they may lie anywhere; it is read up to
/// the last of them.
pub(crate) fn files(
    place: &Path,
    inner: &[&str],
    names: &[&str],
) -> Result<BTreeMap<String, (String, Vec<u8>)>, DataError> {
    let mut found = BTreeMap::new();
    if !place.is_dir() {
        read_archive(place, names, &mut found)?;
        return Ok(found);
    }
    let folders = std::iter::once(place.to_path_buf()).chain(inner.iter().map(|folder| place.join(folder)));
    for folder in folders {
        for name in names {
            let file = folder.join(name);
            if file.is_file() && !found.contains_key(*name) {
                let shown = file.display().to_string();
                let bytes = fs::read(&file).map_err(|e| DataError::read(&shown, e))?;
                found.insert(name.to_string(), (shown, bytes));
            }
        }
    }
    Ok(found)
}

fn read_archive(
    place: &Path,
    names: &[&str],
    found: &mut BTreeMap<String, (String, Vec<u8>)>,
) -> Result<(), DataError> {
    members(Stream::open(place)?, &place.display().to_string(), names, found)
}

/// The members of a tar archive, called `shown` in messages, with one of these names, into `found`.
pub(crate) fn members(
    mut stream: Stream,
    shown: &str,
    names: &[&str],
    found: &mut BTreeMap<String, (String, Vec<u8>)>,
) -> Result<(), DataError> {
    let failed = |error: io::Error| {
        DataError::Tensor(TensorError::Damaged { file: shown.to_string(), problem: error.to_string() })
    };
    let mut head = Vec::new();
    stream.read_head(Format::HEAD, &mut head).map_err(failed)?;
    let format = Format::of(&head);
    if format != Format::Tar {
        return Err(DataError::Table {
            file: shown.to_string(),
            problem: format!("it looks like {format}, not a tar archive"),
            help: "give the folder of the unpacked files, or a .tar, .tar.gz or .tar.xz archive of them".to_string(),
        });
    }
    let mut archive = tar::Archive::new(stream);
    for member in archive.entries().map_err(failed)? {
        let mut member = member.map_err(failed)?;
        let path = member.path().map_err(failed)?.into_owned();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_string();
        if !member.header().entry_type().is_file() || !names.contains(&name.as_str()) {
            continue;
        }
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).map_err(failed)?;
        if (bytes.len() as u64) < member.header().size().map_err(failed)? {
            return Err(failed(io::Error::other(format!("it ends inside {}", path.display()))));
        }
        found.insert(name, (format!("{shown}: {}", path.display()), bytes));
        if found.len() == names.len() {
            break;
        }
    }
    Ok(())
}
