//! The transforms of data as parts of a graph, so that a model takes numbers as they were read and gives values in their units.
//!
//! One function for each kind of fitted transform, the same formulas as in [`gradus_data::transforms`] in the precision of the graph.

use gradus_data::transforms::{Log1p, Norm, On, Scale, UnitNorm};
use gradus_data::{FittedPipeline, FittedTransform};
use gradus_graph::{Graph, Node, Role, ShapeError, Values};

/// Inputs as they were read, `x: [B, features…]`, as a model was trained on them.
///
/// A sample of another size than the transforms were fitted to poisons the result.
///
/// ```
/// use gradus_data::{Pipeline, readers::Embedded};
/// use gradus_graph::{Engine, Graph, Request, State};
/// use gradus_kernels::Pool;
/// use gradus_train::preprocessing::transformed;
/// let pipeline: Pipeline = serde_json::from_str(r#"[{ "z_score": {} }, { "unit_norm": {} }]"#).unwrap();
/// let (fitted, data) = pipeline.fit_apply(Embedded::Iris.read())?;
///
/// let g = Graph::new();
/// let model = g.model(&[("y", &transformed(&fitted, &g.input("x", [4])))])?;
/// let mut engine = Engine::new(&model, Request::predicting(&["y"]))?;
/// let raw = Embedded::Iris.read();
/// engine.run(&mut State::<f32>::new(&model, 0), &[raw.input_values()], 150, 1, &Pool::new(1))?;
/// for (y, expected) in engine.output("y").unwrap().iter().zip(data.input_values()) {
///     assert!((y - expected).abs() < 1e-6);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn transformed(transforms: &FittedPipeline, x: &Node) -> Node {
    let step = |x: Node, step: &FittedTransform| match step {
        FittedTransform::Scale(scale) if scale.on == On::Inputs => x.scope("scale", |x| scaled(scale, x)),
        FittedTransform::Log1p(Log1p { on: On::Inputs }) => x.scope("log1p", Node::log1p),
        FittedTransform::UnitNorm(config) => x.scope("unit_norm", |x| normed(config, x)),
        FittedTransform::Scale(_) | FittedTransform::Log1p(_) | FittedTransform::OneHot { .. } => x,
    };
    transforms.steps.iter().fold(x.clone(), step)
}

/// Predicted values, `y: [B, K]`, in the units of the data.
///
/// Another number of values than the transforms were fitted to poisons the result.
#[track_caller]
pub fn in_units(transforms: &FittedPipeline, y: &Node) -> Node {
    let step = |y: Node, step: &FittedTransform| match step {
        FittedTransform::Scale(scale) if scale.on == On::Target => y.scope("unscale", |y| unscaled(scale, y)),
        FittedTransform::Log1p(Log1p { on: On::Target }) => y.scope("expm1", unlogged),
        FittedTransform::Scale(_) | FittedTransform::Log1p(_) => y,
        FittedTransform::UnitNorm(_) | FittedTransform::OneHot { .. } => y,
    };
    transforms.steps.iter().rev().fold(y.clone(), step)
}

/// `(x - center)·factor + offset`; 0 where the factor is.
fn scaled(scale: &Scale, x: &Node) -> Node {
    let run = || {
        let rounded = |c: f64| f64::from(c as f32);
        let mut y = less(scale, x, "center", scale.center.iter().map(|&c| rounded(c)).collect())?;
        // What the centre loses in `f32`, where the scale makes it visible.
        let lost: Vec<f64> = scale.center.iter().map(|&c| c - rounded(c)).collect();
        if lost.iter().zip(&scale.factor).any(|(lost, factor)| (lost * factor).abs() > 1e-7) {
            y = less(scale, &y, "center_rest", lost)?;
        }
        let y = times(scale, &y, scale.factor.clone())?;
        let offset = scale.factor.iter().map(|&factor| if factor == 0.0 { 0.0 } else { scale.offset });
        more(scale, &y, "offset", offset.collect())
    };
    run().unwrap_or_else(|refused| refused)
}

/// `(y - offset)/factor + center`; the centre where the factor is 0.
fn unscaled(scale: &Scale, y: &Node) -> Node {
    let run = || {
        let y = less(scale, y, "offset", vec![scale.offset; scale.factor.len()])?;
        let back = |&factor: &f64| if factor == 0.0 { 0.0 } else { 1.0 / factor };
        let y = times(scale, &y, scale.factor.iter().map(back).collect())?;
        more(scale, &y, "center", scale.center.clone())
    };
    run().unwrap_or_else(|refused| refused)
}

/// `eʸ - 1`, at most the largest number of `f32`.
fn unlogged(y: &Node) -> Node {
    y.expm1().minimum(f64::from(f32::MAX))
}

/// `x/‖x‖` over each sample; a sample of zeros stays one.
fn normed(config: &UnitNorm, x: &Node) -> Node {
    let axes: Vec<isize> = (1..x.shape().rank() as isize).collect();
    let axes = &axes[..];
    let norm = match config.norm {
        Norm::L2 => x.square().sum(axes).sqrt(),
        Norm::L1 => x.abs().sum(axes),
        Norm::Max => x.abs().max(axes),
    };
    x / norm.eq(0.0).select(1.0, &norm)
}

/// A step of a formula, or the poisoned node of numbers that do not fit.
type Step = Result<Node, Node>;

fn less(scale: &Scale, x: &Node, name: &str, numbers: Vec<f64>) -> Step {
    let none = numbers.iter().all(|&n| n == 0.0);
    beside(scale, x, name, numbers).map(|n| if none { x.clone() } else { x - n })
}

fn more(scale: &Scale, x: &Node, name: &str, numbers: Vec<f64>) -> Step {
    let none = numbers.iter().all(|&n| n == 0.0);
    beside(scale, x, name, numbers).map(|n| if none { x.clone() } else { x + n })
}

fn times(scale: &Scale, x: &Node, numbers: Vec<f64>) -> Step {
    let none = numbers.iter().all(|&n| n == 1.0);
    beside(scale, x, "factor", numbers).map(|n| if none { x.clone() } else { x * n })
}

/// One number for each group of `scale.span` neighbours in a sample of `x`, to be broadcast.
fn beside(scale: &Scale, x: &Node, name: &str, numbers: Vec<f64>) -> Step {
    let g: &Graph = x.graph();
    let sizes: Vec<usize> = x.shape().at(1).into_iter().skip(1).collect();
    let groups = |axes: usize| sizes[..axes].iter().product::<usize>();
    let fits = |axes: &usize| groups(*axes) == numbers.len() && sizes[*axes..].iter().product::<usize>() == scale.span;
    let Some(axes) = (0..=sizes.len()).find(fits) else {
        let fitted = scale.span.saturating_mul(numbers.len());
        let expected = format!("samples of {fitted} numbers in groups of {}, as a transform was fitted to", scale.span);
        let error = ShapeError::new(expected, x.shape().to_string(), "give the model that the transforms belong to");
        return Err(g.refuse("preprocessing", error));
    };
    if numbers.iter().all(|n| *n == numbers[0]) {
        return Ok(g.scalar(numbers[0]));
    }
    let shape: Vec<usize> = sizes.iter().enumerate().map(|(i, &size)| if i < axes { size } else { 1 }).collect();
    Ok(g.variable(name, shape, Values(numbers), Role::Frozen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_data::{Dataset, Pipeline, Target};
    use gradus_graph::{Engine, Request, State};
    use gradus_kernels::Pool;
    use gradus_tensor::{Rng, Tensor};

    const ROWS: usize = 7;

    fn run(y: &Node, values: &[f32]) -> Vec<f32> {
        let model = y.graph().model(&[("y", y)]).unwrap();
        let mut engine = Engine::new(&model, Request::predicting(&["y"])).unwrap();
        engine.run(&mut State::new(&model, 0), &[values], ROWS, 1, &Pool::new(1)).unwrap();
        engine.output("y").unwrap().to_vec()
    }

    fn close(received: &[f32], expected: &[f32], what: &str) {
        assert_eq!(received.len(), expected.len(), "{what}");
        for (y, want) in received.iter().zip(expected) {
            assert!((y - want).abs() <= 2e-6 * want.abs().max(1.0), "{what}: {y} {want}");
        }
    }

    /// Samples with a constant feature and one far from 0.
    fn data(features: &[usize]) -> Dataset {
        let width: usize = features.iter().product();
        let mut rng = Rng::new(3, 0, 0);
        let mut x: Vec<f32> = (0..ROWS * width).map(|_| rng.normal().abs() as f32).collect();
        for row in x.chunks_exact_mut(width) {
            row[0] = 4.0;
            row[1] += 2020.3;
        }
        let shape: Vec<usize> = std::iter::once(ROWS).chain(features.iter().copied()).collect();
        let y: Vec<f32> =
            (0..ROWS * 2).map(|i| if i % 2 == 0 { 250_000.0 } else { 90_000.0 } + 10.0 * i as f32).collect();
        let target = Target::from_values(Tensor::new([ROWS, 2], y).unwrap(), None).unwrap();
        Dataset::new(Tensor::new(shape, x).unwrap(), target).unwrap()
    }

    fn fitted(steps: &str, data: &Dataset) -> FittedPipeline {
        serde_json::from_str::<Pipeline>(steps).unwrap().fit(data).unwrap()
    }

    #[test]
    fn the_graph_transforms_inputs_as_the_data_are() {
        let shapes: [&[usize]; 4] = [&[5], &[4, 6], &[3, 4, 2], &[2, 3, 2, 2]];
        let mut checked = 0;
        for features in shapes {
            let data = data(features);
            for name in ["min_max", "z_score", "robust", "mean_absolute"] {
                for settings in ["", r#""per": "all""#, r#""per": "feature""#, r#""per": "channel""#] {
                    let steps = format!(r#"[{{ "{name}": {{ {settings} }} }}]"#);
                    check(&steps, &data, features);
                    checked += 1;
                }
            }
            for steps in [
                r#"[{ "min_max": { "low": -1.0, "high": 3.0 } }]"#,
                r#"["log1p"]"#,
                r#"["log1p", "z_score"]"#,
                r#"[{ "unit_norm": { "norm": "l1" } }]"#,
                r#"[{ "unit_norm": { "norm": "max" } }]"#,
                r#"["z_score", "unit_norm", { "z_score": { "on": "target" } }]"#,
            ] {
                check(steps, &data, features);
                checked += 1;
            }
        }
        assert_eq!(checked, 4 * (16 + 6));
    }

    fn check(steps: &str, data: &Dataset, features: &[usize]) {
        let transforms = fitted(steps, data);
        let expected = transforms.apply(data.clone()).unwrap();
        let x = Graph::new().input("x", features);
        close(&run(&transformed(&transforms, &x), data.input_values()), expected.input_values(), steps);
    }

    #[test]
    fn a_sample_of_zeros_stays_one() {
        let mut x = vec![0.5f32; ROWS * 3];
        x[..3].fill(0.0);
        let data = Dataset::new(Tensor::new([ROWS, 3], x).unwrap(), Target::None).unwrap();
        for norm in ["l1", "l2", "max"] {
            check(&format!(r#"[{{ "unit_norm": {{ "norm": "{norm}" }} }}]"#), &data, &[3]);
        }
    }

    #[test]
    fn the_graph_gives_values_in_their_units() {
        let data = data(&[3]);
        for steps in [
            r#"[{ "min_max": { "on": "target", "low": -1.0 } }]"#,
            r#"[{ "log1p": { "on": "target" } }, { "robust": { "on": "target" } }, "min_max"]"#,
            r#"[{ "z_score": { "on": "target", "per": "all" } }]"#,
        ] {
            let transforms = fitted(steps, &data);
            let scaled = transforms.apply(data.clone()).unwrap().target_values();
            let mut expected = scaled.clone();
            transforms.inverse_target(&mut expected, 2).unwrap();
            let y = Graph::new().input("y", [2]);
            close(&run(&in_units(&transforms, &y), &scaled), &expected, steps);
        }
    }

    #[test]
    fn another_size_is_refused() {
        let transforms = fitted(r#"["z_score"]"#, &data(&[5]));
        let x = Graph::new().input("x", [4]);
        let y = transformed(&transforms, &x);
        let error = x.graph().model(&[("y", &y)]).unwrap_err().to_string();
        assert!(error.contains("samples of 5 numbers") && error.contains("[B, 4]"), "{error}");
    }
}
