//! Every instruction against its plainest execution, on every instruction set and both element types.

mod common;

use common::*;
use gradus_kernels::Isa;
use gradus_kernels::instr::*;
use gradus_tensor::Rng;

#[test]
fn maps() {
    let worlds = worlds();
    let mut rng = Rng::new(3, 0, 0);
    for _ in 0..250 {
        let map = map(&mut rng);
        check_all(&worlds, &Instr::Map(map.clone()), &Instr::Map(map));
    }
}

/// Cheap functions over images with channels: chains, operands that repeat themselves, sums of columns.
#[test]
fn norms() {
    let worlds = worlds();
    let mut rng = Rng::new(11, 0, 0);
    for _ in 0..300 {
        let map = norm(&mut rng);
        check_all(&worlds, &Instr::Map(map.clone()), &Instr::Map(map));
    }
}

/// The step of Adam, which runs as one loop: in place or not, with all its factors or without.
#[test]
fn moments() {
    let mut worlds = worlds();
    for i in 0..worlds.0.state.len() {
        worlds.0.state[i] = worlds.0.state[i].abs();
        worlds.1.state[i] = worlds.1.state[i].abs();
    }
    for n in [1, 15, 16, 39, 700] {
        for variant in 0..16u32 {
            let [scaled, shrunk, in_place, repeated] = [1, 2, 4, 8].map(|bit| variant & bit != 0);
            let expr = adam(scaled, shrunk);
            let count = expr.insts().len() as u16;
            let at = |space, offset| Loc { space, offset };
            let dims = vec![3, n];
            let whole = vec![n, 1];
            let operand = |i: usize| Operand { loc: at(Space::State, 2500 * i), strides: whole.clone() };
            let g = if repeated { vec![1, 0] } else { whole.clone() };
            let g = Operand { loc: at(Space::Input(0), 3), strides: g };
            let inputs = vec![operand(0), operand(1), operand(2), g];
            let store = |(i, value): (usize, u16)| Store {
                value,
                loc: if in_place { at(Space::State, 2500 * i) } else { at(Space::Arena, 2500 * i) },
                reduce: None,
            };
            let (m, v) = adam_moments(&expr);
            let stores = [m, v, count - 1].into_iter().enumerate().map(store).collect();
            let map = Map { dims, expr, inputs, stores };
            check_all(&worlds, &Instr::Map(map.clone()), &Instr::Map(map));
        }
    }
}

#[test]
fn products() {
    let worlds = worlds();
    let mut rng = Rng::new(4, 0, 0);
    for i in 0..200 {
        let product = matmul(&mut rng, i % 2 == 0);
        check_all(&worlds, &Instr::MatMul(product.clone()), &Instr::MatMul(product));
    }
}

#[test]
fn convolutions() {
    let worlds = worlds();
    let mut rng = Rng::new(6, 0, 0);
    // The plainest execution takes its time: no large ones.
    let operations = |c: &Conv| {
        let each: usize = c.slides.iter().map(|s| s.output * s.size).product();
        c.batch * each * c.channels / c.groups * c.filters
    };
    for _ in 0..150 {
        let conv = std::iter::repeat_with(|| conv(&mut rng)).find(|c| operations(c) < 100_000).expect("endless");
        check_all(&worlds, &Instr::Conv(conv.clone()), &Instr::Conv(conv));
    }
}

/// Windows of 3×3 over as many channels as vectors or halves of them have lanes, which are computed by tiles: all paddings, sizes that end
/// within a tile, several blocks of tiles, several parts, few channels and many.
#[test]
fn convolutions_by_tiles() {
    let worlds = worlds();
    let slide = |input: usize, before: usize, after: usize| Slide {
        input,
        output: input + before + after - 2,
        size: 3,
        stride: 1,
        dilation: 1,
        before,
    };
    let cases = [
        (1, 16, 16, slide(8, 1, 1), slide(8, 1, 1)),
        (3, 16, 32, slide(9, 1, 1), slide(7, 1, 1)),
        (2, 32, 16, slide(10, 0, 0), slide(11, 2, 2)),
        (5, 16, 16, slide(5, 1, 2), slide(13, 0, 1)),
        (1, 16, 16, slide(41, 1, 1), slide(40, 1, 1)),
        (17, 16, 16, slide(8, 1, 1), slide(8, 1, 1)),
        (9, 64, 16, slide(6, 2, 0), slide(4, 1, 1)),
        (5, 8, 16, slide(14, 1, 1), slide(14, 1, 1)),
        (4, 16, 8, slide(8, 0, 1), slide(9, 1, 1)),
        (3, 8, 8, slide(24, 1, 1), slide(15, 2, 1)),
        (2, 24, 40, slide(8, 1, 1), slide(7, 0, 2)),
        (2, 80, 16, slide(8, 1, 1), slide(8, 1, 1)),
    ];
    for (batch, channels, filters, down, right) in cases {
        for side in [Side::Output, Side::Input, Side::Weight] {
            let mut places = Places::new();
            let mut rng = Rng::new(7, 0, 0);
            let mut place =
                |of: Side, len: usize| if side == of { places.output(len) } else { places.operand(&mut rng, len) };
            let x = place(Side::Input, batch * down.input * right.input * channels);
            let w = place(Side::Weight, 9 * channels * filters);
            let y = place(Side::Output, batch * down.output * right.output * filters);
            let slides = [Slide::NONE, down, right];
            let conv = Conv { side, batch, groups: 1, channels, filters, slides, x, w, y };
            let (terms, error) = match side {
                Side::Output => (9 * channels, 2e-5),
                Side::Input => (9 * filters, 2e-5),
                Side::Weight => (batch * down.output * right.output, 1e-4),
            };
            let (instr32, instr64) = (Instr::Conv(conv.clone()), Instr::Conv(conv));
            for isa in Isa::available() {
                check(&instr32, &worlds.0, isa, error * (terms as f64).sqrt());
                check(&instr64, &worlds.1, isa, 1e-12);
            }
        }
    }
}

#[test]
fn copies() {
    let worlds = worlds();
    let mut rng = Rng::new(5, 0, 0);
    for _ in 0..200 {
        let copy = copy(&mut rng);
        check_all(&worlds, &Instr::Copy(copy.clone()), &Instr::Copy(copy));
    }
}

#[test]
fn softmaxes() {
    let worlds = worlds();
    for (rows, cols) in [(1, 1), (3, 2), (5, 7), (17, 10), (33, 16), (4, 17), (3, 100), (200, 65), (0, 4)] {
        for log in [false, true] {
            for in_place in [false, true] {
                let y = Loc { space: Space::Arena, offset: 3 };
                let x = if in_place { y } else { Loc { space: Space::State, offset: 5 } };
                let softmax = Softmax { rows, cols, x, y, log };
                check_all(&worlds, &Instr::Softmax(softmax.clone()), &Instr::Softmax(softmax));
            }
        }
    }
}

/// Numbers for indices: whole ones, some outside the axis, one that is not a number.
fn with_indices(mut worlds: (World<f32>, World<f64>), n: usize) -> (World<f32>, World<f64>) {
    let mut rng = Rng::new(6, 0, 0);
    for i in 0..5000 {
        let index = if i == 3 { f64::NAN } else { below(&mut rng, n + 2) as f64 - 1.0 };
        worlds.0.input[i] = index as f32;
        worlds.1.input[i] = index;
    }
    worlds
}

#[test]
fn rows_by_index() {
    let at = |space, offset| Loc { space, offset };
    let (x, index, y) = (at(Space::State, 9), at(Space::Input(0), 0), at(Space::Arena, 5));
    for (outer, mid, inner, count) in [(1, 10, 7, 5), (2, 5, 16, 40), (1, 50, 1, 33), (3, 4, 33, 6), (1, 30, 100, 700)]
    {
        let worlds = with_indices(worlds(), mid);
        let gather = Gather { outer, mid, inner, count, x, index, y };
        check_all(&worlds, &Instr::Gather(gather.clone()), &Instr::Gather(gather));
        let scatter = ScatterAdd { outer, mid, inner, count, x, index, y };
        check_all(&worlds, &Instr::ScatterAdd(scatter.clone()), &Instr::ScatterAdd(scatter));
    }
}

#[test]
fn largest() {
    let mut worlds = worlds();
    // Ties, and a row with a NaN.
    for i in (0..4000).step_by(3) {
        worlds.0.state[i] = 2.0;
        worlds.1.state[i] = 2.0;
    }
    worlds.0.state[100] = f32::NAN;
    worlds.1.state[100] = f64::NAN;
    for (outer, mid, inner) in [(1, 1, 1), (5, 10, 1), (3, 7, 4), (64, 10, 1), (1, 1000, 3)] {
        let (x, y) = (Loc { space: Space::State, offset: 7 }, Loc { space: Space::Arena, offset: 1 });
        let argmax = ArgMax { outer, mid, inner, x, y };
        check_all(&worlds, &Instr::ArgMax(argmax.clone()), &Instr::ArgMax(argmax));
    }
}

#[test]
fn fills_and_scalars() {
    use gradus_kernels::{Binary, Expr, Inst, Unary};
    let worlds = worlds();
    let at = |offset| Loc { space: Space::Arena, offset };
    for len in [0, 1, 100, 100_000] {
        check_all(&worlds, &Instr::Fill { loc: at(2), len, value: 0.1 }, &Instr::Fill { loc: at(2), len, value: 0.1 });
    }
    let mut expr = Expr::new();
    let step = expr.push(Inst::Step);
    let rate = expr.push(Inst::Const(0.9));
    let power = expr.push(Inst::Binary(Binary::Pow, rate, step));
    let root = expr.push(Inst::Unary(Unary::Sqrt, power));
    let scalars = StepScalars { expr, stores: vec![(power, at(4)), (root, at(9))] };
    check_all(&worlds, &Instr::StepScalars(scalars.clone()), &Instr::StepScalars(scalars));
}

#[test]
fn not_a_number_is_passed_on() {
    use gradus_kernels::{Binary, Expr, Inst, Unary};
    let mut worlds = worlds();
    for i in 0..40 {
        let x = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e-40, -1.0][i % 7];
        worlds.0.state[i] = x as f32;
        worlds.1.state[i] = if x == 1e-40 { 1e-310 } else { x };
    }
    let unary = [
        Unary::Neg,
        Unary::Abs,
        Unary::Sign,
        Unary::Exp,
        Unary::Expm1,
        Unary::Log,
        Unary::Log1p,
        Unary::Sqrt,
        Unary::Rsqrt,
        Unary::Recip,
        Unary::Square,
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::Erf,
        Unary::Softplus,
        Unary::Sin,
        Unary::Cos,
        Unary::Floor,
    ];
    let binary = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Pow,
        Binary::Max,
        Binary::Min,
        Binary::Eq,
        Binary::Ne,
        Binary::Lt,
        Binary::Le,
        Binary::Gt,
        Binary::Ge,
    ];
    let insts = unary.map(|f| Inst::Unary(f, 0)).into_iter().chain(binary.map(|f| Inst::Binary(f, 0, 1)));
    for (i, inst) in insts.enumerate() {
        let mut expr = Expr::new();
        expr.push(Inst::Input(0));
        expr.push(Inst::Input(1));
        let value = expr.push(inst);
        // 39 elements: whole vectors and a rest.
        let input = |offset| Operand { loc: Loc { space: Space::State, offset }, strides: vec![1] };
        let store = |fold| Store {
            value,
            loc: Loc { space: Space::Arena, offset: 100 * (1 + fold as usize) },
            reduce: Some(Reduce { fold, from: 0, to: 1, scale: 1.0 }),
        };
        let mut stores = vec![Store { value, loc: Loc { space: Space::Arena, offset: 0 }, reduce: None }];
        if i % 2 == 0 {
            stores.extend([store(Fold::Sum), store(Fold::Max), store(Fold::Min)]);
        }
        let map = Map { dims: vec![39], expr, inputs: vec![input(0), input(1)], stores };
        check_all(&worlds, &Instr::Map(map.clone()), &Instr::Map(map));
    }
}

#[test]
fn batches_are_split_over_steps() {
    use gradus_kernels::{Bindings, Code, Expr, Isa, Pool, Sizes};
    // Each step adds its own three inputs to the state.
    let map = Map {
        dims: vec![3],
        expr: Expr::build(2, |x| &x[0] + &x[1]),
        inputs: vec![
            Operand { loc: Loc { space: Space::State, offset: 0 }, strides: vec![1] },
            Operand { loc: Loc { space: Space::Input(0), offset: 0 }, strides: vec![1] },
        ],
        stores: vec![Store { value: 2, loc: Loc { space: Space::State, offset: 0 }, reduce: None }],
    };
    let sizes = Sizes { state: 3, inputs: vec![3], ..Sizes::default() };
    let scalars = vec![Loc { space: Space::State, offset: 2 }];
    let mut code = Code::<f64>::new(vec![Instr::Map(map)], sizes, scalars, Isa::detect(), 1).expect("valid");
    let mut state = [0.0; 3];
    let mut sums = [0.5];
    let input: Vec<f64> = (1..=9).map(f64::from).collect();
    let memory = Bindings { arena: &mut [], consts: &[], state: &mut state, inputs: &[&input] };
    code.run(memory, 0, 0, 3, &mut sums, &Pool::new(1)).expect("no guard");
    assert_eq!(state, [12.0, 15.0, 18.0]);
    assert_eq!(sums, [0.5 + 3.0 + 9.0 + 18.0]);
}

#[test]
fn poolings() {
    let mut worlds = worlds();
    // Ties, and some NaN.
    for i in 0..50_000 {
        let x = if i % 101 == 100 { f64::NAN } else { (i * 7919 % 13) as f64 };
        worlds.0.state[i] = x as f32;
        worlds.1.state[i] = x;
    }
    let mut rng = Rng::new(9, 0, 0);
    let mut cut = 0;
    // Squares, side by side and overlapping, then all kinds.
    let squares = [(8, 2, 2), (9, 3, 3), (9, 3, 2), (7, 2, 1)].map(|(input, size, stride)| {
        let output = (input - size) / stride + 1;
        vec![PoolAxis::Slide(Slide { input, output, size, stride, dilation: 1, before: 0 }); 2]
    });
    let mut own = Rng::new(8, 0, 0);
    for i in 0..104 {
        let rng = if i < 24 { &mut own } else { &mut rng };
        let axes: Vec<PoolAxis> = match i {
            0..24 => squares[i % 4].clone(),
            _ => (0..1 + below(rng, 3)).map(|_| pool_axis(rng)).collect(),
        };
        let (batch, channels) = (pick(rng, &[1, 2, 3]), pick(rng, &[1, 3, 8, 16, 17, 40, 70]));
        let count = |f: fn(&PoolAxis) -> usize| batch * channels * axes.iter().map(f).product::<usize>();
        let (inputs, outputs) = (count(PoolAxis::input), count(PoolAxis::output));
        if inputs.max(outputs) > 50_000 {
            continue;
        }
        cut += usize::from(inputs > 1 << 15);
        for pooling in [Pooling::Max, Pooling::Pick, Pooling::Return, Pooling::Sum, Pooling::Spread] {
            let loc = |space, offset| Loc { space, offset };
            // Sums are of numbers without NaN.
            let x = if pooling.has_second() || pooling == Pooling::Max {
                loc(Space::State, 0)
            } else {
                loc(Space::Input(0), 5)
            };
            let v = pooling.has_second().then(|| loc(Space::Input(0), 9));
            let (scale, average) = (pick(rng, &[1.0, 0.25]), below(rng, 2) == 0);
            let y = loc(Space::Arena, 3);
            let pool = Pool { pooling, batch, axes: axes.clone(), channels, scale, average, x, v, y };
            check_all(&worlds, &Instr::Pool(pool.clone()), &Instr::Pool(pool));
        }
    }
    assert!(cut > 0, "some are cut into parts");
}

fn pool_axis(rng: &mut Rng) -> PoolAxis {
    loop {
        let input = 1 + below(rng, 11);
        if below(rng, 4) == 0 {
            return PoolAxis::Bins { input, output: 1 + below(rng, 6) };
        }
        let (size, stride, dilation) = (1 + below(rng, 3), 1 + below(rng, 3), 1 + below(rng, 2));
        let (before, after) = (below(rng, 3), below(rng, 2));
        let Some(room) = (before + input + after).checked_sub((size - 1) * dilation + 1) else { continue };
        let slide = Slide { input, output: room / stride + 1, size, stride, dilation, before };
        if (0..slide.output).all(|o| slide.seen(o).count > 0) {
            return PoolAxis::Slide(slide);
        }
    }
}

#[test]
fn regions() {
    let mut worlds = worlds();
    for i in 0..20_000 {
        let x = if i % 101 == 100 { f64::NAN } else { (i * 7919 % 13) as f64 };
        worlds.0.state[i] = x as f32;
        worlds.1.state[i] = x;
    }
    let (images, count) = (3, 40);
    let mut rng = Rng::new(10, 0, 0);
    for i in 0..count {
        // Some boxes reach outside, some are empty, some name no image.
        let mut number = || pick(&mut rng, &[-3.0, -0.5, 0.0, 1.0, 2.5, 4.0, 7.5, 9.0, 30.0]);
        let image = if i % 9 == 8 { number() } else { (i % images) as f64 };
        let image = if i == 5 { f64::NAN } else { image };
        for (k, x) in [image, number(), number(), number(), number()].into_iter().enumerate() {
            worlds.0.input[5 * i + k] = x as f32;
            worlds.1.input[5 * i + k] = x;
        }
    }
    for (height, width, out, channels) in
        [(7, 9, [2, 2], 3), (5, 5, [3, 1], 16), (12, 4, [1, 4], 17), (6, 6, [7, 7], 5)]
    {
        for pooling in [Pooling::Max, Pooling::Pick, Pooling::Return] {
            let loc = |space, offset| Loc { space, offset };
            let x = loc(Space::State, 11);
            let v = pooling.has_second().then(|| loc(Space::Input(0), 600));
            let (boxes, y) = (loc(Space::Input(0), 0), loc(Space::Arena, 3));
            let pool = RoiPool { pooling, images, height, width, channels, count, out, scale: 0.75, x, boxes, v, y };
            check_all(&worlds, &Instr::RoiPool(pool.clone()), &Instr::RoiPool(pool));
        }
    }
}

#[test]
fn samples() {
    let mut worlds = worlds();
    let mut rng = Rng::new(12, 0, 0);
    let (images, sets, points) = (3, 5, 30);
    for i in 0..2 * sets * points {
        let at = match i % 40 {
            7 => f64::NAN,
            8 => f64::INFINITY,
            9 => -1.0,
            i if i % 5 == 0 => f64::from(i as u32 % 9),
            _ => f64::from((10.0 * rng.uniform() - 2.0) as f32),
        };
        worlds.0.input[i] = at as f32;
        worlds.1.input[i] = at;
    }
    for set in 0..sets {
        let image = [0.0, 2.0, 2.0, 1.0, 3.0][set];
        worlds.0.input[1000 + set] = image as f32;
        worlds.1.input[1000 + set] = image;
    }
    let loc = |space, offset| Loc { space, offset };
    let (at, image) = (loc(Space::Input(0), 0), loc(Space::Input(0), 1000));
    for (height, width, channels) in [(7, 5, 3), (8, 8, 16), (1, 6, 19), (4, 1, 1)] {
        for slope in [[false, false], [true, false], [false, true], [true, true]] {
            for spread in [false, true] {
                let (x, y) = (loc(Space::State, 3), loc(Space::Arena, 1));
                let sample = Sample { spread, slope, images, height, width, channels, sets, points, at, image, x, y };
                check_all(&worlds, &Instr::Sample(sample.clone()), &Instr::Sample(sample));
            }
        }
    }
}
