//! One check for every layer in the table, and the messages for what is wrong.

use gradus_graph::{Graph, GraphError, Role};
use gradus_nn::{AnyActivation, AnyInit, AnyLayer, AnyLoss, AnyOptimizer, AnyRegularizer, LayerExt, layers::*, seq};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

#[derive(Serialize, serde::Deserialize, PartialEq, Debug)]
struct Recipe<T> {
    part: T,
}

/// Through TOML and JSON and back, as itself.
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug + Clone>(part: &T) {
    let recipe = Recipe { part: part.clone() };
    let text = toml::to_string(&recipe).unwrap();
    assert_eq!(toml::from_str::<Recipe<T>>(&text).unwrap(), recipe, "{text}");
    let text = serde_json::to_string(part).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *part, "{text}");
}

fn read<T: DeserializeOwned>(value: &str) -> Result<T, String> {
    toml::from_str::<Recipe<T>>(&format!("part = {value}")).map(|r| r.part).map_err(|e| e.message().to_string())
}

/// Whether a layer takes `[B, C, H, W]` alone.
fn needs_images(layer: &AnyLayer) -> bool {
    matches!(layer, AnyLayer::DeformConv(_))
}

fn check_layer(layer: &AnyLayer) {
    round_trip(layer);
    assert_eq!(layer.check(), Ok(()), "{layer:?}");
    if matches!(layer, AnyLayer::Network(_)) {
        return; // takes images of a certain size: see models.rs
    }
    let g = Graph::new();
    let x = g.input("x", if needs_images(layer) { &[4, 6, 6][..] } else { &[4, 6] }).with_ids(4);
    let once = x.layer(layer.clone());
    // What takes axes away cannot be applied to its own output.
    let again = if once.shape().rank() == x.shape().rank() { &once } else { &x };
    let y = again.layer(layer.clone());
    let model = g.model(&[("y", &y)]).unwrap_or_else(|e| panic!("{layer:?}: {e}"));
    assert!(y.shape().has_batch(), "{layer:?} keeps the batch: {}", y.shape());
    let half = model.variables().len() / 2;
    for (i, variable) in model.variables().iter().enumerate() {
        if matches!(layer, AnyLayer::Shared(_)) {
            assert!(variable.path.starts_with("encoder/"), "{}", variable.path);
            continue;
        }
        let scope = if i < half { layer.key().to_string() } else { format!("{}_1", layer.key()) };
        assert!(variable.path.starts_with(&format!("{scope}/")), "{}", variable.path);
        assert!(variable.role != Role::Slot);
    }
}

#[test]
fn every_layer() {
    let layers = AnyLayer::examples();
    for key in AnyLayer::KEYS {
        assert!(layers.iter().any(|l| l.key() == *key), "{key} has no example");
    }
    layers.iter().for_each(check_layer);
}

#[test]
fn every_member_of_the_other_families_survives_a_recipe() {
    AnyActivation::examples().iter().for_each(round_trip);
    AnyInit::examples().iter().for_each(round_trip);
    AnyLoss::examples().iter().for_each(round_trip);
    AnyOptimizer::examples().iter().for_each(round_trip);
    AnyRegularizer::examples().iter().for_each(round_trip);
}

#[test]
fn every_example_passes_its_own_check() {
    assert!(AnyActivation::examples().iter().all(|x| x.check().is_ok()));
    assert!(AnyInit::examples().iter().all(|x| x.check().is_ok()));
    assert!(AnyLoss::examples().iter().all(|x| x.check().is_ok()));
    assert!(AnyOptimizer::examples().iter().all(|x| x.check().is_ok()));
    assert!(AnyRegularizer::examples().iter().all(|x| x.check().is_ok()));
}

#[test]
fn the_names_of_types_and_tables_agree() {
    use gradus_nn::Layer;
    assert_eq!(Dense::new(1).name(), "dense");
    assert_eq!(Flatten.name(), "flatten");
    assert_eq!(Dropout::default().name(), "dropout");
    assert_eq!(BatchNorm::default().name(), "batch_norm");
    assert_eq!(RmsNorm::default().name(), "rms_norm");
    assert_eq!(MultiSampleDropout::new(0.5, 2, Dense::new(1)).name(), "multi_sample_dropout");
    assert_eq!(Activation::new(gradus_nn::activations::Relu).name(), "activation");
}

#[test]
fn recipes_use_names_alone_or_tables() {
    assert_eq!(read::<AnyActivation>("'relu'").unwrap().key(), "relu");
    assert_eq!(read::<AnyActivation>("{ relu = {} }").unwrap().key(), "relu");
    assert_eq!(
        read::<AnyActivation>("{ leaky_relu = { slope = 0.2 } }").unwrap(),
        gradus_nn::activations::LeakyRelu { slope: 0.2 }.into()
    );
    assert_eq!(
        read::<AnyLayer>("{ dense = { units = 8, activation = 'tanh' } }").unwrap(),
        Dense::new(8).tanh().into()
    );
    assert_eq!(read::<AnyLayer>("'flatten'").unwrap(), Flatten.into());
    assert_eq!(read::<AnyLayer>("{ activation = 'relu' }").unwrap().key(), "activation");
    assert_eq!(read::<AnyOptimizer>("{ adam_w = { lr = 1 } }").unwrap().lr(), 1.0);
}

#[test]
fn wrong_recipes_say_what_is_known() {
    let refused = |value: &str| read::<AnyLayer>(value).unwrap_err();
    let known: Vec<String> = AnyLayer::KEYS.iter().map(|key| format!("`{key}`")).collect();
    let unknown = format!("unknown variant `dens`, expected one of {}", known.join(", "));
    assert_eq!(refused("'dens'"), unknown);
    assert_eq!(refused("{ dens = { units = 8 } }"), unknown);
    assert_eq!(
        refused("{ dense = { unit = 8 } }"),
        "unknown field `unit`, expected one of `units`, `activation`, `bias`, `weight_init`, `bias_init`"
    );
    assert_eq!(refused("'dense'"), "missing field `units`");
    assert_eq!(refused("{ flatten = { axis = 1 } }"), "unknown field `axis`, there are no fields");
    assert_eq!(
        refused("{ dropout = {}, flatten = {} }"),
        "expected one name of a layer, found `dropout` and `flatten`: put each into a table of its own"
    );
    assert_eq!(
        refused("7"),
        format!(
            "invalid type: integer `7`, expected a layer, as its name or as a table with its name: one of {}",
            AnyLayer::KEYS.join(", ")
        )
    );
    assert!(refused("{}").contains("invalid length 0"));
    assert!(refused("{ dense = { units = -1 } }").contains("invalid value"));
}

fn message(error: &GraphError) -> String {
    let text = error.to_string();
    text.lines().filter(|l| !l.contains("-->")).collect::<Vec<_>>().join("\n")
}

fn refused(layer: impl gradus_nn::Layer) -> String {
    let g = Graph::new();
    let y = g.input("x", [4]).layer(layer).layer(Dense::new(2));
    message(&g.model(&[("y", &y)]).unwrap_err())
}

#[test]
fn settings_out_of_range_are_refused_with_a_remedy() {
    assert_eq!(
        refused(Dropout::new(1.0)),
        "`layer` in `dropout`\n  expected: `rate` of at least 0 and below 1\n  received: 1\n  help:     correct the setting `rate`"
    );
    assert!(refused(Dropout::new(-0.1)).contains("received: -0.1"));
    assert!(refused(Dropout::new(f64::NAN)).contains("received: NaN"));
    assert!(refused(Dense::new(0)).contains("`layer` in `dense`\n  expected: `units` of at least 1\n  received: 0"));
    assert!(refused(Dense::new(1).leaky_relu(f64::INFINITY)).contains("expected: `slope` that is finite"));
    let negative = gradus_nn::init::Normal { mean: 0.0, std: -1.0 };
    assert!(refused(Dense::new(1).weight_init(negative)).contains("expected: `std` of at least 0"));
    assert_eq!(
        refused(seq![]),
        "`layers` in ``\n  expected: at least one layer\n  received: none\n  help:     name the layers of the network in order"
    );
    let flat = |x: &gradus_graph::Node| x.sum(-1).squeeze(-1);
    assert!(refused(flat).contains("`dense` in `dense`\n  expected: rows of features, [.., D]\n  received: [B]"));
}

#[test]
fn errors_name_the_users_line() {
    let g = Graph::new();
    let x = g.input("x", [4]);
    let line = line!() + 1;
    let y = x.layer(seq![Flatten, seq![Dense::new(0)]]).layer(Dense::new(2));
    let GraphError::Shape { at, path, .. } = g.model(&[("y", &y)]).unwrap_err() else { panic!("a shape error") };
    assert_eq!((at.file(), at.line(), path.as_str()), (file!(), line, "dense"));
}

#[test]
fn the_default_start_of_weights_suits_the_activation() {
    let start = |layer: Dense| {
        let g = Graph::new();
        g.input("x", [4]).layer(layer);
        format!("{:?}", g.variables()[0].init)
    };
    use gradus_nn::init::{Distribution, Lecun, Msra, Xavier};
    let msra = |slope| start(Dense::new(3).weight_init(Msra { slope, ..Msra::default() }));
    assert_eq!(start(Dense::new(3).relu()), msra(0.0));
    assert_eq!(start(Dense::new(3).leaky_relu(0.3)), msra(0.3));
    assert_eq!(start(Dense::new(3).tanh()), start(Dense::new(3).weight_init(Xavier::default())));
    assert_ne!(start(Dense::new(3).relu()), start(Dense::new(3)));
    assert_eq!(start(Dense::new(3).activation(gradus_nn::activations::Prelu::default())), msra(0.25));
    assert_eq!(start(Dense::new(3).gelu()), msra(0.0));
    let normal = Lecun { distribution: Distribution::Normal, ..Lecun::default() };
    assert_eq!(start(Dense::new(3).selu()), start(Dense::new(3).weight_init(normal)));
    let mut layer = AnyLayer::from(Dense::new(3).relu());
    layer.set_default_init(&Xavier::default().into());
    assert_eq!(layer, Dense::new(3).relu().weight_init(Xavier::default()).into());
    layer.set_default_init(&Msra::default().into());
    assert_eq!(layer, Dense::new(3).relu().weight_init(Xavier::default()).into(), "what is set stays");
}
