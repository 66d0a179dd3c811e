//! The layers on sequences against an independent implementation (see `fixtures/README.md`), their gradients against differences, and
//! what no fixture can say: that padding changes nothing, that masks travel, and the messages for what is wrong.

mod common;

use common::{assert_close, cast, tensor};
use gradus_graph::{Engine, Graph, Kind, Mode, Model, Node, Request, State};
use gradus_kernels::{Pool, Real};
use gradus_nn::layers::*;
use gradus_nn::losses::Mse;
use gradus_nn::optimizers::Sgd;
use gradus_nn::{AnyLayer, Layer, LayerExt, TrainStep, seq};
use gradus_tensor::Shape;
use serde_json::Value;

fn cases() -> Vec<Value> {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/sequences.json")).unwrap();
    fixture["cases"].as_array().unwrap().clone()
}

fn variable(g: &Graph, path: &str) -> Node {
    let known: Vec<String> = g.variables().into_iter().map(|v| v.path).collect();
    let index = known.iter().position(|name| name == path);
    g.variable_node(index.unwrap_or_else(|| panic!("no `{path}` in {known:?}")))
}

/// The layer over `x`, the gradients of Σ dy·y and of the layer's penalty, and the penalty.
fn measured(layer: &AnyLayer, case: &Value) -> Model {
    let g = Graph::new();
    let size = |what: &str| tensor(&case[what]).0;
    let ids = case.get("dx").is_none();
    let kind = if ids { Kind::Index } else { Kind::Real };
    let input = g.add_input("x", Shape::batched(&size("x")[1..]), kind);
    let dy = g.add_input("dy", Shape::batched(&size("dy")[1..]), Kind::Real);
    let x = match case.get("mask").filter(|_| case.get("memory").is_none()) {
        Some(mask) => input.with_mask(&g.add_input("mask", Shape::batched(&tensor(mask).0[1..]), Kind::Real)),
        None => input.clone(),
    };
    let y = match (layer, case.get("memory")) {
        // The mask is the memory's.
        (AnyLayer::Attention(attention), Some(memory)) => {
            let memory = g.add_input("memory", Shape::batched(&tensor(memory).0[1..]), Kind::Real);
            match case.get("mask") {
                Some(mask) => {
                    let mask = g.add_input("mask", Shape::batched(&tensor(mask).0[1..]), Kind::Real);
                    attention.over(&input, &memory.with_mask(&mask))
                }
                None => attention.over(&input, &memory),
            }
        }
        _ => {
            let y = layer.build(&x);
            y.inherit_mask(&x);
            y
        }
    };
    let penalty = g.penalties().into_iter().map(|p| p.1).reduce(|a, b| a + b).unwrap_or_else(|| g.scalar(0.0));
    let total = (&y * &dy).sum_all() + &penalty;
    let parameters: Vec<String> = case["parameters"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(g.variables().iter().filter(|v| v.role.trainable()).count(), parameters.len(), "{:?}", g.variables());
    let mut names = parameters.clone();
    let mut targets: Vec<Node> = parameters.iter().map(|path| variable(&g, path)).collect();
    if !ids {
        names.push("x".into());
        targets.push(input);
    }
    let gradients =
        g.gradients(&total, &targets.iter().collect::<Vec<_>>()).unwrap_or_else(|e| panic!("{layer:?}: {e}"));
    let mut outputs = vec![("y".to_string(), y), ("penalty".to_string(), penalty)];
    outputs.extend(names.into_iter().map(|path| format!("gradient/{path}")).zip(gradients));
    g.model(&outputs.iter().map(|(name, node)| (name.as_str(), node)).collect::<Vec<_>>()).unwrap()
}

fn follow<T: Real>(case: &Value, optimize: bool, tolerance: (f64, f64)) {
    let layer: AnyLayer = serde_json::from_value(case["layer"].clone()).unwrap();
    let name = format!("{} {}", layer.key(), case["name"]);
    let model = measured(&layer, case);
    let mut state = State::<T>::new(&model, 0);
    for (path, values) in case["parameters"].as_object().unwrap() {
        state.variable_mut(path).unwrap().copy_from_slice(&cast::<T>(&tensor(values).1));
    }
    let read = |what: &str| cast::<T>(&tensor(&case[what]).1);
    let mut inputs = vec![read("x"), read("dy")];
    inputs.extend(["memory", "mask"].into_iter().filter(|what| case.get(what).is_some()).map(read));
    let outputs = model.outputs().iter().map(|o| o.0.clone()).collect();
    let request = Request { mode: Mode::Train, outputs, optimize, ..Request::predicting(&[]) };
    let mut engine = Engine::new(&model, request).unwrap();
    let batch = tensor(&case["x"]).0[0];
    engine.run(&mut state, &inputs.iter().map(Vec::as_slice).collect::<Vec<_>>(), batch, 1, &Pool::new(1)).unwrap();
    let check = |what: &str, value: &Value| {
        assert_close(&format!("{name}: {what}"), engine.output(what).unwrap(), &tensor(value).1, tolerance);
    };
    check("y", &case["y"]);
    case["gradients"].as_object().unwrap().iter().for_each(|(path, dw)| check(&format!("gradient/{path}"), dw));
    if let Some(dx) = case.get("dx") {
        check("gradient/x", dx);
    }
    if let Some(penalty) = case["penalty"].as_f64() {
        assert_close(&name, engine.output("penalty").unwrap(), &[penalty], tolerance);
    }
}

#[test]
fn layers_agree_with_the_reference() {
    for case in cases() {
        for optimize in [true, false] {
            follow::<f64>(&case, optimize, (1e-10, 1e-12));
            follow::<f32>(&case, optimize, (1e-5, 5e-6));
        }
    }
}

/// A recurrent layer from given states on: its outputs, the states it ends in, and all gradients.
fn carried<T: Real>(case: &Value, tolerance: (f64, f64)) {
    let layer: AnyLayer = serde_json::from_value(case["layer"].clone()).unwrap();
    let list = |what: &str| case[what].as_array().unwrap().iter().map(tensor).collect::<Vec<_>>();
    let g = Graph::new();
    let input = |name: &str, size: &[usize]| g.add_input(name, Shape::batched(&size[1..]), Kind::Real);
    let (x, dy) = (input("x", &tensor(&case["x"]).0), input("dy", &tensor(&case["dy"]).0));
    let start: Vec<Node> = list("start").iter().enumerate().map(|(i, s)| input(&format!("s{i}"), &s.0)).collect();
    let de: Vec<Node> = list("de").iter().enumerate().map(|(i, s)| input(&format!("de{i}"), &s.0)).collect();
    let (y, ends) = match &layer {
        AnyLayer::SimpleRnn(layer) => layer.steps(&x, &start),
        AnyLayer::Lstm(layer) => layer.steps(&x, &start),
        AnyLayer::Gru(layer) => layer.steps(&x, &start),
        other => panic!("{other:?} has no states"),
    };
    let total = ends.iter().zip(&de).fold((&y * &dy).sum_all(), |sum, (e, d)| sum + (e * d).sum_all());
    let targets: Vec<&Node> = std::iter::once(&x).chain(&start).collect();
    let gradients = g.gradients(&total, &targets).unwrap();
    let mut outputs = vec![("y".to_string(), y, case["y"].clone())];
    let named = |name: &str, nodes: Vec<Node>, values: &Value| {
        let values = values.as_array().unwrap().clone();
        nodes.into_iter().zip(values).enumerate().map(|(i, (n, v))| (format!("{name}{i}"), n, v)).collect::<Vec<_>>()
    };
    outputs.extend(named("end", ends, &case["ends"]));
    outputs.push(("dx".into(), gradients[0].clone(), case["dx"].clone()));
    outputs.extend(named("dstart", gradients[1..].to_vec(), &case["dstart"]));
    let model = g.model(&outputs.iter().map(|(name, node, _)| (name.as_str(), node)).collect::<Vec<_>>()).unwrap();
    let mut state = State::<T>::new(&model, 0);
    for (path, values) in case["parameters"].as_object().unwrap() {
        state.variable_mut(path).unwrap().copy_from_slice(&cast::<T>(&tensor(values).1));
    }
    let mut inputs = vec![cast::<T>(&tensor(&case["x"]).1), cast::<T>(&tensor(&case["dy"]).1)];
    inputs.extend(["start", "de"].into_iter().flat_map(list).map(|(_, values)| cast::<T>(&values)));
    let names: Vec<&str> = outputs.iter().map(|(name, ..)| name.as_str()).collect();
    let mut engine = Engine::new(&model, Request::predicting(&names)).unwrap();
    let batch = tensor(&case["x"]).0[0];
    engine.run(&mut state, &inputs.iter().map(Vec::as_slice).collect::<Vec<_>>(), batch, 1, &Pool::new(1)).unwrap();
    for (name, _, values) in &outputs {
        let what = format!("{} {}: {name}", layer.key(), case["name"]);
        assert_close(&what, engine.output(name).unwrap(), &tensor(values).1, tolerance);
    }
}

#[test]
fn recurrent_layers_go_on_from_given_states_as_the_reference_does() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/sequences.json")).unwrap();
    for case in fixture["states"].as_array().unwrap() {
        carried::<f64>(case, (1e-10, 1e-12));
        carried::<f32>(case, (1e-5, 5e-6));
    }
}

#[test]
fn a_sequence_in_two_parts_is_the_sequence() {
    let layer = Lstm::new(3).layers(2).return_sequence();
    let whole = {
        let g = Graph::new();
        let y = g.input("x", [7, 2]).layer(layer.clone());
        g.model(&[("y", &y)]).unwrap()
    };
    let parts = {
        let g = Graph::new();
        let x = g.input("x", [7, 2]);
        // The same parameters under one name.
        let run = |x: &Node, start: &[Node]| g.scope("part", || g.shared("lstm", || layer.steps(x, start)));
        let (first, ends) = run(&x.slice(1, 0..3), &[]);
        let (second, _) = run(&x.slice(1, 3..7), &ends);
        g.model(&[("y", &Node::concat(&[&first, &second], 1))]).unwrap()
    };
    let (mut state, x) = (State::<f64>::new(&whole, 5), noise(2, 2 * 14));
    let mut own = State::<f64>::new(&parts, 6);
    assert_eq!(own.copy_from(&state), whole.variables().len());
    let (a, b) = (predict(&whole, &mut state, &[&x], 2), predict(&parts, &mut own, &[&x], 2));
    assert_close("in two parts", &b[0], &a[0], (1e-13, 1e-15));
}

/// Weights after three steps of training.
fn trained(layer: &AnyLayer, threads: usize, optimize: bool) -> Vec<f64> {
    let g = Graph::new();
    let y = g.input("x", [7, 24]).layer(layer.clone()).layer(Dense::new(2));
    let step = TrainStep::new(Sgd::default()).loss("y", Mse::default());
    let model = step.build(&g.model(&[("y", &y)]).unwrap()).unwrap();
    let mut state = State::<f64>::new(&model, 4);
    let request = Request { threads, optimize, ..Request::training(&["loss"]) };
    let mut engine = Engine::new(&model, request).unwrap();
    let (x, target) = (noise(5, 3 * 48 * 7 * 24), noise(6, 3 * 48 * 2));
    engine.run(&mut state, &[&x, &target], 48, 3, &Pool::new(threads)).unwrap();
    let names: Vec<String> = model.variables().iter().map(|v| v.path.clone()).collect();
    names.iter().flat_map(|path| state.variable(path).unwrap().to_vec()).collect()
}

#[test]
fn recurrent_layers_train_to_the_same_bits_with_any_number_of_threads() {
    for layer in [
        AnyLayer::from(Lstm::new(48).layers(2).bidirectional()),
        Gru::new(48).bidirectional().into(),
        Gru { reset_after: false, ..Gru::new(48) }.into(),
        SimpleRnn::new(64).into(),
    ] {
        let one = trained(&layer, 1, true);
        assert!(one == trained(&layer, 2, true), "{layer:?}");
        assert_close(&format!("{} naive", layer.key()), &one, &trained(&layer, 1, false), (1e-9, 1e-11));
    }
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let message = |start: &dyn Fn(&Graph) -> Vec<Node>| {
        let g = Graph::new();
        let (y, ends) = Lstm::new(4).steps(&g.input("x", [5, 3]), &start(&g));
        assert!(y.is_poisoned() && ends.len() == 2 && ends.iter().all(Node::is_poisoned));
        g.model(&[("y", &y)]).unwrap_err().to_string()
    };
    let one = message(&|g| vec![g.input("h", [4])]);
    assert!(one.contains("expected: 2 states to start from, or none\n  received: 1"), "{one}");
    let wide = message(&|g| vec![g.input("h", [4]), g.input("c", [5])]);
    assert!(wide.contains("expected: states [B, 4] to start from\n  received: [B, 5]"), "{wide}");
}

#[test]
fn masks_travel_through_containers() {
    let holding = |x: &Node, recipe: &str| {
        let layer: AnyLayer = serde_json::from_str(recipe).unwrap();
        let y = x.layer(layer);
        assert!(!y.is_poisoned(), "{recipe}");
        y.mask()
    };
    let g = Graph::new();
    let mask = g.input("there", [7]);
    let x = g.input("x", [7, 4]).with_mask(&mask);
    let rnn = r#"{"gru":{"units":4,"return_sequence":true}}"#;
    for recipe in [
        format!(r#"{{"residual":{{"layers":[{rnn}]}}}}"#),
        format!(
            r#"{{"residual":{{"layers":[{rnn},"layer_norm"],"activation":"relu","shortcut":[{{"dense":{{"units":4}}}}]}}}}"#
        ),
        format!(r#"{{"parallel":{{"branches":[[{rnn}],[]]}}}}"#),
        format!(r#"{{"parallel":{{"branches":[[{rnn}],[{rnn}]],"merge":"max"}}}}"#),
        format!(r#"{{"concat":{{"layers":[{rnn}]}}}}"#),
        format!(r#"{{"repeat":{{"times":2,"layers":[{rnn},{{"dropout":{{"rate":0.1}}}}]}}}}"#),
        format!(r#"{{"shared":{{"name":"one","layers":[{rnn}]}}}}"#),
    ] {
        assert_eq!(holding(&x, &recipe).map(|m| m.shape().to_string()).as_deref(), Some("[B, 7]"), "{recipe}");
    }
    let pooled = format!(
        r#"{{"parallel":{{"branches":[[{rnn},{{"time_pooling":{{"method":"max"}}}}],[{{"time_pooling":{{"method":"average"}}}}]]}}}}"#
    );
    assert!(holding(&x, &pooled).is_none());
    let turned = r#"{"shared":{"name":"two","layers":[{"permute":{"axes":[2,1]}},{"permute":{"axes":[2,1]}}]}}"#;
    assert!(holding(&x, turned).is_none(), "turned axes are no sequence any more");
    // What is made inside comes out, too; of two masks, what both have.
    let words = |padding: usize| format!(r#"{{"embedding":{{"vocabulary":9,"units":4,"padding":{padding}}}}}"#);
    let ids = g.index_input("ids", [7]);
    let shared = format!(r#"{{"shared":{{"name":"words","layers":[{}]}}}}"#, words(0));
    assert!(holding(&ids, &shared).is_some());
    let both = format!(r#"{{"parallel":{{"branches":[[{}],[{}]]}}}}"#, words(0), words(3));
    let model = g.model(&[("mask", &holding(&ids, &both).unwrap())]).unwrap();
    let (mut state, ids) = (State::<f64>::new(&model, 1), [1.0, 0.0, 3.0, 4.0, 3.0, 0.0, 8.0]);
    let unused = [0.0; 28];
    assert_eq!(predict(&model, &mut state, &[&unused[..7], &unused, &ids], 1)[0], [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
}

/// Runs of several lengths, padded, through layers that hold recurrent ones: the values of padding must not matter.
#[test]
fn containers_do_not_see_padding() {
    let rnn = r#"{"gru":{"units":4,"return_sequence":true,"bidirectional":true,"merge":"sum"}}"#;
    for recipe in [
        format!(r#"{{"residual":{{"layers":[{rnn},"batch_norm",{rnn}]}}}}"#),
        format!(r#"{{"parallel":{{"branches":[[{rnn}],["instance_norm",{rnn}]],"merge":"mean"}}}}"#),
        format!(r#"{{"repeat":{{"times":2,"layers":[{rnn}]}}}}"#),
        format!(
            r#"{{"concat":{{"layers":[{{"shared":{{"name":"one","layers":[{rnn}]}}}},{{"group_norm":{{"groups":2}}}}]}}}}"#
        ),
    ] {
        let g = Graph::new();
        let x = g.input("x", [5, 4]).with_mask(&g.input("there", [5]));
        let layer: AnyLayer = serde_json::from_str(&recipe).unwrap();
        let y = x.layer(layer).layer(TimePooling::default());
        let model = g.model(&[("y", &y)]).unwrap();
        let mask: Vec<f64> = [5, 2, 3].iter().flat_map(|&n| (0..5).map(move |t| f64::from(u8::from(t < n)))).collect();
        let mut state = State::<f64>::new(&model, 1);
        let mut run = |garbage: f64| {
            let mut x = noise(3, 3 * 5 * 4);
            x.chunks_mut(4).zip(&mask).filter(|(_, there)| **there == 0.0).for_each(|(x, _)| x.fill(garbage));
            let mut engine = Engine::new(&model, Request { mode: Mode::Train, ..Request::predicting(&["y"]) }).unwrap();
            engine.run(&mut state, &[&x, &mask], 3, 1, &Pool::new(1)).unwrap();
            engine.output("y").unwrap().to_vec()
        };
        assert_eq!(run(0.0), run(1e4), "{recipe}");
    }
}

#[test]
fn running_statistics_are_those_of_what_is_there() {
    let g = Graph::new();
    let x = g.input("x", [3, 2]).with_mask(&g.input("there", [3]));
    let y = x.layer(BatchNorm { momentum: 1.0, ..BatchNorm::default() });
    let model = g.model(&[("y", &y)]).unwrap();
    let mut state = State::<f64>::new(&model, 1);
    let values = [1.0, 10.0, 2.0, 20.0, f64::NAN, 1e9, 6.0, 0.0, 7e7, 7e7, 7e7, 7e7];
    let mask = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0];
    let request = Request { mode: Mode::Train, updates: true, ..Request::predicting(&["y"]) };
    Engine::new(&model, request).unwrap().run(&mut state, &[&values, &mask], 2, 1, &Pool::new(1)).unwrap();
    assert_close("mean", state.variable("batch_norm/mean").unwrap(), &[3.0, 10.0], (1e-14, 0.0));
    assert_close("variance", state.variable("batch_norm/variance").unwrap(), &[7.0, 100.0], (1e-14, 0.0));
}

/// Every layer of this page, without anything random.
fn layers() -> Vec<AnyLayer> {
    let keys = [
        "simple_rnn",
        "lstm",
        "gru",
        "attention",
        "transformer_encoder",
        "time_pooling",
        "self_attention_pooling",
        "attention_pooling",
        "capsule_pooling",
    ];
    AnyLayer::examples().into_iter().filter(|layer| keys.contains(&layer.key())).collect()
}

fn noise(seed: u64, len: usize) -> Vec<f64> {
    let mut rng = gradus_tensor::Rng::new(seed, 0, 0);
    (0..len).map(|_| rng.normal()).collect()
}

/// What a model gives when predicting, in the order of its outputs.
fn predict(model: &Model, state: &mut State<f64>, inputs: &[&[f64]], batch: usize) -> Vec<Vec<f64>> {
    let names: Vec<&str> = model.outputs().iter().map(|o| o.0.as_str()).collect();
    let mut engine = Engine::new(model, Request::predicting(&names)).unwrap();
    engine.run(state, inputs, batch, 1, &Pool::new(1)).unwrap();
    names.iter().map(|name| engine.output(name).unwrap().to_vec()).collect()
}

#[test]
fn what_stands_in_padding_does_not_matter() {
    let (length, units, lengths) = (5, 4, [5usize, 2, 0, 3]);
    let mask: Vec<f64> = lengths.iter().flat_map(|&n| (0..length).map(move |t| f64::from(u8::from(t < n)))).collect();
    for layer in layers() {
        let g = Graph::new();
        let x = g.input("x", [length, units]).with_mask(&g.input("mask", [length]));
        let y = x.layer(layer.clone());
        let has_time = y.mask().is_some();
        let width = y.shape().len_at(1) / if has_time { length } else { 1 };
        let loss = y.square().sum_all();
        let dx = g.gradients(&loss, &[&x]).unwrap_or_else(|error| panic!("{layer:?}: {error}")).remove(0);
        let model = g.model(&[("y", &y), ("dx", &dx)]).unwrap();
        let mut state = State::<f64>::new(&model, 3);
        let mut run = |garbage: f64| {
            let mut values = noise(1, lengths.len() * length * units);
            for (x, there) in values.chunks_mut(units).zip(&mask).filter(|(_, there)| **there == 0.0) {
                x.fill(garbage + there);
            }
            predict(&model, &mut state, &[&values, &mask], lengths.len())
        };
        let (clean, spoilt) = (run(0.0), run(1e4));
        assert!(spoilt.iter().flatten().all(|x| x.is_finite()), "{layer:?}");
        if has_time {
            for (i, there) in mask.iter().enumerate() {
                let at = i * width..(i + 1) * width;
                assert!(*there == 0.0 || clean[0][at.clone()] == spoilt[0][at], "{layer:?}: step {i}");
            }
        } else {
            assert_eq!(clean[0], spoilt[0], "{layer:?}");
            let zero = clean[0][2 * width..3 * width].iter().all(|y| *y == 0.0);
            assert!(zero, "{layer:?}: padding alone gives zeros, not {:?}", &clean[0][2 * width..3 * width]);
            assert!(
                clean[1].chunks(units).zip(&mask).all(|(dx, m)| *m == 1.0 || dx.iter().all(|x| *x == 0.0)),
                "{layer:?}"
            );
        }
    }
}

#[test]
fn masks_travel_from_an_embedding_to_a_pooling() {
    let g = Graph::new();
    let ids = g.index_input("words", [7]);
    let x = ids.layer(Embedding::new(20, 8).padding(0)).layer(seq![
        Dense::new(6).tanh(),
        Dropout::new(0.1),
        SinusoidalPositions::default()
    ]);
    let h = x.layer(TransformerEncoder::new(2)).layer(Gru::new(5).return_sequence().bidirectional());
    assert_eq!(h.mask().map(|mask| mask.shape().to_string()).as_deref(), Some("[B, 7]"));
    assert!(h.layer(Flatten).mask().is_none());
    let turned = g.input("square", [7, 7]).with_mask(&g.input("there", [7])).layer(Permute::new([2, 1]));
    assert!(turned.layer(Dense::new(3)).mask().is_none());
    // As many vectors as steps: still no sequence.
    let vectors = h.layer(SelfAttentionPooling::new(7));
    assert_eq!((vectors.shape().to_string(), vectors.mask().is_none()), ("[B, 7, 10]".into(), true));
    assert!(h.layer(TimePooling::default()).mask().is_none());
    assert!(ids.layer(Embedding::new(20, 8)).mask().is_none());
    let masked = g.input("numbers", [7, 3]).layer(Masking::default());
    assert_eq!(masked.layer(Lstm::new(3).return_sequence()).mask().unwrap().shape().to_string(), "[B, 7]");
    assert!(g.model(&[("y", &vectors)]).is_ok());
}

/// Words to sentences to documents.
fn hierarchical(sentences: usize, words: usize) -> Model {
    let g = Graph::new();
    let x = g.index_input("words", [sentences, words]).layer(Embedding::new(9, 4).padding(0));
    assert_eq!(x.mask().unwrap().shape(), Shape::batched(&[sentences, words]));
    let x = x.layer(seq![Gru::new(3).bidirectional().return_sequence(), AttentionPooling::default()]);
    assert_eq!((x.shape(), x.mask().unwrap().shape()), (Shape::batched(&[sentences, 6]), Shape::batched(&[sentences])));
    let x = x.layer(seq![Gru::new(3).bidirectional().return_sequence(), AttentionPooling::default(), Dense::new(2)]);
    g.model(&[("y", &x)]).unwrap()
}

#[test]
fn a_hierarchical_network_does_not_see_padded_words_and_sentences() {
    let (small, large) = (hierarchical(2, 3), hierarchical(4, 5));
    let mut state = State::<f64>::new(&small, 1);
    let document = [1.0, 5.0, 2.0, 8.0, 3.0, 0.0];
    let expected = predict(&small, &mut state, &[&document], 1).remove(0);
    let mut padded = vec![0.0; 20];
    padded[..3].copy_from_slice(&document[..3]);
    padded[5..8].copy_from_slice(&document[3..]);
    let mut own = State::<f64>::new(&large, 2);
    assert_eq!(own.copy_from(&state), small.variables().len());
    let received = predict(&large, &mut own, &[&padded], 1).remove(0);
    assert_close("padded document", &received, &expected, (1e-13, 1e-15));
}

#[test]
fn embeddings_start_as_told_and_train_only_if_they_may() {
    let vectors: Vec<f64> = (1..=6).map(f64::from).collect();
    let build = |layer: Embedding| {
        let g = Graph::new();
        let y = g.index_input("words", [2]).layer(seq![layer, Flatten, Dense::new(1)]);
        TrainStep::new(Sgd::default()).loss("y", Mse::default()).build(&g.model(&[("y", &y)]).unwrap()).unwrap()
    };
    let trained = |layer: Embedding| {
        let model = build(layer);
        let mut state = State::<f64>::new(&model, 1);
        let request = Request { mode: Mode::Train, updates: true, ..Request::predicting(&["loss"]) };
        let mut engine = Engine::new(&model, request).unwrap();
        engine.run(&mut state, &[&[1.0, 0.0], &[3.0]], 1, 1, &Pool::new(1)).unwrap();
        state.variable("embedding/weight").unwrap().to_vec()
    };
    let words = Embedding::new(3, 2).padding(0).starting_from(vectors.clone());
    assert_eq!(trained(words.clone().frozen()), [0.0, 0.0, 3.0, 4.0, 5.0, 6.0]);
    let after = trained(words);
    assert!(after[..2] == [0.0, 0.0] && after[2] != 3.0 && after[4..] == [5.0, 6.0], "{after:?}");
    let after = trained(Embedding::new(3, 2).starting_from(vectors));
    assert!(after[0] != 1.0 && after[2] != 3.0 && after[4..] == [5.0, 6.0], "{after:?}");
    // An id that does not exist is no number.
    let model = build(Embedding::new(3, 2));
    let mut state = State::<f64>::new(&model, 1);
    let loss = {
        let mut engine = Engine::new(&model, Request::predicting(&["y"])).unwrap();
        engine.run(&mut state, &[&[3.0, 0.0], &[0.0]], 1, 1, &Pool::new(1)).unwrap();
        engine.output("y").unwrap()[0]
    };
    assert!(loss.is_nan());
}

#[test]
fn the_forget_gate_starts_open_and_names_tell_layer_and_direction() {
    let g = Graph::new();
    let y = g.input("x", [3, 2]).layer(Lstm::new(2).layers(2).bidirectional());
    let model = g.model(&[("y", &y)]).unwrap();
    let paths: Vec<&str> = model.variables().iter().map(|v| v.path.as_str()).collect();
    let expected: Vec<String> = ["layer0/forward", "layer0/backward", "layer1/forward", "layer1/backward"]
        .iter()
        .flat_map(|place| ["weight", "recurrent_weight", "bias"].map(|name| format!("lstm/{place}/{name}")))
        .collect();
    assert_eq!(paths, expected);
    let state = State::<f64>::new(&model, 1);
    assert_eq!(state.variable("lstm/layer1/backward/bias").unwrap(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn dropped_states_are_the_same_in_all_steps_and_only_when_training() {
    let build = |rate: f64| {
        let g = Graph::new();
        let layer = Gru { recurrent_dropout: rate, ..Gru::new(4).return_sequence() };
        let y = g.input("x", [6, 2]).layer(layer);
        g.model(&[("y", &y)]).unwrap()
    };
    let (plain, dropping) = (build(0.0), build(0.5));
    let mut state = State::<f64>::new(&plain, 1);
    let x = noise(1, 3 * 12);
    assert_eq!(predict(&plain, &mut state, &[&x], 3), predict(&dropping, &mut state, &[&x], 3));
    let random = dropping.nodes().iter().filter(|node| matches!(node.op, gradus_graph::Op::Random(_))).count();
    assert_eq!(random, 1, "one mask for all steps");
    let mut engine = Engine::new(&dropping, Request { mode: Mode::Train, ..Request::predicting(&["y"]) }).unwrap();
    engine.run(&mut state, &[&x], 3, 1, &Pool::new(1)).unwrap();
    assert_ne!(engine.output("y").unwrap(), predict(&plain, &mut state, &[&x], 3)[0]);
}

fn refused(layer: impl Into<AnyLayer>, shape: &[usize]) -> String {
    let g = Graph::new();
    let y = g.input("x", shape).layer(layer.into());
    let error = g.model(&[("y", &y)]).unwrap_err().to_string();
    error.lines().filter(|line| !line.contains("-->")).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_does_not_fit_is_refused_with_a_remedy() {
    assert_eq!(
        refused(Attention::new(4), &[5, 6]),
        "`attention` in `attention`\n  expected: features that 4 heads divide\n  received: 6\n  help:     choose another number of `heads`, or set `units` to a multiple of it"
    );
    assert_eq!(
        refused(TimePooling::of(TimeMethod::KMax, 6), &[5, 3]),
        "`time_pooling` in `time_pooling`\n  expected: `k` of at most the 5 steps of [B, 5, 3]\n  received: 6\n  help:     lower `k`, or pad the sequences to a greater length"
    );
    assert_eq!(
        refused(Lstm::new(3), &[4]),
        "`lstm` in `lstm`\n  expected: sequences, [B, T, D]\n  received: [B, 4]\n  help:     a recurrent layer before it must return its sequence (`return_sequence = true`); ids need an `embedding`"
    );
    assert!(
        refused(Gru::new(3), &[0, 4])
            .contains("expected: sequences of at least one step and one feature\n  received: [B, 0, 4]")
    );
    assert!(refused(Gru::new(0), &[2, 4]).contains("`units` of at least 1"));
    assert!(
        refused(SimpleRnn { dropout: 0.1, ..SimpleRnn::new(2) }, &[2, 4])
            .contains("it acts between layers: set `layers = 2`")
    );
    assert!(refused(Gru { merge: Merge::Sum, ..Gru::new(2) }, &[2, 4]).contains("set `bidirectional = true`"));
    assert!(
        refused(TransformerEncoder::new(3), &[5, 4])
            .contains("in `transformer_encoder/attention`\n  expected: features that 3 heads")
    );
    assert!(refused(TimePooling::new(TimeMethod::ChunkMax), &[5, 3]).contains("`k` of at least 1"));
    assert!(refused(TimePooling::of(TimeMethod::Max, 2), &[5, 3]).contains("no `k` for this method"));
    assert!(
        refused(LearnedPositions { length: Some(4), ..Default::default() }, &[5, 3])
            .contains("sequences of at most 4 steps\n  received: 5")
    );
    assert!(
        refused(CapsulePooling { iterations: 0, ..CapsulePooling::new(2, 2) }, &[5, 3])
            .contains("`iterations` of at least 1")
    );
    assert!(
        refused(Embedding::new(3, 2).padding(3), &[5]).contains("`padding` below the vocabulary of 3\n  received: 3")
    );
    assert!(
        refused(Embedding::new(3, 2).starting_from(vec![1.0]), &[5])
            .contains("6 first values, 2 for each of 3 ids\n  received: 1")
    );
    assert!(refused(Masking::default(), &[5]).contains("put this layer where the time axis still is"));
    let g = Graph::new();
    let y = g.input("x", [5, 3]).with_mask(&g.input("mask", [4])).layer(Gru::new(2));
    let error = g.model(&[("y", &y)]).unwrap_err().to_string();
    assert!(
        error.contains("expected: a mask of its first axes, [B, 5]\n  received: a mask [B, 4] for [B, 5, 3]"),
        "{error}"
    );
}

#[test]
fn recipes_name_a_pooling_by_its_method() {
    let read = |text: &str| serde_json::from_str::<AnyLayer>(text).map_err(|error| error.to_string());
    assert_eq!(read(r#"{"time_pooling": "average"}"#).unwrap(), TimePooling::new(TimeMethod::Average).into());
    let k_max = TimePooling::of(TimeMethod::KMax, 3);
    assert_eq!(read(r#"{"time_pooling": {"method": "k_max", "k": 3}}"#).unwrap(), k_max.into());
    assert!(
        read(r#"{"time_pooling": "middle"}"#)
            .unwrap_err()
            .contains("unknown variant `middle`, expected one of `first`")
    );
    assert!(read(r#"{"lstm": {}}"#).unwrap_err().contains("missing field `units`"));
}
