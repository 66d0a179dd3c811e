//! All layers of a recipe, those that others hold too: where each stands in the recipe, and under which path in the model.

use gradus_graph::Window;
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

/// The layers of a recipe in order.
pub fn places(layers: &[AnyLayer]) -> Vec<Place> {
    chain(layers, 1, "", "model.layers", 0, &mut HashMap::new())
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
    for _ in 0..times {
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
/// Layer by layer `r ← r + (k - 1)·d·s`, with `s` the product of the strides before; branches see what the widest of them sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The inputs seen.
    sizes: Vec<usize>,
    /// The inputs from one element to the next.
    steps: Vec<usize>,
}

impl Field {
    /// Of the input itself, with so many axes of space or time.
    pub fn of_input(axes: usize) -> Option<Field> {
        (axes > 0).then(|| Field { sizes: vec![1; axes], steps: vec![1; axes] })
    }

    /// After a layer; none where it is not a window, or not known.
    pub fn after(&self, place: &Place) -> Option<Field> {
        let layer = &place.layer;
        if let Some(windows) = layer.windows(self.sizes.len()) {
            return self.through(&windows);
        }
        if !place.held.is_empty() {
            let ends: Vec<Field> = place
                .held
                .iter()
                .map(|chain| chain.iter().try_fold(self.clone(), |field, inner| field.after(inner)))
                .collect::<Option<_>>()?;
            let keeps = layer.key() == "concat";
            let all = ends.iter().chain(keeps.then_some(self));
            return all.cloned().reduce(|a, b| Field { sizes: larger(&a.sizes, &b.sizes), steps: a.steps });
        }
        POINTWISE.contains(&layer.key()).then(|| self.clone())
    }

    fn through(&self, windows: &[Window]) -> Option<Field> {
        if windows.len() != self.sizes.len() {
            return None;
        }
        let mut field = self.clone();
        for (i, window) in windows.iter().enumerate() {
            field.sizes[i] += (window.reach() - 1) * self.steps[i];
            field.steps[i] *= window.stride;
        }
        Some(field)
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
    "maxout",
    "rms_norm",
    "zero_pad",
];

fn larger(a: &[usize], b: &[usize]) -> Vec<usize> {
    a.iter().zip(b).map(|(a, b)| *a.max(b)).collect()
}

impl std::fmt::Display for Field {
    /// `7`, or `7×5` where the axes differ.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes: Vec<String> = self.sizes.iter().map(ToString::to_string).collect();
        let same = self.sizes.windows(2).all(|pair| pair[0] == pair[1]);
        f.write_str(&if same { sizes[0].clone() } else { sizes.join("×") })
    }
}
