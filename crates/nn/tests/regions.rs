//! Poolings of boxes and deformable convolution against torchvision (see `fixtures/README.md`), gradients of what it has none for, and
//! what is refused.

mod common;

use common::{DOUBLE, SINGLE, assert_close, cast, tensor};
use gradus_graph::{Engine, Graph, Kind, Mode, Model, Node, Request, Role, State, Window, ops};
use gradus_kernels::{Pool, Real};
use gradus_nn::init::Fans;
use gradus_nn::layers::{DeformConv, Flatten};
use gradus_nn::regions::{DeformRoiPool, RoiAlign, RoiPool};
use gradus_nn::{AnyActivation, AnyInit, AnyLayer, Layer, LayerExt};
use gradus_tensor::Shape;
use serde_json::Value;

fn read(settings: &Value, key: &str) -> f64 {
    settings[key].as_f64().unwrap()
}

fn bins(settings: &Value) -> [usize; 2] {
    [0, 1].map(|i| settings["output"][i].as_u64().unwrap() as usize)
}

/// The value of a case.
fn build(op: &str, settings: &Value, x: &Node, boxes: Option<&Node>) -> Node {
    if op == "deform_conv" {
        let layer: AnyLayer = serde_json::from_value(serde_json::json!({ "deform_conv": settings })).unwrap();
        return layer.build(x);
    }
    let (boxes, output, scale) = (boxes.unwrap(), bins(settings), read(settings, "scale"));
    let samples = settings["samples"].as_u64().unwrap_or(0) as usize;
    match op {
        "roi_pool" => RoiPool::new(output, scale).apply(x, boxes),
        "roi_align" => {
            let aligned = settings["aligned"].as_bool().unwrap();
            RoiAlign { samples, aligned, ..RoiAlign::new(output, scale) }.apply(x, boxes)
        }
        _ => DeformRoiPool { output, scale, samples, gamma: read(settings, "gamma") }.apply(x, boxes),
    }
}

fn follow<T: Real>(case: &Value, optimize: bool, tolerance: (f64, f64)) {
    let op = case["op"].as_str().unwrap();
    let g = Graph::new();
    let input = |name: &str, value: &Value| {
        let (sizes, numbers) = tensor(value);
        (g.add_input(name, Shape::fixed(&sizes), Kind::Real), cast::<T>(&numbers))
    };
    let (x, numbers) = input("x", &case["inputs"]["x"]);
    let (dy, weight) = input("dy", &case["dy"]);
    let mut values = vec![numbers, weight];
    let boxes = case.get("boxes").map(|boxes| {
        let (boxes, numbers) = input("boxes", boxes);
        values.push(numbers);
        boxes
    });
    let y = build(op, &case["settings"], &x, boxes.as_ref());
    let variables: Vec<String> = g.variables().into_iter().map(|v| v.path).collect();
    // A case calls a layer's parameters as the layer does.
    let own = |path: &str| path.replace("deform_roi_pool/offset/dense/", "");
    let mut names = vec!["x".to_string()];
    names.extend(variables.iter().map(|path| own(path)));
    let mut targets = vec![x];
    targets.extend((0..variables.len()).map(|i| g.variable_node(i)));
    assert_eq!(names.len(), case["gradients"].as_object().unwrap().len(), "{op}: {names:?}");
    let gradients = g.gradients(&(&y * &dy).sum_all(), &targets.iter().collect::<Vec<_>>()).unwrap();
    let mut outputs = vec![("y".to_string(), y)];
    outputs.extend(names.iter().map(|name| format!("gradient/{name}")).zip(gradients));
    let model = g.model(&outputs.iter().map(|(name, node)| (name.as_str(), node)).collect::<Vec<_>>()).unwrap();
    let mut state = State::<T>::new(&model, 0);
    for path in &variables {
        let given = cast::<T>(&tensor(&case["inputs"][own(path)]).1);
        state.variable_mut(path).unwrap().copy_from_slice(&given);
    }
    let names: Vec<&str> = outputs.iter().map(|o| o.0.as_str()).collect();
    let request = Request { mode: Mode::Train, optimize, ..Request::predicting(&names) };
    let mut engine = Engine::new(&model, request).unwrap();
    let values: Vec<&[T]> = values.iter().map(Vec::as_slice).collect();
    engine.run(&mut state, &values, 1, 1, &Pool::new(1)).unwrap();
    for name in names {
        let want = match name.strip_prefix("gradient/") {
            Some(of) => &case["gradients"][of],
            None => &case["y"],
        };
        let what = format!("{op} {}: {name}", case["name"]);
        assert_close(&what, engine.output(name).unwrap(), &tensor(want).1, tolerance);
    }
}

#[test]
fn regions_agree_with_the_reference() {
    let cases: Value = serde_json::from_str(include_str!("fixtures/regions.json")).unwrap();
    for case in cases.as_array().unwrap() {
        // The reference's gradient of a moved bin is a difference.
        let exact = if case["op"] == "deform_roi_pool" { 1e-7 } else { 1e-12 };
        for optimize in [true, false] {
            follow::<f64>(case, optimize, (DOUBLE.0, exact));
            follow::<f32>(case, optimize, (SINGLE.0, 2e-5));
        }
    }
}

fn noise(stream: u32, len: usize) -> Vec<f64> {
    let mut rng = gradus_tensor::Rng::new(5, stream, 0);
    (0..len).map(|_| rng.uniform() * 2.0 - 1.0).collect()
}

fn value(model: &Model, name: &str, inputs: &[&[f64]], batch: usize) -> Vec<f64> {
    let mut engine = Engine::new(model, Request::predicting(&[name])).unwrap();
    let mut state = State::<f64>::new(model, 3);
    engine.run(&mut state, inputs, batch, 1, &Pool::new(1)).unwrap();
    engine.output(name).unwrap().to_vec()
}

#[test]
fn boxes_have_gradients_where_nothing_is_rounded() {
    let g = Graph::new();
    let x = g.add_input("x", Shape::fixed(&[1, 2, 6, 7]), Kind::Real);
    let boxes = g.add_input("boxes", Shape::fixed(&[2, 5]), Kind::Real);
    let y = RoiAlign::new([2, 2], 1.0).apply(&x, &boxes);
    let loss = (&y * &y).sum_all();
    let step = g.gradients(&loss, &[&boxes]).unwrap().remove(0);
    let model = g.model(&[("loss", &loss), ("step", &step)]).unwrap();
    let images = noise(1, 2 * 6 * 7);
    let mut boxes = vec![0.0, 0.71, 1.13, 4.37, 5.21, 0.0, 1.17, 0.61, 5.43, 3.87];
    let steps = value(&model, "step", &[&images, &boxes], 1);
    for i in (0..10).filter(|i| i % 5 != 0) {
        let mut at = |x: f64| {
            let old = std::mem::replace(&mut boxes[i], x);
            let loss = value(&model, "loss", &[&images, &boxes], 1)[0];
            boxes[i] = old;
            loss
        };
        let (h, own) = (1e-6, [0.0, 0.71, 1.13, 4.37, 5.21, 0.0, 1.17, 0.61, 5.43, 3.87][i]);
        let numeric = (at(own + h) - at(own - h)) / (2.0 * h);
        assert!((steps[i] - numeric).abs() < 1e-7 * numeric.abs().max(1.0), "{i}: {} and {numeric}", steps[i]);
    }
    // Rounded edges have none, and that is said.
    let g = Graph::new();
    let x = g.add_input("x", Shape::fixed(&[1, 2, 6, 7]), Kind::Real);
    let boxes = g.add_input("boxes", Shape::fixed(&[2, 5]), Kind::Real);
    let error = g.gradients(&RoiPool::new([2, 2], 1.0).apply(&x, &boxes).sum_all(), &[&boxes]).unwrap_err();
    assert!(error.to_string().contains("rounded edges"), "{error}");
}

#[test]
fn deformable_convolution_starts_as_an_ordinary_one() {
    let outputs = |layer: &dyn Fn(&Node) -> Node| {
        let g = Graph::new();
        let y = layer(&g.input("x", [3, 6, 7]));
        let model = g.model(&[("y", &y)]).unwrap();
        value(&model, "y", &[&noise(4, 2 * 3 * 6 * 7)], 2)
    };
    // The weights start from one stream of the seed for the scope's name.
    let ordinary = outputs(&|x| {
        let init = AnyInit::default().resolve(&AnyActivation::default());
        let x = x.permute([0, 2, 3, 1]);
        x.scope("conv", |x| {
            let weight = x.param("weight", [3, 3, 3, 4], init.with(Fans { inputs: 27, outputs: 36 }), Role::Weight);
            let conv = ops::Conv { windows: vec![Window::new(3).pad(1, 1); 2], groups: 1 };
            x.graph().apply(conv, &[x, &weight]).permute([0, 3, 1, 2])
        })
    });
    let first = outputs(&|x| x.scope("conv", |x| DeformConv::new(4, 3).same().plain().build(x)));
    let second = outputs(&|x| x.scope("conv", |x| DeformConv::new(4, 3).same().build(x)));
    assert_close("version 1", &first, &ordinary, (1e-12, 1e-13));
    let half: Vec<f64> = ordinary.iter().map(|y| 0.5 * y).collect();
    assert_close("version 2", &second, &half, (1e-12, 1e-13));
}

#[test]
fn what_cannot_be_pooled_is_refused_with_a_remedy() {
    let refused = |f: &dyn Fn(&Node, &Node) -> Node, x: &[usize], boxes: &[usize]| {
        let g = Graph::new();
        let x = g.input("x", x);
        let boxes = g.add_input("boxes", Shape::fixed(boxes), Kind::Real);
        let y = f(&x, &boxes).layer(Flatten);
        g.model(&[("y", &y)]).expect_err("refused").to_string()
    };
    let pool = |x: &Node, boxes: &Node| RoiPool::new([2, 2], 1.0).apply(x, boxes);
    assert!(refused(&pool, &[2, 4, 4], &[3, 4]).contains("expected: boxes [R, 5]\n  received: [3, 4]"));
    assert!(refused(&pool, &[4, 4], &[3, 5]).contains("expected: an image [B, C, H, W]"));
    let none = |x: &Node, boxes: &Node| RoiPool::new([2, 0], 1.0).apply(x, boxes);
    assert!(refused(&none, &[2, 4, 4], &[3, 5]).contains("`output` of at least 1"));
    let scaled = |x: &Node, boxes: &Node| RoiAlign::new([2, 2], 0.0).apply(x, boxes);
    assert!(refused(&scaled, &[2, 4, 4], &[3, 5]).contains("`scale` above 0"));
    let empty = |x: &Node, boxes: &Node| RoiAlign { samples: 0, ..RoiAlign::new([2, 2], 1.0) }.apply(x, boxes);
    assert!(refused(&empty, &[2, 4, 4], &[3, 5]).contains("`samples` of at least 1"));
    let far =
        |x: &Node, boxes: &Node| DeformRoiPool { gamma: f64::NAN, ..DeformRoiPool::new([2, 2], 1.0) }.apply(x, boxes);
    assert!(refused(&far, &[2, 4, 4], &[3, 5]).contains("`gamma` that is finite"));
    let conv = |layer: DeformConv| move |x: &Node, _: &Node| x.layer(layer.clone());
    assert!(refused(&conv(DeformConv::new(2, 3)), &[2, 4], &[1, 5]).contains("an image [B, C, H, W]"));
    assert!(
        refused(&conv(DeformConv::new(2, 5)), &[1, 4, 6], &[1, 5]).contains("at least the 5 that the window covers")
    );
    assert!(refused(&conv(DeformConv::new(0, 3)), &[1, 4, 6], &[1, 5]).contains("`filters` of at least 1"));
    let groups = DeformConv { offset_groups: 2, ..DeformConv::new(2, 3) };
    assert!(
        refused(&conv(groups), &[3, 4, 6], &[1, 5]).contains("channels that 2 offset groups divide\n  received: 3")
    );
}
