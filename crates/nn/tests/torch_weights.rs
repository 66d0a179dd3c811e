//! Weights of PyTorch's networks (see `fixtures/README.md`) in ours: the same predictions, and back again every bit of them.

mod common;

use common::{SINGLE, assert_close, cast, tensor};
use gradus_graph::{Engine, Graph, Model, Request, State};
use gradus_kernels::Pool;
use gradus_nn::torch::StateDict;
use gradus_nn::{AnyLayer, LayerExt};
use gradus_tensor::{Tensor, Values};
use serde_json::Value;
use std::collections::BTreeMap;

fn network(case: &Value) -> Model {
    let layers: Vec<AnyLayer> = serde_json::from_value(case["layers"].clone()).unwrap();
    let (g, sizes) = (Graph::new(), tensor(&case["x"]).0);
    let x = match case["ids"].as_u64() {
        Some(ids) => g.index_input("x", &sizes[1..]).with_ids(ids as usize),
        None => g.input("x", &sizes[1..]),
    };
    let y = layers.into_iter().fold(x, |x, layer| x.layer(layer));
    g.model(&[("y", &y)]).unwrap_or_else(|e| panic!("{}: {e}", case["name"]))
}

fn state_dict(case: &Value) -> BTreeMap<String, Tensor> {
    let read = |(name, value): (&String, &Value)| {
        let (shape, numbers) = tensor(value);
        let values = match name.ends_with("num_batches_tracked") {
            true => Values::from(numbers.iter().map(|&x| x as i64).collect::<Vec<_>>()),
            false => Values::from(cast::<f32>(&numbers)),
        };
        (name.clone(), Tensor::new(shape, values).unwrap())
    };
    case["state_dict"].as_object().unwrap().iter().map(read).collect()
}

fn names(case: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(case["names"].clone()).unwrap()
}

#[test]
fn networks_predict_the_same_with_weights_of_pytorch_and_give_them_back() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("fixtures/torch_weights.json")).unwrap();
    assert_eq!(cases.len(), 9);
    for case in &cases {
        let (name, model, theirs) = (case["name"].as_str().unwrap(), network(case), state_dict(case));
        let layout = StateDict::of(&model, &names(case)).unwrap();
        let ours = layout.read(&theirs).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut state = State::<f32>::new(&model, 0);
        for (path, x) in &ours {
            let shape = state.variables().find(|(v, _)| v.path == *path).map(|(v, _)| v.shape.clone());
            assert_eq!(shape.as_deref(), Some(x.shape()), "{name}: {path}");
            state.variable_mut(path).unwrap().copy_from_slice(&x.to_f32());
        }
        let mut engine = Engine::new(&model, Request::predicting(&["y"])).unwrap();
        let (sizes, x) = tensor(&case["x"]);
        engine.run(&mut state, &[&cast(&x)], sizes[0], 1, &Pool::new(1)).unwrap();
        assert_close(
            &format!("weights {name}: y"),
            engine.output("y").unwrap(),
            &tensor(&case["y"]).1,
            (SINGLE.0, 2e-6),
        );

        let mut expected = theirs;
        let written = layout.write(&ours);
        // Two biases that are only ever added up are ours as one.
        for (first, second) in expected
            .keys()
            .filter(|key| key.contains("bias_ih"))
            .map(|key| (key.clone(), key.replace("ih", "hh")))
            .collect::<Vec<_>>()
        {
            let [a, b] = [&expected[&first], &expected[&second]].map(Tensor::to_f32);
            let candidate = if name.starts_with("gru") { a.len() / 3 * 2 } else { a.len() };
            let sum = a.iter().zip(&b).enumerate().map(|(i, (a, b))| if i < candidate { a + b } else { *a });
            expected.insert(first, Tensor::vector(sum.collect::<Vec<_>>()));
            expected.insert(
                second,
                Tensor::vector(
                    b.iter().enumerate().map(|(i, b)| if i < candidate { 0.0 } else { *b }).collect::<Vec<_>>(),
                ),
            );
        }
        expected.retain(|name, _| written.contains_key(name) || !name.ends_with("num_batches_tracked"));
        assert_eq!(written, expected, "{name}");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("fixtures/torch_weights.json")).unwrap();
    let model = network(&cases[0]);
    let wrong = BTreeMap::from([("dens".to_string(), "fc".to_string())]);
    let error = StateDict::of(&model, &wrong).unwrap_err().to_string();
    assert!(
        error.contains("`dens` is no layer") && error.contains("conv, batch_norm") && error.contains("dense_1"),
        "{error}"
    );
    let error = StateDict::of(&model, &BTreeMap::new()).unwrap().read(&state_dict(&cases[0])).unwrap_err().to_string();
    assert!(error.contains("`conv/weight`: there is no `conv.weight`"), "{error}");
    assert!(error.contains("and 3 more") && error.contains("received: 0.0.bias, 0.0.weight"), "{error}");
}
