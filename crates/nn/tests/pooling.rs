//! Pooling over space against PyTorch (see `fixtures/README.md`), and what is refused.

mod common;

use common::{DOUBLE, SINGLE, assert_close, cast, tensor};
use gradus_graph::{Engine, Graph, Kind, Mode, Request, State};
use gradus_kernels::{Pool, Real};
use gradus_nn::layers::{AdaptivePool, AvgPool, GlobalPool, LpPool, MaxPool, Over, Padding, PaddingRule};
use gradus_nn::{AnyLayer, Layer};
use gradus_tensor::Shape;
use serde_json::Value;

fn follow<T: Real>(case: &Value, optimize: bool, tolerance: (f64, f64)) {
    let layer: AnyLayer = serde_json::from_value(case["layer"].clone()).unwrap();
    let ((sizes, x), (out, dy)) = (tensor(&case["x"]), tensor(&case["dy"]));
    let g = Graph::new();
    let input = g.add_input("x", Shape::batched(&sizes[1..]), Kind::Real);
    let weight = g.add_input("dy", Shape::batched(&out[1..]), Kind::Real);
    let y = layer.build(&input);
    let dx = g.gradients(&(&y * &weight).sum_all(), &[&input]).unwrap().remove(0);
    let model = g.model(&[("y", &y), ("dx", &dx)]).unwrap();
    let request = Request { mode: Mode::Train, optimize, ..Request::predicting(&["y", "dx"]) };
    let mut engine = Engine::new(&model, request).unwrap();
    let mut state = State::<T>::new(&model, 0);
    engine.run(&mut state, &[&cast::<T>(&x), &cast(&dy)], sizes[0], 1, &Pool::new(1)).unwrap();
    for name in ["y", "dx"] {
        let what = format!("{} {}: {name}", layer.key(), case["name"]);
        assert_close(&what, engine.output(name).unwrap(), &tensor(&case[name]).1, tolerance);
    }
}

#[test]
fn poolings_agree_with_the_reference() {
    let cases: Value = serde_json::from_str(include_str!("fixtures/pooling.json")).unwrap();
    let cases = cases.as_array().unwrap();
    for key in ["max_pool", "avg_pool", "lp_pool", "global_pool", "adaptive_pool"] {
        assert!(cases.iter().filter(|case| case["layer"].get(key).is_some()).count() >= 3, "{key}");
    }
    for case in cases {
        for optimize in [true, false] {
            follow::<f64>(case, optimize, (DOUBLE.0, 1e-13));
            follow::<f32>(case, optimize, (SINGLE.0, 1e-6));
        }
    }
}

fn refused(layer: impl Into<AnyLayer>, shape: &[usize]) -> String {
    use gradus_nn::LayerExt;
    let g = Graph::new();
    let y = g.input("x", shape).layer(layer.into());
    g.model(&[("y", &y)]).expect_err("refused").to_string()
}

#[test]
fn what_cannot_be_pooled_is_refused_with_a_remedy() {
    let error = refused(MaxPool::new(2), &[8]);
    assert!(error.contains("`max_pool` in `max_pool`") && error.contains("received: [B, 8]"), "{error}");
    assert!(error.contains("put the layer before `flatten`"), "{error}");
    let error = refused(MaxPool::new(5), &[1, 4, 8]);
    assert!(
        error.contains("expected: at least the 5 that the window covers\n  received: 4 with padding 0 + 0"),
        "{error}"
    );
    assert!(refused(MaxPool::new([2, 2, 2]), &[1, 4, 8]).contains("`size` as one number or a list of 2"));
    assert!(refused(MaxPool::new(0), &[1, 4, 8]).contains("`size` of at least 1"));
    assert!(refused(AvgPool::new(2).stride(0), &[1, 4, 8]).contains("`stride` of at least 1"));
    assert!(refused(LpPool::new(2.0, 2).dilation([1, 0]), &[1, 4, 8]).contains("`dilation` of at least 1"));
    assert!(refused(LpPool::new(0.5, 2), &[1, 4, 8]).contains("`p` of at least 1"));
    assert!(refused(LpPool::new(f64::NAN, 2), &[1, 4, 8]).contains("received: NaN"));
    let padded = MaxPool::new(2).padding(Padding::Number(2.into()));
    assert!(refused(padded, &[1, 4, 8]).contains("windows that each see at least one input"));
    assert!(refused(GlobalPool::default(), &[8]).contains("a sequence [B, T, C] or an image"));
    assert!(refused(AdaptivePool::new(Over::Max, 0), &[1, 4, 4]).contains("`output` of at least 1"));
    assert!(refused(AdaptivePool::new(Over::Max, [1]), &[1, 4, 4]).contains("`output` as one number or a list of 2"));
}

#[test]
fn settings_are_short_in_a_recipe() {
    let read =
        |text: &str| toml::from_str::<std::collections::BTreeMap<String, AnyLayer>>(text).unwrap().remove("x").unwrap();
    assert_eq!(read("x = 'max_pool'"), MaxPool::new(2).into());
    assert_eq!(read("x = { max_pool = { size = 3, stride = 2, padding = 'same' } }"), {
        MaxPool::new(3).stride(2).padding(Padding::Rule(PaddingRule::Same)).into()
    });
    assert_eq!(read("x = { global_pool = { over = 'max' } }"), GlobalPool::new(Over::Max).into());
    assert_eq!(read("x = { adaptive_pool = { output = [7, 5] } }"), AdaptivePool::new(Over::Avg, [7, 5]).into());
}

#[test]
fn a_window_of_zeros_has_no_gradient() {
    let g = Graph::new();
    let x = g.input("x", [1, 2, 2]);
    let y = LpPool::new(3.0, 2).build(&x);
    let dx = g.gradients(&y.sum_all(), &[&x]).unwrap().remove(0);
    let model = g.model(&[("y", &y), ("dx", &dx)]).unwrap();
    let mut engine = Engine::new(&model, Request::predicting(&["y", "dx"])).unwrap();
    let mut state = State::<f64>::new(&model, 0);
    engine.run(&mut state, &[&[0.0; 4]], 1, 1, &Pool::new(1)).unwrap();
    assert_eq!((engine.output("y").unwrap(), engine.output("dx").unwrap()), (&[0.0][..], &[0.0; 4][..]));
}
