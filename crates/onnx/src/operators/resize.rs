//! Resize and Upsample: images on another grid, axis by axis. Each output is a sum of one, two or four inputs (or as many as a smaller
//! image covers, with `antialias`), whose places and shares are known once the sizes are. Cubic: Keys 1981.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{Node, ShapeError};
use gradus_tensor::{Dim, Tensor};

pub(super) const ONNX: &[OnnxOp] =
    &[OnnxOp { name: "Resize", read: resize }, OnnxOp { name: "Upsample", read: upsample }];

type Result<T> = std::result::Result<T, ShapeError>;

fn again<T>(expected: impl Into<String>, received: impl Into<String>) -> Result<T> {
    Err(ShapeError::new(expected, received, "write the file again"))
}

/// How an axis is resized.
struct Rule<'a> {
    mode: &'a str,
    coordinates: &'a str,
    nearest: &'a str,
    cubic: f64,
    exclude_outside: bool,
    antialias: bool,
    extrapolation: f64,
}

/// One axis: its size before and after, and the outputs for each input, of which the last may be cut off.
struct Axis {
    axis: usize,
    input: usize,
    output: usize,
    scale: f64,
    /// The part of the input that is shown, from 0 to 1.
    roi: [f64; 2],
}

/// The inputs that an output is the sum of; none where it lies outside.
type Shares = Option<Vec<(usize, f64)>>;

impl Rule<'_> {
    /// Where an output lies among the inputs.
    fn place(&self, a: &Axis, output: usize) -> Result<f64> {
        let (x, scale) = (output as f64, a.scale);
        // The true size may be a fraction, of which the result has the whole part.
        let (input, size) = (a.input as f64, scale * a.input as f64);
        Ok(match self.coordinates {
            "half_pixel" => (x + 0.5) / scale - 0.5,
            "pytorch_half_pixel" => {
                if a.output > 1 {
                    (x + 0.5) / scale - 0.5
                } else {
                    0.0
                }
            }
            "half_pixel_symmetric" => {
                // What is cut off is shared by both ends.
                let adjustment = a.output as f64 / size;
                input / 2.0 * (1.0 - adjustment) + (x + 0.5) / scale - 0.5
            }
            "align_corners" if a.output > 1 => x * (input - 1.0) / (size - 1.0),
            "align_corners" => 0.0,
            "asymmetric" => x / scale,
            "tf_half_pixel_for_nn" => (x + 0.5) / scale,
            "tf_crop_and_resize" if a.output > 1 => {
                a.roi[0] * (input - 1.0) + x * (a.roi[1] - a.roi[0]) * (input - 1.0) / (size - 1.0)
            }
            "tf_crop_and_resize" => 0.5 * (a.roi[0] + a.roi[1]) * (input - 1.0),
            other => return again("a coordinate_transformation_mode of the standard", format!("`{other}`")),
        })
    }

    fn shares(&self, a: &Axis, output: usize) -> Result<Shares> {
        let x = self.place(a, output)?;
        let last = a.input as f64 - 1.0;
        if self.coordinates == "tf_crop_and_resize" && !(0.0..=last).contains(&x) {
            return Ok(None);
        }
        let inside = |place: f64| place.clamp(0.0, last) as usize;
        if self.mode == "nearest" {
            let place = match self.nearest {
                "round_prefer_floor" => (x - 0.5).ceil(),
                "round_prefer_ceil" => (x + 0.5).floor(),
                "floor" => x.floor(),
                "ceil" => x.ceil(),
                other => return again("a nearest_mode of the standard", format!("`{other}`")),
            };
            return Ok(Some(vec![(inside(place), 1.0)]));
        }
        // A smaller image takes wider windows, if it is not to show false patterns.
        let widen = if self.antialias { a.scale.min(1.0) } else { 1.0 };
        let reach = if self.mode == "cubic" { 2.0 } else { 1.0 } / widen;
        let first = (x - reach).floor() as i64 + 1;
        let mut shares: Vec<(usize, f64)> = vec![];
        let mut total = 0.0;
        for place in first..=(x + reach).ceil() as i64 - i64::from((x + reach).fract() == 0.0) {
            let distance = ((place as f64 - x) * widen).abs();
            let share = if self.mode == "cubic" { self.kernel(distance) } else { (1.0 - distance).max(0.0) };
            let outside = place < 0 || place as f64 > last;
            if outside && self.exclude_outside {
                continue;
            }
            total += share;
            shares.push((inside(place as f64), share));
        }
        if self.exclude_outside || self.antialias {
            shares.iter_mut().for_each(|(_, share)| *share /= total);
        }
        Ok(Some(shares))
    }

    /// Keys' kernel with this slope at 1.
    fn kernel(&self, x: f64) -> f64 {
        let a = self.cubic;
        if x <= 1.0 {
            ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
        } else if x < 2.0 {
            ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
        } else {
            0.0
        }
    }

    fn apply(&self, n: &OnnxNode, x: &Node, a: &Axis) -> Result<Node> {
        let all: Vec<Shares> = (0..a.output).map(|output| self.shares(a, output)).collect::<Result<_>>()?;
        let axis = a.axis as isize;
        let most = all.iter().flatten().map(Vec::len).max().unwrap_or(0);
        let rank = x.shape().rank();
        let column = |numbers: Vec<f32>| {
            let mut sizes = vec![1; rank];
            sizes[a.axis] = a.output;
            n.reader.node(&Value::known(Tensor::new(sizes, numbers).expect("one number for each output")))
        };
        let mut y: Option<Node> = None;
        for tap in 0..most {
            let of = |shares: &Shares| shares.as_ref().and_then(|s| s.get(tap)).copied().unwrap_or((0, 0.0));
            let places: Vec<usize> = all.iter().map(|shares| of(shares).0).collect();
            let shares: Vec<f32> = all.iter().map(|shares| of(shares).1 as f32).collect();
            let picked = x.pick(axis, &places);
            let term = if shares.iter().all(|&s| s == 1.0) { picked } else { picked * column(shares)? };
            y = Some(y.map_or(term.clone(), |y| y + term));
        }
        let y = y.unwrap_or_else(|| x.pick(axis, &vec![0; a.output]));
        if all.iter().all(Option::is_some) {
            return Ok(y);
        }
        let inside = column(all.iter().map(|s| f32::from(u8::from(s.is_some()))).collect())?;
        Ok(inside.select(&y, self.extrapolation))
    }
}

fn upsample(n: &OnnxNode) -> Result<Vec<Value>> {
    let scales = match n.floats("scales")? {
        Some(scales) => scales,
        None => n.known(1)?.to_f64(),
    };
    let shape = n.shape(0)?;
    let mode = n.text("mode")?.unwrap_or("nearest");
    let rule = Rule {
        mode: if mode == "bilinear" { "linear" } else { mode },
        coordinates: "asymmetric",
        nearest: "floor",
        cubic: -0.75,
        exclude_outside: false,
        antialias: false,
        extrapolation: 0.0,
    };
    let axes: Vec<usize> = (0..shape.rank()).collect();
    resized(n, &rule, &axes, &Wish::Scales(scales), &[])
}

/// What the result is to be.
enum Wish {
    Scales(Vec<f64>),
    Sizes(Vec<i64>),
}

fn resize(n: &OnnxNode) -> Result<Vec<Value>> {
    let shape = n.shape(0)?;
    let old = n.version < 11;
    let rule = Rule {
        mode: n.text("mode")?.unwrap_or("nearest"),
        coordinates: n.text("coordinate_transformation_mode")?.unwrap_or(if old { "asymmetric" } else { "half_pixel" }),
        nearest: n.text("nearest_mode")?.unwrap_or(if old { "floor" } else { "round_prefer_floor" }),
        cubic: n.float("cubic_coeff_a")?.unwrap_or(-0.75),
        exclude_outside: n.int("exclude_outside")?.unwrap_or(0) != 0,
        antialias: n.int("antialias")?.unwrap_or(0) != 0,
        extrapolation: n.float("extrapolation_value")?.unwrap_or(0.0),
    };
    if !["nearest", "linear", "cubic"].contains(&rule.mode) {
        return again("mode nearest, linear or cubic", format!("`{}`", rule.mode));
    }
    let axes = match n.ints("axes")? {
        Some(axes) => axes.into_iter().map(|axis| n.axis(axis, shape.rank())).collect::<Result<_>>()?,
        None => (0..shape.rank()).collect::<Vec<_>>(),
    };
    let numbers = |i: usize| n.optional(i).map_or(Ok(vec![]), |_| Ok::<_, ShapeError>(n.known(i)?.to_f64()));
    let (roi, scales) = if old { (vec![], numbers(1)?) } else { (numbers(1)?, numbers(2)?) };
    let sizes = if old || n.optional(3).is_none() { vec![] } else { n.known_ints(3)? };
    let wish = match (scales.is_empty(), sizes.is_empty()) {
        (false, _) => Wish::Scales(scales),
        (true, false) => Wish::Sizes(sizes),
        (true, true) => return again("scales or sizes", "neither"),
    };
    resized(n, &rule, &axes, &wish, &roi)
}

fn resized(n: &OnnxNode, rule: &Rule, axes: &[usize], wish: &Wish, roi: &[f64]) -> Result<Vec<Value>> {
    let shape = n.shape(0)?;
    let count = match wish {
        Wish::Scales(scales) => scales.len(),
        Wish::Sizes(sizes) => sizes.len(),
    };
    if count != axes.len() {
        return again(format!("one number for each of {} axes", axes.len()), count.to_string());
    }
    // With a policy, one scale for all axes, so that the result is not larger or not smaller than wished.
    let policy = n.text("keep_aspect_ratio_policy")?.unwrap_or("stretch");
    let ratio = |i: usize, sizes: &[i64]| sizes[i] as f64 / shape.dims()[axes[i]].at(1) as f64;
    let common = match (wish, policy) {
        (Wish::Sizes(sizes), "not_larger") => (0..count).map(|i| ratio(i, sizes)).reduce(f64::min),
        (Wish::Sizes(sizes), "not_smaller") => (0..count).map(|i| ratio(i, sizes)).reduce(f64::max),
        _ => None,
    };
    let mut y = n.x(0)?;
    for (i, &axis) in axes.iter().enumerate() {
        let input = match shape.dims()[axis] {
            Dim::Fixed(input) => input,
            Dim::Batch(_) => match wish {
                Wish::Scales(scales) if scales[i] == 1.0 => continue,
                _ => return again("a batch that keeps its size", shape.to_string()),
            },
        };
        let (output, scale) = match (wish, common) {
            (Wish::Scales(scales), _) => ((input as f64 * scales[i]).floor(), scales[i]),
            (Wish::Sizes(_), Some(scale)) => ((input as f64 * scale + 0.5).floor(), scale),
            (Wish::Sizes(sizes), None) => (sizes[i] as f64, sizes[i] as f64 / input as f64),
        };
        if !(1.0..1e9).contains(&output) {
            return again("sizes of at least 1", format!("{output} for {input}"));
        }
        let part = match roi.len() == 2 * axes.len() {
            true => [roi[i], roi[i + axes.len()]],
            false => [0.0, 1.0],
        };
        let a = Axis { axis, input, output: output as usize, scale, roi: part };
        if a.input != a.output || rule.coordinates == "tf_crop_and_resize" {
            y = rule.apply(n, &y, &a)?;
        }
    }
    Ok(vec![Value::traced(y, n.kind(0)?)])
}
