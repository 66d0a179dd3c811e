//! The instructions of a dense net's training step, as a planner writes them.

use gradus_kernels::instr::*;
use gradus_kernels::{Expr, Sizes, Term, Unary};

/// A dense net with as many units to each layer as `widths` says, behind so many features.
pub struct Net {
    pub batch: usize,
    pub features: usize,
    pub widths: Vec<usize>,
    pub relu: bool,
}

/// The step, the memory that it needs, and where the loss lies.
pub struct Step {
    pub instrs: Vec<Instr<f32>>,
    pub instrs64: Vec<Instr<f64>>,
    pub sizes: Sizes,
    pub loss: Loc,
    /// Elements of the arena that hold gradients.
    pub gradients: std::ops::Range<usize>,
}

fn at(space: Space, offset: usize) -> Loc {
    Loc { space, offset }
}

impl Net {
    fn activation(&self, x: &Term) -> Term {
        if self.relu { x.max(&x.constant(0.0)) } else { x.unary(Unary::Sigmoid) }
    }

    /// The slope, from the result.
    fn slope(&self, y: &Term) -> Term {
        if self.relu { y.gt(0.0) } else { y * &(1.0 - y) }
    }

    pub fn step(&self) -> Step {
        let Net { batch, .. } = *self;
        let mut instrs: Vec<Instr<f32>> = vec![];
        let mut arena = 0;
        let mut room = |len: usize| {
            arena += len;
            arena - len
        };
        let (mut weights, mut biases, mut state) = (vec![], vec![], 0);
        let mut inputs = vec![self.features];
        inputs.extend(&self.widths[..self.widths.len() - 1]);
        for (&k, &n) in inputs.iter().zip(&self.widths) {
            biases.push(state);
            weights.push(state + n);
            state += n + k * n;
        }
        let state = state.next_multiple_of(16);
        let gradient = room(state);
        let x = at(Space::Input(0), 0);
        let last = self.widths.len() - 1;
        let matrix = |loc, cols: usize| Factor { loc, batch: 0, row: cols, col: 1 };
        let turned = |loc, cols: usize| Factor { loc, batch: 0, row: 1, col: cols };
        let store = |value, loc| Store { value, loc, reduce: None };
        let sum = |to, scale| Some(Reduce { fold: Fold::Sum, from: 0, to, scale });

        // Forward.
        let (mut values, mut delta, mut squares) = (vec![x], x, x);
        for (l, (&k, &n)) in inputs.iter().zip(&self.widths).enumerate() {
            let bias = Operand { loc: at(Space::State, biases[l]), strides: vec![0, 0, 1] };
            let (a, b) = (matrix(values[l], k), matrix(at(Space::State, weights[l]), n));
            let y = at(Space::Arena, room(batch * n));
            let (epilogue, inputs, stores) = if l < last {
                let expr = Expr::build(2, |x| self.activation(&(&x[0] + &x[1])));
                let value = expr.result();
                (expr, vec![bias], vec![store(value, y)])
            } else {
                let target = Operand { loc: at(Space::Input(1), 0), strides: vec![0, n, 1] };
                let mut error = 0;
                let expr = Expr::build(3, |x| {
                    let e = &x[0] + &x[1] - &x[2];
                    error = 4;
                    &e * (2.0 / (batch * n) as f64)
                });
                squares = at(Space::Arena, room(batch * n));
                delta = y;
                let value = expr.result();
                (expr, vec![bias, target], vec![store(error, squares), store(value, y)])
            };
            values.push(y);
            instrs.push(Instr::MatMul(MatMul { batch: 1, m: batch, n, k, a, b, epilogue, inputs, stores }));
        }

        // The loss, and the gradient of the last bias.
        let n = self.widths[last];
        let loss = at(Space::Arena, room(1));
        let whole = |loc| Operand { loc, strides: vec![n, 1] };
        let expr = Expr::build(2, |x| &x[0].square() + &(&x[1] * 0.0));
        let square = expr.insts().iter().position(|i| i.uses().count() == 1).expect("a square") as u16;
        instrs.push(Instr::Map(Map {
            dims: vec![batch, n],
            expr,
            inputs: vec![whole(squares), whole(delta)],
            stores: vec![
                Store { value: square, loc: loss, reduce: sum(2, 1.0 / (batch * n) as f64) },
                Store { value: 1, loc: at(Space::Arena, gradient + biases[last]), reduce: sum(1, 1.0) },
            ],
        }));
        instrs.push(Instr::Guard { loc: loss, id: 7 });

        // Backward.
        for l in (0..=last).rev() {
            let (k, n) = (inputs[l], self.widths[l]);
            let below = (l > 0).then(|| at(Space::Arena, room(batch * k)));
            if let Some(y) = below {
                let expr = Expr::build(2, |x| &x[0] * self.slope(&x[1]));
                let value = expr.result();
                instrs.push(Instr::MatMul(MatMul {
                    batch: 1,
                    m: batch,
                    n: k,
                    k: n,
                    a: matrix(delta, n),
                    b: turned(at(Space::State, weights[l]), n),
                    epilogue: expr,
                    inputs: vec![Operand { loc: values[l], strides: vec![0, k, 1] }],
                    stores: vec![store(value, y)],
                }));
            }
            instrs.push(Instr::MatMul(MatMul {
                batch: 1,
                m: k,
                n,
                k: batch,
                a: turned(values[l], k),
                b: matrix(delta, n),
                epilogue: Expr::identity(),
                inputs: vec![],
                stores: vec![store(0, at(Space::Arena, gradient + weights[l]))],
            }));
            if let Some(y) = below {
                delta = y;
                instrs.push(Instr::Map(Map {
                    dims: vec![batch, k],
                    expr: Expr::identity(),
                    inputs: vec![Operand { loc: y, strides: vec![k, 1] }],
                    stores: vec![Store {
                        value: 0,
                        loc: at(Space::Arena, gradient + biases[l - 1]),
                        reduce: sum(1, 1.0),
                    }],
                }));
            }
        }

        let expr = Expr::build(2, |x| &x[0] - &x[1] * 0.01);
        let value = expr.result();
        instrs.push(Instr::Map(Map {
            dims: vec![state],
            expr,
            inputs: [at(Space::State, 0), at(Space::Arena, gradient)]
                .map(|loc| Operand { loc, strides: vec![1] })
                .to_vec(),
            stores: vec![store(value, at(Space::State, 0))],
        }));
        let instrs64 = instrs.iter().map(doubled).collect();
        let sizes = Sizes { arena, consts: 0, state, inputs: vec![batch * self.features, batch * n] };
        Step { instrs, instrs64, sizes, loss, gradients: gradient..gradient + state }
    }
}

fn doubled(instr: &Instr<f32>) -> Instr<f64> {
    match instr {
        Instr::Map(map) => Instr::Map(map.clone()),
        Instr::MatMul(product) => Instr::MatMul(product.clone()),
        Instr::Guard { loc, id } => Instr::Guard { loc: *loc, id: *id },
        _ => unreachable!("a dense net has no other instructions"),
    }
}
