//! Random instructions and the comparison with their plainest execution.
#![allow(dead_code)] // each test uses its part

use gradus_kernels::instr::*;
use gradus_kernels::reference::{self, Memory};
use gradus_kernels::{Binary, Bindings, Code, Expr, Inst, Isa, Pool, Random, Real, Sizes, Unary};
use gradus_tensor::Rng;

pub const SIZES: [usize; 4] = [1 << 17, 64, 1 << 17, 1 << 17];

pub fn sizes() -> Sizes {
    Sizes { arena: SIZES[0], consts: SIZES[1], state: SIZES[2], inputs: vec![SIZES[3]] }
}

/// The four memories of a test, filled with random numbers.
#[derive(Clone)]
pub struct World<T> {
    pub arena: Vec<T>,
    pub consts: Vec<T>,
    pub state: Vec<T>,
    pub input: Vec<T>,
}

impl<T: Real> World<T> {
    pub fn new(rng: &mut Rng) -> World<T> {
        let mut fill = |n: usize| (0..n).map(|_| T::from_f64(rng.normal())).collect();
        World { arena: fill(SIZES[0]), consts: fill(SIZES[1]), state: fill(SIZES[2]), input: fill(SIZES[3]) }
    }

    pub fn bindings<'a>(&'a mut self, inputs: &'a mut Vec<&'a [T]>) -> Bindings<'a, T> {
        inputs.push(&self.input);
        Bindings { arena: &mut self.arena, consts: &self.consts, state: &mut self.state, inputs }
    }

    pub fn reference(&mut self, instr: &Instr<T>, seed: u64, step: u64) {
        let mut memory =
            Memory { arena: &mut self.arena, consts: &self.consts, state: &mut self.state, inputs: &[&self.input] };
        reference::execute(instr, &mut memory, seed, step).expect("no guard");
    }
}

pub fn below(rng: &mut Rng, n: usize) -> usize {
    rng.below(n as u32) as usize
}

pub fn pick<X: std::marker::Copy>(rng: &mut Rng, options: &[X]) -> X {
    options[below(rng, options.len())]
}

/// Places that do not overlap: outputs in the arena, operands in the state and the input.
pub struct Places {
    arena: usize,
    operands: usize,
}

impl Places {
    pub fn new() -> Places {
        Places { arena: 3, operands: 5 }
    }

    pub fn output(&mut self, len: usize) -> Loc {
        let offset = self.arena;
        self.arena += len + 7;
        assert!(self.arena < SIZES[0], "the test's memory is large enough");
        Loc { space: Space::Arena, offset }
    }

    pub fn operand(&mut self, rng: &mut Rng, len: usize) -> Loc {
        let space = pick(rng, &[Space::State, Space::Input(0)]);
        let offset = self.operands;
        self.operands += len + 5;
        assert!(self.operands < SIZES[2], "the test's memory is large enough");
        Loc { space, offset }
    }
}

pub fn contiguous(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for k in (1..dims.len()).rev() {
        strides[k - 1] = strides[k] * dims[k];
    }
    strides
}

/// A view with random broadcasts, transposes and gaps.
pub fn view(rng: &mut Rng, places: &mut Places, dims: &[usize]) -> Operand {
    let mut strides = match below(rng, 4) {
        0 | 1 => contiguous(dims),
        2 => vec![0; dims.len()],
        _ => {
            // Dimensions in another order, perhaps with a gap.
            let mut order: Vec<usize> = (0..dims.len()).collect();
            rng.shuffle(&mut order);
            let mut strides = vec![0; dims.len()];
            let mut stride = pick(rng, &[1, 1, 2]);
            for k in order {
                strides[k] = stride;
                stride *= dims[k];
            }
            strides
        }
    };
    if below(rng, 3) == 0 {
        for (k, s) in contiguous(dims).into_iter().enumerate() {
            strides[k] = if below(rng, 2) == 0 { 0 } else { s };
        }
    }
    let len = 1 + dims.iter().zip(&strides).map(|(d, s)| (d.max(&1) - 1) * s).sum::<usize>();
    Operand { loc: places.operand(rng, len), strides }
}

/// A random expression over `inputs` operands whose values stay moderate.
pub fn expression(rng: &mut Rng, inputs: usize, rank: usize, length: usize, random: bool) -> Expr {
    let mut expr = Expr::new();
    for i in 0..inputs {
        expr.push(Inst::Input(i as u16));
    }
    let half = expr.push(Inst::Const(0.5));
    expr.push(Inst::Const(0.0));
    expr.push(Inst::Const(1.0));
    if below(rng, 4) == 0 {
        let step = expr.push(Inst::Step);
        expr.push(Inst::Binary(Binary::Mul, step, half));
    }
    if rank > 0 && below(rng, 5) == 0 {
        let index = expr.push(Inst::Index(below(rng, rank) as u8));
        expr.push(Inst::Unary(Unary::Tanh, index));
    }
    if random && below(rng, 3) == 0 {
        let kind = pick(rng, &[Random::Uniform, Random::Normal, Random::Bernoulli(0.3)]);
        expr.push(Inst::Random(kind, rng.below(5)));
    }
    for _ in 0..length {
        let n = expr.insts().len();
        let mut any = || {
            let near = n.saturating_sub(4);
            (if rng.below(2) == 0 { near + below(rng, n - near) } else { below(rng, n) }) as u16
        };
        let (a, b, c) = (any(), any(), any());
        let inst = match rng.below(20) {
            0..3 => Inst::Binary(Binary::Add, a, b),
            3..5 => Inst::Binary(Binary::Sub, a, b),
            5..8 => {
                // A bounded factor keeps products moderate.
                let b = expr.push(Inst::Unary(Unary::Tanh, b));
                Inst::Binary(Binary::Mul, a, b)
            }
            8 => Inst::Binary(pick(rng, &[Binary::Max, Binary::Min]), a, b),
            9 => Inst::Binary(Binary::Max, a, half),
            10 => {
                let kind = pick(rng, &[Binary::Lt, Binary::Le, Binary::Gt, Binary::Ge]);
                let c = expr.push(Inst::Binary(kind, half, c));
                Inst::Select(c, a, b)
            }
            11 => {
                let size = expr.push(Inst::Unary(Unary::Abs, a));
                Inst::Unary(pick(rng, &[Unary::Sqrt, Unary::Log1p]), size)
            }
            12 => {
                let t = expr.push(Inst::Unary(Unary::Tanh, a));
                let square = expr.push(Inst::Binary(Binary::Mul, t, t));
                let one = expr.push(Inst::Const(1.0));
                let slope = expr.push(Inst::Binary(Binary::Sub, one, square));
                Inst::Binary(Binary::Mul, b, slope)
            }
            13 => {
                let t = expr.push(Inst::Unary(Unary::Sigmoid, a));
                Inst::Binary(Binary::Mul, t, b)
            }
            _ => Inst::Unary(
                pick(
                    rng,
                    &[Unary::Neg, Unary::Abs, Unary::Tanh, Unary::Sigmoid, Unary::Erf, Unary::Softplus, Unary::Sin],
                ),
                a,
            ),
        };
        expr.push(inst);
    }
    expr
}

/// A random map whose stores may be reduced, repeated or in place.
pub fn map(rng: &mut Rng) -> Map {
    let rank = below(rng, 5);
    let mut dims: Vec<usize> = (0..rank).map(|_| pick(rng, &[1, 2, 3, 5, 7, 17])).collect();
    if rank > 0 && rank < 4 {
        let k = below(rng, rank);
        dims[k] = pick(rng, &[1, 16, 33, 64, 100, 300, 513, 1025, if rank == 1 { 12000 } else { 40 }]);
    }
    while dims.iter().product::<usize>() > 6000 && rank > 1 {
        let k = below(rng, rank);
        dims[k] = dims[k].div_ceil(2);
    }
    let mut places = Places::new();
    let count = 1 + below(rng, 4);
    let mut inputs: Vec<Operand> = (0..count).map(|_| view(rng, &mut places, &dims)).collect();
    let length = below(rng, 12);
    let expr = expression(rng, count, rank, length, true);
    let stores = (0..1 + below(rng, 3))
        .map(|s| {
            let last = expr.insts().len() - 1;
            let value = if s == 0 { last } else { below(rng, last + 1) } as u16;
            let reduce = (below(rng, 2) == 0 && rank > 0).then(|| {
                let from = below(rng, rank);
                let to = from + below(rng, rank - from + 1);
                let fold = pick(rng, &[Fold::Sum, Fold::Sum, Fold::Max, Fold::Min]);
                Reduce { fold, from, to, scale: pick(rng, &[1.0, 0.25]) }
            });
            let len = match reduce {
                None => dims.iter().product(),
                Some(r) => dims[..r.from].iter().chain(&dims[r.to..]).product(),
            };
            Store { value, loc: places.output(len), reduce }
        })
        .collect::<Vec<_>>();
    // In place: some inputs lie where a store goes.
    for store in stores.iter().filter(|s| s.reduce.is_none()) {
        if below(rng, 2) == 0 {
            let i = below(rng, inputs.len());
            inputs[i] = Operand { loc: store.loc, strides: contiguous(&dims) };
        }
    }
    Map { dims, expr, inputs, stores }
}

/// A random expression of cheap functions alone: what runs as chains.
pub fn cheap(rng: &mut Rng, inputs: usize, length: usize) -> Expr {
    let mut expr = Expr::new();
    for i in 0..inputs {
        expr.push(Inst::Input(i as u16));
    }
    let bounds = [-2.0, 2.0, 1.0, 0.0].map(|c| expr.push(Inst::Const(c)));
    for _ in 0..length {
        let n = expr.insts().len();
        let mut any = || {
            let near = n.saturating_sub(3);
            (if rng.below(2) == 0 { near + below(rng, n - near) } else { below(rng, n) }) as u16
        };
        let (a, b, c, d) = (any(), any(), any(), any());
        let mut op = |f: Binary, a: u16, b: u16| expr.push(Inst::Binary(f, a, b));
        let compare = [Binary::Lt, Binary::Le, Binary::Gt, Binary::Ge, Binary::Eq, Binary::Ne];
        match rng.below(14) {
            0 => op(Binary::Add, a, b),
            1 => op(Binary::Sub, a, b),
            2 | 3 => {
                // A product in a sum, on either side.
                let product = op(Binary::Mul, a, b);
                let (f, swap) = (pick(rng, &[Binary::Add, Binary::Sub]), rng.below(2) == 0);
                if swap { op(f, c, product) } else { op(f, product, c) }
            }
            4 => {
                let (left, right) = (op(Binary::Mul, a, b), op(Binary::Mul, c, d));
                op(Binary::Add, left, right)
            }
            5 => op(pick(rng, &[Binary::Max, Binary::Min]), a, b),
            6 => op(pick(rng, &compare), a, b),
            7 => {
                let c = op(pick(rng, &compare), a, b);
                expr.push(Inst::Select(c, a, d))
            }
            8 => {
                let chosen = op(pick(rng, &compare), b, c);
                expr.push(Inst::Select(chosen, a, d))
            }
            9 => {
                let size = expr.push(Inst::Unary(Unary::Abs, a));
                let below = expr.push(Inst::Binary(Binary::Add, size, bounds[2]));
                expr.push(Inst::Binary(Binary::Div, b, below))
            }
            10 => {
                let square = expr.push(Inst::Unary(Unary::Square, a));
                let above = expr.push(Inst::Binary(Binary::Add, square, bounds[2]));
                expr.push(Inst::Unary(pick(rng, &[Unary::Sqrt, Unary::Rsqrt, Unary::Recip]), above))
            }
            11 => {
                let square = op(Binary::Mul, a, a);
                let slope = op(Binary::Sub, bounds[2], square);
                op(Binary::Mul, b, slope)
            }
            12 => expr.push(Inst::Unary(Unary::Neg, a)),
            _ => op(Binary::Mul, a, b),
        };
        // Values stay moderate.
        let last = expr.result();
        let below = expr.push(Inst::Binary(Binary::Min, last, bounds[1]));
        if rng.below(2) == 0 {
            expr.push(Inst::Binary(Binary::Max, below, bounds[0]));
        } else {
            expr.push(Inst::Binary(Binary::Max, bounds[0], below));
        }
    }
    expr
}

/// A random map over images with channels, with operands and sums of all kinds for each channel.
pub fn norm(rng: &mut Rng) -> Map {
    let channels = pick(rng, &[5, 8, 16, 16, 32, 48, 64, 128, 256]);
    let dims = vec![1 + below(rng, 3), 1 + below(rng, 7), 1 + below(rng, 9), channels];
    let mut places = Places::new();
    let count = 2 + below(rng, 3);
    let inputs = (0..count).map(|i| {
        let whole = contiguous(&dims);
        let strides = match if i == 0 { 0 } else { rng.below(6) } {
            0 | 1 => whole,
            2 => vec![0, 0, 0, 1],
            3 => vec![channels, 0, 0, 1],
            4 => vec![0, 0, 0, 0],
            _ => vec![1, 0, 0, 0],
        };
        let len = 1 + dims.iter().zip(&strides).map(|(d, s)| (d - 1) * s).sum::<usize>();
        Operand { loc: places.operand(rng, len), strides }
    });
    let mut inputs: Vec<Operand> = inputs.collect();
    let length = below(rng, 9);
    let expr = cheap(rng, count, length);
    let stores = (0..1 + below(rng, 4)).map(|s| {
        let value = if s == 0 { expr.result() } else { below(rng, expr.insts().len()) as u16 };
        let (from, to) = pick(rng, &[(0, 3), (0, 3), (1, 3), (1, 4)]);
        let fold = pick(rng, &[Fold::Sum, Fold::Sum, Fold::Sum, Fold::Max]);
        let reduce = (rng.below(3) > 0).then(|| Reduce { fold, from, to, scale: pick(rng, &[1.0, 0.25]) });
        let len = match reduce {
            None => dims.iter().product(),
            Some(r) => dims[..r.from].iter().chain(&dims[r.to..]).product(),
        };
        Store { value, loc: places.output(len), reduce }
    });
    let stores: Vec<Store> = stores.collect();
    for store in stores.iter().filter(|s| s.reduce.is_none()) {
        if below(rng, 2) == 0 {
            inputs[0] = Operand { loc: store.loc, strides: contiguous(&dims) };
        }
    }
    Map { dims, expr, inputs, stores }
}

/// A random product with a random epilogue.
pub fn matmul(rng: &mut Rng, simple: bool) -> MatMul {
    let size = [1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 65];
    let (batch, m, n) = (pick(rng, &[1, 1, 2, 3]), pick(rng, &size), pick(rng, &size));
    let (n, k) = (if below(rng, 8) == 0 { 5 * n } else { n }, pick(rng, &[0, 1, 2, 7, 16, 40]));
    let mut places = Places::new();
    let factor = |rng: &mut Rng, places: &mut Places, rows: usize, cols: usize| {
        let (row, col) = match below(rng, 4) {
            0 | 1 => (cols.max(1), 1),
            2 => (1, rows),
            _ => (2 * cols.max(1) + 1, 2),
        };
        let matrix = (rows.max(1) - 1) * row + (cols.max(1) - 1) * col + 1;
        let stride = if below(rng, 3) == 0 { 0 } else { matrix };
        Factor { loc: places.operand(rng, batch * matrix), batch: stride, row, col }
    };
    let (a, b) = (factor(rng, &mut places, m, k), factor(rng, &mut places, k, n));
    let dims = [batch, m, n];
    let operand = |rng: &mut Rng, places: &mut Places| {
        let strides = pick(rng, &[[m * n, n, 1], [0, 0, 1], [0, 0, 0], [0, n, 1], [m, 1, 0]]);
        Operand { loc: places.operand(rng, batch * m * n), strides: strides.to_vec() }
    };
    let mut inputs: Vec<Operand> = (0..2).map(|_| operand(rng, &mut places)).collect();
    let length = below(rng, 8);
    let epilogue = if simple { simple_epilogue(rng) } else { expression(rng, 3, 3, length, true) };
    let last = (epilogue.insts().len() - 1) as u16;
    let count = if simple { 1 } else { 1 + below(rng, 2) };
    let stores: Vec<Store> = (0..count)
        .map(|s| {
            let value = if s == 0 { last } else { rng.below(u32::from(last) + 1) as u16 };
            Store { value, loc: places.output(batch * m * n), reduce: None }
        })
        .collect();
    if below(rng, 3) == 0 {
        inputs[0] = Operand { loc: stores[0].loc, strides: contiguous(&dims) };
    }
    MatMul { batch, m, n, k, a, b, epilogue, inputs, stores }
}

fn simple_epilogue(rng: &mut Rng) -> Expr {
    Expr::build(3, |x| {
        let product = match rng.below(3) {
            0 => x[0].max(&x[0].constant(-0.5)).min(&x[0].constant(0.7)),
            _ => x[0].clone(),
        };
        let acc = match rng.below(4) {
            0 => -&product,
            1 => &product * 0.25,
            2 => &product * &x[2],
            _ => product,
        };
        let sum = match rng.below(7) {
            0 => &acc + &x[1],
            1 => &x[1] - &acc,
            2 => &x[1] + &acc,
            3 => &x[1] - &((&acc + &x[1].unary(Unary::Sign) * 0.2) * 0.1),
            4 => &x[1] - &((&acc + &x[1] * 0.2 + x[1].unary(Unary::Sign)) * 0.1),
            5 => &x[1] - &((&acc + &x[1] * 0.2) * &x[2]),
            _ => acc,
        };
        let sum = if rng.below(2) == 0 { sum.max(&sum.constant(0.0)) } else { sum };
        match rng.below(4) {
            0 => &sum * x[2].gt(0.0),
            1 => x[1].gt(0.0).select(&sum, &sum.constant(0.0)),
            2 => &sum * x[1].gt(0.0).select(&sum.constant(1.0), &sum.constant(0.1)),
            _ => sum,
        }
    })
}

/// A random convolution, or one of its adjoints.
pub fn conv(rng: &mut Rng) -> Conv {
    let depthwise = below(rng, 5) == 0;
    let groups = if depthwise { pick(rng, &[2, 5, 16, 35]) } else { pick(rng, &[1, 1, 1, 2, 3]) };
    let channels = groups * if depthwise { 1 } else { pick(rng, &[1, 2, 5, 16, 19]) };
    let filters = groups * if depthwise { 1 } else { pick(rng, &[1, 3, 8, 16, 33]) };
    let axes = 1 + below(rng, 3);
    let slides = [0, 1, 2].map(|k| {
        if k < 3 - axes {
            return Slide::NONE;
        }
        let (size, stride, dilation) = (1 + below(rng, 4), pick(rng, &[1, 1, 2, 3]), pick(rng, &[1, 1, 2]));
        let reach = (size - 1) * dilation + 1;
        let (before, after) = (below(rng, reach + 1), below(rng, reach + 1));
        let input = (if axes == 3 { 4 } else { 9 }) + below(rng, 5);
        let padded = (before + input + after).max(reach);
        Slide { input, output: (padded - reach) / stride + 1, size, stride, dilation, before }
    });
    let batch = below(rng, 4);
    let count = |size: fn(&Slide) -> usize| slides.iter().map(size).product::<usize>();
    let mut places = Places::new();
    let (x, y) = (batch * count(|s| s.input) * channels, batch * count(|s| s.output) * filters);
    let w = count(|s| s.size) * channels / groups * filters;
    let side = pick(rng, &[Side::Output, Side::Input, Side::Weight]);
    let mut place = |of: Side, len: usize| if side == of { places.output(len) } else { places.operand(rng, len) };
    let (x, w, y) = (place(Side::Input, x), place(Side::Weight, w), place(Side::Output, y));
    Conv { side, batch, groups, channels, filters, slides, x, w, y }
}

/// One step of Adam over the operands m, v, w, g; its last value is the new w.
pub fn adam(scaled: bool, shrunk: bool) -> Expr {
    Expr::build(4, |x| {
        let m = &x[0] * 0.9 + &x[3] * 0.1;
        let v = &x[1] * 0.99 + x[3].square() * 0.01;
        let root = v.unary(Unary::Sqrt);
        let below = if scaled { root * 1.5 } else { root } + 1e-3;
        let w = if shrunk { &x[2] * 0.9 } else { x[2].clone() };
        w - (m * 0.1) / below
    })
}

/// The two new moments in the step of Adam: its first two sums.
pub fn adam_moments(expr: &Expr) -> (u16, u16) {
    let sums: Vec<u16> = (0..expr.insts().len() as u16)
        .filter(|&v| matches!(expr.insts()[usize::from(v)], Inst::Binary(Binary::Add, ..)))
        .collect();
    (sums[0], sums[1])
}

pub fn copy(rng: &mut Rng) -> Copy {
    let rank = below(rng, 5);
    let mut dims: Vec<usize> = (0..rank).map(|_| pick(rng, &[1, 2, 3, 5, 9])).collect();
    for d in dims.iter_mut().take(2) {
        *d = pick(rng, &[1, 3, 16, 19, 32, 50]);
    }
    let mut places = Places::new();
    let source = view(rng, &mut places, &dims);
    let mut order: Vec<usize> = (0..rank).collect();
    if below(rng, 2) == 0 {
        rng.shuffle(&mut order);
    }
    let (mut strides, mut stride) = (vec![0; rank], pick(rng, &[1, 1, 3]));
    for &k in order.iter().rev() {
        strides[k] = stride;
        stride *= dims[k] + below(rng, 2);
    }
    let len = 1 + dims.iter().zip(&strides).map(|(d, s)| (d - 1) * s).sum::<usize>();
    Copy { dims, source, target: Operand { loc: places.output(len), strides } }
}

/// Runs an instruction both ways and compares all memory.
pub fn check<T: Real>(instr: &Instr<T>, world: &World<T>, isa: Isa, tolerance: f64) {
    let (seed, step) = (11, 7);
    let mut want = world.clone();
    want.reference(instr, seed, step);
    let mut have = world.clone();
    let mut code = Code::new(vec![instr.clone()], sizes(), vec![], isa, 1).unwrap_or_else(|e| panic!("{e}: {instr:?}"));
    code.run(have.bindings(&mut Vec::new()), seed, step, 1, &mut [], &Pool::new(1)).expect("no guard");
    for (name, have, want) in [("arena", &have.arena, &want.arena), ("state", &have.state, &want.state)] {
        for (i, (x, y)) in have.iter().zip(want).enumerate() {
            let (x, y) = (x.to_f64(), y.to_f64());
            let same = x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= tolerance * y.abs().max(1.0);
            assert!(same, "{isa} {} {name}[{i}]: {x} for {y}\n{instr:#?}", T::NAME);
        }
    }
}

/// Checks an instruction for both element types on every instruction set of this machine.
pub fn check_all(worlds: &(World<f32>, World<f64>), instr32: &Instr<f32>, instr64: &Instr<f64>) {
    for isa in Isa::available() {
        check(instr32, &worlds.0, isa, 2e-4);
        check(instr64, &worlds.1, isa, 1e-12);
    }
}

pub fn worlds() -> (World<f32>, World<f64>) {
    (World::new(&mut Rng::new(1, 0, 0)), World::new(&mut Rng::new(2, 0, 0)))
}
