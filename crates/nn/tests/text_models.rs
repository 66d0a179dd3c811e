//! Networks for texts against an independent implementation that knows no padding (see `fixtures/README.md`), that they learn, that
//! padding changes nothing, and where their vocabulary comes from.

mod common;

use common::{assert_close, cast, tensor};
use gradus_graph::{Engine, Graph, Mode, Model, Node, Request, State};
use gradus_kernels::{Pool, Real};
use gradus_nn::layers::{CapsulePooling, Dense, Network, Reshape, SelfAttentionPooling, TimeMethod, TimePooling};
use gradus_nn::losses::CrossEntropy;
use gradus_nn::models::{AnyModel, BiLstm, Han, Positions, TextCnn, TransformerClassifier};
use gradus_nn::optimizers::Adam;
use gradus_nn::{AnyLayer, Layer, LayerExt, TrainStep};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/text_models.json")).unwrap()
}

fn network(model: impl Into<AnyModel>, sizes: &[usize], ids: usize) -> Model {
    let g = Graph::new();
    let y = g.index_input("x", sizes).with_ids(ids).layer(Network::new(model));
    g.model(&[("class", &y)]).unwrap_or_else(|e| panic!("{e}"))
}

/// The network over ids, and the gradients of Σ dy·y.
fn measured(layer: &AnyLayer, case: &Value) -> Model {
    let g = Graph::new();
    let x = g.index_input("x", &tensor(&case["x"]).0[1..]);
    let dy = g.input("dy", &tensor(&case["dy"]).0[1..]);
    let y = layer.build(&x);
    let total = (&y * &dy).sum_all();
    let parameters = case["parameters"].as_object().unwrap();
    let (mut names, mut nodes) = (vec![], vec![]);
    for (index, variable) in g.variables().into_iter().enumerate().filter(|(_, variable)| variable.role.trainable()) {
        names.push(variable.path);
        nodes.push(g.variable_node(index));
    }
    assert_eq!(names.len(), parameters.len(), "{names:?}");
    let gradients = g.gradients(&total, &nodes.iter().collect::<Vec<_>>()).unwrap_or_else(|e| panic!("{layer:?}: {e}"));
    let mut outputs = vec![("y".to_string(), y)];
    outputs.extend(names.into_iter().map(|path| format!("gradient/{path}")).zip(gradients));
    g.model(&outputs.iter().map(|(name, node)| (name.as_str(), node)).collect::<Vec<_>>()).unwrap()
}

fn follow<T: Real>(case: &Value, optimize: bool, tolerance: (f64, f64)) {
    let layer: AnyLayer = serde_json::from_value(case["layer"].clone()).unwrap();
    let AnyLayer::Network(network) = &layer else { panic!("{layer:?} is no network") };
    let name = format!("{} {}", network.0.key(), case["name"].as_str().unwrap());
    let model = measured(&layer, case);
    let mut state = State::<T>::new(&model, 0);
    for (path, values) in case["parameters"].as_object().unwrap() {
        let own = state.variable_mut(path).unwrap_or_else(|| panic!("{name}: no {path}"));
        own.copy_from_slice(&cast::<T>(&tensor(values).1));
    }
    let read = |what: &str| cast::<T>(&tensor(&case[what]).1);
    let outputs = model.outputs().iter().map(|o| o.0.clone()).collect();
    let request = Request { mode: Mode::Train, outputs, optimize, ..Request::predicting(&[]) };
    let mut engine = Engine::new(&model, request).unwrap();
    engine.run(&mut state, &[&read("x"), &read("dy")], tensor(&case["x"]).0[0], 1, &Pool::new(1)).unwrap();
    let check = |what: &str, value: &Value| {
        assert_close(&format!("{name}: {what}"), engine.output(what).unwrap(), &tensor(value).1, tolerance);
    };
    check("y", &case["y"]);
    case["gradients"].as_object().unwrap().iter().for_each(|(path, dw)| check(&format!("gradient/{path}"), dw));
}

#[test]
fn networks_agree_with_the_reference() {
    let fixture = fixture();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 16);
    for case in cases {
        for optimize in [true, false] {
            follow::<f64>(case, optimize, (1e-10, 1e-12));
            follow::<f32>(case, optimize, (1e-5, 5e-6));
        }
    }
}

#[test]
fn parameters_are_as_many_as_pytorch_counts() {
    let fixture = fixture();
    let counts = fixture["counts"].as_object().unwrap();
    let bi_lstm = |pooling: AnyLayer| BiLstm { pooling: Box::new(pooling), ..BiLstm::default() };
    let attention: AnyLayer = gradus_nn::layers::AttentionPooling::default().into();
    let models: [(&str, AnyModel, &[usize]); 7] = [
        ("text_cnn", TextCnn::default().into(), &[20]),
        ("bi_lstm max", BiLstm::default().into(), &[6]),
        ("bi_lstm attention", bi_lstm(attention).into(), &[6]),
        ("bi_lstm self_attention 4", bi_lstm(SelfAttentionPooling::new(4).into()).into(), &[6]),
        ("bi_lstm capsules 4 16", bi_lstm(CapsulePooling::new(4, 16).into()).into(), &[6]),
        ("han", Han::default().into(), &[3, 4]),
        ("transformer_classifier", TransformerClassifier::default().into(), &[6]),
    ];
    assert_eq!(models.len(), counts.len());
    for (name, model, sizes) in models {
        assert_eq!(network(model, sizes, 1000).parameters() as u64, counts[name].as_u64().unwrap(), "{name}");
    }
}

/// Texts whose class is whether word 2 comes before word 3, among others; padded with 0.
fn texts(batch: usize, length: usize) -> (Vec<f32>, Vec<f32>) {
    let mut rng = gradus_tensor::Rng::new(5, 1, 0);
    let (mut x, mut labels) = (vec![], vec![]);
    for i in 0..batch {
        let words = 4 + rng.below((length - 4) as u32 + 1) as usize;
        let mut text: Vec<f32> = (0..words).map(|_| 4.0 + rng.below(5) as f32).collect();
        let (first, second) = if i % 2 == 0 { (2.0, 3.0) } else { (3.0, 2.0) };
        let place = rng.below(words as u32 - 1) as usize;
        (text[place], text[place + 1]) = (first, second);
        text.resize(length, 0.0);
        x.extend(text);
        labels.push((i % 2) as f32);
    }
    (x, labels)
}

fn learns(model: impl Into<AnyModel>, sizes: &[usize]) {
    let model = model.into();
    let (batch, steps) = (16, 60);
    let step = TrainStep::new(Adam { lr: 1e-2, ..Adam::default() }).loss("class", CrossEntropy::default());
    let step = step.build(&network(model.clone(), sizes, 9)).unwrap();
    let mut state = State::<f32>::new(&step, 1);
    let mut engine = Engine::new(&step, Request::training(&["data_loss"])).unwrap();
    let (x, labels) = texts(batch, sizes.iter().product());
    let losses: Vec<f64> = (0..steps)
        .map(|_| {
            engine.run(&mut state, &[&x, &labels], batch, 1, &Pool::new(1)).unwrap();
            engine.sums()[0] / batch as f64
        })
        .collect();
    let (first, last) = (losses[0], losses[steps - 1]);
    assert!(last.is_finite() && last < 0.5 * first, "{model:?}: {losses:?}");
}

#[test]
fn networks_learn() {
    let small = || BiLstm { embedding: 8, units: 8, ..BiLstm::default() };
    learns(TextCnn { embedding: 8, filters: 8, ..TextCnn::default() }, &[10]);
    learns(small(), &[10]);
    learns(BiLstm { pooling: Box::new(CapsulePooling::new(2, 8).into()), layers: 1, ..small() }, &[10]);
    learns(Han { embedding: 8, units: 8, ..Han::default() }, &[2, 5]);
    learns(
        Han {
            embedding: 8,
            units: 8,
            pooling: Box::new(CapsulePooling::new(2, 8).reversed().into()),
            ..Han::default()
        },
        &[2, 5],
    );
    for positions in [Positions::Sinusoidal, Positions::Learned] {
        learns(
            TransformerClassifier { embedding: 16, positions, dropout: 0.0, ..TransformerClassifier::default() },
            &[10],
        );
    }
}

fn outputs(model: impl Into<AnyModel>, sizes: &[usize], ids: &[f64]) -> Vec<f64> {
    let model = network(model, sizes, 9);
    let mut state = State::<f64>::new(&model, 3);
    let mut engine = Engine::new(&model, Request::predicting(&["class"])).unwrap();
    engine.run(&mut state, &[ids], 1, 1, &Pool::new(1)).unwrap();
    engine.output("class").unwrap().to_vec()
}

#[test]
fn padding_changes_nothing() {
    let text = [4.0, 2.0, 7.0];
    let more = |n: usize| [&text[..], &vec![0.0; n][..]].concat();
    let small: [AnyModel; 3] = [
        TextCnn { embedding: 4, filters: 3, ..TextCnn::default() }.into(),
        BiLstm { embedding: 4, units: 3, ..BiLstm::default() }.into(),
        TransformerClassifier { embedding: 8, ..TransformerClassifier::default() }.into(),
    ];
    for model in small {
        let (alone, padded) = (outputs(model.clone(), &[3], &text), outputs(model.clone(), &[9], &more(6)));
        assert_close(&format!("{model:?}"), &alone, &padded, (1e-12, 1e-14));
    }
    let han = Han { embedding: 4, units: 3, pooling: Box::new(CapsulePooling::new(2, 3).into()), ..Han::default() };
    let alone = outputs(han.clone(), &[1, 3], &text);
    assert_close("han", &alone, &outputs(han, &[3, 5], &more(12)), (1e-12, 1e-14));
}

#[test]
fn the_vocabulary_is_the_inputs() {
    let embedding = |model: &Model| model.variables()[0].shape.clone();
    assert_eq!(embedding(&network(TextCnn { embedding: 4, ..TextCnn::default() }, &[5], 12)), [12, 4]);
    assert_eq!(embedding(&network(TextCnn { vocabulary: Some(20), ..TextCnn::default() }, &[5], 12)), [20, 300]);
    let refused = |x: &Node, vocabulary: Option<usize>| {
        let y = x.layer(Network::new(TextCnn { vocabulary, ..TextCnn::default() }));
        x.graph().model(&[("y", &y)]).unwrap_err().to_string()
    };
    let text = || Graph::new().index_input("x", [5]);
    let error = refused(&text().with_ids(12), Some(11));
    assert!(error.contains("`vocabulary` of at least 12") && error.contains("received: 11"), "{error}");
    let error = refused(&text(), None);
    assert!(error.contains("does not say how many ids there are"), "{error}");
}

#[test]
fn files_of_vectors_are_asked_for() {
    let g = Graph::new();
    let vectors = Some("glove.txt".to_string());
    let model = Han { vectors, embedding: 4, trainable: false, ..Han::default() };
    let y = g.index_input("x", [2, 3]).with_ids(9).layer(Network::new(model));
    let wanted = g.wanted();
    assert_eq!(wanted.len(), 1);
    assert_eq!(
        (&wanted[0].path[..], &wanted[0].shape[..], &wanted[0].file[..]),
        ("network/embedding/weight", &[9, 4][..], "glove.txt")
    );
    g.start(&wanted[0].path, gradus_graph::Constant(0.25));
    let model = g.model(&[("y", &y)]).unwrap();
    assert!(model.wanted().is_empty());
    assert_eq!(State::<f64>::new(&model, 0).variable("network/embedding/weight").unwrap(), [0.25; 36]);
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |model: AnyModel| Network(model).check().unwrap_err().expected;
    assert_eq!(refused(TextCnn { sizes: vec![], ..TextCnn::default() }.into()), "`sizes` of at least one word each");
    assert_eq!(
        refused(TextCnn { sizes: vec![3, 0], ..TextCnn::default() }.into()),
        "`sizes` of at least one word each"
    );
    assert_eq!(refused(TextCnn { dropout: 1.0, ..TextCnn::default() }.into()), "`dropout` of at least 0 and below 1");
    assert_eq!(refused(Han { embedding: 0, ..Han::default() }.into()), "`embedding` of at least 1");
    let dense: Box<AnyLayer> = Box::new(Dense::new(3).into());
    assert_eq!(
        refused(BiLstm { pooling: dense.clone(), ..BiLstm::default() }.into()),
        "`pooling` of one of `time_pooling`, `attention_pooling`, `self_attention_pooling`, `capsule_pooling`"
    );
    let none: Box<AnyLayer> = Box::new(TimePooling::of(TimeMethod::KMax, 0).into());
    assert_eq!(refused(Han { pooling: none, ..Han::default() }.into()), "`pooling.time_pooling.k` of at least 1");
    assert_eq!(
        refused(TransformerClassifier { heads: 3, ..TransformerClassifier::default() }.into()),
        "`heads` of a divisor of the embedding's 128 numbers"
    );
}

#[test]
fn reshaping_keeps_leading_axes_and_their_mask() {
    let g = Graph::new();
    let x = g.input("x", [3, 2, 4]).with_mask(&g.input("mask", [3]));
    let y = x.layer(Reshape::new([-1]).keep(1));
    assert_eq!((y.shape().to_string(), y.mask().is_some()), ("[B, 3, 8]".into(), true));
    assert!(x.layer(Reshape::new([-1])).mask().is_none());
    let refused = |layer: Reshape| {
        let g = Graph::new();
        let y = g.input("x", [3, 2]).layer(layer);
        g.model(&[("y", &y)]).unwrap_err().to_string()
    };
    assert!(refused(Reshape::new([4]).keep(1)).contains("the 2 values of [B, 3, 2] behind the 1 axes kept"));
    assert!(refused(Reshape::new([4]).keep(3)).contains("`keep` of at most 2"));
}
