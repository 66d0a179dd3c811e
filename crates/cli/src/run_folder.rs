//! The folder of a run: its files, and the lock that keeps other runs out.

use crate::failure::{Failure, Result};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// A run's folder, locked as long as this value lives.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Whether this run has made it.
    made: bool,
    lock: File,
}

const LOCK: &str = ".lock";
/// What says that a folder holds a run.
const FILES: [&str; 8] = [
    "recipe.toml",
    "history.jsonl",
    "initial.safetensors",
    "best.safetensors",
    "early.safetensors",
    "last.safetensors",
    "last.retrain.safetensors",
    "report.html",
];

impl RunFolder {
    /// A folder for a new run: the given one, or `runs/NAME-1`, `runs/NAME-2`, … whichever is free.
    ///
    /// # Errors
    /// A folder that cannot be written, is in use, or holds a run already (unless that is to be overwritten).
    pub fn create(path: Option<&Path>, name: &str, overwrite: bool) -> Result<RunFolder> {
        let go_on = path.map_or_else(String::new, |path| {
            format!(
                "go on with it: gradus train --resume {}; or give another --run-dir, or say --overwrite",
                path.display()
            )
        });
        RunFolder::create_for("run", path, name, overwrite, &FILES, &go_on)
    }

    /// A folder for something new, such as a comparison, that leaves these files. `help` says what to do about a folder that has some of them.
    ///
    /// # Errors
    /// As for [`RunFolder::create`].
    pub fn create_for(
        what: &str,
        path: Option<&Path>,
        name: &str,
        overwrite: bool,
        files: &[&str],
        help: &str,
    ) -> Result<RunFolder> {
        let Some(path) = path else {
            let plain = plain(name);
            for number in 1.. {
                let path = Path::new("runs").join(format!("{plain}-{number}"));
                fs::create_dir_all("runs").map_err(|e| not_writable(Path::new("runs"), &e))?;
                match fs::create_dir(&path) {
                    Ok(()) => return RunFolder::lock(path, true),
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(not_writable(&path, &error)),
                }
            }
            return Err(Failure::files("runs holds too many folders", "remove some"));
        };
        let made = !path.exists();
        if path.exists() && !path.is_dir() {
            return Err(Failure::files(format!("{} is not a folder", path.display()), "give another --run-dir"));
        }
        fs::create_dir_all(path).map_err(|e| not_writable(path, &e))?;
        let folder = RunFolder::lock(path.to_path_buf(), made)?;
        let held: Vec<&str> = files.iter().copied().filter(|file| folder.file(file).exists()).collect();
        if !held.is_empty() {
            if !overwrite {
                return Err(Failure::files(
                    format!("{} holds a {what} already ({})", path.display(), held.join(", ")),
                    help,
                ));
            }
            for file in held {
                fs::remove_file(folder.file(file)).map_err(|e| not_writable(path, &e))?;
            }
        }
        Ok(folder)
    }

    /// The folder of a run that is there.
    ///
    /// # Errors
    /// No such folder, no run in it, not writable, in use.
    pub fn open(path: &Path) -> Result<RunFolder> {
        if !path.join("recipe.toml").is_file() {
            let problem = format!("there is no run in {}: it has no recipe.toml", path.display());
            return Err(Failure::files(problem, "give the folder of a run, such as runs/digits-1"));
        }
        RunFolder::lock(path.to_path_buf(), false)
    }

    fn lock(path: PathBuf, made: bool) -> Result<RunFolder> {
        let file = path.join(LOCK);
        let lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&file)
            .map_err(|e| not_writable(&path, &e))?;
        match lock.try_lock() {
            Ok(()) => Ok(RunFolder { path, made, lock }),
            Err(TryLockError::WouldBlock) => {
                let help = "wait until that run ends, or give another --run-dir";
                Err(Failure::files(format!("{} is in use by another run", path.display()), help))
            }
            Err(TryLockError::Error(error)) => Err(not_writable(&path, &error)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a text file in it, all or nothing.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.file(name);
        let write = |out: &mut std::io::BufWriter<File>| std::io::Write::write_all(out, text.as_bytes());
        gradus_tensor::write_atomic(&path, write).map_err(|e| not_writable(&self.path, &e))
    }

    /// Removes a file that is out of date, if it is there.
    pub fn remove(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.file(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(not_writable(&self.path, &error)),
            _ => Ok(()),
        }
    }

    /// Takes back a run that did not begin.
    pub fn discard(&self) {
        let _ = fs::remove_file(self.file("recipe.toml"));
        let _ = fs::remove_file(self.file("initial.safetensors"));
        let _ = self.lock.unlock();
        let _ = fs::remove_file(self.file(LOCK));
        if self.made {
            // Only an empty folder is removed.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// A name that every file system takes.
pub fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
}

fn not_writable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::files(
        format!("cannot write to the run folder {}: {error}", path.display()),
        "give a folder of your own with --run-dir",
    )
}
