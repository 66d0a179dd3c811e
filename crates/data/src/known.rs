//! Data sets that Gradus knows by name: their files, checksums, licence and where to get them.
//!
//! A file is known by the SHA-256 of its contents, decompressed if it is a gzip file, so that a copy that was packed again
//! (as Debian does) is still recognised.

use crate::digest::sha256;
use crate::error::DataError;
use crate::locator::Locator;
use crate::readers::{Stream, archive};
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A data set that Gradus knows by name.
#[derive(Clone, Copy, Debug)]
pub struct KnownSet {
    /// Its name, which is its folder's too.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its licence, as far as it has one.
    pub licence: &'static str,
    /// Its files; none if it is embedded.
    pub files: &'static [KnownFile],
    /// The archive in which they are published, without the end of its name (`.tar`, `.tar.gz`, `.tar.xz`), if they are.
    pub archive: Option<KnownArchive>,
    /// Addresses of folders that hold the files, or the archive as `.tar.gz`; the first that answers is used.
    pub addresses: &'static [&'static str],
    /// Where people find it.
    pub origin: &'static str,
}

/// An archive of a known set's files.
#[derive(Clone, Copy, Debug)]
pub struct KnownArchive {
    /// Its name without the end.
    pub name: &'static str,
    /// Its name where it is fetched.
    pub packed: &'static str,
    /// About how many bytes it has.
    pub bytes: u64,
}

/// A file of a known set.
#[derive(Clone, Copy, Debug)]
pub struct KnownFile {
    /// Its name within the set's folder.
    pub name: &'static str,
    /// About how many bytes it has.
    pub bytes: u64,
    /// The SHA-256 of its contents, decompressed if its name ends in `.gz`.
    pub sha256: &'static str,
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> KnownFile {
    KnownFile { name, bytes, sha256 }
}

/// All known sets.
pub const KNOWN: &[KnownSet] = &[
    KnownSet {
        name: "digits",
        about: "1797 handwritten digits, 8×8 grey, 10 classes; embedded",
        licence: "CC BY 4.0 (UCI Machine Learning Repository)",
        files: &[],
        archive: None,
        addresses: &[],
        origin: "part of the program",
    },
    KnownSet {
        name: "iris",
        about: "150 irises, 4 measurements, 3 species; embedded",
        licence: "CC BY 4.0 (UCI Machine Learning Repository)",
        files: &[],
        archive: None,
        addresses: &[],
        origin: "part of the program",
    },
    KnownSet {
        name: "mnist1d",
        about: "5000 signals of 40 points, 10 classes, made by the rule of Greydanus 2020; embedded",
        licence: "none needed: generated",
        files: &[],
        archive: None,
        addresses: &[],
        origin: "part of the program",
    },
    KnownSet {
        name: "mnist",
        about: "70000 handwritten digits, 28×28 grey, 10 classes",
        licence: "CC BY-SA 3.0 as commonly stated; copyright Yann LeCun and Corinna Cortes",
        files: &[
            file(
                "train-images-idx3-ubyte.gz",
                9912422,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                28881,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                1648877,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            file("t10k-labels-idx1-ubyte.gz", 4542, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ],
        archive: None,
        addresses: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        origin: "the four IDX files of Yann LeCun's page",
    },
    KnownSet {
        name: "fashion-mnist",
        about: "70000 pictures of clothes, 28×28 grey, 10 classes",
        licence: "MIT, Zalando SE",
        files: &[
            file(
                "train-images-idx3-ubyte.gz",
                26421880,
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                29515,
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                4422102,
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            ),
            file("t10k-labels-idx1-ubyte.gz", 5148, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        ],
        archive: None,
        addresses: &["https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"],
        origin: "repository zalandoresearch/fashion-mnist, or Debian's package dataset-fashion-mnist",
    },
    KnownSet {
        name: "cifar10",
        about: "60000 colour pictures, 3×32×32, 10 classes",
        licence: "none stated; the authors ask that Krizhevsky 2009 be cited",
        files: &[
            file("data_batch_1.bin", 30730000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
            file("data_batch_2.bin", 30730000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
            file("data_batch_3.bin", 30730000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
            file("data_batch_4.bin", 30730000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
            file("data_batch_5.bin", 30730000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
            file("test_batch.bin", 30730000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
        ],
        archive: Some(KnownArchive { name: "cifar-10-binary", packed: "cifar-10-binary.tar.gz", bytes: 170052171 }),
        addresses: &["https://www.cs.toronto.edu/~kriz/"],
        origin: "cifar-10-binary.tar.gz of Alex Krizhevsky's page",
    },
    KnownSet {
        name: "adult",
        about: "48842 people of the 1994 US census, 14 columns, income above or below 50K",
        licence: "CC BY 4.0 (UCI Machine Learning Repository)",
        files: &[
            file("adult.data", 3974305, "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"),
            file("adult.test", 2003153, "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05"),
        ],
        archive: None,
        addresses: &["https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"],
        origin: "UCI Machine Learning Repository, \"Adult\"",
    },
    KnownSet {
        name: "kc_house",
        about: "21613 house sales in King County, USA, 19 columns, price",
        licence: "CC0 (public domain) as published",
        files: &[file(
            "kc_house_data.csv",
            2515206,
            "d0875baa0251b21d4bdc9d2ae940a4fe0bb6009824f23dd0e2a5b2bf04557b7e",
        )],
        archive: None,
        addresses: &[],
        origin: "Kaggle, \"House Sales in King County, USA\"",
    },
    KnownSet {
        name: "ai-edu",
        about: "the course data of Microsoft's ai-edu book: curves, point clouds, houses, incomes",
        licence: "none stated for the data files",
        files: &[
            file("ch03.npz", 1264, "1ab2f382c3002285d3cd996856368ccaa2c6ddf193200d8b131c03b32bc0a74c"),
            file("ch04.npz", 2064, "28bc99048ac9340038d8a3383640db6737e14c1e3debca690627e06736162002"),
            file("ch05.npz", 24464, "cb4647314e63948069042a8f87cee1534443c7f23eb7312e3fc3cf6f05e5b3a3"),
            file("ch06.npz", 5264, "4b4abb9843dd00a24628fc5b15abb5235d5b21608caac7b12881ccc0e45ec388"),
            file("ch07.npz", 3824, "354227935481b0db58e45dcad39bb5a49b090a37bf085856f12355ecc1480939"),
            file("ch08.test.npz", 2064, "e5c83cc9dd10f980714a70324af590abef60329d231bf08c4674b1f3704a3e0c"),
            file("ch08.train.npz", 8464, "28c48918efa09c843bc6b6d1e3e695750dca079ac4a3b8b4f5937037ddadd766"),
            file("ch09.test.npz", 3664, "f8788f9780555435e2d394e1ee15819eb6b77f76377db4979f84479147101803"),
            file("ch09.train.npz", 16464, "93bf96dfb005b2d1d5b4b8557d4caff37810c91549e4697416235111173c7bcb"),
            file("ch10.test.npz", 2864, "2aec3b721311761d0a0b3639cafc84d090069d539b459cf364a73449b1d5d9c5"),
            file("ch10.train.npz", 10064, "4d3065fd79f9ee81d147791e1fa64687032940bbd980696692c06471d4566fc3"),
            file("ch11.test.npz", 12464, "9794aa0fbadb5e173db5f0e67b3138b2eb3d9c8228587485c33d51481406ba32"),
            file("ch11.train.npz", 24464, "e46c4f2d2cdceac641c821a092f426e45d39ca132210d5da887b7d06246db39c"),
            file("ch14.Income.test.npz", 1807664, "b30059a374b4128f37140f99536aaa7c22ccacfa02d26f94c770fabf6719c24b"),
            file("ch14.Income.train.npz", 3619904, "c5a85d71313b3bbb8d5d8f9df1f3465ac9adb9d8a80e1565b645d33e0fff619b"),
            file("ch14.house.test.npz", 484528, "bc714897ce8f2fb10632d8f7aa5e529dabd7037d81a858262f1328a10a20c6e5"),
            file("ch14.house.train.npz", 1937056, "d177ffad272664d167089a40072e401432b6e8e1af825297e84ffb8c3df9dbda"),
            file("ch16.test.npz", 2064, "c1adb09a7199b4cb263f00c3a6526f1c4f2d42ade0a4d4b162fa6207f95be25b"),
            file("ch16.train.npz", 864, "5b33d6cfadbe7b3b73a50fb3c870225669efcb4325138e9dbdbb0f0e59480a2c"),
        ],
        archive: None,
        addresses: &[],
        origin: "repository microsoft/ai-edu, in its history before 2021-01-21",
    },
];

/// The known set of this name.
///
/// ```
/// assert_eq!(gradus_data::known::find("mnist").unwrap().files.len(), 4);
/// assert!(gradus_data::known::find("minst").is_none());
/// ```
pub fn find(name: &str) -> Option<&'static KnownSet> {
    KNOWN.iter().find(|set| set.name == name)
}

/// A known set and where its files are.
#[derive(Clone, Debug)]
pub struct SetStatus {
    /// The set.
    pub set: &'static KnownSet,
    /// For every file, where it was found.
    pub found: Vec<Option<PathBuf>>,
}

impl SetStatus {
    /// Whether every file was found (embedded sets always are).
    pub fn is_complete(&self) -> bool {
        self.found.iter().all(Option::is_some)
    }

    /// The folder of the first file that was found.
    pub fn folder(&self) -> Option<&Path> {
        self.found.iter().flatten().next().and_then(|path| path.parent())
    }
}

/// Every known set, with where its files are.
pub fn list(locator: &Locator) -> Vec<SetStatus> {
    KNOWN.iter().map(|set| status(set, locator)).collect()
}

fn status(set: &'static KnownSet, locator: &Locator) -> SetStatus {
    let archive = || set.archive.and_then(|archive| archive_at(locator, &format!("{}/", set.name), archive));
    let place = |file: &KnownFile| locator.find(&format!("{}/{}", set.name, file.name)).ok().or_else(archive);
    SetStatus { set, found: set.files.iter().map(place).collect() }
}

/// The archive of a set, plain or compressed, in the folder `prefix` of the locator.
fn archive_at(locator: &Locator, prefix: &str, archive: KnownArchive) -> Option<PathBuf> {
    [".tar.gz", ".tar.xz", ".tar"].iter().find_map(|end| locator.find(&format!("{prefix}{}{end}", archive.name)).ok())
}

/// What [`get`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// The files that were stored in the cache.
    pub stored: Vec<PathBuf>,
    /// The files that were there already and are right.
    pub present: Vec<PathBuf>,
}

/// How far a transfer is: the file, the bytes that have come, and about how many there are.
pub type Progress<'a> = dyn FnMut(&str, u64, u64) + 'a;

/// Brings a known set into the folder `cache`: from the folder `from` (which holds the files, or a folder with the set's name),
/// or over HTTPS. Files that are there already are checked and kept. Every file is checked before it is stored.
pub fn get(name: &str, from: Option<&Path>, cache: &Path, progress: &mut Progress) -> Result<Got, DataError> {
    let set = find(name).ok_or_else(|| {
        let names: Vec<String> = KNOWN.iter().map(|set| set.name.to_string()).collect();
        let problem = format!("there is no known data set named {name:?}; known are {}", crate::error::list(&names));
        DataError::unfit(problem, "correct the name, or give the path of your own files in the recipe")
    })?;
    let folder = cache.join(set.name);
    let mut got = Got { stored: Vec::new(), present: Vec::new() };
    let mut unpacked = None;
    for file in set.files {
        let place = folder.join(file.name);
        if fs::read(&place).is_ok_and(|bytes| content_digest(file, &bytes).is_ok_and(|digest| digest == file.sha256)) {
            got.present.push(place);
            continue;
        }
        let (origin, bytes) = match (from, set.archive) {
            (Some(from), archive) => match (take(set, file, from), archive) {
                (Ok(taken), _) => taken,
                (Err(error), Some(archive)) => {
                    let members = match &mut unpacked {
                        Some(members) => members,
                        None => unpacked.insert(unpack(set, from, archive)?.ok_or(error)?),
                    };
                    member(set, file, members)?
                }
                (Err(error), None) => return Err(error),
            },
            (None, Some(archive)) => {
                let members = match &mut unpacked {
                    Some(members) => members,
                    None => unpacked.insert(fetch_archive(set, archive, progress)?),
                };
                member(set, file, members)?
            }
            (None, None) => fetch(set, file, progress)?,
        };
        store(file, &origin, &bytes, &place)?;
        got.stored.push(place);
    }
    Ok(got)
}

/// The members of an archive by name, with their places.
type Members = BTreeMap<String, (String, Vec<u8>)>;

fn names(set: &KnownSet) -> Vec<&'static str> {
    set.files.iter().map(|file| file.name).collect()
}

/// Reads the set's archive in the folder `from`, if it is there.
fn unpack(set: &KnownSet, from: &Path, archive: KnownArchive) -> Result<Option<Members>, DataError> {
    let locator = Locator::new([from.to_path_buf(), from.join(set.name)]);
    archive_at(&locator, "", archive).map(|place| archive::files(&place, &[], &names(set))).transpose()
}

fn fetch_archive(set: &KnownSet, archive: KnownArchive, progress: &mut Progress) -> Result<Members, DataError> {
    let (address, bytes) = fetch(set, &file(archive.packed, archive.bytes, ""), progress)?;
    let mut found = Members::new();
    let stream = Stream::of(Box::new(io::Cursor::new(bytes))).map_err(|e| DataError::read(&address, e))?;
    archive::members(stream, &address, &names(set), &mut found)?;
    Ok(found)
}

fn member(set: &KnownSet, file: &KnownFile, members: &mut Members) -> Result<(String, Vec<u8>), DataError> {
    members
        .remove(file.name)
        .ok_or_else(|| DataError::unfit(format!("the archive of {} has no {}", set.name, file.name), by_hand(set)))
}

/// Checks the contents, then writes them all or nothing.
fn store(file: &KnownFile, origin: &str, bytes: &[u8], place: &Path) -> Result<(), DataError> {
    let received = content_digest(file, bytes).unwrap_or_else(|error| format!("(unreadable: {error})"));
    if received != file.sha256 {
        let (name, expected) = (file.name.to_string(), file.sha256.to_string());
        return Err(DataError::Checksum { file: name, from: origin.to_string(), expected, received });
    }
    let failed = |source| DataError::Io { action: "write", file: place.display().to_string(), source };
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    gradus_tensor::write_atomic(place, |out| out.write_all(bytes)).map_err(failed)
}

fn content_digest(file: &KnownFile, bytes: &[u8]) -> io::Result<String> {
    // No known file is packed a thousandfold: a stream that is says nothing good.
    let limit = file.bytes.saturating_mul(1000);
    if bytes.starts_with(b"\x1f\x8b") { sha256(MultiGzDecoder::new(bytes).take(limit)) } else { sha256(bytes) }
}

/// The file from a folder, where it may also lie in a folder with the set's name.
fn take(set: &KnownSet, file: &KnownFile, from: &Path) -> Result<(String, Vec<u8>), DataError> {
    let place =
        Locator::new([from.to_path_buf(), from.join(set.name)]).find(file.name).map_err(|error| match error {
            DataError::NotFound { file, looked, .. } => DataError::NotFound {
                file,
                looked,
                help: format!("\ngive the folder that holds the files of {}: {}", set.name, set.origin),
            },
            other => other,
        })?;
    let name = place.display().to_string();
    let bytes = fs::read(&place).map_err(|e| DataError::read(&name, e))?;
    Ok((name, bytes))
}

fn by_hand(set: &KnownSet) -> String {
    format!("get its files elsewhere ({}) and say `gradus data get {} --from FOLDER`", set.origin, set.name)
}

fn fetch(set: &KnownSet, file: &KnownFile, progress: &mut Progress) -> Result<(String, Vec<u8>), DataError> {
    if set.addresses.is_empty() {
        let problem = format!("the set {} has no address to fetch it from", set.name);
        return Err(DataError::unfit(problem, by_hand(set)));
    }
    let mut tried = Vec::new();
    for address in set.addresses {
        let address = format!("{address}{}", file.name);
        match download(&address, file, progress) {
            Ok(bytes) => return Ok((address, bytes)),
            Err(reason) => tried.push((address, reason)),
        }
    }
    let help = format!("check the network, or {}", by_hand(set));
    Err(DataError::Fetch { file: format!("{}/{}", set.name, file.name), tried, help })
}

#[cfg(not(feature = "download"))]
fn download(_: &str, _: &KnownFile, _: &mut Progress) -> Result<Vec<u8>, String> {
    Err("this program was built without downloads (feature `download`)".to_string())
}

/// The file at an HTTPS address, at most twice as long as it should be.
#[cfg(feature = "download")]
fn download(address: &str, file: &KnownFile, progress: &mut Progress) -> Result<Vec<u8>, String> {
    use std::time::Duration;
    let agent = ureq::Agent::config_builder()
        .https_only(true)
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_global(Some(Duration::from_secs(1800)))
        .user_agent(concat!("gradus/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    let mut response = agent.get(address).call().map_err(|error| error.to_string())?;
    let limit = file.bytes.saturating_mul(2).saturating_add(1 << 20);
    let mut reader = response.body_mut().as_reader().take(limit);
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
        progress(file.name, bytes.len() as u64, file.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: KnownFile = file("a.txt", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const SET: KnownSet = KnownSet {
        name: "sample",
        about: "",
        licence: "",
        files: &[SAMPLE],
        archive: None,
        addresses: &[],
        origin: "the tests",
    };

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("gradus-known-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn only_the_right_contents_are_stored() {
        let folder = folder("store");
        let place = folder.join("sample/a.txt");
        let error = store(&SAMPLE, "there/a.txt", b"abd", &place).unwrap_err().to_string();
        assert_eq!(
            error,
            "there/a.txt is not a.txt of the known set: its contents have the SHA-256 \
             a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9, but \
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad was expected; it is another edition, or damaged; \
             nothing was stored"
        );
        assert!(!place.exists());
        store(&SAMPLE, "there/a.txt", b"abc", &place).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"abc");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"abc").unwrap();
        store(&SAMPLE, "there/a.txt.gz", &packed.finish().unwrap(), &place).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn files_are_taken_from_a_folder_or_the_set_s_folder_in_it() {
        let folder = folder("take");
        fs::create_dir_all(folder.join("sample")).unwrap();
        fs::write(folder.join("sample/a.txt"), b"abc").unwrap();
        assert_eq!(take(&SET, &SAMPLE, &folder).unwrap().1, b"abc");
        assert_eq!(take(&SET, &SAMPLE, &folder.join("sample")).unwrap().1, b"abc");
        let error = take(&SET, &SAMPLE, Path::new("/no/such")).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no data file \"a.txt\"; looked for\n  /no/such/a.txt\n  /no/such/sample/a.txt\ngive the folder that holds \
             the files of sample: the tests"
        );
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn messages() {
        let error = fetch(&SET, &SAMPLE, &mut |_, _, _| {}).unwrap_err().to_string();
        assert_eq!(
            error,
            "the set sample has no address to fetch it from; get its files elsewhere (the tests) and say `gradus data get sample \
             --from FOLDER`"
        );
        let error = get("minst", None, Path::new("/no/such"), &mut |_, _, _| {}).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no known data set named \"minst\"; known are \"digits\", \"iris\", \"mnist1d\", \"mnist\", \"fashion-mnist\", \
             \"cifar10\", \"adult\", \"kc_house\", \"ai-edu\"; correct the name, or give the path of your own files in the recipe"
        );
        let error = Locator::new(["/no"]).find("mnist/x.gz").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no data file \"mnist/x.gz\"; looked for\n  /no/mnist/x.gz\nfetch it with `gradus data get mnist`, or set \
             GRADUS_DATA to the folder that holds mnist/"
        );
    }

    #[cfg(feature = "download")]
    #[test]
    fn an_address_that_does_not_answer_is_named() {
        const DEAD: KnownSet = KnownSet { addresses: &["https://127.0.0.1:9/"], ..SET };
        let error = fetch(&DEAD, &SAMPLE, &mut |_, _, _| {}).unwrap_err().to_string();
        assert!(error.starts_with("cannot fetch sample/a.txt:\n  https://127.0.0.1:9/a.txt: "), "{error}");
        assert!(error.ends_with("say `gradus data get sample --from FOLDER`"), "{error}");
    }
}
