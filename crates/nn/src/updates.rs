//! From gradients to updates: which parameters are treated how.
//!
//! By default all parameters share the optimiser's rate; weight decay and penalties touch weights only. A [`Group`] treats those whose path
//! fits a pattern otherwise. In a recipe:
//!
//! ```toml
//! groups = [
//!   { pattern = "dense/*", lr = 1e-4 },
//!   { pattern = "*/bias", frozen = true },
//! ]
//! ```
//!
//! Parameters that are treated alike lie in one flat vector and are updated in one sweep. In it stand, in this order: the penalty's
//! gradient, clipping, the optimiser's rule, the constraint.

use crate::optimizers::{Optimizer, Step};
use crate::regularizers::Regularizer as _;
use crate::{AnyClip, AnyRegularizer, check};
use gradus_graph::{Graph, Node, Role, ShapeError, Variable};
use serde::{Deserialize, Serialize};

/// Which parameters decay: those that weight decay and a regulariser touch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Weights; no biases, no parameters of normalisations.
    #[default]
    Weights,
    /// All trained parameters of the model.
    All,
}

impl Decay {
    /// Whether a parameter of this role decays.
    pub fn covers(self, role: Role) -> bool {
        role == Role::Weight || self == Decay::All && role != Role::Loss
    }
}

/// Parameters that are treated otherwise than the rest. The first group whose pattern fits a parameter's path has it.
///
/// ```
/// use gradus_nn::Group;
/// let group: Group = toml::from_str("pattern = 'dense_*/weight'\nlr = 1e-4")?;
/// assert!(group.fits("dense_1/weight") && !group.fits("dense/weight"));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Which paths: `*` stands for any characters, `?` for one. `gradus describe` lists the paths.
    pub pattern: String,
    /// Their learning rate; it follows the schedule in proportion. The optimiser's where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Their λ of the optimiser's weight decay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Their penalty, in place of the one for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regularizer: Option<AnyRegularizer>,
    /// Which of them decay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decay: Option<Decay>,
    /// The largest norm of each unit's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f64>,
    /// Keep their values: they are not trained.
    #[serde(default)]
    pub frozen: bool,
}

impl Group {
    /// A group that so far is treated as the rest.
    pub fn new(pattern: impl Into<String>) -> Group {
        Group { pattern: pattern.into(), ..Group::default() }
    }

    /// Whether a path fits the pattern.
    pub fn fits(&self, path: &str) -> bool {
        fits(self.pattern.as_bytes(), path.as_bytes())
    }

    /// What is wrong with its settings.
    ///
    /// # Errors
    /// A number that is out of range, with its name.
    pub fn check(&self) -> Result<(), ShapeError> {
        self.lr.map_or(Ok(()), |lr| check::positive("lr", lr))?;
        self.weight_decay.map_or(Ok(()), |decay| check::not_negative("weight_decay", decay))?;
        self.max_norm.map_or(Ok(()), |norm| check::positive("max_norm", norm))?;
        self.regularizer.as_ref().map_or(Ok(()), |regularizer| regularizer.check())
    }
}

/// Whether text fits a pattern with `*` and `?`.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// How all parameters follow their gradients.
pub struct Updates<'a> {
    /// The rule.
    pub optimizer: &'a dyn Optimizer,
    /// The learning rate of each step, a single number; the optimiser's own where none is given.
    pub lr: Option<Node>,
    /// What takes the place of the rule's momentum, where a schedule moves it.
    pub momentum: Option<Node>,
    /// The penalty of all parameters that no group gives one of its own.
    pub regularizer: Option<&'a AnyRegularizer>,
    /// Which parameters decay.
    pub decay: Decay,
    /// Parameters that are treated otherwise.
    pub groups: &'a [Group],
    /// What is done to large gradients.
    pub clip: Option<&'a AnyClip>,
    /// The largest norm of each unit's weights.
    pub max_norm: Option<f64>,
}

/// How one parameter is treated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Treatment {
    /// Times the optimiser's rate.
    lr: f64,
    /// λ
    weight_decay: f64,
    /// A penalty, and how many weights it covers in all.
    pub(crate) penalty: Option<(AnyRegularizer, usize)>,
    max_norm: Option<f64>,
}

/// Parameters that are treated alike, in one flat vector.
struct Sweep<'t> {
    treatment: &'t Treatment,
    indices: Vec<usize>,
    w: Node,
    /// The gradient with the penalty's, laid out as `w`.
    g: Node,
}

impl<'a> Updates<'a> {
    /// All parameters alike by this rule.
    pub fn new(optimizer: &'a dyn Optimizer) -> Updates<'a> {
        let (regularizer, clip, decay) = (None, None, Decay::default());
        Updates { optimizer, lr: None, momentum: None, regularizer, decay, groups: &[], clip, max_norm: None }
    }

    /// The group that a parameter is in.
    fn group(&self, variable: &Variable) -> Option<&'a Group> {
        self.groups.iter().find(|group| group.fits(&variable.path))
    }

    /// The indices of the variables that are trained.
    pub(crate) fn trained(&self, variables: &[Variable]) -> Vec<usize> {
        let frozen = |v: &Variable| self.group(v).is_some_and(|group| group.frozen);
        let trained = variables.iter().enumerate().filter(|(_, v)| v.role.trainable() && !frozen(v));
        trained.map(|(i, _)| i).collect()
    }

    /// How each of these parameters is treated.
    pub(crate) fn treatments(&self, variables: &[Variable], trained: &[usize]) -> Vec<Treatment> {
        let decays = |v: &Variable| self.group(v).and_then(|g| g.decay).unwrap_or(self.decay).covers(v.role);
        // Where a penalty comes from: it covers all the weights with the same origin.
        let origin = |v: &Variable| {
            let own = self.group(v).filter(|g| g.regularizer.is_some());
            (own.and_then(|g| g.regularizer.as_ref()).or(self.regularizer), own.map(|g| &g.pattern))
        };
        let treat = |&i: &usize| {
            let v = &variables[i];
            let group = self.group(v);
            let (regularizer, pattern) = origin(v);
            let alike = trained.iter().map(|&i| &variables[i]).filter(|v| decays(v) && origin(v).1 == pattern);
            let count = alike.map(Variable::len).sum();
            let weight_decay = group.and_then(|g| g.weight_decay).unwrap_or_else(|| self.optimizer.weight_decay());
            let constrained = v.role == Role::Weight && v.shape.len() > 1;
            Treatment {
                lr: group.and_then(|g| g.lr).map_or(1.0, |lr| lr / self.optimizer.lr()),
                weight_decay: if decays(v) { weight_decay } else { 0.0 },
                penalty: regularizer.filter(|_| decays(v)).map(|r| (r.clone(), count)),
                max_norm: group.and_then(|g| g.max_norm).or(self.max_norm).filter(|_| constrained),
            }
        };
        trained.iter().map(treat).collect()
    }

    /// Adds one optimiser step to a graph: updates of the variables with these indices along their gradients.
    ///
    /// Slots are variables under `optimizer/`. The gradients are those of the loss on data; the penalty's is added here.
    pub fn apply(&self, graph: &Graph, parameters: &[(usize, Node)]) {
        let variables = graph.variables();
        let trained: Vec<usize> = parameters.iter().map(|p| p.0).collect();
        let treatments = self.treatments(&variables, &trained);
        let mut kinds: Vec<(&Treatment, Vec<&(usize, Node)>)> = vec![];
        for (treatment, parameter) in treatments.iter().zip(parameters) {
            match kinds.iter_mut().find(|(kind, _)| *kind == treatment) {
                Some((_, members)) => members.push(parameter),
                None => kinds.push((treatment, vec![parameter])),
            }
        }
        let several = kinds.len() > 1;
        let sweeps: Vec<Sweep> = kinds
            .into_iter()
            .map(|(treatment, members)| {
                let indices: Vec<usize> = members.iter().map(|p| p.0).collect();
                let w = graph.flat(&indices);
                let gradients: Vec<Node> = members.iter().map(|p| p.1.clone()).collect();
                let penalized = |g: Node, w: &Node| match &treatment.penalty {
                    Some((regularizer, count)) => g + regularizer.gradient(w, *count),
                    None => g,
                };
                let g = match self.clip.filter(|clip| clip.by_parameter()) {
                    None => penalized(graph.pack(&w, &gradients), &w),
                    Some(clip) => {
                        let own = indices.iter().map(|&i| graph.variable_node(i));
                        let gradients = gradients.into_iter().zip(own).map(|(g, w)| penalized(g, &w));
                        graph.pack(&w, &clip.clip(gradients.collect()))
                    }
                };
                Sweep { treatment, indices, w, g }
            })
            .collect();
        let whole = || sweeps.iter().map(|sweep| sweep.g.clone()).collect::<Vec<_>>();
        let gradients = match self.clip.filter(|clip| !clip.by_parameter()) {
            Some(clip) => clip.clip(whole()),
            None => whole(),
        };
        let lr = self.lr.clone().unwrap_or_else(|| graph.scalar(self.optimizer.lr()));
        graph.scope("optimizer", || {
            for (Sweep { treatment, indices, w, .. }, g) in sweeps.iter().zip(&gradients) {
                let sweep = || {
                    let lr = if treatment.lr == 1.0 { lr.clone() } else { &lr * treatment.lr };
                    let step = Step::new(w, lr, treatment.weight_decay, self.momentum.clone());
                    let new = self.optimizer.update(w, g, &step);
                    let Some(limit) = treatment.max_norm else { return graph.update(w, &new) };
                    for (&index, weight) in indices.iter().zip(graph.unpack(w, &new)) {
                        graph.update(&graph.variable_node(index), &within_norm(&weight, limit));
                    }
                };
                if several { graph.scope("group", sweep) } else { sweep() }
            }
        });
    }
}

/// The weights of each unit, scaled back to norm `limit` where theirs is larger. Srebro & Shraibman 2005; Hinton et al. 2012,
/// arXiv:1207.0580.
///
/// A unit is a column of a dense layer's `[D, units]`, a filter of a convolution's `[filters, ..]`.
fn within_norm(weight: &Node, limit: f64) -> Node {
    let rank = weight.shape().rank() as isize;
    let axes: Vec<isize> = if rank == 2 { vec![0] } else { (1..rank).collect() };
    weight * (limit * weight.square().sum(&axes[..]).rsqrt()).minimum(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, path, expected) in [
            ("*", "dense/weight", true),
            ("dense/*", "dense/weight", true),
            ("dense/*", "dense_1/weight", false),
            ("*/bias", "block/dense/bias", true),
            ("*bias*", "dense/weight", false),
            ("dense_?/weight", "dense_1/weight", true),
            ("dense_?/weight", "dense_12/weight", false),
            ("d*e*t", "dense/weight", true),
            ("", "x", false),
            ("x", "x", true),
        ] {
            assert_eq!(Group::new(pattern).fits(path), expected, "{pattern} {path}");
        }
    }
}
