//! Values and gradients of the ops against PyTorch's (`fixtures/ops.json`, made by `fixtures/ops.py`).

mod support;

use gradus_graph::ops::{Comparison, MatMul};
use gradus_graph::{Graph, GraphError, Kind, Mode, Node, Request, ops};
use gradus_tensor::{Dim, Shape};
use serde_json::Value;
use support::record::{largest, record};
use support::run;

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

fn shape(tensor: &Value) -> Shape {
    Shape::fixed(&list::<usize>(&tensor["shape"]))
}

fn data(tensor: &Value) -> Vec<f64> {
    let number = |v: &Value| match v {
        Value::String(s) => s.parse().unwrap(),
        v => v.as_f64().unwrap(),
    };
    tensor["data"].as_array().unwrap().iter().map(number).collect()
}

/// Reduces, then drops the axes if they are not kept.
fn reduced(attrs: &Value, rank: usize, f: impl Fn(&[isize]) -> Node) -> Node {
    let mut axes: Vec<isize> = match &attrs["axes"] {
        Value::Null => (0..rank as isize).collect(),
        Value::Number(n) => vec![n.as_i64().unwrap() as isize],
        axes => list(axes),
    };
    axes.iter_mut().filter(|a| **a < 0).for_each(|a| *a += rank as isize);
    axes.sort_unstable();
    let y = f(&axes);
    let keep = attrs["keep_dims"].as_bool().unwrap_or(false);
    if keep { y } else { axes.iter().rev().fold(y, |y, &a| y.squeeze(a)) }
}

/// Runs `f` with one axis moved to the end.
fn along_last(x: &Node, axis: isize, f: impl Fn(&Node) -> Node) -> Node {
    let rank = x.shape().rank();
    let axis = axis.rem_euclid(rank as isize) as usize;
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(axis, rank - 1);
    f(&x.permute(order.clone())).permute(order)
}

fn build(op: &str, attrs: &Value, x: &[Node]) -> Option<Node> {
    let axis = attrs["axis"].as_i64().map(|a| a as isize);
    let number = |key: &str| attrs[key].as_f64().unwrap();
    let flag = |key: &str| attrs[key].as_bool().unwrap_or(false);
    let rank = x[0].shape().rank();
    Some(match op {
        "add" => &x[0] + &x[1],
        "sub" => &x[0] - &x[1],
        "mul" => &x[0] * &x[1],
        "div" => &x[0] / &x[1],
        "maximum" => x[0].maximum(&x[1]),
        "minimum" => x[0].minimum(&x[1]),
        "pow" => x[0].pow(&x[1]),
        "compare" => {
            let relation = match attrs["relation"].as_str().unwrap() {
                "equal" => Comparison::Equal,
                "not_equal" => Comparison::NotEqual,
                "less" => Comparison::Less,
                "less_or_equal" => Comparison::LessOrEqual,
                "greater" => Comparison::Greater,
                _ => Comparison::GreaterOrEqual,
            };
            x[0].graph().apply(ops::Compare { relation }, &[&x[0], &x[1]])
        }
        "select" => x[0].select(&x[1], &x[2]),
        "neg" => -&x[0],
        "abs" => x[0].abs(),
        "sign" => x[0].sign(),
        "exp" => x[0].exp(),
        "expm1" => x[0].expm1(),
        "log" => x[0].log(),
        "log1p" => x[0].log1p(),
        "sqrt" => x[0].sqrt(),
        "rsqrt" => x[0].rsqrt(),
        "recip" => x[0].recip(),
        "square" => x[0].square(),
        "tanh" => x[0].tanh(),
        "sigmoid" => x[0].sigmoid(),
        "erf" => x[0].erf(),
        "softplus" => x[0].softplus(),
        "sin" => x[0].sin(),
        "cos" => x[0].cos(),
        "relu" => x[0].relu(),
        "clamp" => x[0].clamp(number("low"), number("high")),
        "leaky_relu" => x[0].leaky_relu(number("slope")),
        "elu" => x[0].elu(number("alpha")),
        "matmul" => {
            let op = MatMul { transpose_a: flag("transpose_a"), transpose_b: flag("transpose_b") };
            x[0].graph().apply(op, &[&x[0], &x[1]])
        }
        "sum" => reduced(attrs, rank, |a| x[0].sum(a)),
        "mean" => reduced(attrs, rank, |a| x[0].mean(a)),
        "var" => reduced(attrs, rank, |a| x[0].var(a)),
        "max" => reduced(attrs, rank, |a| x[0].max(a)),
        "min" => reduced(attrs, rank, |a| x[0].min(a)),
        "argmax" => x[0].argmax(axis?).squeeze(axis?),
        "softmax" => along_last(&x[0], axis?, Node::softmax),
        "log_softmax" => along_last(&x[0], axis?, Node::log_softmax),
        "reshape" => x[0].reshape(Shape::fixed(&list::<usize>(&attrs["shape"]))),
        "permute" => x[0].permute(list::<usize>(&attrs["axes"])),
        "slice" => {
            let (start, stop, step) =
                (list::<usize>(&attrs["start"]), list::<usize>(&attrs["stop"]), list::<usize>(&attrs["step"]));
            (0..rank).fold(x[0].clone(), |y, i| y.slice_step(i as isize, start[i]..stop[i], step[i]))
        }
        "pad" => {
            let (before, after) = (list::<usize>(&attrs["before"]), list::<usize>(&attrs["after"]));
            (0..rank).fold(x[0].clone(), |y, i| y.pad(i as isize, before[i], after[i], number("value")))
        }
        "concat" => Node::concat(&x.iter().collect::<Vec<_>>(), axis?),
        "gather" => x[0].gather(axis?, &x[1]),
        "scatter_add" => {
            let axis = axis?.rem_euclid(rank as isize) as usize;
            x[0].scatter_add(axis, &x[1], attrs["size"].as_u64()? as usize)
        }
        "index_add" => {
            let axis = axis?.rem_euclid(rank as isize) as usize;
            let Dim::Fixed(size) = x[0].shape().dims()[axis] else { return None };
            &x[0] + x[2].scatter_add(axis, &x[1], size)
        }
        "one_hot" => x[0].one_hot(attrs["classes"].as_u64()? as usize),
        _ => return None,
    })
}

/// Which inputs are whole numbers.
fn is_index(op: &str, input: usize) -> bool {
    matches!((op, input), ("gather" | "scatter_add" | "index_add", 1) | ("one_hot", 0))
}

fn close(a: &[f64], b: &[f64], relative: f64, absolute: f64) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= absolute + relative * b.abs())
}

#[test]
fn ops_agree_with_pytorch() {
    let file = include_str!("fixtures/ops.json");
    let cases: Vec<Value> = serde_json::from_str(file).unwrap();
    assert!(cases.len() > 150);
    for (i, case) in cases.iter().enumerate() {
        let op = case["op"].as_str().unwrap();
        let tensors = case["inputs"].as_array().unwrap();
        let g = Graph::new();
        let x: Vec<Node> = tensors
            .iter()
            .enumerate()
            .map(|(j, t)| {
                let kind = if is_index(op, j) { Kind::Index } else { Kind::Real };
                g.add_input(&format!("x{j}"), shape(t), kind)
            })
            .collect();
        let y = build(op, &case["attrs"], &x).unwrap_or_else(|| panic!("case {i}: no op `{op}`"));
        let mut named = vec![("y".to_string(), y.clone())];
        let mut values: Vec<Vec<f64>> = tensors.iter().map(data).collect();
        let mut expected = vec![data(&case["output"])];
        if !case["dy"].is_null() {
            let dy = g.add_input("dy", y.shape(), Kind::Real);
            values.push(data(&case["dy"]));
            let loss = (&y * dy).sum_all();
            for (j, grad) in case["grads"].as_array().unwrap().iter().enumerate().filter(|(_, g)| !g.is_null()) {
                match g.gradients(&loss, &[&x[j]]) {
                    Ok(mut dx) => named.push((format!("d{j}"), dx.remove(0))),
                    Err(GraphError::NoGradient { .. }) => {
                        assert!(data(grad).iter().all(|v| *v == 0.0), "case {i} {op}: a gradient is missing");
                        continue;
                    }
                    Err(other) => panic!("case {i} {op}: {other}"),
                }
                expected.push(data(grad));
            }
        }
        let outputs: Vec<(&str, &Node)> = named.iter().map(|(n, x)| (n.as_str(), x)).collect();
        let model = g.model(&outputs).unwrap_or_else(|e| panic!("case {i} {op}: {e}"));
        let names: Vec<&str> = named.iter().map(|n| n.0.as_str()).collect();
        let request = Request { mode: Mode::Train, ..Request::predicting(&names) };
        assert_eq!(y.shape(), shape(&case["output"]), "case {i} {op}");
        let double = run::<f64>(&model, request.clone(), &values, 1);
        let single = run::<f32>(&model, request, &values, 1);
        for (((name, got), single), expected) in names.iter().zip(&double).zip(&single).zip(&expected) {
            let fits = |v: &f64| *v == 0.0 || (1e-30..1e30).contains(&v.abs());
            let single_fits = values.iter().flatten().chain(expected).all(fits);
            record("pytorch f64", op, &i.to_string(), largest(got.iter().copied(), expected));
            if single_fits {
                record("pytorch f32", op, &i.to_string(), largest(single.iter().copied(), expected));
            }
            assert!(
                close(got, expected, 1e-12, 1e-14),
                "case {i} {op} {}: {name}\n     got {got:?}\nexpected {expected:?}",
                case["attrs"]
            );
            assert!(
                !single_fits || close(single, expected, 2e-5, 2e-6),
                "case {i} {op} {}: {name} in f32\n     got {single:?}\nexpected {expected:?}",
                case["attrs"]
            );
        }
    }
}
