//! A dense layer and the convolution that equals it: over a whole image, and at every place of one.

mod common;

use common::assert_close;
use gradus_graph::{Engine, Graph, Mode, Node, Request, State};
use gradus_kernels::Pool;
use gradus_nn::layers::{Conv, Dense, Flatten, Permute};
use gradus_nn::{LayerExt, seq};

/// Outputs and gradients of `Σ dy·y` by the input, the weight and the bias, of a net whose weight is given.
fn measured(net: impl Fn(&Node) -> Node, shape: &[usize], weight: &[f64], bias: &[f64]) -> [Vec<f64>; 4] {
    let g = Graph::new();
    let x = g.input("x", shape);
    let y = net(&x);
    let flat = y.layer(Flatten);
    let dy = g.input("dy", [flat.units()]);
    let loss = (&flat * &dy).sum_all();
    let paths: Vec<String> = g.variables().into_iter().map(|variable| variable.path).collect();
    let node = |end: &str| g.variable_node(paths.iter().position(|path| path.ends_with(end)).unwrap());
    let gradients = g.gradients(&loss, &[&x, &node("weight"), &node("bias")]).unwrap();
    let names = ["y", "dx", "dw", "db"];
    let outputs: Vec<(&str, &Node)> = names.into_iter().zip([&flat].into_iter().chain(&gradients)).collect();
    let model = g.model(&outputs).unwrap();
    let mut state = State::<f64>::new(&model, 0);
    for path in &paths {
        let values = if path.ends_with("weight") { weight } else { bias };
        state.variable_mut(path).unwrap().copy_from_slice(values);
    }
    let mut engine = Engine::new(&model, Request { mode: Mode::Train, ..Request::predicting(&names) }).unwrap();
    let batch = 3;
    let (x, dy) = (noise(1, batch * shape.iter().product::<usize>()), noise(2, batch * flat.units()));
    engine.run(&mut state, &[&x, &dy], batch, 1, &Pool::new(1)).unwrap();
    names.map(|name| engine.output(name).unwrap().to_vec())
}

fn noise(stream: u32, len: usize) -> Vec<f64> {
    let mut rng = gradus_tensor::Rng::new(9, stream, 0);
    (0..len).map(|_| rng.uniform() * 2.0 - 1.0).collect()
}

fn assert_equal(a: [Vec<f64>; 4], b: [Vec<f64>; 4]) {
    for ((what, a), b) in
        ["outputs", "gradient of x", "gradient of weights", "gradient of biases"].into_iter().zip(a).zip(b)
    {
        assert_close(what, &a, &b, (1e-12, 1e-12));
    }
}

#[test]
fn over_a_whole_image_with_a_window_as_large_as_it() {
    let ([c, h, w], units) = ([3, 5, 4], 7);
    let (weight, bias) = (noise(3, h * w * c * units), noise(4, units));
    let conv = measured(|x| x.layer(Conv::new(units, [h, w])), &[c, h, w], &weight, &bias);
    // The convolution's weights are [H, W, C, F]; `flatten` lays an image out as [C, H, W].
    let mut rows = vec![0.0; weight.len()];
    for place in 0..h * w {
        for channel in 0..c {
            let from = (place * c + channel) * units;
            rows[(channel * h * w + place) * units..][..units].copy_from_slice(&weight[from..from + units]);
        }
    }
    let [y, dx, dw, db] = measured(|x| x.layer(seq![Flatten, Dense::new(units)]), &[c, h, w], &rows, &bias);
    let mut back = vec![0.0; dw.len()];
    for place in 0..h * w {
        for channel in 0..c {
            let to = (place * c + channel) * units;
            back[to..to + units].copy_from_slice(&dw[(channel * h * w + place) * units..][..units]);
        }
    }
    assert_equal(conv, [y, dx, back, db]);

    // With the channels last first, the very same numbers: [H, W, C, F] read as [H·W·C, F].
    let last = |x: &Node| x.layer(seq![Permute::new([2, 3, 1]), Flatten, Dense::new(units)]);
    let conv = measured(|x| x.layer(Conv::new(units, [h, w])), &[c, h, w], &weight, &bias);
    assert_equal(conv, measured(last, &[c, h, w], &weight, &bias));
}

#[test]
fn at_every_place_with_a_window_of_one() {
    let ([c, h, w], units) = ([5, 3, 4], 6);
    let (weight, bias) = (noise(5, c * units), noise(6, units));
    let conv = measured(|x| x.layer(Conv::new(units, 1).relu()), &[c, h, w], &weight, &bias);
    let dense = |x: &Node| x.layer(seq![Permute::new([2, 3, 1]), Dense::new(units).relu(), Permute::new([3, 1, 2])]);
    assert_equal(conv, measured(dense, &[c, h, w], &weight, &bias));

    // Sequences have their channels last already.
    let conv = measured(|x| x.layer(Conv::new(units, 1)), &[h, c], &weight, &bias);
    assert_equal(conv, measured(|x| x.layer(Dense::new(units)), &[h, c], &weight, &bias));
}
