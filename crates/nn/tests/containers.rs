//! Layers that hold layers: their parameters' paths, what they pass on, parameters shared by name, and what is refused.

use gradus_graph::{Graph, GraphError, Model};
use gradus_nn::init::{Constant, Xavier};
use gradus_nn::layers::*;
use gradus_nn::{AnyInit, AnyLayer, Layer, LayerExt};
use gradus_tensor::Rng;

fn read(text: &str) -> AnyLayer {
    #[derive(serde::Deserialize)]
    struct Part {
        layer: AnyLayer,
    }
    toml::from_str::<Part>(&format!("layer = {text}")).unwrap_or_else(|e| panic!("{text}: {e}")).layer
}

/// Layers as a recipe lists them, over an input of these sizes.
fn network(layers: &[&str], sizes: &[usize]) -> Result<Model, GraphError> {
    let g = Graph::new();
    let y = layers.iter().fold(g.input("x", sizes), |x, layer| x.layer(read(layer)));
    g.model(&[("y", &y)])
}

fn paths(layers: &[&str], sizes: &[usize]) -> Vec<String> {
    network(layers, sizes).unwrap().variables().iter().map(|v| v.path.clone()).collect()
}

fn output(layers: &[&str], sizes: &[usize]) -> String {
    let model = network(layers, sizes).unwrap();
    model.nodes()[model.outputs()[0].1].shape.to_string()
}

/// The error's lines but for the place in this file.
fn refused(layers: &[&str], sizes: &[usize]) -> String {
    let text = network(layers, sizes).unwrap_err().to_string();
    text.lines().filter(|line| !line.contains("-->")).map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn parameters_stand_under_the_layer_that_holds_them() {
    let block =
        "{ residual = { layers = [{ dense = { units = 3 } }, 'rms_norm'], shortcut = [{ dense = { units = 3 } }] } }";
    assert_eq!(
        paths(&[block, "{ dense = { units = 1 } }"], &[2]),
        [
            "residual/dense/weight",
            "residual/dense/bias",
            "residual/rms_norm/gamma",
            "residual/shortcut/dense/weight",
            "residual/shortcut/dense/bias",
            "dense/weight",
            "dense/bias"
        ]
    );
    let nested = "{ parallel = { branches = [[{ concat = { layers = [{ dense = { units = 3, bias = false } }] } }], [], \
                  [{ repeat = { times = 2, layers = [{ dense = { units = 2, bias = false } }] } }]] } }";
    assert_eq!(
        paths(&[nested], &[2]),
        [
            "parallel/branch/concat/dense/weight",
            "parallel/branch_2/repeat/dense/weight",
            "parallel/branch_2/repeat/dense_1/weight"
        ]
    );
    assert_eq!(output(&[nested], &[2]), "[B, 9]", "5 and 2 and 2");
}

#[test]
fn what_is_held_is_told_in_the_order_in_which_it_is_built() {
    let nested = read(
        "{ parallel = { branches = [[], [{ residual = { layers = ['rms_norm'], shortcut = [{ dense = { units = 2 } }] } }]] } }",
    );
    let held = nested.held();
    let told: Vec<_> = held.iter().map(|held| (held.setting.as_str(), held.scope, held.layers.len())).collect();
    assert_eq!(told, [("branches.0", Some("branch"), 0), ("branches.1", Some("branch"), 1)]);
    let inner = held[1].layers[0].held();
    let told: Vec<_> = inner.iter().map(|held| (held.setting.as_str(), held.scope, held.layers[0].key())).collect();
    assert_eq!(told, [("layers", None, "rms_norm"), ("shortcut", Some("shortcut"), "dense")]);
    assert_eq!(read("{ repeat = { times = 3, layers = ['flatten'] } }").held()[0].times, 3);
    assert!(AnyLayer::from(Dense::new(1)).held().is_empty());
}

#[test]
fn containers_pass_on_the_start_of_weights() {
    let dense = "[{ dense = { units = 4 } }]";
    for layer in [
        format!("{{ residual = {{ layers = {dense}, shortcut = {dense} }} }}"),
        format!("{{ parallel = {{ branches = [{dense}, [{{ repeat = {{ times = 1, layers = {dense} }} }}]] }} }}"),
        format!("{{ concat = {{ layers = {dense} }} }}"),
        format!("{{ shared = {{ name = 'one', layers = {dense} }} }}"),
        format!("{{ multi_sample_dropout = {{ layers = {dense} }} }}"),
    ] {
        let mut layer = read(&layer);
        layer.set_default_init(&AnyInit::from(Constant { value: 0.25 }));
        layer.set_default_init(&Xavier::default().into());
        let g = Graph::new();
        g.input("x", [4]).layer(layer.clone());
        let weights: Vec<_> = g.variables().into_iter().filter(|v| v.path.ends_with("weight")).collect();
        assert!(!weights.is_empty());
        for weight in weights {
            let values = weight.init.values(&weight.shape, &mut Rng::new(0, 0, 0));
            assert!(values.iter().all(|&x| x == 0.25), "{}", weight.path);
        }
    }
}

#[test]
fn containers_check_what_they_hold() {
    for layer in [
        "{ residual = { layers = [{ dropout = { rate = 1.0 } }] } }",
        "{ residual = { layers = ['flatten'], shortcut = [{ dropout = { rate = 1.0 } }] } }",
        "{ parallel = { branches = [['flatten'], [{ dropout = { rate = 1.0 } }]] } }",
        "{ concat = { layers = [{ residual = { layers = [{ dropout = { rate = 1.0 } }] } }] } }",
        "{ repeat = { times = 2, layers = [{ dropout = { rate = 1.0 } }] } }",
        "{ shared = { name = 'a', layers = [{ dropout = { rate = 1.0 } }] } }",
    ] {
        assert_eq!(read(layer).check().unwrap_err().expected, "`rate` of at least 0 and below 1", "{layer}");
    }
    let problem = |layer: &str| {
        let error = read(layer).check().unwrap_err();
        (error.expected, error.received)
    };
    let told = |expected: &str, received: &str| (expected.to_string(), received.to_string());
    for layer in ["residual", "concat", "repeat", "shared"] {
        let more = match layer {
            "repeat" => "times = 1, ",
            "shared" => "name = 'a', ",
            _ => "",
        };
        let layer = format!("{{ {layer} = {{ {more}layers = [] }} }}");
        assert_eq!(problem(&layer), told("`layers` of at least one layer", "none"));
    }
    assert_eq!(problem("{ parallel = { branches = [] } }"), told("`branches` of at least one branch", "none"));
    assert_eq!(problem("{ repeat = { times = 0, layers = ['flatten'] } }"), told("`times` of at least 1", "0"));
    let thousand = |layers: &str| format!("{{ repeat = {{ times = 1000, layers = [{layers}] }} }}");
    let nested = |depth: usize| (0..depth).fold("'flatten'".to_string(), |inner, _| thousand(&inner));
    assert_eq!(
        problem(&nested(3)),
        told("`times` of so few that at most 10000 layers come of it", "1000, each time of 1001001 layers")
    );
    assert!(problem(&nested(8)).1.contains("each time of more layers than can be counted"));
    let axis = "{ parallel = { branches = [[], []], merge = 'sum', axis = 1 } }";
    assert_eq!(problem(axis), told("no `axis` where branches are merged element by element", "1"));
    let name = "{ shared = { name = 'a/b', layers = ['flatten'] } }";
    assert_eq!(problem(name), told("`name` of letters, digits and underscores", "\"a/b\""));
    let sizes = "`to` of sizes of at least 1, one of which may be -1";
    assert_eq!(problem("{ reshape = { to = [-1, -1] } }"), told(sizes, "[-1, -1]"));
    assert_eq!(problem("{ reshape = { to = [0, 4] } }"), told(sizes, "[0, 4]"));
    assert_eq!(
        problem("{ permute = { axes = [1, 3] } }"),
        told("`axes` of the numbers from 1 on, each once", "[1, 3]")
    );
    assert_eq!(
        problem("{ permute = { axes = [0, 1] } }"),
        told("`axes` of the numbers from 1 on, each once", "[0, 1]")
    );
    assert_eq!(problem("{ upsample = { factor = 0 } }"), told("`factor` of at least 1", "0"));
}

#[test]
fn a_sum_of_two_shapes_names_both_ends_and_the_projection() {
    let dense = "{ residual = { layers = [{ dense = { units = 6 } }] } }";
    assert_eq!(
        refused(&[dense], &[4]),
        "`residual` in `residual`\nexpected: two ends of one shape; the input is [B, 4]\nreceived: [B, 6] from the layers\n\
         help:     project the input: `shortcut = [ { dense = { units = 6 } } ]`"
    );
    // One column would broadcast: it is refused all the same.
    assert!(
        refused(&["{ residual = { layers = [{ dense = { units = 1 } }] } }"], &[4]).contains("[B, 1] from the layers")
    );
    let wrong = "{ residual = { layers = [{ dense = { units = 6 } }], shortcut = [{ dense = { units = 5 } }] } }";
    assert!(
        refused(&[wrong], &[7, 4]).contains("two ends of one shape; the shortcut is [B, 7, 5]\nreceived: [B, 7, 6]")
    );
    let image = "{ residual = { layers = [{ zero_pad = { padding = [[0, 16], [0, 0], [0, 0]] } }] } }";
    assert!(
        refused(&[image], &[16, 8, 8]).contains("`shortcut = [ { conv = { filters = 32, size = 1, stride = 1 } } ]`")
    );
    let flat = "{ residual = { layers = ['flatten'] } }";
    assert!(refused(&[flat], &[2, 3]).contains("let the layers keep the shape (`padding"));
}

#[test]
fn branches_that_do_not_meet_are_named() {
    let sum = "{ parallel = { branches = [[], [{ dense = { units = 3 } }]], merge = 'sum' } }";
    assert_eq!(
        refused(&[sum], &[4]),
        "`parallel` in `parallel`\nexpected: branches that end in one shape\nreceived: [B, 4] from branch 1, [B, 3] from branch 2\n\
         help:     let all branches end in such shapes, or merge them in another way"
    );
    let concat = "{ parallel = { branches = [[], [], ['flatten']] } }";
    let told =
        "expected: branches that differ along axis 2 alone\nreceived: [B, 4, 5] from branch 1, [B, 20] from branch 3";
    assert!(refused(&[concat], &[4, 5]).contains(told));
    let axis = "{ parallel = { branches = [[], []], axis = 2 } }";
    assert!(refused(&[axis], &[4]).contains("expected: `axis` of an axis behind the batch\nreceived: 2 for [B, 4]"));
    let dense = "{ concat = { layers = ['flatten'] } }";
    let told = "layers that keep all sizes of the input [B, 2, 3] but that of axis 2\nreceived: [B, 6]";
    assert!(refused(&[dense], &[2, 3]).contains(told));
    // A fault inside is told once, with its own path.
    let inner = "{ parallel = { branches = [[], [{ reshape = { to = [3] } }]] } }";
    assert!(refused(&[inner], &[4]).starts_with("`reshape` in `parallel/branch_1/reshape`"));
}

#[test]
fn a_name_shares_parameters_wherever_it_occurs() {
    let cell = "{ shared = { name = 'cell', layers = [{ dense = { units = 4, activation = 'tanh' } }] } }";
    assert_eq!(paths(&[cell, "'rms_norm'", cell, cell], &[4]).len(), 3);
    let towers = format!("{{ parallel = {{ branches = [[{cell}], [{cell}, {cell}]] }} }}");
    assert_eq!(
        paths(&[&towers, "{ dense = { units = 4 } }", cell], &[4]),
        ["cell/dense/weight", "cell/dense/bias", "dense/weight", "dense/bias"]
    );
    // Another name has its own; one inside another too.
    let other = cell.replace("'cell'", "'other'");
    assert_eq!(paths(&[cell, &other], &[4]).len(), 4);
    let outer = format!("{{ shared = {{ name = 'outer', layers = [{cell}, {{ dense = {{ units = 4 }} }}] }} }}");
    assert_eq!(
        paths(&[&outer, cell, &outer], &[4]),
        ["cell/dense/weight", "cell/dense/bias", "outer/dense/weight", "outer/dense/bias"]
    );
    let masks = format!("{{ multi_sample_dropout = {{ samples = 3, layers = [{cell}] }} }}");
    assert_eq!(paths(&[cell, &masks], &[4]).len(), 2);
}

#[test]
fn uses_of_a_name_that_do_not_fit_are_refused() {
    let cell =
        |units: usize| format!("{{ shared = {{ name = 'cell', layers = [{{ dense = {{ units = {units} }} }}] }} }}");
    assert_eq!(
        refused(&[&cell(3), &cell(3)], &[4]),
        "`shared` in `shared_1/dense`\nexpected: [4, 3], as `cell` was made where it was first used\n\
         received: `cell/dense/weight` [3, 3]\n\
         help:     give all uses of `cell` the same layers and inputs of one size, or another name"
    );
    let longer = "{ shared = { name = 'cell', layers = [{ dense = { units = 4 } }, { dense = { units = 4 } }] } }";
    let told =
        "expected: the parameters that `cell` has where it was first used\nreceived: `cell/dense_1/weight` [4, 4]";
    assert!(refused(&[&cell(4), longer], &[4]).contains(told));
    let itself = format!("{{ shared = {{ name = 'cell', layers = [{}] }} }}", cell(4));
    assert!(refused(&[&itself], &[4]).contains("expected: a name that does not hold itself\nreceived: cell"));
    let normal = "{ shared = { name = 'cell', layers = ['batch_norm'] } }";
    let g = Graph::new();
    let y = g.input("x", [4]).layer(read(normal)).layer(read(normal));
    let error = g.model(&[("y", &y)]).unwrap_err().to_string();
    assert!(error.contains("`cell/batch_norm/mean` is updated twice in one step"), "{error}");
}

#[test]
fn layers_that_move_values() {
    assert_eq!(output(&["{ reshape = { to = [28, 28] } }"], &[1, 28, 28]), "[B, 28, 28]");
    assert_eq!(output(&["{ reshape = { to = [-1] } }"], &[2, 3, 4]), "[B, 24]");
    assert_eq!(output(&["{ permute = { axes = [2, 3, 1] } }"], &[3, 4, 5]), "[B, 4, 5, 3]");
    assert_eq!(output(&["{ zero_pad = { padding = [[0, 1], [2, 2]] } }"], &[3, 4]), "[B, 4, 8]");
    assert_eq!(output(&["'upsample'"], &[3, 4, 5]), "[B, 3, 8, 10]");
    assert_eq!(output(&["'upsample'"], &[4, 5]), "[B, 8, 5]");
    assert!(refused(&["{ reshape = { to = [5, -1] } }"], &[2, 6]).contains(
        "`reshape` in `reshape`\nexpected: `to` of sizes that hold the 12 values of each sample [B, 2, 6]\nreceived: [5, -1]"
    ));
    assert!(
        refused(&["{ permute = { axes = [2, 1] } }"], &[4]).contains("expected: `axes` of all 1 axes behind the batch")
    );
    assert!(
        refused(&["{ zero_pad = { padding = [[1, 1]] } }"], &[4, 4]).contains("`padding` of 2 pairs for [B, 4, 4]")
    );
    assert!(refused(&["'upsample'"], &[4]).contains("sequences [B, T, D] or images [B, C, H, W]\nreceived: [B, 4]"));
}
