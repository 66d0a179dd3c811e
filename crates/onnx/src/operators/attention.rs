//! Scaled dot-product attention with grouped heads, masks, a cache of past keys and values, and soft caps. Vaswani et al. 2017,
//! arXiv:1706.03762; Ainslie et al. 2023, arXiv:2305.13245.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{Node, ShapeError};
use gradus_tensor::{Dim, Kind};

pub(super) const ONNX: &[OnnxOp] =
    &[OnnxOp { name: "Attention", read }, OnnxOp { name: "RotaryEmbedding", read: rotary }];

type Result<T> = std::result::Result<T, ShapeError>;

fn again<T>(expected: impl Into<String>, received: impl Into<String>) -> Result<T> {
    Err(ShapeError::new(expected, received, "write the file again"))
}

/// `[B, T, heads·D]` as `[B, heads, T, D]`; what has four axes is that already.
fn apart(x: Node, heads: Option<i64>) -> Result<Node> {
    let shape = x.shape();
    match (shape.dims(), heads.and_then(|h| usize::try_from(h).ok()).filter(|&h| h > 0)) {
        ([_, _, _, _], _) => Ok(x),
        ([batch, steps, Dim::Fixed(width)], Some(heads)) if width.is_multiple_of(heads) => {
            let dims = vec![*batch, *steps, Dim::Fixed(heads), Dim::Fixed(width / heads)];
            Ok(x.reshape(dims).permute([0, 2, 1, 3]))
        }
        _ => {
            again("[B, heads, T, D], or [B, T, heads·D] with a number of heads", format!("{shape} and {heads:?} heads"))
        }
    }
}

fn size(x: &Node, axis: usize) -> Result<usize> {
    match x.shape().dims()[axis] {
        Dim::Fixed(size) => Ok(size),
        Dim::Batch(_) => again(format!("a fixed size as axis {axis}"), x.shape().to_string()),
    }
}

fn read(n: &OnnxNode) -> Result<Vec<Value>> {
    let kind = n.kind(0)?;
    let flat = n.shape(0)?.rank() == 3;
    let q = apart(n.x(0)?, n.int("q_num_heads")?)?;
    let mut k = apart(n.x(1)?, n.int("kv_num_heads")?)?;
    let mut v = apart(n.x(2)?, n.int("kv_num_heads")?)?;
    let mut past = 0;
    if n.optional(4).is_some() && n.optional(5).is_some() {
        let (old_k, old_v) = (n.x(4)?, n.x(5)?);
        past = size(&old_k, 2)?;
        k = Node::concat(&[&old_k, &k], 2);
        v = Node::concat(&[&old_v, &v], 2);
    }
    let (present_k, present_v) = (k.clone(), v.clone());
    let (heads, groups) = (size(&q, 1)?, size(&k, 1)?);
    if groups == 0 || !heads.is_multiple_of(groups) {
        return again("query heads that are a multiple of key heads", format!("{heads} and {groups}"));
    }
    let [steps, keys, width] = [size(&q, 2)?, size(&k, 2)?, size(&q, 3)?];
    // Query heads of one group beside each other: [B, groups, heads / groups, T, D].
    let grouped = |x: &Node, per_group: usize| {
        let dims = x.shape().dims().to_vec();
        x.reshape(vec![dims[0], Dim::Fixed(groups), Dim::Fixed(per_group), dims[2], dims[3]])
    };
    let scale = n.float("scale")?.unwrap_or(1.0 / (width as f64).sqrt()).sqrt();
    let products = (grouped(&q, heads / groups) * scale).matmul(&(grouped(&k, 1) * scale).transpose());
    let dims = q.shape().dims().to_vec();
    let whole = |x: &Node| x.reshape(vec![dims[0], dims[1], Dim::Fixed(steps), Dim::Fixed(keys)]);
    let products = whole(&products);
    let softcap = n.float("softcap")?.unwrap_or(0.0);
    let masked = |x: &Node| -> Result<Node> {
        let mut x = x.clone();
        if let Some(mask) = n.optional(3) {
            let (is_truth, rank) = (mask.kind() == Some(Kind::Bool), mask.shape().map_or(0, |s| s.rank()));
            let mut mask = n.x(3)?;
            // Keys that the mask does not reach are left out.
            let reach = if rank == 0 { keys } else { size(&mask, rank - 1)? };
            if reach < keys && reach != 1 {
                mask = mask.pad(-1, 0, keys - reach, if is_truth { 0.0 } else { f64::NEG_INFINITY });
            }
            x = if is_truth { mask.select(&x, f64::NEG_INFINITY) } else { x + mask };
        }
        let graph = n.reader.graph();
        if n.int("is_causal")?.unwrap_or(0) != 0 {
            let (query, key) = (graph.places(&[steps, keys], &[1, 0]), graph.places(&[steps, keys], &[0, 1]));
            let offset = match n.optional(6) {
                Some(_) => (n.x(6)? - steps as f64).reshape(vec![dims[0], Dim::Fixed(1), Dim::Fixed(1), Dim::Fixed(1)]),
                None => graph.scalar(past as f64),
            };
            x = key.le(query + offset).select(&x, f64::NEG_INFINITY);
        }
        if n.optional(6).is_some() {
            let lengths = n.x(6)?.reshape(vec![dims[0], Dim::Fixed(1), Dim::Fixed(1), Dim::Fixed(1)]);
            x = graph.places(&[1, keys], &[0, 1]).lt(lengths).select(&x, f64::NEG_INFINITY);
        }
        Ok(x)
    };
    let capped = |x: &Node| if softcap > 0.0 { (x * (1.0 / softcap)).tanh() * softcap } else { x.clone() };
    let limited = capped(&products);
    let scores = masked(&limited)?;
    // A row in which all is left out gives zeros.
    let none = scores.max(-1).eq(f64::NEG_INFINITY);
    let weights = none.select(0.0, none.select(0.0, &scores).softmax());
    let y = grouped(&weights, heads / groups).matmul(&grouped(&v, 1));
    let width = size(&v, 3)?;
    let y = y.reshape(vec![dims[0], dims[1], Dim::Fixed(steps), Dim::Fixed(width)]);
    let y = if flat {
        y.permute([0, 2, 1, 3]).reshape(vec![dims[0], Dim::Fixed(steps), Dim::Fixed(heads * width)])
    } else {
        y
    };
    let shown = match n.int("qk_matmul_output_mode")?.unwrap_or(0) {
        0 => products,
        1 => limited,
        2 => scores,
        3 => weights,
        other => return again("a qk_matmul_output_mode from 0 to 3", other.to_string()),
    };
    Ok([y, present_k, present_v, shown].map(|node| Value::traced(node, kind)).to_vec())
}

/// RotaryEmbedding: pairs of features turned by angles that grow with the position. Su et al. 2021, arXiv:2104.09864.
fn rotary(n: &OnnxNode) -> Result<Vec<Value>> {
    let kind = n.kind(0)?;
    let flat = n.shape(0)?.rank() == 3;
    let heads = n.int("num_heads")?.unwrap_or(0);
    let x = apart(n.x(0)?, (heads > 0).then_some(heads))?;
    let dims = x.shape().dims().to_vec();
    let width = size(&x, 3)?;
    let turned = match n.int("rotary_embedding_dim")?.unwrap_or(0) {
        0 => width,
        turned => usize::try_from(turned)
            .ok()
            .filter(|&t| t <= width)
            .map_or_else(|| again("a rotary_embedding_dim", ""), Ok)?,
    };
    let half = turned / 2;
    // [B, T, half] or [positions, half] with the position of each step.
    let table = |i: usize| -> Result<Node> {
        let table = n.x(i)?;
        let table = if n.optional(3).is_some() { table.gather(0, &n.x(3)?) } else { table };
        Ok(table.slice(-1, 0..half).unsqueeze(1))
    };
    let (cos, sin) = (table(1)?, table(2)?);
    let interleaved = n.int("interleaved")?.unwrap_or(0) != 0;
    let (first, second) = if interleaved {
        (x.slice_step(3, 0..turned, 2), x.slice_step(3, 1..turned, 2))
    } else {
        (x.slice(3, 0..half), x.slice(3, half..turned))
    };
    let (a, b) = (&cos * &first - &sin * &second, &sin * &first + &cos * &second);
    let mut parts = if interleaved {
        let mut pair = a.shape().dims().to_vec();
        pair.push(Dim::Fixed(1));
        let mut joined = a.shape().dims().to_vec();
        joined[3] = Dim::Fixed(turned);
        vec![Node::concat(&[&a.reshape(pair.clone()), &b.reshape(pair)], 4).reshape(joined)]
    } else {
        vec![a, b]
    };
    if turned < width {
        parts.push(x.slice(3, turned..width));
    }
    let y = if parts.len() == 1 { parts.remove(0) } else { Node::concat(&parts.iter().collect::<Vec<_>>(), 3) };
    let y = match flat {
        true => {
            let Some(joined) = dims[1].times(dims[3]) else { return again("fixed heads", x.shape().to_string()) };
            y.permute([0, 2, 1, 3]).reshape(vec![dims[0], dims[2], joined])
        }
        false => y,
    };
    Ok(vec![Value::traced(y, kind)])
}
