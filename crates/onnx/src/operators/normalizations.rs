//! Normalisations: a mean taken off, divided by a spread, then scaled and shifted.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Traced, Value};
use gradus_graph::{Node, Role, ShapeError};
use gradus_tensor::{Dim, Kind};

type Values = Result<Vec<Value>, ShapeError>;

pub(super) const ONNX: &[OnnxOp] = &[
    OnnxOp { name: "BatchNormalization", read: batch },
    OnnxOp { name: "InstanceNormalization", read: instance },
    OnnxOp { name: "GroupNormalization", read: group },
    OnnxOp { name: "LayerNormalization", read: layer },
    OnnxOp { name: "RMSNormalization", read: root_mean_square },
    OnnxOp { name: "MeanVarianceNormalization", read: mean_variance },
    OnnxOp { name: "LpNormalization", read: power },
    OnnxOp { name: "LRN", read: local_response },
];

fn epsilon(n: &OnnxNode) -> Result<f64, ShapeError> {
    Ok(n.float("epsilon")?.unwrap_or(1e-5))
}

/// BatchNormalization: with the stored statistics, or in training mode with those of the batch, which also move the stored ones.
fn batch(n: &OnnxNode) -> Values {
    let (x, kind) = (n.image(0)?, n.kind(0)?);
    let [scale, shift] = [n.weight(1, &[0], Role::Norm)?, n.weight(2, &[0], Role::Norm)?];
    let [mean, variance] = [n.weight(3, &[0], Role::Running)?, n.weight(4, &[0], Role::Running)?];
    let training = n.int("training_mode")?.unwrap_or(0) != 0;
    let image = |node: Node| Value::Traced(Traced { node, kind, last: true });
    let normalized = |mean: &Node, variance: &Node| {
        Ok::<_, ShapeError>((&x - mean) * ((variance + epsilon(n)?).rsqrt() * &scale) + &shift)
    };
    if !training {
        return Ok(vec![image(normalized(&mean, &variance)?)]);
    }
    let axes: Vec<isize> = (0..x.shape().rank() as isize - 1).collect();
    let (own_mean, own_variance) = (x.mean(&axes[..]), x.var(&axes[..]));
    let momentum = n.float("momentum")?.unwrap_or(0.9);
    let moved =
        |old: &Node, new: &Node| Value::traced(old * momentum + new.reshape(old.shape()) * (1.0 - momentum), kind);
    Ok(vec![image(normalized(&own_mean, &own_variance)?), moved(&mean, &own_mean), moved(&variance, &own_variance)])
}

/// Each image's channels by themselves.
fn instance(n: &OnnxNode) -> Values {
    let (x, kind) = (n.image(0)?, n.kind(0)?);
    let axes: Vec<isize> = (1..x.shape().rank() as isize - 1).collect();
    let y = normalized(&x, &axes, epsilon(n)?) * n.weight(1, &[0], Role::Norm)? + n.weight(2, &[0], Role::Norm)?;
    Ok(vec![Value::Traced(Traced { node: y, kind, last: true })])
}

/// Groups of channels of each image. Scale and shift are for each group up to version 20, for each channel since 21.
fn group(n: &OnnxNode) -> Values {
    let (x, kind) = (n.x(0)?, n.kind(0)?);
    let shape = x.shape();
    let groups = n.int("num_groups")?.unwrap_or(0);
    let channels = shape.dims().get(1).and_then(|d| d.fixed()).unwrap_or(0);
    let fits = usize::try_from(groups).ok().filter(|&g| g > 0 && channels.is_multiple_of(g) && channels > 0);
    let groups = fits.ok_or_else(|| {
        let received = format!("{groups} for {shape}");
        ShapeError::new("a `num_groups` that divides the channels", received, "write the file again")
    })?;
    let mut apart = shape.dims().to_vec();
    apart.splice(1..2, [Dim::Fixed(groups), Dim::Fixed(channels / groups)]);
    let axes: Vec<isize> = (2..apart.len() as isize).collect();
    let grouped = normalized(&x.reshape(apart.clone()), &axes, epsilon(n)?);
    // As many axes of size 1 as follow the groups or the channels.
    let along = |weight: Node, rest: usize| {
        let size = weight.shape().dims().to_vec();
        weight.reshape([size, vec![Dim::Fixed(1); rest]].concat())
    };
    let [scale, shift] = [n.weight(1, &[0], Role::Norm)?, n.weight(2, &[0], Role::Norm)?];
    let y = if n.version < 21 {
        let rest = apart.len() - 2;
        (grouped * along(scale, rest) + along(shift, rest)).reshape(shape)
    } else {
        let rest = shape.rank() - 2;
        grouped.reshape(shape) * along(scale, rest) + along(shift, rest)
    };
    Ok(vec![Value::traced(y, kind)])
}

/// The axes from one to the last.
fn trailing(n: &OnnxNode, rank: usize) -> Result<Vec<isize>, ShapeError> {
    let first = n.axis(n.int("axis")?.unwrap_or(-1), rank)?;
    Ok((first as isize..rank as isize).collect())
}

fn natural(rank: usize) -> Vec<usize> {
    (0..rank).collect()
}

/// LayerNormalization, with the mean and the reciprocal of the deviation as further outputs.
fn layer(n: &OnnxNode) -> Values {
    let (x, kind) = (n.x(0)?, n.kind(0)?);
    let axes = trailing(n, x.shape().rank())?;
    let mean = x.mean(&axes[..]);
    let centred = &x - &mean;
    let inverse = (centred.square().mean(&axes[..]) + epsilon(n)?).rsqrt();
    let y = scaled(n, centred * &inverse)?;
    let y = match n.optional(2) {
        Some(_) => y + n.weight(2, &natural(n.shape(2)?.rank()), Role::Norm)?,
        None => y,
    };
    Ok(vec![Value::traced(y, kind), Value::traced(mean, Kind::F32), Value::traced(inverse, Kind::F32)])
}

fn scaled(n: &OnnxNode, y: Node) -> Result<Node, ShapeError> {
    Ok(y * n.weight(1, &natural(n.shape(1)?.rank()), Role::Norm)?)
}

fn root_mean_square(n: &OnnxNode) -> Values {
    let (x, kind) = (n.x(0)?, n.kind(0)?);
    let axes = trailing(n, x.shape().rank())?;
    let y = &x * (x.square().mean(&axes[..]) + epsilon(n)?).rsqrt();
    Ok(vec![Value::traced(scaled(n, y)?, kind)])
}

fn mean_variance(n: &OnnxNode) -> Values {
    let x = n.x(0)?;
    let axes = n.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
    let axes: Vec<isize> =
        axes.into_iter().map(|a| Ok(n.axis(a, x.shape().rank())? as isize)).collect::<Result<_, ShapeError>>()?;
    let centred = &x - x.mean(&axes[..]);
    let deviation = centred.square().mean(&axes[..]).sqrt();
    Ok(vec![Value::traced(centred / (deviation + 1e-9), n.kind(0)?)])
}

/// LpNormalization: divided by the sum of absolute values or by the length; zeros stay zeros.
fn power(n: &OnnxNode) -> Values {
    let x = n.x(0)?;
    let axis = n.axis(n.int("axis")?.unwrap_or(-1), x.shape().rank())? as isize;
    let norm = match n.int("p")?.unwrap_or(2) {
        1 => x.abs().sum(axis),
        2 => x.square().sum(axis).sqrt(),
        other => return Err(ShapeError::new("a `p` of 1 or 2", other.to_string(), "write the file again")),
    };
    let safe = norm.eq(0.0).select(1.0, &norm);
    Ok(vec![Value::traced(x / safe, n.kind(0)?)])
}

/// LRN: divided by a power of the squares of neighbouring channels. Krizhevsky et al. 2012.
fn local_response(n: &OnnxNode) -> Values {
    let (x, kind) = (n.x(0)?, n.kind(0)?);
    let (alpha, beta) = (n.float("alpha")?.unwrap_or(1e-4), n.float("beta")?.unwrap_or(0.75));
    let bias = n.float("bias")?.unwrap_or(1.0);
    let size = n.int("size")?.unwrap_or(1);
    let channels = x.shape().dims().get(1).and_then(|d| d.fixed()).unwrap_or(0);
    let size =
        usize::try_from(size).ok().filter(|size| (1..=1 << 16).contains(size) && channels > 0).ok_or_else(|| {
            ShapeError::new(
                "a `size` of at least 1 and channels",
                format!("{size} over {}", x.shape()),
                "write the file again",
            )
        })?;
    let before = (size - 1) / 2;
    let padded = x.square().pad(1, before, size - 1 - before, 0.0);
    let sum = (0..size).map(|i| padded.slice(1, i..i + channels)).reduce(|a, b| a + b).expect("at least one");
    Ok(vec![Value::traced(x / (sum * (alpha / size as f64) + bias).pow(beta), kind)])
}

/// Mean 0 and variance 1 over axes.
fn normalized(x: &Node, axes: &[isize], epsilon: f64) -> Node {
    let centred = x - x.mean(axes);
    &centred * (centred.square().mean(axes) + epsilon).rsqrt()
}
