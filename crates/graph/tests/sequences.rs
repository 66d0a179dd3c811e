//! Masks beside nodes, and gradients of values that were cut into pieces.

mod support;

use gradus_graph::{Graph, Node, Op, Request};
use gradus_tensor::Rng;
use support::{normal, run};

#[test]
fn masks_stay_with_their_node_and_are_handed_on_only_along_time() {
    let g = Graph::new();
    let (plain, mask) = (g.input("x", [4, 3]), g.input("mask", [4]));
    let x = plain.with_mask(&mask);
    assert!(plain.mask().is_none() && x.mask().unwrap().id() == mask.id());
    let y = &x * 2.0;
    y.inherit_mask(&x);
    assert_eq!(y.mask().unwrap().id(), mask.id());
    let other = g.input("other", [4]);
    let z = x.with_mask(&other);
    z.inherit_mask(&y);
    assert_eq!(z.mask().unwrap().id(), other.id(), "what was said stays");
    let pooled = x.sum(-1).squeeze(-1);
    pooled.inherit_mask(&x);
    assert!(pooled.mask().is_none(), "[B, 4] has no axis behind time");
    let bare = (&x + 1.0).without_mask();
    bare.inherit_mask(&x);
    assert!(bare.mask().is_none());
    let model = g.model(&[("y", &y)]).unwrap();
    let (again, outputs) = model.extend();
    assert_eq!(outputs[0].1.mask().unwrap().id(), mask.id(), "a model keeps them");
    drop(again);
    let wrong = x.with_mask(&g.input("wrong", [3]));
    let error = g.model(&[("y", &wrong)]).unwrap_err().to_string();
    assert!(
        error.contains("expected: a mask of its first axes, [B, 4]\n  received: a mask [B, 3] for [B, 4, 3]"),
        "{error}"
    );
}

/// The gradient of what `f` makes of `x: [B, 12, 2]`, optimised and naive, against the same formula with a selection by products.
fn gradient(ranges: &[(usize, usize)]) -> (Vec<f64>, Vec<f64>, usize) {
    let g = Graph::new();
    let x = g.input("x", [12, 2]);
    let parts = ranges.iter().enumerate().map(|(i, &(from, to))| {
        let part: Node = x.slice(1, from..to);
        (part.square() * (i + 1) as f64).sum_all()
    });
    let loss = parts.reduce(|a, b| a + b).unwrap();
    let dx = g.gradients(&loss, &[&x]).unwrap().remove(0);
    let model = g.model(&[("dx", &dx)]).unwrap();
    let pads = model.nodes().iter().filter(|n| matches!(n.op, Op::Add(_)) && n.shape == x.shape()).count();
    let values = normal(3 * 24, &mut Rng::new(1, 0, 0));
    let received = run::<f64>(&model, Request::predicting(&["dx"]), std::slice::from_ref(&values), 3).remove(0);
    let weight = |t: usize| -> f64 {
        ranges.iter().enumerate().filter(|(_, r)| (r.0..r.1).contains(&t)).map(|(i, _)| (i + 1) as f64).sum()
    };
    let expected = values.iter().enumerate().map(|(i, x)| 2.0 * x * weight(i / 2 % 12)).collect();
    (received, expected, pads)
}

#[test]
fn gradients_of_slices_are_put_side_by_side_where_they_do_not_overlap() {
    let whole: Vec<(usize, usize)> = (0..12).map(|t| (t, t + 1)).collect();
    let gaps = [(7, 9), (1, 3), (4, 5)];
    let overlapping = [(0, 5), (4, 8), (10, 12)];
    for (ranges, sums) in [(&whole[..], 0), (&gaps, 0), (&overlapping, 2)] {
        let (received, expected, additions) = gradient(ranges);
        assert!(received.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{ranges:?}");
        assert_eq!(additions, sums, "{ranges:?}");
    }
}
