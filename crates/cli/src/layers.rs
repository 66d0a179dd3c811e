//! All layers of a recipe, those that others hold too: where each stands in the recipe, and under which path in the model.

use crate::recipe::ModelSection;
use gradus_graph::ShapeError;
use gradus_nn::layers::{Held, Sight};
use gradus_nn::{AnyLayer, Layer as _};
use std::collections::HashMap;

/// A layer and those that it holds.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its path in the model: `residual/conv2d_1`.
    pub scope: String,
    /// Its place in the recipe: `model.layers.2.residual.layers.3`.
    pub setting: String,
    /// How many layers hold it.
    pub depth: usize,
    /// The layer.
    pub layer: AnyLayer,
    /// The chains of layers that it holds, side by side, in the order in which they are built.
    pub held: Vec<Vec<Place>>,
}

/// The layers of a recipe in order. Those that go on from a network from a file stand under a scope of their own.
pub fn places(model: &ModelSection) -> Vec<Place> {
    let parent = if model.onnx.is_some() { crate::onnx::HEAD } else { "" };
    chain(&model.layers, 1, parent, "model.layers", 0, &mut HashMap::new())
}

impl Place {
    /// Whether a path of the model belongs to it.
    pub fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Where the innermost layer stands in the recipe that a path of the model belongs to, and its key there:
    /// `model.layers.2.residual.layers.3` and `conv`. For a layer of a network known by name, the network.
    pub fn setting_of(&self, path: &str) -> Option<(String, String)> {
        if !self.holds(path) || self.setting.is_empty() {
            return None;
        }
        let inner = self.held.iter().flatten().find_map(|inner| inner.setting_of(path));
        Some(inner.unwrap_or_else(|| (self.setting.clone(), self.key())))
    }

    /// Its key in the recipe: `conv`, or `network.resnet`.
    pub fn key(&self) -> String {
        match &self.layer {
            AnyLayer::Network(network) => format!("network.{}", network.0.key()),
            layer => layer.key().to_string(),
        }
    }

    /// Its layers, each after those that it holds.
    pub fn inside_out<'a>(&'a self, all: &mut Vec<&'a Place>) {
        self.held.iter().flatten().for_each(|inner| inner.inside_out(all));
        all.push(self);
    }
}

/// The outermost repetition of which there come too many layers to walk through, by its place in the recipe and what it says.
pub fn too_many(layers: &[AnyLayer], setting: &str) -> Option<(String, ShapeError)> {
    layers.iter().enumerate().find_map(|(i, layer)| {
        let (place, held) = (format!("{setting}.{i}.{}", layer.key()), layer.held());
        if held.iter().map(Held::count).fold(0, usize::saturating_add) <= Held::MOST {
            return None;
        }
        if let (AnyLayer::Repeat(_), Err(error)) = (layer, layer.check()) {
            return Some((place, error));
        }
        held.iter().find_map(|held| too_many(&held.layers, &format!("{place}.{}", held.setting)))
    })
}

/// No more repetitions are walked through: more are refused by the layer, once it is found.
const MOST_TIMES: usize = 10_001;

/// Several times the same chain; `names` counts how often a name occurs in each scope, as the graph does.
fn chain(
    layers: &[AnyLayer],
    times: usize,
    parent: &str,
    setting: &str,
    depth: usize,
    names: &mut HashMap<String, usize>,
) -> Vec<Place> {
    let mut places = vec![];
    for _ in 0..times.min(MOST_TIMES) {
        for (i, layer) in layers.iter().enumerate() {
            let scope = unique(names, parent, layer.key());
            let setting = if setting.is_empty() { String::new() } else { format!("{setting}.{i}") };
            let held = layer.held().into_iter().map(|held| {
                let inner = held.scope.map_or_else(|| scope.clone(), |name| unique(names, &scope, name));
                let place = match held.setting.as_str() {
                    "" => String::new(),
                    key => format!("{setting}.{}.{key}", layer.key()),
                };
                chain(&held.layers, held.times, &inner, &place, depth + 1, names)
            });
            let held = held.collect();
            places.push(Place { scope, setting, depth, layer: layer.clone(), held });
        }
    }
    places
}

fn unique(names: &mut HashMap<String, usize>, parent: &str, name: &str) -> String {
    let path = if parent.is_empty() { name.to_string() } else { format!("{parent}/{name}") };
    let count = names.entry(path.clone()).or_insert(0);
    let unique = if *count == 0 { path } else { format!("{path}_{count}") };
    *count += 1;
    unique
}

/// How much of the input an element of a layer's output sees along each axis of space or time.
///
/// Layer by layer `r ← r + (k - 1)·d·s`, with `s` the product of the strides before; branches see what the widest of them sees. Where there
/// are more outputs than inputs, `s` is a fraction, and an element sees at most the whole number of inputs in `r`.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// From the first input seen to the last; infinite if all are.
    extents: Vec<f64>,
    /// From what one element sees to what the next one does.
    steps: Vec<f64>,
}

impl Field {
    /// Of the input itself, with so many axes of space or time.
    pub fn of_input(axes: usize) -> Option<Field> {
        (axes > 0).then(|| Field { extents: vec![0.0; axes], steps: vec![1.0; axes] })
    }

    /// After a layer, if that is known. `sizes` are those of its input along the axes, `ends` what the chains that it holds see, and `axes`
    /// how many its output has.
    pub fn after(&self, place: &Place, sizes: &[usize], ends: &[Option<Field>], axes: usize) -> Option<Field> {
        let layer = &place.layer;
        if let Some(sights) = layer.sees(sizes) {
            return self.through(&sights);
        }
        if WHOLE.contains(&layer.key()) {
            return self.through(&vec![Sight::ALL; sizes.len()]);
        }
        if !ends.is_empty() {
            let keeps = layer.key() == "concat";
            let ends: Vec<Field> = ends.iter().cloned().collect::<Option<_>>()?;
            return ends.into_iter().chain(keeps.then(|| self.clone())).reduce(Field::widest);
        }
        if layer.key() == "reshape" && self.extents.iter().all(|&extent| extent == 0.0) {
            return Field::of_input(axes);
        }
        POINTWISE.contains(&layer.key()).then(|| self.clone())
    }

    /// How many axes there are.
    pub fn axes(&self) -> usize {
        self.steps.len()
    }

    /// Whether an element sees the whole input.
    pub fn is_all(&self) -> bool {
        self.extents.iter().all(|extent| extent.is_infinite())
    }

    fn through(&self, sights: &[Sight]) -> Option<Field> {
        if sights.len() != self.steps.len() {
            return None;
        }
        let axes = || self.steps.iter().zip(sights);
        Some(Field {
            extents: self
                .extents
                .iter()
                .zip(axes())
                .map(|(extent, (step, sight))| extent + sight.extent * step)
                .collect(),
            steps: axes().map(|(step, sight)| step * sight.step).collect(),
        })
    }

    fn widest(self, other: Field) -> Field {
        let extents = self.extents.iter().zip(&other.extents).map(|(a, b)| a.max(*b)).collect();
        Field { extents, steps: self.steps }
    }
}

/// Layers that see one place of space or time at a time, but for statistics.
const POINTWISE: &[&str] = &[
    "activation",
    "activity_penalty",
    "batch_norm",
    "dense",
    "dropout",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "learned_positions",
    "maxout",
    "rms_norm",
    "sinusoidal_positions",
    "zero_pad",
];

/// Layers whose outputs may see every place of space or time.
const WHOLE: &[&str] = &[
    "attention",
    "attention_pooling",
    "capsule_pooling",
    "gru",
    "lstm",
    "self_attention_pooling",
    "simple_rnn",
    "time_pooling",
    "transformer_encoder",
];

impl std::fmt::Display for Field {
    /// `7`, `7×5` where the axes differ, `all`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes: Vec<String> = self
            .extents
            .iter()
            .map(|extent| if extent.is_finite() { format!("{}", (1.0 + extent + 1e-9).floor()) } else { "all".into() })
            .collect();
        let same = sizes.windows(2).all(|pair| pair[0] == pair[1]);
        f.write_str(&if same { sizes[0].clone() } else { sizes.join("×") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_graph::{Engine, Graph, Request, State};
    use gradus_kernels::Pool;
    use gradus_nn::LayerExt;
    use gradus_nn::layers::Flatten;

    /// What a chain over sequences of so many steps says that it sees, and the widest stretch of inputs that an output has a gradient from.
    fn told_and_seen(layers: &str, steps: usize) -> (String, usize) {
        let layers: Vec<AnyLayer> = serde_json::from_str(layers).unwrap();
        let g = Graph::new();
        let x = g.input("x", [steps, 1]);
        let (mut y, mut field) = (x.clone(), Field::of_input(1));
        for place in chain(&layers, 1, "", "model.layers", 0, &mut HashMap::new()) {
            let before = y.shape().at(1);
            y = y.layer(place.layer.clone());
            field = field.and_then(|field| field.after(&place, &before[1..2], &[], 1));
        }
        let outputs = y.shape().at(1)[1];
        let chosen = g.input("chosen", [outputs]);
        let loss = (y.layer(Flatten) * &chosen).sum_all();
        let dx = g.gradients(&loss, &[&x]).unwrap().remove(0);
        let model = g.model(&[("dx", &dx)]).unwrap();
        let mut engine = Engine::<f64>::new(&model, Request::predicting(&["dx"])).unwrap();
        let mut state = State::new(&model, 0);
        let paths: Vec<String> = model.variables().iter().map(|variable| variable.path.clone()).collect();
        paths.iter().for_each(|path| state.variable_mut(path).unwrap().fill(1.0));
        let mut widest = 0;
        for chosen in 0..outputs {
            let one = (0..outputs).map(|o| f64::from(u8::from(o == chosen))).collect::<Vec<_>>();
            engine.run(&mut state, &[&vec![0.5; steps], &one], 1, 1, &Pool::new(1)).unwrap();
            let dx = engine.output("dx").unwrap();
            let ends = (dx.iter().position(|&d| d != 0.0), dx.iter().rposition(|&d| d != 0.0));
            if let (Some(first), Some(last)) = ends {
                widest = widest.max(last - first + 1);
            }
        }
        (field.unwrap().to_string(), widest)
    }

    #[test]
    fn what_a_chain_sees_is_what_has_a_gradient() {
        let conv = |size: usize, stride: usize, dilation: usize| {
            format!(r#"{{ "conv": {{ "filters": 1, "size": {size}, "stride": {stride}, "dilation": {dilation} }} }}"#)
        };
        let pool = r#"{ "avg_pool": { "size": 2 } }"#.to_string();
        let back = r#"{ "conv_transpose": { "filters": 1, "size": 3, "stride": 2 } }"#.to_string();
        // r = 1 + Σ (k - 1)·d·Π of the strides before.
        for (chain, r) in [
            (vec![conv(3, 1, 1), conv(3, 1, 1)], 1 + 2 + 2),
            (vec![conv(5, 2, 1), pool.clone(), conv(3, 1, 2)], 1 + 4 + 2 + 2 * 2 * 4),
            (vec![conv(3, 3, 2), conv(2, 2, 3), conv(4, 1, 1)], 1 + 4 + 3 * 3 + 3 * 6),
            (vec![pool.clone(), back.clone()], 1 + 1 + 2),
            (vec![conv(3, 2, 1), back, conv(3, 1, 1)], 1 + 2 + 2 + 2),
            (vec![r#"{ "upsample": { "factor": 2 } }"#.to_string(), conv(2, 1, 1)], 2),
            (vec![r#"{ "upsample": { "factor": 3 } }"#.to_string(), conv(5, 1, 1), pool], 1 + 2),
            (vec![r#"{ "adaptive_pool": { "output": 10 } }"#.to_string()], 6),
        ] {
            let (told, seen) = told_and_seen(&format!("[{}]", chain.join(",")), 48);
            assert_eq!((told, seen), (r.to_string(), r), "{chain:?}");
        }
        assert_eq!(told_and_seen(r#"[{ "adaptive_pool": {} }]"#, 12), ("all".to_string(), 12));
    }
}
