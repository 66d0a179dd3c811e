//! Optimisers on surfaces of two parameters: the same rules, graph and engine that train networks, in double precision.
//!
//! Rosenbrock 1960, The Computer Journal 3(3); Beale 1958, On an iterative method for finding a local minimum.

use crate::error::{Result, TrainError};
use gradus_graph::{Engine, Graph, Init, Node, Request, Role, RunError, State};
use gradus_kernels::Pool;
use gradus_nn::Optimizer;
use gradus_nn::updates::Updates;
use gradus_tensor::Rng;

/// A surface z(x, y).
///
/// | surface | z(x, y) | lowest at |
/// |---|---|---|
/// | bowl | x²/10 + y² | (0, 0) |
/// | rosenbrock | (1 - x)² + 100·(y - x²)² | (1, 1), at the end of a bent valley |
/// | beale | (1.5 - x + xy)² + (2.25 - x + xy²)² + (2.625 - x + xy³)² | (3, 0.5) |
/// | saddle | x² - y² | nowhere: it falls away along y from the pass at (0, 0) |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surface {
    /// A long bowl: steep in y, flat in x.
    #[default]
    Bowl,
    /// A bent valley with steep sides.
    Rosenbrock,
    /// Flat plains, steep edges, one hollow.
    Beale,
    /// A pass.
    Saddle,
}

impl Surface {
    /// All of them.
    pub const ALL: [Surface; 4] = [Surface::Bowl, Surface::Rosenbrock, Surface::Beale, Surface::Saddle];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Surface::Bowl => "bowl",
            Surface::Rosenbrock => "rosenbrock",
            Surface::Beale => "beale",
            Surface::Saddle => "saddle",
        }
    }

    /// Its formula in words.
    pub fn formula(self) -> &'static str {
        match self {
            Surface::Bowl => "z = x²/10 + y²",
            Surface::Rosenbrock => "z = (1 − x)² + 100 (y − x²)²",
            Surface::Beale => "z = (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²",
            Surface::Saddle => "z = x² − y²",
        }
    }

    /// z at a place.
    pub fn at(self, [x, y]: [f64; 2]) -> f64 {
        match self {
            Surface::Bowl => x * x / 10.0 + y * y,
            Surface::Rosenbrock => (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2),
            Surface::Beale => {
                let part = |c: f64, power: i32| (c - x + x * y.powi(power)).powi(2);
                part(1.5, 1) + part(2.25, 2) + part(2.625, 3)
            }
            Surface::Saddle => x * x - y * y,
        }
    }

    /// The same as a node.
    fn node(self, x: &Node, y: &Node) -> Node {
        match self {
            Surface::Bowl => x.square() / 10.0 + y.square(),
            Surface::Rosenbrock => (1.0 - x).square() + 100.0 * (y - x.square()).square(),
            Surface::Beale => {
                let part = |c: f64, power: &Node| (c - x + x * power).square();
                part(1.5, y) + part(2.25, &y.square()) + part(2.625, &(y.square() * y))
            }
            Surface::Saddle => x.square() - y.square(),
        }
    }

    /// The part worth seeing: `[[x from, x to], [y from, y to]]`.
    pub fn window(self) -> [[f64; 2]; 2] {
        match self {
            Surface::Bowl => [[-9.0, 9.0], [-3.5, 3.5]],
            Surface::Rosenbrock => [[-2.0, 2.0], [-1.0, 3.0]],
            Surface::Beale => [[-1.0, 4.5], [-1.5, 1.5]],
            Surface::Saddle => [[-2.0, 2.0], [-2.0, 2.0]],
        }
    }

    /// Where a descent usually starts.
    pub fn start(self) -> [f64; 2] {
        match self {
            Surface::Bowl => [-7.0, 2.0],
            Surface::Rosenbrock => [-1.5, 2.0],
            Surface::Beale => [1.0, 1.25],
            Surface::Saddle => [-1.5, 0.01],
        }
    }

    /// Its lowest point.
    pub fn minimum(self) -> Option<[f64; 2]> {
        match self {
            Surface::Bowl => Some([0.0, 0.0]),
            Surface::Rosenbrock => Some([1.0, 1.0]),
            Surface::Beale => Some([3.0, 0.5]),
            Surface::Saddle => None,
        }
    }

    /// The points that an optimiser goes through: the start, then one after each step. The list is shorter where it runs away to
    /// values that are not finite.
    ///
    /// # Errors
    /// Settings of the optimiser out of range.
    ///
    /// ```
    /// use gradus_nn::optimizers::Sgd;
    /// use gradus_train::Surface;
    /// let path = Surface::Bowl.descend(&Sgd { lr: 0.95, ..Sgd::default() }, [-7.0, 2.0], 1)?;
    /// let [x, y] = path[1];
    /// assert!((x - -5.67).abs() < 1e-12 && (y - -1.8).abs() < 1e-12);
    /// # Ok::<(), gradus_train::TrainError>(())
    /// ```
    pub fn descend(self, optimizer: &dyn Optimizer, start: [f64; 2], steps: usize) -> Result<Vec<[f64; 2]>> {
        let graph = Graph::new();
        if let Err(error) = optimizer.check() {
            graph.refuse("optimizer", error);
        }
        let w = graph.variable("w", [2], Start(start), Role::Weight);
        let part = |i: usize| w.slice(0, i..i + 1).sum_all();
        let z = self.node(&part(0), &part(1));
        let gradient = graph.gradients(&z, &[&w])?.remove(0);
        Updates::new(optimizer).apply(&graph, &[(0, gradient)]);
        let model = graph.model(&[("z", &z)])?;
        let mut engine = Engine::<f64>::new(&model, Request::training(&["z"]))?;
        let mut state = State::<f64>::new(&model, 0);
        let pool = Pool::new(1);
        let mut points = vec![start];
        for _ in 0..steps {
            match engine.run(&mut state, &[], 1, 1, &pool) {
                Ok(()) => {}
                Err(RunError::Halt(_)) => break,
                Err(other) => return Err(other.into()),
            }
            let lost = || TrainError::Internal("the surface lost its parameters".into());
            let &[x, y] = state.variable("w").ok_or_else(lost)? else { return Err(lost()) };
            if !(x.is_finite() && y.is_finite() && self.at([x, y]).is_finite()) {
                break;
            }
            points.push([x, y]);
        }
        Ok(points)
    }
}

/// Two values to start with.
#[derive(Debug)]
struct Start([f64; 2]);

impl Init for Start {
    fn values(&self, _shape: &[usize], _rng: &mut Rng) -> Vec<f64> {
        self.0.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_nn::optimizers::{Adam, Momentum, Sgd};

    #[test]
    fn paths_are_those_of_the_formulas() {
        let (mut w, mut v) = ([-7.0, 2.0], [0.0, 0.0]);
        let path = Surface::Bowl.descend(&Momentum { lr: 0.1, ..Momentum::default() }, w, 20).unwrap();
        assert_eq!(path.len(), 21);
        for point in &path {
            assert!((0..2).all(|i| (point[i] - w[i]).abs() < 1e-12), "{point:?} {w:?}");
            let gradient = [w[0] / 5.0, 2.0 * w[1]];
            for i in 0..2 {
                v[i] = 0.9 * v[i] + gradient[i];
                w[i] -= 0.1 * v[i];
            }
        }
    }

    #[test]
    fn gradients_lead_down_to_the_minimum() {
        for surface in [Surface::Rosenbrock, Surface::Beale] {
            let path = surface.descend(&Adam { lr: 0.02, ..Adam::default() }, surface.start(), 5000).unwrap();
            let (end, lowest) = (path[path.len() - 1], surface.minimum().unwrap());
            assert!((0..2).all(|i| (end[i] - lowest[i]).abs() < 0.01), "{}: {end:?}", surface.name());
            assert!(surface.at(lowest) < 1e-12 && surface.at(end) < 1e-3);
        }
        let path = Surface::Saddle.descend(&Sgd { lr: 0.1, ..Sgd::default() }, [1.0, 0.01], 40).unwrap();
        assert!(path[40][0].abs() < 0.01 && path[40][1] > 1.0, "{:?}", path[40]);
    }

    #[test]
    fn a_path_ends_where_it_leaves_the_numbers() {
        let path = Surface::Rosenbrock.descend(&Sgd { lr: 1.0, ..Sgd::default() }, [-1.5, 2.0], 100).unwrap();
        assert!(path.len() < 20 && path.iter().flatten().all(|x| x.is_finite()));
        let message =
            Surface::Bowl.descend(&Sgd { lr: -1.0, ..Sgd::default() }, [0.0, 0.0], 1).unwrap_err().to_string();
        assert!(message.contains("lr"), "{message}");
    }
}
