//! Operators whose meaning or form changed from one version to the next: each version is read as it was meant.

use gradus_graph::{Engine, Request, State};
use gradus_kernels::Pool;
use gradus_onnx::export::encode;
use gradus_onnx::proto::*;
use gradus_onnx::{Bindings, ModelFile, OnnxError, import};

/// A stored value or an input: name, sizes, numbers.
type Value<'a> = (&'a str, &'a [i64], &'a [f64]);

/// Float unless the name says otherwise: `i_…` holds whole numbers, `b_…` truth values.
fn data_type(name: &str) -> DataType {
    match name.get(..2) {
        Some("i_") => DataType::Int64,
        Some("b_") => DataType::Bool,
        _ => DataType::Float,
    }
}

fn stored((name, dims, numbers): &Value<'_>) -> TensorProto {
    let data_type = data_type(name);
    let mut tensor = TensorProto {
        name: (*name).into(),
        dims: dims.to_vec(),
        data_type: data_type as i32,
        ..TensorProto::default()
    };
    match data_type {
        DataType::Int64 => tensor.int64_data = numbers.iter().map(|&v| v as i64).collect(),
        DataType::Bool => tensor.int32_data = numbers.iter().map(|&v| v as i32).collect(),
        _ => tensor.float_data = numbers.iter().map(|&v| v as f32).collect(),
    }
    tensor
}

fn input((name, dims, _): &Value<'_>) -> ValueInfoProto {
    let dim = |&size: &i64| Dimension { value: Some(DimensionValue::Value(size)), ..Dimension::default() };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = TensorType { elem_type: data_type(name) as i32, shape: Some(shape) };
    let value = Some(TypeValue::Tensor(tensor));
    ValueInfoProto {
        name: (*name).into(),
        r#type: Some(TypeProto { value, ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f, ..AttributeProto::default() }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints: ints.to_vec(),
        ..AttributeProto::default()
    }
}

fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Floats as i32,
        floats: floats.to_vec(),
        ..AttributeProto::default()
    }
}

fn text(name: &str, text: &str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::String as i32,
        s: text.into(),
        ..AttributeProto::default()
    }
}

/// One operator of a version, on the first value as an input and the others as stored ones; an empty name is an input left out.
struct One<'a> {
    operator: &'a str,
    version: i64,
    attributes: Vec<AttributeProto>,
    values: Vec<Value<'a>>,
    outputs: usize,
}

/// Sizes and numbers of each output.
type Outputs = Vec<(Vec<usize>, Vec<f64>)>;

impl One<'_> {
    fn run(&self) -> Result<Outputs, OnnxError> {
        let names: Vec<String> = (0..self.outputs).map(|i| format!("y{i}")).collect();
        let node = NodeProto {
            op_type: self.operator.into(),
            input: self.values.iter().map(|value| value.0.to_string()).collect(),
            output: names.clone(),
            attribute: self.attributes.clone(),
            ..NodeProto::default()
        };
        let output = |name: &String| ValueInfoProto { name: name.clone(), ..ValueInfoProto::default() };
        let model = ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: self.version }],
            graph: Some(GraphProto {
                node: vec![node],
                initializer: self.values[1..].iter().filter(|value| !value.0.is_empty()).map(stored).collect(),
                input: vec![input(&self.values[0])],
                output: names.iter().map(output).collect(),
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        let file = ModelFile::decode(&encode(&model), "m.onnx")?;
        let imported = import(&file, &Bindings::default())?;
        let nodes: Vec<_> = (0..self.outputs).map(|i| imported.output(i)).collect::<Result<_, _>>()?;
        let keys: Vec<(&str, _)> = names.iter().map(String::as_str).zip(&nodes).collect();
        let model = imported.graph.model(&keys).unwrap();
        let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut engine = Engine::<f64>::new(&model, Request::predicting(&wanted)).unwrap();
        engine.run(&mut State::new(&model, 0), &[self.values[0].2], 1, 1, &Pool::new(1)).unwrap();
        let of = |name: &&str| (engine.output_sizes(name).unwrap().to_vec(), engine.output(name).unwrap().to_vec());
        Ok(wanted.iter().map(of).collect())
    }
}

fn one<'a>(operator: &'a str, version: i64, attributes: Vec<AttributeProto>, values: &[Value<'a>]) -> One<'a> {
    One { operator, version, attributes, values: values.to_vec(), outputs: 1 }
}

#[track_caller]
fn gives(one: One<'_>, sizes: &[usize], numbers: &[f64]) {
    let outputs = one.run().unwrap_or_else(|e| panic!("{e}"));
    same(&outputs[0], sizes, numbers);
}

#[track_caller]
fn same((shape, received): &(Vec<usize>, Vec<f64>), sizes: &[usize], numbers: &[f64]) {
    assert_eq!(shape, sizes);
    let close = received.iter().zip(numbers).all(|(y, want)| (y - want).abs() <= 1e-6 * want.abs().max(1.0));
    assert!(close && received.len() == numbers.len(), "{received:?}, expected {numbers:?}");
}

const X: Value<'static> = ("x", &[1, 4, 2], &[1.0, 2.0, 3.0, 5.0, -1.0, 0.0, 4.0, 8.0]);

/// Means and deviations of groups of four.
fn normalized(x: &[f64]) -> Vec<f64> {
    let of = |group: &[f64]| {
        let mean = group.iter().sum::<f64>() / 4.0;
        let variance = group.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 4.0;
        group.iter().map(|v| (v - mean) / (variance + 1e-5).sqrt()).collect::<Vec<_>>()
    };
    x.chunks(4).flat_map(of).collect()
}

#[test]
fn group_normalization_scales_groups_before_21_and_channels_since() {
    let groups = || vec![int("num_groups", 2)];
    let by_group: (Value, Value) = (("scale", &[2], &[2.0, 3.0]), ("bias", &[2], &[0.5, -1.0]));
    let by_channel: (Value, Value) = (("scale", &[4], &[2.0, 3.0, 4.0, 5.0]), ("bias", &[4], &[0.5, -1.0, 1.5, 2.0]));
    let y = normalized(X.2);
    let grouped: Vec<f64> = y.iter().enumerate().map(|(i, v)| v * by_group.0.2[i / 4] + by_group.1.2[i / 4]).collect();
    for version in [18, 20] {
        gives(one("GroupNormalization", version, groups(), &[X, by_group.0, by_group.1]), &[1, 4, 2], &grouped);
        assert!(one("GroupNormalization", version, groups(), &[X, by_channel.0, by_channel.1]).run().is_err());
    }
    let own: Vec<f64> = y.iter().enumerate().map(|(i, v)| v * by_channel.0.2[i / 2] + by_channel.1.2[i / 2]).collect();
    for version in [21, 22] {
        gives(one("GroupNormalization", version, groups(), &[X, by_channel.0, by_channel.1]), &[1, 4, 2], &own);
        assert!(one("GroupNormalization", version, groups(), &[X, by_group.0, by_group.1]).run().is_err());
    }
}

fn softmax(x: &[f64]) -> Vec<f64> {
    let sum: f64 = x.iter().map(|v| v.exp()).sum();
    x.iter().map(|v| v.exp() / sum).collect()
}

/// The numbers of `x: [2, 2, 2]` whose place along `axis` differs alone are normalised together.
fn along(axis: usize, x: &[f64]) -> Vec<f64> {
    let stride = [4, 2, 1][axis];
    let mut y = vec![0.0; 8];
    for i in (0..8usize).filter(|i| (i / stride).is_multiple_of(2)) {
        let pair = softmax(&[x[i], x[i + stride]]);
        (y[i], y[i + stride]) = (pair[0], pair[1]);
    }
    y
}

#[test]
fn softmax_flattens_before_13() {
    let x: Value = ("x", &[2, 2, 2], &[0.1, -0.7, 1.2, 0.4, 2.0, 0.3, -0.5, 0.9]);
    let flat: Vec<f64> = x.2.chunks(4).flat_map(softmax).collect();
    let pairs: Vec<f64> = x.2.chunks(2).flat_map(softmax).collect();
    let log = |y: &[f64]| y.iter().map(|v| v.ln()).collect::<Vec<_>>();
    let axis = |axis: i64| vec![int("axis", axis)];
    for (operator, map) in [("Softmax", (|y: &[f64]| y.to_vec()) as fn(&[f64]) -> Vec<f64>), ("LogSoftmax", log)] {
        for version in [9, 11, 12] {
            gives(one(operator, version, vec![], &[x]), &[2, 2, 2], &map(&flat));
            gives(one(operator, version, axis(1), &[x]), &[2, 2, 2], &map(&flat));
            gives(one(operator, version, axis(0), &[x]), &[2, 2, 2], &map(&softmax(x.2)));
            gives(one(operator, version, axis(2), &[x]), &[2, 2, 2], &map(&pairs));
        }
        gives(one(operator, 11, axis(-2), &[x]), &[2, 2, 2], &map(&flat));
        for version in [13, 25] {
            gives(one(operator, version, vec![], &[x]), &[2, 2, 2], &map(&pairs));
            gives(one(operator, version, axis(0), &[x]), &[2, 2, 2], &map(&along(0, x.2)));
            gives(one(operator, version, axis(1), &[x]), &[2, 2, 2], &map(&along(1, x.2)));
            gives(one(operator, version, axis(-2), &[x]), &[2, 2, 2], &map(&along(1, x.2)));
        }
    }
}

#[test]
fn batch_normalization_trains_by_an_attribute_since_14() {
    let x: Value = ("x", &[2, 2, 2], &[1.0, 2.0, 3.0, 5.0, -1.0, 0.0, 4.0, 8.0]);
    let weights: [Value; 4] = [
        ("scale", &[2], &[2.0, -1.0]),
        ("bias", &[2], &[0.5, 0.25]),
        ("mean", &[2], &[0.5, 3.0]),
        ("var", &[2], &[4.0, 0.25]),
    ];
    let values = [x, weights[0], weights[1], weights[2], weights[3]];
    let normalized = |mean: [f64; 2], variance: [f64; 2], epsilon: f64| {
        let of = |(i, v): (usize, &f64)| {
            let c = i / 2 % 2;
            (v - mean[c]) / (variance[c] + epsilon).sqrt() * weights[0].2[c] + weights[1].2[c]
        };
        x.2.iter().enumerate().map(of).collect::<Vec<f64>>()
    };
    let settings = || vec![float("epsilon", 0.5), float("momentum", 0.75)];
    for version in [9, 14, 15] {
        let stored = normalized([0.5, 3.0], [4.0, 0.25], 0.5);
        gives(one("BatchNormalization", version, settings(), &values), &[2, 2, 2], &stored);
    }
    // Channel 0 holds 1, 2, -1, 0 and channel 1 holds 3, 5, 4, 8.
    let (mean, variance) = ([0.5, 5.0], [1.25, 3.5]);
    for version in [14, 15] {
        let mut settings = settings();
        settings.push(int("training_mode", 1));
        let trains = One { outputs: 3, ..one("BatchNormalization", version, settings, &values) };
        let outputs = trains.run().unwrap_or_else(|e| panic!("{e}"));
        same(&outputs[0], &[2, 2, 2], &normalized(mean, variance, 0.5));
        let moved = |old: &[f64], new: [f64; 2]| [0, 1].map(|c| 0.75 * old[c] + 0.25 * new[c]);
        same(&outputs[1], &[2], &moved(weights[2].2, mean));
        same(&outputs[2], &[2], &moved(weights[3].2, variance));
    }
    // Before 14 further outputs say that it trains, with statistics of another meaning: refused, not guessed.
    let old = One { outputs: 3, ..one("BatchNormalization", 9, settings(), &values) };
    assert!(old.run().is_err());
}

#[test]
fn dropout_leaves_values_as_they_are() {
    let x: Value = ("x", &[4], &[1.0, -2.0, 3.0, 0.5]);
    gives(one("Dropout", 7, vec![float("ratio", 0.9)], &[x]), &[4], x.2);
    gives(one("Dropout", 10, vec![float("ratio", 0.9)], &[x]), &[4], x.2);
    for version in [12, 13, 22] {
        let ratio: Value = ("ratio", &[], &[0.9]);
        gives(one("Dropout", version, vec![], &[x, ratio]), &[4], x.2);
        let off: Value = ("b_training", &[], &[0.0]);
        let with_mask = One { outputs: 2, ..one("Dropout", version, vec![], &[x, ratio, off]) };
        let outputs = with_mask.run().unwrap();
        same(&outputs[0], &[4], x.2);
        same(&outputs[1], &[4], &[1.0; 4]);
        // In training mode a ratio of 0 keeps all, and a ratio of ¾ keeps some, four times as large.
        let on: Value = ("b_training", &[], &[1.0]);
        gives(one("Dropout", version, vec![], &[x, ("ratio", &[], &[0.0]), on]), &[4], x.2);
        let many: Vec<f64> = vec![1.0; 4000];
        let wide: Value = ("x", &[4000], &many);
        let outputs = one("Dropout", version, vec![], &[wide, ("ratio", &[], &[0.75]), on]).run().unwrap();
        let kept = outputs[0].1.iter().filter(|&&y| y == 4.0).count();
        assert!((850..1150).contains(&kept) && outputs[0].1.iter().all(|&y| y == 0.0 || y == 4.0), "{kept}");
    }
}

#[test]
fn clip_takes_its_bounds_as_inputs_since_11() {
    let x: Value = ("x", &[5], &[-3.0, -1.0, 0.0, 1.0, 3.0]);
    let (low, high): (Value, Value) = (("low", &[], &[-1.5]), ("high", &[], &[0.5]));
    let (both, below, above) = ([-1.5, -1.0, 0.0, 0.5, 0.5], [-1.5, -1.0, 0.0, 1.0, 3.0], [-3.0, -1.0, 0.0, 0.5, 0.5]);
    for version in [7, 10] {
        gives(one("Clip", version, vec![float("min", -1.5), float("max", 0.5)], &[x]), &[5], &both);
        gives(one("Clip", version, vec![float("min", -1.5)], &[x]), &[5], &below);
        gives(one("Clip", version, vec![], &[x]), &[5], x.2);
    }
    for version in [11, 12, 13] {
        gives(one("Clip", version, vec![], &[x, low, high]), &[5], &both);
        gives(one("Clip", version, vec![], &[x, low]), &[5], &below);
        gives(one("Clip", version, vec![], &[x, ("", &[], &[]), high]), &[5], &above);
        // Some programs store bounds as lists of one number.
        gives(one("Clip", version, vec![], &[x, ("low", &[1], &[-1.5]), ("high", &[1], &[0.5])]), &[5], &both);
    }
}

#[test]
fn resizing_counts_from_corners_before_11_and_from_centres_since() {
    let x: Value = ("x", &[1, 1, 1, 2], &[0.0, 8.0]);
    let scales: Value = ("scales", &[4], &[1.0, 1.0, 1.0, 2.0]);
    let linear = || text("mode", "linear");
    let (corners, centres) = ([0.0, 4.0, 8.0, 8.0], [0.0, 2.0, 6.0, 8.0]);
    gives(one("Upsample", 7, vec![linear(), floats("scales", &[1.0, 1.0, 1.0, 2.0])], &[x]), &[1, 1, 1, 4], &corners);
    gives(one("Upsample", 9, vec![linear()], &[x, scales]), &[1, 1, 1, 4], &corners);
    gives(one("Resize", 10, vec![linear()], &[x, scales]), &[1, 1, 1, 4], &corners);
    let left_out: Value = ("", &[], &[]);
    for version in [11, 13, 18, 19] {
        gives(one("Resize", version, vec![linear()], &[x, left_out, scales]), &[1, 1, 1, 4], &centres);
        let asymmetric = text("coordinate_transformation_mode", "asymmetric");
        gives(one("Resize", version, vec![linear(), asymmetric], &[x, left_out, scales]), &[1, 1, 1, 4], &corners);
        let sizes: Value = ("i_sizes", &[4], &[1.0, 1.0, 1.0, 4.0]);
        gives(one("Resize", version, vec![linear()], &[x, left_out, left_out, sizes]), &[1, 1, 1, 4], &centres);
    }
    for (operator, version, values) in
        [("Upsample", 9, vec![x, scales]), ("Resize", 10, vec![x, scales]), ("Resize", 11, vec![x, left_out, scales])]
    {
        gives(one(operator, version, vec![], &values), &[1, 1, 1, 4], &[0.0, 0.0, 8.0, 8.0]);
    }
}

#[test]
fn axes_are_attributes_in_old_versions_and_inputs_in_new_ones() {
    let x: Value = ("x", &[1, 2, 1, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let axes = |axes: &[i64]| vec![ints("axes", axes)];
    for version in [9, 11] {
        gives(one("Squeeze", version, axes(&[0, 2]), &[x]), &[2, 3], x.2);
        gives(one("Unsqueeze", version, axes(&[0, 5]), &[x]), &[1, 1, 2, 1, 3, 1], x.2);
        gives(one("Squeeze", version, vec![], &[x]), &[2, 3], x.2);
    }
    gives(one("Squeeze", 11, axes(&[-2]), &[x]), &[1, 2, 3], x.2);
    for version in [13, 21] {
        gives(one("Squeeze", version, vec![], &[x, ("i_axes", &[2], &[0.0, -2.0])]), &[2, 3], x.2);
        gives(one("Unsqueeze", version, vec![], &[x, ("i_axes", &[2], &[0.0, 5.0])]), &[1, 1, 2, 1, 3, 1], x.2);
        gives(one("Squeeze", version, vec![], &[x]), &[2, 3], x.2);
    }
    assert!(one("Squeeze", 13, vec![], &[x, ("i_axes", &[1], &[1.0])]).run().is_err(), "axis 1 has two places");

    type Reduction = (&'static str, i64, [f64; 2], f64);
    let reductions: [Reduction; 10] = [
        ("ReduceSum", 13, [6.0, 15.0], 21.0),
        ("ReduceMean", 18, [2.0, 5.0], 3.5),
        ("ReduceMax", 18, [3.0, 6.0], 6.0),
        ("ReduceMin", 18, [1.0, 4.0], 1.0),
        ("ReduceProd", 18, [6.0, 120.0], 720.0),
        ("ReduceL1", 18, [6.0, 15.0], 21.0),
        ("ReduceL2", 18, [14f64.sqrt(), 77f64.sqrt()], 91f64.sqrt()),
        ("ReduceSumSquare", 18, [14.0, 77.0], 91.0),
        ("ReduceLogSum", 18, [6f64.ln(), 15f64.ln()], 21f64.ln()),
        (
            "ReduceLogSumExp",
            18,
            [3.0 + (1.0 + (-1f64).exp() + (-2f64).exp()).ln(), 6.0 + (1.0 + (-1f64).exp() + (-2f64).exp()).ln()],
            6.0 + (0..6).map(|i| (-f64::from(i)).exp()).sum::<f64>().ln(),
        ),
    ];
    for (operator, since, rows, all) in reductions {
        gives(one(operator, since - 1, axes(&[3]), &[x]), &[1, 2, 1, 1], &rows);
        gives(one(operator, since - 1, [axes(&[3]), vec![int("keepdims", 0)]].concat(), &[x]), &[1, 2, 1], &rows);
        gives(one(operator, since - 1, vec![], &[x]), &[1, 1, 1, 1], &[all]);
        let last: Value = ("i_axes", &[1], &[-1.0]);
        gives(one(operator, since, vec![], &[x, last]), &[1, 2, 1, 1], &rows);
        gives(one(operator, since, vec![int("keepdims", 0)], &[x, last]), &[1, 2, 1], &rows);
        gives(one(operator, since, vec![], &[x]), &[1, 1, 1, 1], &[all]);
    }
    // Since the axes are an input, none of them may mean that nothing is reduced.
    let none: Value = ("i_axes", &[0], &[]);
    gives(one("ReduceSum", 13, vec![int("noop_with_empty_axes", 1)], &[x, none]), &[1, 2, 1, 3], x.2);
}

#[test]
fn casts_cut_fractions() {
    let x: Value = ("x", &[5], &[-2.7, -0.5, 0.0, 0.5, 2.7]);
    for version in [9, 13, 21] {
        let to = |data_type: DataType| vec![int("to", data_type as i64)];
        gives(one("Cast", version, to(DataType::Int64), &[x]), &[5], &[-2.0, 0.0, 0.0, 0.0, 2.0]);
        gives(one("Cast", version, to(DataType::Int32), &[x]), &[5], &[-2.0, 0.0, 0.0, 0.0, 2.0]);
        gives(one("Cast", version, to(DataType::Bool), &[x]), &[5], &[1.0, 1.0, 0.0, 1.0, 1.0]);
        gives(one("Cast", version, to(DataType::Float), &[x]), &[5], x.2);
        gives(one("Cast", version, to(DataType::Float), &[("i_x", &[2], &[3.0, -4.0])]), &[2], &[3.0, -4.0]);
        gives(one("Cast", version, to(DataType::Float), &[("b_x", &[2], &[1.0, 0.0])]), &[2], &[1.0, 0.0]);
    }
    assert!(one("Cast", 13, vec![int("to", DataType::String as i64)], &[x]).run().is_err());
}
