//! Small products and maps, which run with the batch in the lanes, give what each instruction gives by itself.

#[path = "common/net.rs"]
mod net;

use gradus_kernels::instr::*;
use gradus_kernels::reference::{self, Memory};
use gradus_kernels::{Bindings, Buffer, Code, Expr, Isa, Pool, Real, Sizes, Term, Unary};
use gradus_tensor::Rng;
use net::Net;
use std::ops::Range;

/// A random choice below `n`.
fn below(rng: &mut Rng, n: usize) -> usize {
    rng.below(n as u32) as usize
}

fn pick<X: std::marker::Copy>(rng: &mut Rng, options: &[X]) -> X {
    options[below(rng, options.len())]
}

fn random<T: Real>(rng: &mut Rng, n: usize) -> Vec<T> {
    (0..n).map(|_| T::from_f64(rng.normal() * 0.5)).collect()
}

/// Runs some steps both ways. What is kept of the arena, the state and the sums must agree.
fn agree<T: Real>(
    instrs: &[Instr<T>],
    sizes: &Sizes,
    loss: Loc,
    kept: &Option<Range<usize>>,
    isa: Isa,
    tolerance: f64,
) {
    const STEPS: usize = 3;
    let mut rng = Rng::new(5, 0, 0);
    let inputs: Vec<Vec<T>> = sizes.inputs.iter().map(|&n| random(&mut rng, n * STEPS)).collect();
    let consts: Vec<T> = random(&mut rng, sizes.consts);
    let mut state: Vec<T> = random(&mut rng, sizes.state);
    let mut have_state = Buffer::zeroed(sizes.state);
    have_state.copy_from_slice(&state);
    let (mut arena, mut have_arena) = (vec![T::default(); sizes.arena], Buffer::zeroed(sizes.arena));

    let mut sum = 0.0;
    for step in 0..STEPS {
        let now: Vec<&[T]> = inputs.iter().zip(&sizes.inputs).map(|(x, n)| &x[step * n..(step + 1) * n]).collect();
        for instr in instrs {
            let mut memory = Memory { arena: &mut arena, consts: &consts, state: &mut state, inputs: &now };
            reference::execute(instr, &mut memory, 0, step as u64).expect("no guard");
        }
        sum += arena[loss.offset].to_f64();
    }
    let mut code = Code::sparing(instrs.to_vec(), sizes.clone(), vec![loss], kept.as_slice(), isa, 2).expect("valid");
    let all: Vec<&[T]> = inputs.iter().map(Vec::as_slice).collect();
    let memory = Bindings { arena: &mut have_arena, consts: &consts, state: &mut have_state, inputs: &all };
    let mut have_sum = [0.0];
    code.run(memory, 0, 0, STEPS, &mut have_sum, &Pool::new(2)).expect("no guard");

    let near = |x: f64, y: f64| x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= tolerance * y.abs().max(1.0);
    assert!(near(have_sum[0], sum), "{isa} {}: loss {} for {sum}\n{instrs:#?}", T::NAME, have_sum[0]);
    for i in 0..state.len() {
        let (x, y) = (have_state[i].to_f64(), state[i].to_f64());
        assert!(near(x, y), "{isa} {} state[{i}]: {x} for {y}\n{instrs:#?}", T::NAME);
    }
    for i in kept.clone().into_iter().flatten() {
        let (x, y) = (have_arena[i].to_f64(), arena[i].to_f64());
        assert!(near(x, y), "{isa} {} arena[{i}]: {x} for {y}\n{instrs:#?}", T::NAME);
    }
}

/// Training steps of dense nets, with all that they leave in the arena or only what is asked for.
#[test]
fn nets() {
    for (batch, features, widths) in [
        (10, 1, vec![4, 1]),
        (5, 2, vec![3, 1]),
        (4, 3, vec![5, 2]),
        (16, 14, vec![32, 16, 8, 4, 1]),
        (17, 6, vec![7, 3, 2]),
        (32, 9, vec![9, 1, 5]),
        (33, 2, vec![3, 1]),
        (3, 2, vec![2, 2]),
    ] {
        for relu in [false, true] {
            let step = Net { batch, features, widths: widths.clone(), relu }.step();
            for kept in [Some(0..step.sizes.arena), Some(step.gradients.clone()), None] {
                for isa in Isa::available() {
                    agree(&step.instrs, &step.sizes, step.loss, &kept, isa, 1e-5);
                    agree(&step.instrs64, &step.sizes, step.loss, &kept, isa, 1e-12);
                }
            }
        }
    }
}

/// Places for `[batch, features]` in the arena; some overlap their neighbours.
const PLACES: usize = 5;
const MATRIX: usize = 32 * 12;
const WEIGHTS: usize = 160;
const ARENA: usize = PLACES * MATRIX + 200;

struct World<'a> {
    rng: &'a mut Rng,
    rows: usize,
}

impl World<'_> {
    fn features(&mut self) -> usize {
        pick(self.rng, &[1, 1, 2, 3, 4, 6, 8, 12])
    }

    /// Samples of so many features: mostly as a store leaves them.
    fn matrix(&mut self) -> Loc {
        let at = below(self.rng, PLACES) * MATRIX / if below(self.rng, 8) == 0 { 2 } else { 1 };
        Loc { space: Space::Arena, offset: at }
    }

    /// Numbers that are the same for all samples.
    fn weights(&mut self) -> Loc {
        match below(self.rng, 4) {
            0 => self.matrix(),
            _ => Loc { space: Space::State, offset: below(self.rng, 40) },
        }
    }

    /// An operand over samples and features.
    fn operand(&mut self, features: usize) -> Operand {
        let (loc, strides) = match below(self.rng, 10) {
            0 => (self.weights(), vec![0, 1]),
            1 => (self.weights(), vec![0, 0]),
            2 => (self.matrix(), vec![1, 0]),
            3 => (self.matrix(), vec![12, 1]),
            4 => (Loc { space: Space::Input(0), offset: 0 }, vec![features, 1]),
            5 => (Loc { offset: self.matrix().offset + 2, space: Space::Arena }, vec![features + 3, 1]),
            6 => (self.matrix(), vec![1, self.rows]),
            _ => (self.matrix(), vec![features, 1]),
        };
        Operand { loc, strides }
    }

    /// A bounded function of some operands; its last value is the result.
    fn expression(&mut self, count: usize) -> Expr {
        Expr::build(count, |x: &[Term]| {
            let mut y = x[0].clone();
            for x in &x[1..] {
                y = match below(self.rng, 6) {
                    0 => &y + x,
                    1 => x - &y * 0.5,
                    2 => &y * x.unary(Unary::Tanh),
                    3 => y.max(x),
                    4 => (&y + x) * (1.0 - &y),
                    _ => &y + &(x * &(1.0 - x)),
                };
            }
            match below(self.rng, 4) {
                0 => y.unary(Unary::Sigmoid),
                1 => y.unary(Unary::Tanh) * 1.5,
                2 => y.max(&y.constant(-1.0)).min(&y.constant(1.0)),
                _ => (&y + &y.constant(0.25)).unary(Unary::Tanh),
            }
        })
    }

    fn map(&mut self) -> Map {
        let features = self.features();
        let count = 1 + below(self.rng, 3);
        let expr = self.expression(count);
        let value = expr.result();
        let reduce = match below(self.rng, 6) {
            0 => Some((0, 1, Fold::Sum)),
            1 => Some((0, 2, Fold::Sum)),
            2 => Some((1, 2, pick(self.rng, &[Fold::Sum, Fold::Max, Fold::Min]))),
            3 => Some((0, 1, Fold::Max)),
            _ => None,
        };
        let reduce = reduce.map(|(from, to, fold)| Reduce { fold, from, to, scale: pick(self.rng, &[1.0, 0.125]) });
        let inputs = (0..count).map(|_| self.operand(features)).collect();
        let mut stores = vec![Store { value, loc: self.matrix(), reduce }];
        if below(self.rng, 4) == 0 {
            stores.push(Store { value: below(self.rng, count) as u16, loc: self.matrix(), reduce: None });
        }
        Map { dims: vec![self.rows, features], expr, inputs, stores }
    }

    fn product(&mut self) -> MatMul {
        let (k, n) = (self.features(), self.features());
        let (rows, turned) = (self.rows, below(self.rng, 2) == 0);
        let factor = |loc, row, col| Factor { loc, batch: 0, row, col };
        let (m, k, a, b) = if below(self.rng, 3) == 0 {
            (k, rows, factor(self.matrix(), 1, k), factor(self.matrix(), n, 1))
        } else {
            let weights = self.weights();
            let b = if turned { factor(weights, 1, k) } else { factor(weights, n, 1) };
            (rows, k, factor(self.matrix(), k, 1), b)
        };
        let plain = m != rows || below(self.rng, 5) == 0;
        let count = if plain { 0 } else { below(self.rng, 3) };
        let inputs =
            (0..count).map(|_| self.operand(n)).map(|x| Operand { strides: vec![0, x.strides[0], x.strides[1]], ..x });
        let inputs = inputs.collect();
        let epilogue = if plain { Expr::identity() } else { self.expression(count + 1) };
        let stores = vec![Store { value: epilogue.result(), loc: self.matrix(), reduce: None }];
        MatMul { batch: 1, m, n, k, a, b, epilogue, inputs, stores }
    }

    fn instr<T>(&mut self) -> (Instr<T>, Instr<f64>) {
        match below(self.rng, 9) {
            0 => {
                let (loc, len) = (self.matrix(), 12);
                (Instr::Fill { loc, len, value: 0.5 }, Instr::Fill { loc, len, value: 0.5 })
            }
            1..4 => {
                let map = self.map();
                (Instr::Map(map.clone()), Instr::Map(map))
            }
            _ => {
                let product = self.product();
                (Instr::MatMul(product.clone()), Instr::MatMul(product))
            }
        }
    }
}

/// Random lists of instructions that read what others left in lanes: as a whole, in part, turned, as weights, or written over in the meantime.
#[test]
fn lists() {
    let mut rng = Rng::new(9, 0, 0);
    let sizes = Sizes { arena: ARENA, consts: 0, state: WEIGHTS + 40, inputs: vec![MATRIX] };
    for _ in 0..400 {
        let rows = pick(&mut rng, &[4, 5, 8, 13, 16, 20, 32]);
        let mut world = World { rng: &mut rng, rows };
        let (mut instrs, mut instrs64) = (vec![], vec![]);
        while instrs.len() < 9 {
            let (one, other) = world.instr::<f32>();
            // Some overlap themselves.
            if Code::new(vec![one.clone()], sizes.clone(), vec![], Isa::Portable, 1).is_ok() {
                instrs.push(one);
                instrs64.push(other);
            }
        }
        let loss = Loc { space: Space::Arena, offset: below(&mut rng, ARENA) };
        let from = below(&mut rng, ARENA);
        for kept in [0..ARENA, from..(from + 100).min(ARENA)] {
            let kept = Some(kept);
            for isa in Isa::available() {
                agree(&instrs, &sizes, loss, &kept, isa, 2e-3);
                agree(&instrs64, &sizes, loss, &kept, isa, 1e-9);
            }
        }
    }
}
