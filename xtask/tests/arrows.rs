//! The arrows between the crates: each may depend on those below it and on no other.

use std::collections::BTreeMap;
use std::path::Path;

/// Each crate and the crates of this workspace that it may use, from the bottom up.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tensor", &[]),
    ("kernels", &["tensor"]),
    ("graph", &["kernels", "tensor"]),
    ("nn", &["graph", "kernels", "tensor"]),
    ("onnx", &["graph", "kernels", "tensor"]),
    ("data", &["tensor"]),
    ("metrics", &["tensor"]),
    ("train", &["nn", "data", "metrics", "graph", "kernels", "tensor"]),
    ("gradus", &["train", "onnx", "nn", "data", "metrics", "graph", "kernels", "tensor"]),
    ("cli", &["gradus", "train", "onnx", "nn", "data", "metrics", "graph", "kernels", "tensor"]),
];

fn dependencies(manifest: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let names = table.get("dependencies").and_then(|d| d.as_table()).into_iter().flat_map(|d| d.keys().cloned());
    names.filter_map(|n| if n == "gradus" { Some(n) } else { n.strip_prefix("gradus-").map(str::to_string) }).collect()
}

#[test]
fn crates_depend_only_downwards() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut seen = 0;
    for entry in std::fs::read_dir(&crates).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        let below = allowed.get(name.as_str()).unwrap_or_else(|| panic!("`{name}` has no place among the crates"));
        for dependency in dependencies(&path.join("Cargo.toml")) {
            assert!(below.contains(&dependency.as_str()), "`{name}` must not depend on `{dependency}`");
        }
        seen += 1;
    }
    assert_eq!(seen, ALLOWED.len());
}

#[test]
fn unsafe_code_is_in_the_kernels_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, _) in ALLOWED.iter().filter(|(n, _)| *n != "kernels") {
        let text = std::fs::read_to_string(root.join("crates").join(name).join("Cargo.toml")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let inherits = table["lints"]["workspace"].as_bool();
        assert_eq!(inherits, Some(true), "`{name}` must inherit the workspace's lints, which forbid unsafe code");
    }
    let table: toml::Table = std::fs::read_to_string(root.join("Cargo.toml")).unwrap().parse().unwrap();
    assert_eq!(table["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}
