//! No reader panics on damaged files, however they are damaged.

use gradus_data::readers::idx;
use gradus_data::{Locator, Source, check_file};
use gradus_tensor::{Rng, npy, npz::Npz, safetensors};
use std::io::Cursor;
use std::path::PathBuf;

/// Cuts, flips bits, overwrites bytes with telling values, or repeats a piece.
fn damage(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(3) {
        let at = rng.below(bytes.len().max(1) as u32) as usize;
        match rng.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
            2 => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0xff),
            3 => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = b"0',\n\"{"[at % 6]),
            _ => {
                let piece: Vec<u8> = bytes.iter().skip(at).take(9).copied().collect();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

#[test]
fn no_panic() {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folder = std::env::temp_dir().join(format!("gradus-damage-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&fixtures)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end != "py"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    let table = "age,job,\"income\"\n39,clerk,<=50K\n50,\"boss, big\",>50K\n?,clerk,1.5e6\n";
    files.push(("t.csv".to_string(), table.repeat(3).into_bytes()));
    files.sort();
    assert!(files.len() > 25);
    let locator = Locator::new([&folder]);
    let mut refused = 0;
    for (stream, (name, bytes)) in files.iter().enumerate() {
        for round in 0..300 {
            let bytes = damage(bytes, &mut Rng::new(1, stream as u32, round));
            let _ = npy::decode(&bytes[..], name, None);
            let _ = npy::decode(&bytes[..], name, Some(bytes.len() as u64));
            let _ = idx::decode(&bytes[..], name, None);
            let _ = idx::decode(&bytes[..], name, Some(bytes.len() as u64));
            let _ = safetensors::decode(&bytes, name);
            if let Ok(mut archive) = Npz::from_reader(Cursor::new(&bytes), name) {
                let _ = archive.read_all();
            }
            if round < 60 {
                std::fs::write(folder.join(name), &bytes).unwrap();
                refused += usize::from(check_file(&folder.join(name)).is_err());
                let recipe = format!("csv = {{ path = \"{name}\", target = -1, on_missing = \"fill\" }}");
                let _ = toml::from_str::<Source>(&recipe).unwrap().read(&locator);
                if let Ok(source) = Source::for_inputs(name, None, &locator) {
                    let _ = source.read(&locator);
                }
            }
        }
    }
    assert!(refused > files.len() * 30, "only {refused} damaged files were refused");
    std::fs::remove_dir_all(&folder).unwrap();
}
