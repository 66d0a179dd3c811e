//! Values that lie in a file beside the model.
//!
//! The other file is named by the model, which may come from anywhere. It must lie in the model's folder or below; nothing outside is
//! ever opened: no absolute path, no `..`, no link.

use crate::error::{OnnxError, Result};
use crate::proto::TensorProto;
use std::fs::{self, File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// The bytes of a tensor that lies in another file below `folder`, at most `most` of them.
pub fn read(tensor: &TensorProto, folder: &Path, most: u64) -> Result<Vec<u8>> {
    let place = format!("stored tensor `{}`", tensor.name);
    let entry = |key: &str| tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let number = |key: &str| {
        let parse = |text: &str| {
            let error = || OnnxError::unreadable(&place, format!("a number of bytes as `{key}`"), format!("`{text}`"));
            text.parse::<u64>().map_err(|_| error())
        };
        entry(key).map(parse).transpose()
    };
    let location = entry("location").unwrap_or_default();
    let path = inside(folder, location).map_err(|received| refusal(&place, received))?;
    let length_of = |path: &Path| fs::symlink_metadata(path).map(|m| m.len());
    let io = |e: std::io::Error| OnnxError::unreadable(&place, format!("a readable file `{location}`"), e.to_string());
    let total = length_of(&path).map_err(io)?;
    let start = number("offset")?.unwrap_or(0);
    let length = number("length")?.unwrap_or(total.saturating_sub(start));
    if start.checked_add(length).is_none_or(|end| end > total) {
        let expected = format!("{length} bytes from {start} on in `{location}`");
        return Err(OnnxError::unreadable(&place, expected, format!("a file of {total} bytes")));
    }
    if length > most {
        return Err(OnnxError::unreadable(&place, format!("at most {most} bytes"), format!("{length} bytes")));
    }
    let mut file = File::open(&path).map_err(io)?;
    file.seek(SeekFrom::Start(start)).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 != length {
        let received = format!("a file that was cut to {} bytes while it was read", bytes.len());
        return Err(OnnxError::unreadable(&place, format!("{length} bytes"), received));
    }
    Ok(bytes)
}

fn refusal(place: &str, received: String) -> OnnxError {
    OnnxError::unreadable(place, "external data in a plain file in the model's folder", received)
        .help("put the data beside the model as a file of its own, and name it by a relative path")
}

/// The path of a file below a folder, or what is wrong with its name. Nothing is opened.
fn inside(folder: &Path, location: &str) -> std::result::Result<PathBuf, String> {
    let quoted = format!("`{location}`");
    if location.is_empty() {
        return Err("no location".into());
    }
    let mut path = folder.to_path_buf();
    let mut components = Path::new(location).components().peekable();
    while let Some(component) = components.next() {
        let name = match component {
            Component::CurDir => continue,
            Component::Normal(name) => name,
            Component::ParentDir => return Err(format!("{quoted}, which leads out of the folder")),
            Component::RootDir | Component::Prefix(_) => return Err(format!("{quoted}, an absolute path")),
        };
        path.push(name);
        let found = fs::symlink_metadata(&path).map_err(|e| format!("{quoted}: {e}"))?;
        if found.is_symlink() {
            return Err(format!("{quoted}, which is or goes through a link"));
        }
        let last = components.peek().is_none();
        if last && (!found.is_file() || linked(&found)) {
            let what = if found.is_file() { "a file with several names (hard links)" } else { "no plain file" };
            return Err(format!("{quoted}, {what}"));
        }
    }
    Ok(path)
}

/// Whether a file has several names, so that it may belong to something else.
#[cfg(unix)]
fn linked(found: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    found.nlink() > 1
}

#[cfg(not(unix))]
fn linked(_found: &Metadata) -> bool {
    false
}
