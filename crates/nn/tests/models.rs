//! Networks known by name: their parameters against PyTorch's count, their shapes, and that they learn.

use gradus_graph::{Engine, Graph, Model, Request, State};
use gradus_kernels::Pool;
use gradus_nn::layers::{Network, Reshape};
use gradus_nn::losses::CrossEntropy;
use gradus_nn::models::{AnyModel, Lenet5, Mobilenet, Resnet, ResnetShortcut};
use gradus_nn::optimizers::Adam;
use gradus_nn::{AnyLayer, Layer, LayerExt, TrainStep};

fn network(model: impl Into<AnyModel>, sizes: &[usize]) -> Model {
    let g = Graph::new();
    let y = g.input("x", sizes).layer(Network::new(model));
    g.model(&[("class", &y)]).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn parameters_are_as_many_as_in_the_papers() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("fixtures/models.json")).unwrap();
    let mut checked = 0;
    let mut check = |name: &str, model: Model| {
        assert_eq!(model.parameters() as u64, fixture[name].as_u64().unwrap(), "{name}");
        checked += 1;
    };
    check("lenet5", network(Lenet5::default(), &[1, 28, 28]));
    for depth in [8, 20, 32, 56] {
        check(&format!("resnet {depth} pad"), network(Resnet::new(depth, 10), &[3, 32, 32]));
        let projected = Resnet { shortcut: ResnetShortcut::Project, ..Resnet::new(depth, 10) };
        check(&format!("resnet {depth} project"), network(projected, &[3, 32, 32]));
    }
    check("mobilenet", network(Mobilenet::default(), &[3, 32, 32]));
    check("mobilenet 1.0 1000", network(Mobilenet { classes: 1000, width: 1.0, stride: 2 }, &[3, 224, 224]));
    assert_eq!(checked, fixture.as_object().unwrap().len());
}

/// Pictures of two kinds: a bright upper or a bright left half, with noise.
fn pictures(sizes: &[usize], batch: usize) -> (Vec<f32>, Vec<f32>) {
    let (height, width) = (sizes[1], sizes[2]);
    let mut rng = gradus_tensor::Rng::new(3, 1, 0);
    let labels: Vec<f32> = (0..batch).map(|i| (i % 2) as f32).collect();
    let mut x = vec![];
    for &label in &labels {
        for i in 0..sizes.iter().product::<usize>() {
            let (row, column) = (i / width % height, i % width);
            let bright = if label == 0.0 { row < height / 2 } else { column < width / 2 };
            x.push(f32::from(u8::from(bright)) + 0.3 * rng.normal() as f32);
        }
    }
    (x, labels)
}

fn learns(model: impl Into<AnyModel>, sizes: &[usize]) {
    let model = model.into();
    let (batch, steps) = (8, 12);
    let step = TrainStep::new(Adam { lr: 3e-3, ..Adam::default() }).loss("class", CrossEntropy::default());
    let step = step.build(&network(model.clone(), sizes)).unwrap();
    let mut state = State::<f32>::new(&step, 1);
    let mut engine = Engine::new(&step, Request::training(&["data_loss"])).unwrap();
    let (x, labels) = pictures(sizes, batch);
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
    learns(Lenet5 { classes: 2, ..Lenet5::default() }, &[1, 28, 28]);
    learns(Lenet5 { classes: 2, pad: 0, ..Lenet5::default() }, &[3, 32, 32]);
    learns(Resnet { filters: 4, ..Resnet::new(8, 2) }, &[3, 16, 16]);
    learns(Resnet { filters: 4, shortcut: ResnetShortcut::Project, ..Resnet::new(8, 2) }, &[3, 16, 16]);
    learns(Mobilenet { classes: 2, ..Mobilenet::default() }, &[3, 32, 32]);
}

#[test]
fn networks_stand_in_recipes_among_other_layers() {
    #[derive(serde::Deserialize)]
    struct Part {
        layers: Vec<AnyLayer>,
    }
    let text = "layers = [{ reshape = { to = [1, 28, 28] } }, { network = 'lenet5' }, { network = { resnet = { depth = 8 } } }]";
    let layers = toml::from_str::<Part>(text).unwrap().layers;
    assert_eq!(layers[0], Reshape::new([1, 28, 28]).into());
    assert_eq!(layers[1], Network::new(Lenet5::default()).into());
    assert_eq!(layers[2], Network::new(Resnet::new(8, 10)).into());
    assert_eq!(layers[1].held()[0].layers.len(), 8);
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |model: AnyModel| Network(model).check().unwrap_err().expected;
    assert_eq!(refused(Resnet::new(9, 10).into()), "`depth` of 6n + 2 from 8 to 1202");
    assert_eq!(refused(Resnet::new(2, 10).into()), "`depth` of 6n + 2 from 8 to 1202");
    assert_eq!(refused(Resnet::new(8, 0).into()), "`classes` of at least 1");
    assert_eq!(refused(Lenet5 { classes: 0, ..Lenet5::default() }.into()), "`classes` of at least 1");
    assert_eq!(refused(Mobilenet { width: 0.0, ..Mobilenet::default() }.into()), "`width` above 0 and at most 16");
    // Too small an image is told at the layer that it does not fit.
    let g = Graph::new();
    let y = g.input("x", [1, 8, 8]).layer(Network::new(Lenet5 { pad: 0, ..Lenet5::default() }));
    let error = g.model(&[("y", &y)]).unwrap_err().to_string();
    assert!(error.contains("`network/conv_1`"), "{error}");
}
