//! Writing a file all or nothing: readers see the old file or the whole new one, also after a crash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file through a temporary name in the same folder: write, sync, rename, sync the folder.
///
/// If `write` or the system fails, the temporary file is removed and a file that stood at `path` is left as it was. Something
/// at `path` that is no regular file (a terminal, a pipe, `/dev/null`) is written to directly.
///
/// ```
/// use std::io::Write;
/// # let folder = std::env::temp_dir().join(format!("gradus-atomic-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("notes.txt");
/// gradus_tensor::write_atomic(&path, |out| out.write_all(b"all of it"))?;
/// assert_eq!(std::fs::read(&path)?, b"all of it");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_atomic<T>(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> io::Result<T> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let mut out = BufWriter::new(OpenOptions::new().write(true).open(path)?);
        let value = write(&mut out)?;
        out.flush()?;
        return Ok(value);
    }
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let temporary = temporary_name(&target)?;
    let result = write_and_rename(&temporary, &target, write);
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn write_and_rename<T>(
    temporary: &Path,
    target: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<T> {
    let mut out = BufWriter::with_capacity(1 << 16, OpenOptions::new().write(true).create_new(true).open(temporary)?);
    let value = write(&mut out)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    drop(out);
    fs::rename(temporary, target)?;
    if let Ok(folder) = File::open(folder_of(target)) {
        // Some file systems cannot sync a folder; the file itself is safe by then.
        let _ = folder.sync_all();
    }
    Ok(value)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A hidden name beside `path` that no other process or thread of ours uses.
fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a file name"))?;
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    let hidden = format!(".{}.{}-{count}.tmp", name.to_string_lossy(), std::process::id());
    Ok(folder_of(path).join(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_old_file_and_no_other() {
        let folder = std::env::temp_dir().join(format!("gradus-atomic-fail-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.bin");
        write_atomic(&path, |out| out.write_all(b"old")).unwrap();
        let error = write_atomic(&path, |out| {
            out.write_all(b"half of the new")?;
            Err::<(), _>(io::Error::other("the disk is full"))
        });
        assert_eq!(error.unwrap_err().to_string(), "the disk is full");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        write_atomic(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let path = std::env::temp_dir().join("gradus-no-such-folder").join("a.bin");
        assert_eq!(write_atomic(&path, |_| Ok(())).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_not_replaced() {
        use std::os::unix::fs::FileTypeExt;
        write_atomic(Path::new("/dev/null"), |out| out.write_all(b"x")).unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    }
}
