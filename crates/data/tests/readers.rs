//! Array files written by NumPy and the standard library of Python (see `fixtures/make.py`).

use gradus_data::{Locator, Source, TargetSchema, check_file};
use gradus_tensor::{Kind, Tensor, npy, npz::Npz, safetensors};
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn locator() -> Locator {
    Locator::new([fixture("")])
}

fn source(text: &str) -> Source {
    #[derive(serde::Deserialize)]
    struct Recipe {
        data: Source,
    }
    toml::from_str::<Recipe>(&format!("data = {text}")).unwrap().data
}

fn error(text: &str) -> String {
    let message = source(text).read(&locator()).unwrap_err().to_string();
    message.replace(&format!("{}/", fixture("").display().to_string().trim_end_matches('/')), "")
}

#[test]
fn npy_kinds_and_byte_orders() {
    let quarters = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25];
    let whole = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    for (name, kind, values) in [
        ("little_f4", Kind::F32, quarters),
        ("big_f4", Kind::F32, quarters),
        ("little_f8", Kind::F64, quarters),
        ("big_f8", Kind::F64, quarters),
        ("byte_u1", Kind::U8, whole),
        ("byte_i1", Kind::I8, whole),
        ("little_u2", Kind::U16, whole),
        ("big_i2", Kind::I16, whole),
        ("little_u4", Kind::U32, whole),
        ("big_i4", Kind::I32, whole),
        ("little_u8", Kind::U64, whole),
        ("big_i8", Kind::I64, whole),
        ("version2", Kind::F32, quarters),
        ("version3", Kind::F32, quarters),
    ] {
        let x = npy::read(&fixture(&format!("{name}.npy"))).unwrap();
        assert_eq!((x.shape(), x.kind(), x.to_f64()), (&[2, 3][..], kind, values.to_vec()), "{name}");
    }
    assert_eq!(npy::read(&fixture("bool.npy")).unwrap(), Tensor::new([2, 2], vec![true, false, false, true]).unwrap());
    let fortran = npy::read(&fixture("fortran.npy")).unwrap();
    assert_eq!(fortran.shape(), [2, 3, 4]);
    assert_eq!(fortran.to_f64(), (0..24).map(|k| f64::from(k) / 4.0 - 1.0).collect::<Vec<_>>());
    assert_eq!(npy::read(&fixture("scalar.npy")).unwrap(), Tensor::new([], vec![2.5f64]).unwrap());
    assert_eq!(npy::read(&fixture("empty.npy")).unwrap().shape(), [0, 3]);
}

#[test]
fn what_we_write_is_what_numpy_writes() {
    for name in ["little_f4", "little_f8", "byte_u1", "little_u2", "bool", "scalar", "empty"] {
        let bytes = std::fs::read(fixture(&format!("{name}.npy"))).unwrap();
        let mut ours = Vec::new();
        npy::encode(&npy::decode(&bytes[..], name, None).unwrap(), &mut ours).unwrap();
        // The alignment of the values was 16 bytes in old versions of NumPy and is 64 now.
        assert_eq!(ours, bytes, "{name}");
    }
}

#[test]
fn archives() {
    for name in ["stored.npz", "deflated.npz"] {
        assert_eq!(Npz::open(&fixture(name)).unwrap().keys(), ["data", "label"]);
        let data =
            source(&format!("{{ npz = {{ path = \"{name}\", task = \"classes\" }} }}")).read(&locator()).unwrap();
        assert_eq!(data.inputs().shape(), [6, 2]);
        assert_eq!(data.classes().unwrap(), ["1", "2", "3"]);
        assert_eq!(data.labels().unwrap(), [0, 1, 2, 0, 1, 2]);
        let data = source(&format!("{{ npz = {{ path = \"{name}\", task = \"values\" }} }}")).read(&locator()).unwrap();
        assert_eq!(data.values().unwrap().shape(), [6, 1]);
        assert_eq!(data.schema().target, TargetSchema::Values(vec!["y".to_string()]));
        assert_eq!(
            error(&format!("{{ npz = {{ path = \"{name}\" }} }}")),
            format!(
                "{name}: its numbers can be class labels or real values; say task = \"classes\" or task = \"values\""
            )
        );
        let text = format!("{{ npz = {{ path = \"{name}\", label = \"none\" }} }}");
        assert_eq!(source(&text).read(&locator()).unwrap().schema().target, TargetSchema::None);
    }
}

#[test]
fn idx_plain_and_compressed() {
    for end in ["", ".gz"] {
        let text = format!("{{ idx = {{ images = \"pictures.idx{end}\", labels = \"labels.idx{end}\" }} }}");
        let data = source(&text).read(&locator()).unwrap();
        assert_eq!(data.inputs().shape(), [5, 2, 3]);
        assert_eq!(data.input_values(), (0..30).map(|k| k as f32).collect::<Vec<_>>());
        assert_eq!(
            (data.classes().unwrap(), data.labels().unwrap()),
            (&["3", "7", "9"].map(String::from)[..], &[1, 0, 0, 1, 2][..])
        );
    }
    let floats = source("{ idx = { images = \"floats.idx\" } }").read(&locator()).unwrap();
    assert_eq!(floats.input_values(), [-1.0, -0.75, -0.5, -0.25]);
}

#[test]
fn a_model_file_of_another_writer() {
    let file = safetensors::read(&fixture("model.safetensors")).unwrap();
    assert_eq!(file.tensors["w"], Tensor::new([2, 2], vec![-1.0f32, -0.75, -0.5, -0.25]).unwrap());
    assert_eq!(file.tensors["n"], Tensor::new([1], vec![3i64]).unwrap());
    assert_eq!(file.metadata["recipe"], "seed = 7");
}

#[test]
fn other_data_must_fit_the_training_data() {
    let train = source("{ npz = { path = \"stored.npz\", task = \"classes\" } }").read(&locator()).unwrap();
    let schema = train.schema();
    let text = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<gradus_data::Schema>(&text).unwrap(), schema);
    let pictures = source("{ idx = { images = \"pictures.idx\" } }");
    assert_eq!(
        pictures.read_like(&locator(), &schema).unwrap_err().to_string(),
        "the data do not fit: 2 features a sample expected, but samples of shape [2, 3] in pictures.idx received; give data with \
         the features that the model was trained on, in the same order"
    );
    let labels = source("{ idx = { images = \"floats.idx\", labels = \"labels.idx\" } }");
    assert_eq!(
        labels.read_like(&locator(), &schema).unwrap_err().to_string(),
        "labels.idx: label \"7\" of row 0 is none of the known classes \"1\", \"2\", \"3\"; correct the label, or train on data \
         that have this class"
    );
}

#[test]
fn the_task_must_stay() {
    let schema = source("{ npz = { path = \"stored.npz\", task = \"classes\" } }").read(&locator()).unwrap().schema();
    let values = source("{ npz = { path = \"stored.npz\", task = \"values\" } }");
    assert_eq!(
        values.read_like(&locator(), &schema).unwrap_err().to_string(),
        "the data do not fit: class labels \"1\", \"2\", \"3\" expected, but 1 target values a sample in stored.npz received; read \
         the data with the task and target of the training data"
    );
    let digits = source("{ embedded = \"digits\" }");
    let train = digits.read(&locator()).unwrap();
    let mut schema = train.schema();
    assert_eq!(digits.read_like(&locator(), &schema).unwrap(), train);
    schema.target = TargetSchema::Classes((0..10).rev().map(|digit| digit.to_string()).collect());
    let turned = digits.read_like(&locator(), &schema).unwrap();
    assert_eq!(turned.labels().unwrap()[0], 9 - train.labels().unwrap()[0]);
    schema.target = TargetSchema::Classes(vec!["a".to_string()]);
    assert_eq!(
        digits.read_like(&locator(), &schema).unwrap_err().to_string(),
        "digits: label \"0\" of row 0 is none of the known classes \"a\"; correct the label, or train on data that have this class"
    );
}

#[test]
fn inputs_for_a_prediction() {
    let train = source("{ npz = { path = \"stored.npz\", task = \"classes\" } }");
    let schema = train.read(&locator()).unwrap().schema();
    for name in ["deflated.npz", "floats.idx"] {
        let inputs = Source::for_inputs(name, Some(&train), &locator()).unwrap();
        let data = inputs.read_inputs(&locator(), &schema).unwrap();
        assert_eq!(data.feature_shape(), [2], "{name}");
        assert_eq!(data.schema().target, TargetSchema::None);
    }
    let pictures = source("{ idx = { images = \"pictures.idx\" } }").read(&locator()).unwrap().schema();
    let flat = Source::for_inputs("little_f4.npy", None, &locator()).unwrap();
    assert_eq!(flat.read_inputs(&locator(), &pictures).unwrap().inputs().shape(), [1, 2, 3]);
}

#[test]
fn messages() {
    assert_eq!(
        error("{ npz = { path = \"stored.npz\", data = \"x\" } }"),
        "stored.npz has no array named \"x\"; it has \"data\", \"label\""
    );
    assert_eq!(
        error("{ npz = { path = \"labels.idx\" } }"),
        "labels.idx is not an NPZ file: it looks like an IDX file"
    );
    assert_eq!(error("{ idx = { images = \"bool.npy\" } }"), "bool.npy is not an IDX file: it looks like an NPY file");
    assert_eq!(
        error("{ csv = { path = \"stored.npz\" } }"),
        "stored.npz: it looks like a zip archive (as NPZ files are), not CSV; if it is an NPZ file, say npz instead of csv; if it \
         holds a table, unpack it first"
    );
    assert_eq!(
        error("{ idx = { images = \"pictures.idx\", labels = \"floats.idx\" } }"),
        "floats.idx: targets of shape [2, 2] are not one row per sample; class labels have the shape [N] or [N, 1]; for one-hot \
         rows say task = \"values\""
    );
    assert_eq!(
        error("{ idx = { images = \"floats.idx\", labels = \"labels.idx\" } }"),
        "labels.idx: there are 2 inputs but 5 targets; every input needs exactly one"
    );
    assert_eq!(
        error("{ npy = { data = \"little_f4.npy\", label = \"little_f4.npy\" } }"),
        "little_f4.npy: its numbers can be class labels or real values; say task = \"classes\" or task = \"values\""
    );
    assert_eq!(
        error("{ npy = { data = \"half.npy\" } }"),
        "half.npy holds floating point of type \"<f2\", which is not supported; save it as numbers, for instance \
         x.astype('float32')"
    );
    assert_eq!(
        error("{ npy = { data = \"text.npy\" } }"),
        "text.npy holds text (\"<U2\"), which is not supported; save it as numbers, for instance x.astype('float32')"
    );
    assert_eq!(
        error("{ npy = { data = \"scalar.npy\" } }"),
        "scalar.npy: the inputs are a single number, not a list of samples; put samples along the first axis"
    );
    assert_eq!(
        error("{ npz = { path = \"mnist.npz\" } }"),
        "there is no data file \"mnist.npz\"; looked for\n  mnist.npz\ncorrect the path, or set GRADUS_DATA to the folder that \
         holds it"
    );
}

#[test]
fn recipes_with_a_slip() {
    let error = |text: &str| toml::from_str::<Source>(text).unwrap_err().message().to_string();
    assert_eq!(error("idx = { image = \"a\" }"), "unknown field `image`, expected one of `images`, `labels`, `task`");
    assert_eq!(error("embedded = \"mnist\""), "unknown variant `mnist`, expected one of `digits`, `iris`, `mnist1d`");
    assert_eq!(
        error("parquet = \"x\""),
        "unknown variant `parquet`, expected one of `idx`, `npy`, `npz`, `csv`, `cifar`, `text`, `embedded`, `take`, `augmented`"
    );
}

#[test]
fn reports() {
    let report = |name: &str| {
        let report = check_file(&fixture(name)).unwrap();
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<gradus_data::FileReport>(&json).unwrap(), report);
        report.to_string().replace(&format!("{}/", fixture("").display().to_string().trim_end_matches('/')), "")
    };
    assert_eq!(
        report("labels.idx.gz"),
        "labels.idx.gz: idx (gzip), 33 bytes\n  u8 [5], 3 to 9, 3 classes (3: 2, 7: 2, 9: 1)"
    );
    assert_eq!(report("fortran.npy"), "fortran.npy: npy, 320 bytes\n  f64 [2, 3, 4], -1 to 4.75");
    assert_eq!(
        report("stored.npz"),
        "stored.npz: npz, 608 bytes\n  data: f64 [6, 2], -1 to 1.75\n  label: f64 [6, 1], 1 to 3, 3 classes (1: 2, 2: 2, 3: 2)"
    );
    assert_eq!(
        report("model.safetensors"),
        "model.safetensors: safetensors, 184 bytes\n  n: i64 [1], 3 to 3, 1 class (3: 1)\n  w: f32 [2, 2], -1 to -0.25\n  recipe \
         = seed = 7"
    );
    assert_eq!(report("empty.npy"), "empty.npy: npy, 128 bytes\n  f32 [0, 3]");
}
