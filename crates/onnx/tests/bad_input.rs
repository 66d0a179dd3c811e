//! Files that are damaged, contradict themselves or ask for too much: an error that names the place, never a panic.

use gradus_onnx::export::encode;
use gradus_onnx::proto::*;
use gradus_onnx::{Bindings, Limits, ModelFile, OnnxError, Trouble, import};
use std::path::{Path, PathBuf};

fn tensor_type(sizes: &[i64]) -> Option<TypeProto> {
    let dim = |&size: &i64| Dimension { value: Some(DimensionValue::Value(size)), ..Dimension::default() };
    let shape = TensorShapeProto { dim: sizes.iter().map(dim).collect() };
    let tensor = TensorType { elem_type: DataType::Float as i32, shape: Some(shape) };
    Some(TypeProto { value: Some(TypeValue::Tensor(tensor)), ..TypeProto::default() })
}

fn value(name: &str, sizes: &[i64]) -> ValueInfoProto {
    ValueInfoProto { name: name.into(), r#type: tensor_type(sizes), ..ValueInfoProto::default() }
}

fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let names = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    NodeProto { op_type: operator.into(), input: names(inputs), output: names(outputs), ..NodeProto::default() }
}

fn stored(name: &str, dims: &[i64], numbers: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: numbers.to_vec(),
        ..TensorProto::default()
    }
}

/// `y` of `x: [2, 3]` by these nodes.
fn model(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        graph: Some(GraphProto {
            node: nodes,
            initializer,
            input: vec![value("x", &[2, 3])],
            output: vec![ValueInfoProto { name: "y".into(), ..ValueInfoProto::default() }],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

fn read(model: &ModelProto) -> Result<(), OnnxError> {
    let file = ModelFile::decode(&encode(model), "m.onnx")?;
    import(&file, &Bindings::default()).map(|_| ())
}

/// The error, with the parts that it must mention.
fn refused(model: &ModelProto, mentions: &[&str]) -> OnnxError {
    let error = read(model).expect_err("a refusal");
    let text = error.to_string();
    for part in mentions {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
    assert!(text.starts_with("m.onnx: "), "{text}");
    error
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

/// A model with a bit of everything.
fn sound() -> ModelProto {
    let mut turned = node("Transpose", &["a"], &["t"]);
    turned.attribute.push(ints("perm", &[1, 0]));
    let nodes = vec![node("MatMul", &["x", "w"], &["a"]), turned, node("Relu", &["t"], &["y"])];
    model(nodes, vec![stored("w", &[3, 2], &[0.5; 6])])
}

#[test]
fn a_sound_model_is_read() {
    read(&sound()).unwrap();
}

#[test]
fn files_cut_short_or_changed_end_in_an_error_or_a_model() {
    let bytes = encode(&sound());
    for len in 0..bytes.len() {
        if let Ok(file) = ModelFile::decode(&bytes[..len], "m.onnx") {
            let _ = import(&file, &Bindings::default());
        }
    }
    assert!(ModelFile::decode(&[], "m.onnx").unwrap_err().to_string().contains("an empty file"));
    let mut refusals = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let limits = Limits { memory: 1 << 20 };
            let result = ModelFile::decode(&changed, "m.onnx")
                .and_then(|file| import(&file, &Bindings { limits, ..Bindings::default() }).map(|_| ()));
            refusals += usize::from(result.is_err());
        }
    }
    assert!(refusals > bytes.len(), "{refusals}");
}

#[test]
fn graphs_that_do_not_hold_together() {
    refused(
        &model(vec![node("Relu", &["nothing"], &["y"])], vec![]),
        &["node 0 (Relu)", "`nothing`", "nothing computes"],
    );
    let cycle = model(vec![node("Relu", &["b"], &["a"]), node("Relu", &["a"], &["b"])], vec![]);
    refused(&cycle, &["node 0 (Relu)", "`b`", "a cycle or wrong order"]);
    refused(&model(vec![node("Relu", &["y"], &["y"])], vec![]), &["a cycle or wrong order"]);
    refused(&model(vec![node("Relu", &["x"], &["z"])], vec![]), &["output `y`", "none of this name"]);
    let twice = model(vec![node("Relu", &["x"], &["y"]), node("Abs", &["x"], &["y"])], vec![]);
    refused(&twice, &["node 1 (Abs)", "`y` for the second time"]);
    let weights = vec![stored("w", &[1], &[1.0]), stored("w", &[1], &[1.0])];
    refused(&model(vec![node("Add", &["x", "w"], &["y"])], weights), &["stored tensor `w`", "two"]);
    let shapes = model(vec![node("MatMul", &["x", "w"], &["y"])], vec![stored("w", &[2, 2], &[1.0; 4])]);
    refused(&shapes, &["node 0 (MatMul)", "one inner size", "[2, 3] × [2, 2]"]);
    refused(&model(vec![node("Relu", &[], &["y"])], vec![]), &["node 0 (Relu)", "an input 0", "0 inputs"]);
    let mut none = sound();
    none.graph = None;
    refused(&none, &["an ONNX model", "no graph"]);
}

#[test]
fn attributes_of_another_type() {
    let mut turned = node("Transpose", &["x"], &["y"]);
    turned.name = "turn".into();
    turned.attribute.push(AttributeProto {
        name: "perm".into(),
        r#type: AttributeType::Float as i32,
        ..AttributeProto::default()
    });
    refused(
        &model(vec![turned.clone()], vec![]),
        &["node `turn` (Transpose)", "whole numbers as attribute `perm`", "a number"],
    );
    turned.attribute = vec![ints("perm", &[0, 1]), ints("perm", &[1, 0])];
    refused(&model(vec![turned.clone()], vec![]), &["two named `perm`"]);
    turned.attribute = vec![ints("perm", &[0, 0])];
    read(&model(vec![turned.clone()], vec![])).unwrap_err();
    turned.attribute = vec![ints("perm", &[0, 9])];
    refused(&model(vec![turned], vec![]), &["an axis from -2 to 1", "9"]);
}

#[test]
fn unknown_operators_are_listed_at_once() {
    let mut own = node("Fancy", &["a"], &["b"]);
    own.domain = "com.example".into();
    let nodes =
        vec![node("Nonsense", &["x"], &["a"]), own, node("Relu", &["b"], &["c"]), node("Bogus", &["c"], &["y"])];
    let error = refused(&model(nodes, vec![]), &["Bogus, Nonsense, com.example.Fancy"]);
    assert_eq!(error.trouble, Trouble::Unsupported);
    let mut old = sound();
    old.opset_import[0].version = 3;
    assert_eq!(refused(&old, &["version 3"]).trouble, Trouble::Unsupported);
}

#[test]
fn sizes_that_overflow_and_results_beyond_the_limit() {
    let huge = stored("w", &[i64::MAX, i64::MAX, 8], &[]);
    refused(&model(vec![node("Add", &["x", "w"], &["y"])], vec![huge]), &["stored tensor `w`", "at most"]);
    let negative = stored("w", &[-1], &[]);
    refused(&model(vec![node("Add", &["x", "w"], &["y"])], vec![negative]), &["sizes of 0 or more", "-1"]);
    let short = stored("w", &[5], &[1.0]);
    refused(&model(vec![node("Add", &["x", "w"], &["y"])], vec![short]), &["5 values", "1 values"]);
    let sizes = TensorProto {
        name: "sizes".into(),
        dims: vec![3],
        data_type: DataType::Int64 as i32,
        int64_data: vec![1 << 20, 2, 3],
        ..TensorProto::default()
    };
    let grown = model(vec![node("Expand", &["x", "sizes"], &["y"])], vec![sizes]);
    read(&grown).unwrap();
    let limits = Limits { memory: 1 << 20 };
    let file = ModelFile::decode(&encode(&grown), "m.onnx").unwrap();
    let error = import(&file, &Bindings { limits, ..Bindings::default() }).map(|_| ()).unwrap_err();
    assert!(
        error.to_string().contains("node 0 (Expand)") && error.to_string().contains("at most 1048576 bytes"),
        "{error}"
    );
}

#[test]
fn functions_that_call_themselves_end() {
    let mut looping = sound();
    let mut call = node("Own", &["x"], &["y"]);
    call.domain = "own".into();
    looping.functions.push(FunctionProto {
        name: "Own".into(),
        domain: "own".into(),
        input: vec!["x".into()],
        output: vec!["y".into()],
        node: vec![call.clone()],
        opset_import: looping.opset_import.clone(),
        ..FunctionProto::default()
    });
    looping.graph.as_mut().unwrap().node = vec![call];
    refused(&looping, &["node 0 (Own)", "functions within each other"]);
}

#[test]
fn deep_nesting_ends() {
    let mut inner = GraphProto::default();
    for _ in 0..500 {
        let attribute = AttributeProto {
            name: "body".into(),
            r#type: AttributeType::Graph as i32,
            g: Some(Box::new(inner)),
            ..AttributeProto::default()
        };
        let node = NodeProto { op_type: "If".into(), attribute: vec![attribute], ..NodeProto::default() };
        inner = GraphProto { node: vec![node], ..GraphProto::default() };
    }
    let mut deep = sound();
    deep.graph = Some(inner);
    refused(&deep, &["an ONNX model", "recursion"]);
}

/// A folder of its own below the system's for temporary files, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("gradus-onnx-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A model in a folder whose weight lies in another file.
fn external(folder: &Path, entries: &[(&str, &str)]) -> Result<(), OnnxError> {
    let entry = |(key, value): &(&str, &str)| StringStringEntryProto { key: key.to_string(), value: value.to_string() };
    let weight =
        TensorProto { data_location: 1, external_data: entries.iter().map(entry).collect(), ..stored("w", &[3], &[]) };
    let path = folder.join("m.onnx");
    std::fs::write(&path, encode(&model(vec![node("Add", &["x", "w"], &["y"])], vec![weight]))).unwrap();
    import(&ModelFile::open(&path)?, &Bindings::default()).map(|_| ())
}

#[test]
fn external_data_stay_in_the_folder() {
    let outer = Folder::new("external");
    let folder = outer.0.join("model");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    let bytes: Vec<u8> = [1f32, 2.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    for path in [outer.0.join("secret"), folder.join("weights"), folder.join("sub/weights")] {
        std::fs::write(path, &bytes).unwrap();
    }
    external(&folder, &[("location", "weights")]).unwrap();
    external(&folder, &[("location", "./sub/weights"), ("offset", "0"), ("length", "12")]).unwrap();
    let refused = |entries: &[(&str, &str)], mention: &str| {
        let text = external(&folder, entries).expect_err(mention).to_string();
        assert!(text.contains("stored tensor `w`") && text.contains(mention), "{mention:?} is missing in: {text}");
    };
    refused(&[("location", "../secret")], "leads out of the folder");
    refused(&[("location", "sub/../../secret")], "leads out of the folder");
    let absolute = outer.0.join("secret");
    refused(&[("location", absolute.to_str().unwrap())], "an absolute path");
    refused(&[("location", "nowhere")], "`nowhere`");
    refused(&[("location", "")], "no location");
    refused(&[("location", "sub")], "no plain file");
    refused(&[("location", "weights"), ("offset", "8")], "12 bytes");
    refused(&[("location", "weights"), ("offset", "8"), ("length", "18446744073709551615")], "a file of 12 bytes");
    refused(&[("location", "weights"), ("offset", "-1")], "a number of bytes as `offset`");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outer.0.join("secret"), folder.join("link")).unwrap();
        refused(&[("location", "link")], "goes through a link");
        std::os::unix::fs::symlink(&outer.0, folder.join("up")).unwrap();
        refused(&[("location", "up/secret")], "goes through a link");
        std::fs::hard_link(outer.0.join("secret"), folder.join("hard")).unwrap();
        refused(&[("location", "hard")], "several names");
    }
    let file = ModelFile::decode(&std::fs::read(folder.join("m.onnx")).unwrap(), "m.onnx").unwrap();
    assert!(
        import(&file, &Bindings::default()).map(|_| ()).unwrap_err().to_string().contains("values in another file")
    );
}
