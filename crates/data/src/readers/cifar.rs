//! CIFAR-10 and CIFAR-100 in their binary version: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
//!
//! A record is the label (CIFAR-100: the coarse, then the fine label) in a byte each, then the 1024 red, 1024 green and 1024 blue
//! values of a picture, row after row. A file is records and nothing else.
//!
//! ```toml
//! train = { cifar = { path = "cifar10", split = "train" } }
//! test = { cifar = { path = "cifar10", split = "test" } }
//! train = { cifar = { path = "cifar-100-binary.tar.gz", split = "train", label = "coarse" } }
//! ```

use super::archive;
use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use crate::locator::Locator;
use crate::report::ArrayReport;
use crate::schema::Schema;
use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// The bytes of a picture: three colours of 32×32.
const PIXELS: usize = 3 * 32 * 32;

/// The files of CIFAR-10 by split, the names of its classes, and those of CIFAR-100.
const TRAIN_10: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
const TEST_10: [&str; 1] = ["test_batch.bin"];
const NAMES_10: &str = "batches.meta.txt";
const TRAIN_100: [&str; 1] = ["train.bin"];
const TEST_100: [&str; 1] = ["test.bin"];
const NAMES_100: [&str; 2] = ["fine_label_names.txt", "coarse_label_names.txt"];
const CLASSES_10: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The folders that the published archives unpack to.
const FOLDERS: [&str; 2] = ["cifar-10-batches-bin", "cifar-100-binary"];

/// The pictures `[3, 32, 32]`, 0 to 255, of one split of CIFAR-10 or CIFAR-100.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CifarSource {
    /// The folder of the `.bin` files; an archive of them (`.tar`, `.tar.gz`, `.tar.xz`); a folder that holds either under its
    /// published name; or a single `.bin` file, which is then read whole, whatever `split` says. Which CIFAR it is, the names of
    /// the files tell.
    pub path: String,
    /// Which part of it.
    #[serde(default)]
    pub split: CifarSplit,
    /// Which of the two labels of CIFAR-100.
    #[serde(default, skip_serializing_if = "CifarLabel::is_fine")]
    pub label: CifarLabel,
}

/// A part of CIFAR.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CifarSplit {
    /// The 50000 pictures to train on.
    #[default]
    Train,
    /// The 10000 pictures to test with.
    Test,
}

/// A label of CIFAR-100.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CifarLabel {
    /// One of 100 classes.
    #[default]
    Fine,
    /// One of 20 groups of classes.
    Coarse,
}

impl CifarLabel {
    fn is_fine(&self) -> bool {
        *self == CifarLabel::Fine
    }
}

/// Which CIFAR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Ten,
    Hundred,
}

impl Kind {
    fn labels(self) -> usize {
        if self == Kind::Ten { 1 } else { 2 }
    }

    fn record(self) -> usize {
        self.labels() + PIXELS
    }

    fn name(self) -> &'static str {
        if self == Kind::Ten { "CIFAR-10" } else { "CIFAR-100" }
    }

    fn files(self, split: CifarSplit) -> &'static [&'static str] {
        match (self, split) {
            (Kind::Ten, CifarSplit::Train) => &TRAIN_10,
            (Kind::Ten, CifarSplit::Test) => &TEST_10,
            (Kind::Hundred, CifarSplit::Train) => &TRAIN_100,
            (Kind::Hundred, CifarSplit::Test) => &TEST_100,
        }
    }

    /// By the name of a file of records: `test.bin` and `train.bin` are those of CIFAR-100.
    fn of_file(name: &str) -> Kind {
        if TRAIN_100.contains(&name) || TEST_100.contains(&name) { Kind::Hundred } else { Kind::Ten }
    }
}

impl CifarSource {
    /// The training split at `path`.
    pub fn new(path: impl Into<String>) -> CifarSource {
        CifarSource { path: path.into(), split: CifarSplit::default(), label: CifarLabel::default() }
    }

    pub(super) fn read(&self, locator: &Locator, schema: Option<&Schema>) -> Result<Dataset, DataError> {
        self.read_at(locator.find_entry(&self.path)?, schema)
    }

    fn read_at(&self, place: PathBuf, schema: Option<&Schema>) -> Result<Dataset, DataError> {
        let (place, kind, files, names) = self.files(place)?;
        let record = kind.record();
        let rows: usize = files.iter().map(|(_, bytes)| bytes.len() / record).sum();
        let mut inputs = Vec::with_capacity(rows * PIXELS);
        let mut labels = Vec::with_capacity(rows);
        let classes = match (kind, names) {
            (_, Some(names)) => names,
            (Kind::Ten, None) => CLASSES_10.map(String::from).to_vec(),
            (Kind::Hundred, None) => {
                let count = if self.label == CifarLabel::Fine { 100 } else { 20 };
                (0..count).map(|label: usize| label.to_string()).collect()
            }
        };
        for (file, bytes) in files {
            check_length(&file, &bytes, kind)?;
            for (i, record) in bytes.chunks_exact(record).enumerate() {
                let at = if kind == Kind::Hundred && self.label == CifarLabel::Fine { 1 } else { 0 };
                let label = u32::from(record[at]);
                if label as usize >= classes.len() {
                    let help = format!(
                        "the file is damaged, or not of {}, whose records have {} bytes",
                        kind.name(),
                        kind.record()
                    );
                    let problem = format!("record {i} has the label {label}, but there are {} classes", classes.len());
                    return Err(DataError::Table { file, problem, help });
                }
                labels.push(label);
                inputs.extend(record[kind.labels()..].iter().map(|&byte| f32::from(byte)));
            }
        }
        let inputs = Tensor::new([rows, 3, 32, 32], inputs)?;
        let target = match schema.and_then(Schema::classes) {
            Some(known) if known != classes => {
                let names: Vec<&String> = labels.iter().map(|&label| &classes[label as usize]).collect();
                Target::from_labels(&names, Some(known)).map_err(|e| e.of(&place.display().to_string()))?
            }
            _ => Target::Classes { labels, classes },
        };
        Dataset::new(inputs, target).map_err(|e| e.of(&self.path))
    }

    pub(super) fn read_inputs(&self, locator: &Locator) -> Result<Dataset, DataError> {
        Ok(Dataset { target: Target::None, ..self.read(locator, None)? })
    }

    /// The files of the split in their order with their places, and the names of the classes if a file tells them.
    #[expect(clippy::type_complexity, reason = "it is taken apart where it is called")]
    fn files(&self, place: PathBuf) -> Result<(PathBuf, Kind, Vec<(String, Vec<u8>)>, Option<Vec<String>>), DataError> {
        if place.is_file() && place.extension().is_some_and(|end| end == "bin") {
            let shown = place.display().to_string();
            let bytes = fs::read(&place).map_err(|e| DataError::read(&shown, e))?;
            let kind = Kind::of_file(place.file_name().and_then(|name| name.to_str()).unwrap_or_default());
            return Ok((place, kind, vec![(shown, bytes)], None));
        }
        let place = archive_in(&place).unwrap_or(place);
        let (ten, hundred) = (Kind::Ten.files(self.split), Kind::Hundred.files(self.split));
        let names = [ten, hundred, &[NAMES_10], &NAMES_100].concat();
        // Of an archive whose name tells what it is, no more is read than is needed.
        let wanted = match place.file_name().and_then(|name| name.to_str()) {
            Some(name) if place.is_file() && name.starts_with("cifar-10-") => [ten, &[NAMES_10]].concat(),
            Some(name) if place.is_file() && name.starts_with("cifar-100-") => [hundred, &NAMES_100].concat(),
            _ => names,
        };
        let mut found = archive::files(&place, &FOLDERS, &wanted)?;
        let kind = if hundred.iter().any(|name| found.contains_key(*name)) { Kind::Hundred } else { Kind::Ten };
        let mut files = vec![];
        let mut missing = vec![];
        for name in kind.files(self.split) {
            match found.remove(*name) {
                Some(file) => files.push(file),
                None => missing.push(name.to_string()),
            }
        }
        if !missing.is_empty() {
            let help = match files.is_empty() {
                true => "give the folder or archive of the binary version (not the one for Python or MATLAB)",
                false => "complete the folder; to read one file alone, give its own path",
            };
            let (noun, are) = if missing.len() == 1 { ("file", "is") } else { ("files", "are") };
            let problem = format!("the {noun} {} of {} {are} not there", crate::error::list(&missing), kind.name());
            return Err(DataError::Table { file: place.display().to_string(), problem, help: help.to_string() });
        }
        let names_file = match (kind, self.label) {
            (Kind::Ten, CifarLabel::Coarse) => {
                return Err(DataError::Option {
                    option: "cifar.label",
                    received: "\"coarse\"".to_string(),
                    expected: "only CIFAR-100 has coarse labels; leave it out".to_string(),
                });
            }
            (Kind::Ten, CifarLabel::Fine) => NAMES_10,
            (Kind::Hundred, CifarLabel::Fine) => NAMES_100[0],
            (Kind::Hundred, CifarLabel::Coarse) => NAMES_100[1],
        };
        let classes = found.remove(names_file).map(|(_, bytes)| lines(&bytes)).filter(|names| !names.is_empty());
        Ok((place, kind, files, classes))
    }
}

/// What a folder, archive or file of CIFAR holds: pictures and labels of each split that is there.
///
/// # Errors
/// Where there is neither split, or a file is damaged.
pub(crate) fn report(place: &Path) -> Result<Vec<ArrayReport>, DataError> {
    let read = |split| {
        let path = place.display().to_string();
        CifarSource { split, ..CifarSource::new(path) }.read_at(place.to_path_buf(), None)
    };
    if place.extension().is_some_and(|end| end == "bin") {
        return Ok(arrays("", &read(CifarSplit::Train)?));
    }
    match (read(CifarSplit::Train), read(CifarSplit::Test)) {
        (Ok(train), Ok(test)) => Ok([arrays("train ", &train), arrays("test ", &test)].concat()),
        (Ok(train), Err(_)) => Ok(arrays("train ", &train)),
        (Err(_), Ok(test)) => Ok(arrays("test ", &test)),
        (Err(error), Err(_)) => Err(error),
    }
}

fn arrays(split: &str, data: &Dataset) -> Vec<ArrayReport> {
    let named = |name: &str| format!("{split}{name}");
    let pictures = ArrayReport { kind: "u8".to_string(), ..ArrayReport::of(&named("data"), data.inputs()) };
    let counts = data.class_counts().unwrap_or_default();
    let classes: Vec<(String, usize)> = data.classes().unwrap_or_default().iter().cloned().zip(counts).collect();
    let labels = ArrayReport {
        name: named("label"),
        shape: vec![data.len()],
        kind: "u8".to_string(),
        min: None,
        max: None,
        nan: 0,
        infinite: 0,
        missing: 0,
        classes: Some(classes),
    };
    vec![pictures, labels]
}

/// The names in a file of one a line.
fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect()
}

/// The archive of CIFAR in a folder without the unpacked files.
fn archive_in(folder: &Path) -> Option<PathBuf> {
    let holds =
        |folder: &Path| [TRAIN_10[0], TEST_10[0], TRAIN_100[0], TEST_100[0]].iter().any(|n| folder.join(n).is_file());
    if !folder.is_dir() || holds(folder) || FOLDERS.iter().any(|inner| holds(&folder.join(inner))) {
        return None;
    }
    let names = ["cifar-10-binary", "cifar-100-binary"].into_iter();
    let names = names.flat_map(|name| [".tar", ".tar.gz", ".tar.xz"].map(|end| format!("{name}{end}")));
    names.map(|name| folder.join(name)).find(|place| place.is_file())
}

fn check_length(file: &str, bytes: &[u8], kind: Kind) -> Result<(), DataError> {
    let record = kind.record();
    let (records, rest) = (bytes.len() / record, bytes.len() % record);
    if rest == 0 && records > 0 {
        return Ok(());
    }
    let other = if kind == Kind::Ten { Kind::Hundred } else { Kind::Ten };
    let (problem, help) = match bytes.len() {
        0 => ("it is empty".to_string(), "copy or download it again".to_string()),
        n if n.is_multiple_of(other.record()) => (
            format!(
                "its {n} bytes are records of {}, {} bytes each, not of {}",
                other.name(),
                other.record(),
                kind.name()
            ),
            "give it the name that it has in its own set".to_string(),
        ),
        n => (
            format!("its {n} bytes are not whole records of {record} bytes: record {records} ends after {rest}"),
            "the file is cut short or of another format; copy or download it again".to_string(),
        ),
    };
    Err(DataError::Table { file: file.to_string(), problem, help })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;

    /// A record of CIFAR-10 whose pixels count up from `first`.
    fn record(label: u8, first: u8) -> Vec<u8> {
        let mut record = vec![label];
        record.extend((0..PIXELS).map(|i| first.wrapping_add(i as u8)));
        record
    }

    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn folder(name: &str, files: &[(&str, Vec<u8>)]) -> Folder {
        let folder = std::env::temp_dir().join(format!("gradus-cifar-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in files {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), bytes).unwrap();
        }
        Folder(folder)
    }

    fn batches() -> Vec<(&'static str, Vec<u8>)> {
        let batch = |i: usize| [record(i as u8, 0), record(9, 1)].concat();
        TRAIN_10
            .iter()
            .enumerate()
            .map(|(i, name)| (*name, batch(i)))
            .chain([("test_batch.bin", record(3, 7))])
            .collect()
    }

    fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, format!("cifar-10-batches-bin/{name}"), &bytes[..]).unwrap();
        }
        archive.into_inner().unwrap()
    }

    #[test]
    fn a_folder_and_an_archive_give_the_same() {
        let plain = folder("plain", &batches());
        let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::copy(&mut &tar(&batches())[..], &mut packed).unwrap();
        let packed = folder("packed", &[("set/cifar-10-binary.tar.gz", packed.finish().unwrap())]);
        let locator = Locator::new([plain.0.clone(), packed.0.clone()]);
        let read = |path: &str, split| CifarSource { split, ..CifarSource::new(path) }.read(&locator, None).unwrap();
        let train = read(plain.0.to_str().unwrap(), CifarSplit::Train);
        assert_eq!((train.len(), train.feature_shape()), (10, &[3, 32, 32][..]));
        assert_eq!(train.labels().unwrap(), [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]);
        assert_eq!(train.classes().unwrap()[9], "truck");
        assert_eq!(train.input_row(1)[..3], [1.0, 2.0, 3.0]);
        assert_eq!(train, read("set", CifarSplit::Train));
        assert_eq!(train, read("set/cifar-10-binary.tar.gz", CifarSplit::Train));
        let test = read("set", CifarSplit::Test);
        assert_eq!((test.labels().unwrap(), test.input_row(0)[0]), (&[3][..], 7.0));
        let single = read("data_batch_2.bin", CifarSplit::Test);
        assert_eq!(single.labels().unwrap(), [1, 9]);
    }

    #[test]
    fn the_hundred_classes_have_two_labels() {
        let record = [&[4u8, 77][..], &record(0, 5)[1..]].concat();
        let names = (0..100).map(|i| format!("fine {i}\n")).collect::<String>().into_bytes();
        let set = folder(
            "hundred",
            &[("cifar-100-binary/train.bin", record), ("cifar-100-binary/fine_label_names.txt", names)],
        );
        let source = CifarSource::new(set.0.to_str().unwrap());
        let data = source.read(&Locator::default(), None).unwrap();
        assert_eq!((data.labels().unwrap(), data.classes().unwrap()[77].as_str()), (&[77][..], "fine 77"));
        assert_eq!(data.input_row(0)[0], 5.0);
        let coarse = CifarSource { label: CifarLabel::Coarse, ..source }.read(&Locator::default(), None).unwrap();
        assert_eq!((coarse.labels().unwrap(), coarse.classes().unwrap().len()), (&[4][..], 20));
    }

    #[test]
    fn messages() {
        let error = |name: &str, files: &[(&str, Vec<u8>)]| {
            let set = folder(name, files);
            let place = set.0.display().to_string();
            let error = CifarSource::new(&place).read(&Locator::default(), None).unwrap_err();
            error.to_string().replace(&place, "F")
        };
        assert_eq!(
            error("missing", &batches()[..3]),
            "F: the files \"data_batch_4.bin\", \"data_batch_5.bin\" of CIFAR-10 are not there; complete the folder; to read one \
             file alone, give its own path"
        );
        assert_eq!(
            error("none", &[("data_batch_1", vec![1])]),
            "F: the files \"data_batch_1.bin\", \"data_batch_2.bin\", \"data_batch_3.bin\", \"data_batch_4.bin\", \
             \"data_batch_5.bin\" of CIFAR-10 are not there; give the folder or archive of the binary version (not the one for \
             Python or MATLAB)"
        );
        let with = |bytes: Vec<u8>| {
            let mut files = batches();
            files[2].1 = bytes;
            files
        };
        assert_eq!(
            error("short", &with(record(1, 0)[..3000].to_vec())),
            "F/data_batch_3.bin: its 3000 bytes are not whole records of 3073 bytes: record 0 ends after 3000; the file is cut \
             short or of another format; copy or download it again"
        );
        assert_eq!(error("empty", &with(vec![])), "F/data_batch_3.bin: it is empty; copy or download it again");
        assert_eq!(
            error("other", &with(vec![0; 2 * 3074])),
            "F/data_batch_3.bin: its 6148 bytes are records of CIFAR-100, 3074 bytes each, not of CIFAR-10; give it the name that \
             it has in its own set"
        );
        assert_eq!(
            error("label", &with([record(1, 0), record(10, 0)].concat())),
            "F/data_batch_3.bin: record 1 has the label 10, but there are 10 classes; the file is damaged, or not of CIFAR-10, \
             whose records have 3073 bytes"
        );
        let cut = tar(&batches());
        let set = folder("cut", &[("x.tar", cut[..9000].to_vec())]);
        let place = set.0.join("x.tar").display().to_string();
        let error = CifarSource::new(&place).read(&Locator::default(), None).unwrap_err().to_string();
        assert!(error.replace(&place, "F").starts_with("F is damaged: "), "{error}");
    }
}
