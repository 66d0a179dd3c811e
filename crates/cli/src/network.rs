//! From a recipe's layers to a model, and what a table of its layers says.

use crate::failure::{Failure, Result};
use crate::layers::{self, Field, Place};
use crate::materials::Materials;
use crate::onnx::{self, Graft, Source};
use crate::recipe::{Document, Recipe, RecipeError};
use crate::report::data::LayerRow;
use gradus_data::text::WordVectors;
use gradus_data::{Locator, Schema};
use gradus_graph::{Entry, Graph, GraphError, Model, Node, NodeId, Op, ShapeError, Values, Wanted};
use gradus_nn::layers::PerAxis;
use gradus_nn::{AnyActivation, AnyLayer, Layer as _, LayerExt};
use gradus_tensor::Shape;
use gradus_train::inspect::Watched;

/// The name of a network's output.
pub const OUTPUT: &str = "y";

/// A network as a recipe describes it, for data that are known.
pub struct Network {
    /// The graph.
    pub model: Model,
    /// Its layers to look at: those that compute something, an activation together with the layer before it.
    pub layers: Vec<Watched>,
    /// The files of word vectors that it starts from.
    pub vectors: Vec<Found>,
    /// The part of it that comes from an ONNX file.
    pub graft: Option<Graft>,
}

/// How many words of the texts have a vector in a file.
pub struct Found {
    /// The file.
    pub file: String,
    /// The words of the training data that it has.
    pub found: usize,
    /// The words of the training data.
    pub words: usize,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Found { file, found, words } = self;
        let rest = if found == words { "" } else { "; the others start with random ones" };
        write!(f, "{found} of the {words} words have vectors in {file}{rest}")
    }
}

/// The recipe's network for its data, with the first values of its embeddings where those are in a file.
///
/// # Errors
/// A layer that does not fit what comes before it, at its place in the recipe; a file of word vectors, or of a network, that cannot be used.
pub fn build(recipe: &Recipe, document: &Document, materials: &Materials) -> Result<Network> {
    let source = source(recipe, &materials.locator)?;
    build_from(source.as_ref(), recipe, document, materials)
}

/// The file of the recipe's network, if it comes from one.
///
/// # Errors
/// A file that is not there or cannot be read.
pub fn source(recipe: &Recipe, locator: &Locator) -> Result<Option<Source>> {
    recipe.model.onnx.as_ref().map(|file| Source::open(&locator.find(file)?)).transpose()
}

/// As [`build`], with the file of the network read already.
///
/// # Errors
/// As [`build`].
pub fn build_from(
    source: Option<&Source>,
    recipe: &Recipe,
    document: &Document,
    materials: &Materials,
) -> Result<Network> {
    let schema = Schema { features: materials.train.feature_shape().to_vec(), ..materials.schema.clone() };
    let graph = Graph::new();
    let (mut network, y) = bare_in(&graph, source, recipe, document, &schema)?;
    let wanted = graph.wanted();
    if wanted.is_empty() {
        return Ok(network);
    }
    for Wanted { path, shape, file } in wanted {
        let (place, key) = setting_of(recipe, path.trim_end_matches("/weight"))
            .unwrap_or_else(|| ("model.layers".into(), "embedding".into()));
        let place = format!("{place}.{key}");
        let Some(text) = &schema.text else {
            let problem = format!("`{place}.vectors` is {file}, a file of word vectors, but the data are no texts");
            let help = "leave `vectors` out, or read the data as texts: data.train = { text = { … } }";
            return Err(
                RecipeError::at_path(document, &format!("{place}.vectors"), problem, "which words?", help).into()
            );
        };
        let vectors = WordVectors::read(&materials.locator.find(&file)?, text, recipe.seed)?;
        let units = shape.last().copied().unwrap_or_default();
        if vectors.width != units {
            let key = if key == "embedding" { "units" } else { "embedding" };
            let (place, width) = (format!("{place}.{key}"), vectors.width);
            let problem = format!("`{place}` is {units}, but the vectors of {file} have {width} numbers");
            let help = format!("set it to {width}, or name another file");
            return Err(RecipeError::at_path(document, &place, problem, format!("expected {width}"), help).into());
        }
        let mut values: Vec<f64> = vectors.values.iter().map(|&x| f64::from(x)).collect();
        // An embedding for more ids than the texts have: nothing is known of the others.
        values.resize(shape.iter().product(), 0.0);
        graph.start(&path, Values(values));
        network.vectors.push(Found { file, found: vectors.found, words: text.words.len() });
    }
    network.model = graph.model(&[(OUTPUT, &y)])?;
    Ok(network)
}

/// The recipe's network for data of this kind, for weights that come from elsewhere: files of word vectors are not read. `source` is the
/// network that its layers go on from, where the recipe names one.
///
/// # Errors
/// A layer that does not fit what comes before it, at its place in the recipe.
pub fn bare(recipe: &Recipe, document: &Document, schema: &Schema, source: Option<&Source>) -> Result<Network> {
    Ok(bare_in(&Graph::new(), source, recipe, document, schema)?.0)
}

fn bare_in(
    graph: &Graph,
    source: Option<&Source>,
    recipe: &Recipe,
    document: &Document,
    schema: &Schema,
) -> Result<(Network, Node)> {
    let grafted = match (source, &recipe.model.onnx) {
        (_, None) => None,
        (Some(source), Some(_)) => {
            Some(onnx::graft(graph, source, &recipe.model, &recipe.train.loss, schema, document)?)
        }
        (None, Some(file)) => {
            let problem = format!("the network goes on from {file}, whose structure is not there");
            return Err(Failure::files(problem, "give a file that `gradus train` has written, or train anew"));
        }
    };
    let (graft, y, outputs) = match (grafted, &schema.text) {
        (Some((graft, y)), _) => {
            let (y, outputs) = graph.scope(onnx::HEAD, || stack(graph, y, recipe, document))?;
            (Some(graft), y, outputs)
        }
        (None, text) => {
            let x = match text {
                Some(text) => graph.index_input("x", &schema.features).with_ids(text.vocabulary()),
                None => graph.input("x", &schema.features),
            };
            let (y, outputs) = stack(graph, x, recipe, document)?;
            (None, y, outputs)
        }
    };
    let model = graph.model(&[(OUTPUT, &y)])?;
    if schema.text.is_some() && graft.is_none() && !looks_up(&model) {
        let problem = "the data are texts, whose inputs are ids of words, but no `embedding` looks these up";
        let help = "put { embedding = { units = 32, padding = 0 } } first, or take a network for texts: { network = \"text_cnn\" }";
        return Err(
            RecipeError::at_path(document, "model.layers.0", problem, "an `embedding` comes first", help).into()
        );
    }
    let needed = needed(&model);
    let mut layers = graft.as_ref().map_or_else(Vec::new, |graft| onnx::table::watched(&graft.layers, &model, &needed));
    layers.extend(watched(&layers::places(&recipe.model), &model, &outputs));
    Ok((Network { model, layers, vectors: vec![], graft }, y))
}

/// The recipe's layers one after the other on a value, and what each of them gives.
fn stack(graph: &Graph, x: Node, recipe: &Recipe, document: &Document) -> Result<(Node, Vec<NodeId>)> {
    let mut y = x;
    let mut outputs = vec![];
    for (i, layer) in recipe.model.layers.iter().enumerate() {
        let before = y.shape();
        y = y.layer(layer.clone());
        if y.is_poisoned() {
            let mut setting = format!("model.layers.{i}");
            let error = match graph.model(&[(OUTPUT, &y)]) {
                Err(GraphError::Shape { path, expected, received, help, .. }) => {
                    if let Some((place, key)) = setting_of(recipe, &path) {
                        setting = if expected.starts_with('`') { format!("{place}.{key}") } else { place };
                    }
                    ShapeError::new(expected, received, help)
                }
                Err(other) => ShapeError::new("a layer that fits", other.to_string(), "correct the layer"),
                Ok(_) => ShapeError::new("a layer that fits", before.to_string(), "correct the layer"),
            };
            return Err(RecipeError::setting(document, &setting, &error).into());
        }
        outputs.push(y.id());
    }
    Ok((y, outputs))
}

/// Where the layer stands that a path of the model belongs to, and its key there: `model.layers.2.residual.layers.0` and `dense`.
fn setting_of(recipe: &Recipe, path: &str) -> Option<(String, String)> {
    layers::places(&recipe.model).iter().find_map(|place| place.setting_of(path))
}

/// Whether any vectors are chosen by the input.
fn looks_up(model: &Model) -> bool {
    let mut ids = vec![false; model.nodes().len()];
    model.nodes().iter().enumerate().any(|(id, node)| {
        ids[id] = match node.op {
            Op::Input(_) => true,
            Op::Reshape(_) | Op::Permute(_) | Op::Slice(_) | Op::Concat(_) | Op::Expand(_) => ids[node.inputs[0]],
            _ => false,
        };
        matches!(node.op, Op::Gather(_)) && ids[node.inputs[1]]
    })
}

/// The last node of a layer that a prediction needs: its output, unless it hands its input on as it is.
fn last_of(place: &Place, model: &Model, needed: &[bool]) -> Option<NodeId> {
    let nodes = model.nodes();
    (0..nodes.len())
        .rev()
        .find(|&id| needed[id] && !matches!(nodes[id].op, Op::Variable(_)) && place.holds(&nodes[id].path))
}

/// Layers with their outputs; for a network known by name those of its layers, which stand in its place.
fn opened(places: &[Place], model: &Model, outputs: &[NodeId]) -> Vec<(Place, NodeId)> {
    let needed = needed(model);
    let mut all = vec![];
    for (place, &output) in places.iter().zip(outputs) {
        if !matches!(place.layer, AnyLayer::Network(_)) {
            all.push((place.clone(), output));
            continue;
        }
        for chain in &place.held {
            let ends = chain.iter().filter_map(|inner| Some((inner.clone(), last_of(inner, model, &needed)?)));
            let (inner, ends): (Vec<Place>, Vec<NodeId>) = ends.unzip();
            all.extend(opened(&inner, model, &ends));
        }
    }
    all
}

fn watched(places: &[Place], model: &Model, outputs: &[NodeId]) -> Vec<Watched> {
    const NONE: &str = "identity";
    let mut watched: Vec<Watched> = vec![];
    for (place, output) in opened(places, model, outputs) {
        let (name, layer) = (place.scope.clone(), &place.layer);
        let passes = |key: &str| key == "flatten" || key.contains("dropout");
        match layer {
            AnyLayer::Activation(activation) => match watched.last_mut().filter(|last| last.activation == NONE) {
                Some(last) => {
                    last.activation = activation.0.key().into();
                    last.before = Some(std::mem::replace(&mut last.output, output));
                }
                None => watched.push(Watched { name, activation: activation.0.key().into(), output, before: None }),
            },
            AnyLayer::Dense(dense) => {
                let activation = dense.activation.key().to_string();
                let before = (activation != NONE).then(|| affine(model, &name)).flatten();
                watched.push(Watched { name, activation, output, before });
            }
            layer if passes(layer.key()) => {}
            _ => watched.push(Watched { name, activation: NONE.into(), output, before: None }),
        }
    }
    watched
}

/// A dense layer's `x·W + b`: the last sum with a bias in its scope, else the last product.
fn affine(model: &Model, scope: &str) -> Option<NodeId> {
    let nodes = model.nodes();
    let is_variable = |id: &NodeId| matches!(nodes[*id].op, Op::Variable(_));
    let last = |wanted: &dyn Fn(&Entry) -> bool| nodes.iter().rposition(|node| *node.path == *scope && wanted(node));
    last(&|node| matches!(node.op, Op::Add(_)) && node.inputs.iter().any(is_variable))
        .or_else(|| last(&|node| matches!(node.op, Op::MatMul(_))))
}

/// One row for each layer, those that others hold after them: name, kind, output shape, receptive field, parameters, operations.
///
/// Operations are those of one sample on its way forward, when predicting: 2·m·n·k of a product, one for each element of an
/// elementwise function or a reduction's input, five for each element of a softmax; moving and copying are free. Parameters that are
/// shared are counted where they are first used. Nodes of a network from a file come first.
pub fn layer_rows(recipe: &Recipe, model: &Model, graft: Option<&Graft>) -> Vec<LayerRow> {
    let input = model.inputs().first().map_or_else(Shape::scalar, |input| input.shape.clone());
    let mut table = Table { model, needed: needed(model), rows: vec![] };
    let places = layers::places(&recipe.model);
    match graft {
        Some(graft) => {
            table.rows = onnx::table::rows(&graft.layers, model, &table.needed);
            table.chain(&places, graft.output.clone(), None);
        }
        None => {
            let field = Field::of_input(axes_of_space(&input));
            table.chain(&places, input, field);
        }
    }
    table.rows
}

/// Axes of images and sequences behind batch and channels.
fn axes_of_space(shape: &Shape) -> usize {
    shape.rank().saturating_sub(2)
}

/// The sizes of these axes: of all but the last of a sequence, of those behind the channels of an image.
fn sizes_of_space(shape: &Shape) -> Vec<usize> {
    let axes = axes_of_space(shape);
    let first = if axes == 1 { 1 } else { 2 };
    shape.at(1).into_iter().skip(first).take(axes).collect()
}

struct Table<'a> {
    model: &'a Model,
    needed: Vec<bool>,
    rows: Vec<LayerRow>,
}

impl Table<'_> {
    /// Rows of layers one after the other; their output's shape and what it sees.
    fn chain(&mut self, places: &[Place], input: Shape, field: Option<Field>) -> (Shape, Option<Field>) {
        places.iter().fold((input, field), |(shape, field), place| self.row(place, shape, field))
    }

    /// The row of a layer and those of what it holds.
    fn row(&mut self, place: &Place, input: Shape, field: Option<Field>) -> (Shape, Option<Field>) {
        let at = self.rows.len();
        self.rows.push(LayerRow::default());
        let mut output = input.clone();
        let mut ends = vec![];
        for (i, chain) in place.held.iter().enumerate() {
            let (end, sees) = self.chain(chain, input.clone(), field.clone());
            ends.push(sees);
            output = if i == 0 { end } else { output };
        }
        let (model, needed) = (self.model, &self.needed);
        let nodes = || model.nodes().iter().enumerate().filter(|(_, node)| place.holds(&node.path));
        if let Some(last) = last_of(place, model, needed) {
            output = model.nodes()[last].shape.clone();
        }
        let parameters = nodes().filter_map(|(_, node)| match node.op {
            Op::Variable(v) => Some(&model.variables()[v]).filter(|v| v.role.trainable()),
            _ => None,
        });
        let (axes, sizes) = (axes_of_space(&output), sizes_of_space(&input));
        let field = match place.layer {
            AnyLayer::Embedding(_) => Field::of_input(input.rank().saturating_sub(1)),
            _ => field.and_then(|field| field.after(place, &sizes, &ends, axes)),
        };
        let field = field.filter(|field| field.is_all() || field.axes() == axes);
        self.rows[at] = LayerRow {
            name: place.scope.clone(),
            kind: in_short(&place.layer, axes_of_space(&input)),
            output: output.to_string(),
            field: field.as_ref().map(ToString::to_string).unwrap_or_default(),
            parameters: parameters.map(|v| v.len() as u64).sum(),
            flops: nodes().filter(|(id, _)| needed[*id]).map(|(id, _)| operations(model, id)).sum(),
            depth: place.depth,
        };
        (output, field.filter(|field| field.axes() == axes))
    }
}

/// Which nodes a prediction needs.
pub(crate) fn needed(model: &Model) -> Vec<bool> {
    let mut needed = vec![false; model.nodes().len()];
    model.outputs().iter().for_each(|(_, id)| needed[*id] = true);
    for id in (0..needed.len()).rev() {
        if !needed[id] {
            continue;
        }
        let node = &model.nodes()[id];
        let inputs = if matches!(node.op, Op::Switch(_)) { &node.inputs[1..] } else { &node.inputs[..] };
        inputs.iter().for_each(|input| needed[*input] = true);
    }
    needed
}

/// Floating-point operations of a node for one sample.
pub(crate) fn operations(model: &Model, id: usize) -> u64 {
    let node = &model.nodes()[id];
    let shape = |input: usize| &model.nodes()[node.inputs[input]].shape;
    let elements = node.shape.len_at(1) as u64;
    match &node.op {
        Op::MatMul(product) => {
            let sizes = shape(0).at(1);
            let inner = sizes.len().saturating_sub(if product.transpose_a { 2 } else { 1 });
            2 * elements * sizes.get(inner).copied().unwrap_or(1) as u64
        }
        Op::Conv(_) => {
            2 * elements * (shape(1).len_at(1) / shape(1).at(1).last().map_or(1, |&filters| filters.max(1))) as u64
        }
        Op::ConvInput(_) => {
            2 * shape(0).len_at(1) as u64
                * (shape(1).len_at(1) / shape(0).at(1).last().map_or(1, |&filters| filters.max(1))) as u64
        }
        Op::Reduce(_) | Op::Max(_) | Op::ArgMax(_) => shape(0).len_at(1) as u64,
        Op::Softmax(_) | Op::LogSoftmax(_) => 5 * elements,
        Op::Input(_)
        | Op::Variable(_)
        | Op::Flat(_)
        | Op::Pack(_)
        | Op::Step
        | Op::Poison
        | Op::Fill(_)
        | Op::Count(_) => 0,
        Op::Iota(_) | Op::Reshape(_) | Op::Permute(_) | Op::Slice(_) | Op::Expand(_) | Op::Concat(_) | Op::Pad(_) => 0,
        Op::Gather(_) | Op::StopGradient(_) | Op::Switch(_) | Op::Random(_) => 0,
        _ => elements,
    }
}

/// A layer over so many axes of space in a few words: `dense 128 relu`, `conv 16 3×3 /2`.
fn in_short(layer: &AnyLayer, axes: usize) -> String {
    let after = |activation: &AnyActivation, bias: bool| {
        let activation = Some(activation.key()).filter(|key| *key != "identity").map(|key| format!(" {key}"));
        activation.unwrap_or_default() + if bias { "" } else { " without bias" }
    };
    let per_axis = |numbers: &PerAxis| numbers.over("", axes.max(1)).unwrap_or_default();
    let sizes = |numbers: &PerAxis| per_axis(numbers).iter().map(ToString::to_string).collect::<Vec<_>>().join("×");
    // A number that is not the usual one for all axes: ` /2`, ` /2×1`.
    let unusual = |before: &str, numbers: &PerAxis, usual: usize| {
        let all = per_axis(numbers);
        match all.first() {
            Some(first) if all.iter().all(|n| n == first) && *first != usual => format!(" {before}{first}"),
            Some(first) if all.iter().any(|n| n != first) => format!(" {before}{}", sizes(numbers)),
            _ => String::new(),
        }
    };
    let groups = |n: usize| if n == 1 { String::new() } else { format!(" in {n} groups") };
    let pool = |size: &PerAxis, stride: &Option<PerAxis>, dilation: &PerAxis| {
        let stride = stride.as_ref().filter(|stride| per_axis(stride) != per_axis(size));
        let stride = stride.map_or(String::new(), |stride| format!(" /{}", unusual("", stride, 0).trim_start()));
        format!("{} {}{stride}{}", layer.key(), sizes(size), unusual("dilated ", dilation, 1))
    };
    match layer {
        AnyLayer::Dense(dense) => format!("dense {}{}", dense.units, after(&dense.activation, dense.bias)),
        AnyLayer::Conv(conv) => {
            let (stride, gaps) = (unusual("/", &conv.stride, 1), unusual("dilated ", &conv.dilation, 1));
            let rest = groups(conv.groups) + &after(&conv.activation, conv.bias);
            format!("conv {} {}{stride}{gaps}{rest}", conv.filters, sizes(&conv.size))
        }
        AnyLayer::ConvTranspose(conv) => {
            let (stride, gaps) = (unusual("×", &conv.stride, 1), unusual("dilated ", &conv.dilation, 1));
            let rest = groups(conv.groups) + &after(&conv.activation, conv.bias);
            format!("conv_transpose {} {}{stride}{gaps}{rest}", conv.filters, sizes(&conv.size))
        }
        AnyLayer::SeparableConv(conv) => {
            let (stride, gaps) = (unusual("/", &conv.stride, 1), unusual("dilated ", &conv.dilation, 1));
            let filters = conv.filters.map_or("depthwise_conv".into(), |filters| format!("separable_conv {filters}"));
            format!("{filters} {}{stride}{gaps}{}", sizes(&conv.size), after(&conv.activation, conv.bias))
        }
        AnyLayer::DeformConv(conv) => {
            let (stride, gaps) = (unusual("/", &conv.stride, 1), unusual("dilated ", &conv.dilation, 1));
            let rest = after(&conv.activation, conv.bias);
            format!("deform_conv {} {}{stride}{gaps}{rest}", conv.filters, sizes(&conv.size))
        }
        AnyLayer::MaxPool(max) => pool(&max.size, &max.stride, &max.dilation),
        AnyLayer::AvgPool(avg) => pool(&avg.size, &avg.stride, &avg.dilation),
        AnyLayer::LpPool(lp) => pool(&lp.size, &lp.stride, &lp.dilation),
        AnyLayer::AdaptivePool(bins) => {
            format!("adaptive_pool {} {}", sizes(&bins.output), format!("{:?}", bins.over).to_lowercase())
        }
        AnyLayer::GlobalPool(global) => format!("global_pool {}", format!("{:?}", global.over).to_lowercase()),
        AnyLayer::Activation(activation) => activation.0.key().to_string(),
        AnyLayer::Dropout(dropout) => format!("dropout {}", dropout.rate),
        AnyLayer::MultiSampleDropout(dropout) => {
            let head: Vec<String> = dropout.layers.iter().map(|layer| in_short(layer, axes)).collect();
            format!("{} masks of dropout {}, {}", dropout.samples, dropout.rate, head.join(", "))
        }
        AnyLayer::Residual(residual) => match residual.activation.key() {
            "identity" => "residual".to_string(),
            key => format!("residual {key}"),
        },
        AnyLayer::Parallel(parallel) => {
            format!("{} branches {}", parallel.branches.len(), format!("{:?}", parallel.merge).to_lowercase())
        }
        AnyLayer::Repeat(repeat) => format!("{} times", repeat.times),
        AnyLayer::Shared(shared) => format!("shared {}", shared.name),
        AnyLayer::Maxout(maxout) => format!("maxout {} of {}", maxout.units, maxout.pieces),
        _ => layer.name(),
    }
}
