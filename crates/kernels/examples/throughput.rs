//! How fast the kernels are here: products in GFLOP/s, maps and other instructions in nanoseconds.
//!
//! `cargo run --release -p gradus-kernels --example throughput [ISA] [THREADS] [products|maps|norms|convolutions|others]`; pin it to a core for steady figures.

use gradus_kernels::instr::*;
use gradus_kernels::{Binary, Bindings, Buffer, Code, Expr, Inst, Isa, Machine, Pool, Sizes, Term, Unary};
use std::time::Instant;

const ROOM: usize = 1 << 23;

struct Bench {
    isa: Isa,
    pool: Pool,
    arena: Buffer<f32>,
    state: Buffer<f32>,
}

fn at(space: Space, offset: usize) -> Loc {
    Loc { space, offset }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let isa = args.next().map_or_else(Isa::detect, |s| s.parse().expect("portable, avx2 or avx512"));
    let threads = args.next().map_or(1, |s| s.parse().expect("a number of threads"));
    let mut state = Buffer::zeroed(ROOM);
    let mut rng = gradus_tensor::Rng::new(1, 0, 0);
    state.iter_mut().for_each(|x| *x = rng.uniform() as f32 - 0.5);
    let mut bench = Bench { isa, pool: Pool::new(threads), arena: Buffer::zeroed(ROOM), state };
    println!("{isa}, {threads} threads");
    let machine = Machine::measure(isa, &bench.pool);
    println!("{:.1} GFLOP/s", machine.flops / 1e9);
    for level in &machine.levels {
        println!("{:>6} {:.1} GB/s", level.name, level.rate / 1e9);
    }
    let section = args.next().unwrap_or_default();
    let wanted = |name: &str| section.is_empty() || section == name;
    if wanted("products") {
        bench.products();
    }
    if wanted("maps") {
        bench.maps();
    }
    if wanted("norms") {
        bench.norms();
    }
    if wanted("convolutions") {
        bench.convolutions();
    }
    if wanted("others") {
        bench.others();
    }
}

impl Bench {
    /// Nanoseconds for one run of the instruction: near the least of many chunks, for others may use the core.
    fn time(&mut self, instr: Instr<f32>) -> f64 {
        let sizes = Sizes { arena: ROOM, state: ROOM, ..Sizes::default() };
        let mut code = Code::new(vec![instr], sizes, vec![], self.isa, self.pool.threads()).expect("valid");
        let mut chunk = |steps: usize| {
            let memory = Bindings { arena: &mut self.arena, consts: &[], state: &mut self.state, inputs: &[] };
            let start = Instant::now();
            code.run(memory, 1, 0, steps, &mut [], &self.pool).expect("no guard");
            start.elapsed().as_secs_f64() * 1e9
        };
        let mut steps = 1;
        while chunk(steps) < 1e6 {
            steps *= 2;
        }
        let mut times: Vec<f64> = (0..31).map(|_| chunk(steps) / steps as f64).collect();
        times.sort_by(f64::total_cmp);
        times[3]
    }

    fn products(&mut self) {
        println!("{:>22} {:>10} {:>10}", "m,n,k", "ns", "GFLOP/s");
        let shapes = [
            (64, 128, 784, "NN"),
            (784, 128, 64, "TN"),
            (64, 784, 128, "NT"),
            (256, 256, 256, "NN"),
            (256, 256, 256, "TN"),
            (256, 256, 256, "NT"),
            (1024, 1024, 1024, "NN"),
            (64, 200, 784, "NN"),
            (784, 200, 64, "TN"),
            (256, 200, 784, "NN"),
            (784, 200, 256, "TN"),
            (64, 64, 128, "NN"),
            (128, 64, 64, "TN"),
            (64, 128, 64, "NT"),
            (16, 32, 16, "NN"),
            (16, 32, 16, "TN"),
            (16, 32, 16, "NT"),
            (64, 16, 32, "NN"),
            (64, 10, 16, "NN"),
            (784, 10, 64, "TN"),
            (64, 200, 10, "NT"),
            (10, 4, 1, "NN"),
            (10, 1, 4, "NN"),
            (5, 3, 2, "NN"),
            (16, 8, 16, "NN"),
            (16, 1, 4, "NN"),
            (1, 128, 784, "NN"),
            (1, 64, 128, "NN"),
            (1, 10, 16, "NN"),
        ];
        for (m, n, k, layout) in shapes {
            let strides = |transposed: bool, rows, cols| if transposed { (1, rows) } else { (cols, 1) };
            let (a, b) = (strides(layout == "TN", m, k), strides(layout == "NT", k, n));
            let ns = self.time(Instr::MatMul(MatMul {
                batch: 1,
                m,
                n,
                k,
                a: Factor { loc: at(Space::State, 0), batch: 0, row: a.0, col: a.1 },
                b: Factor { loc: at(Space::State, m * k), batch: 0, row: b.0, col: b.1 },
                epilogue: Expr::identity(),
                inputs: vec![],
                stores: vec![Store { value: 0, loc: at(Space::Arena, 0), reduce: None }],
            }));
            println!("{:>22} {ns:>10.1} {:>10.1}", format!("{m},{n},{k} {layout}"), (2 * m * n * k) as f64 / ns);
        }
        let (m, n, k) = (64, 128, 784);
        let epilogues: [(&str, Expr); 5] = [
            ("bias", Expr::build(3, |x: &[Term]| &x[0] + &x[1])),
            ("bias, relu", Expr::build(3, |x: &[Term]| (&x[0] + &x[1]).max(&x[0].constant(0.0)))),
            ("bias, tanh", Expr::build(3, |x: &[Term]| (&x[0] + &x[1]).unary(Unary::Tanh))),
            ("gate", Expr::build(3, |x: &[Term]| &x[0] * x[2].gt(0.0))),
            ("descent", Expr::build(3, |x: &[Term]| &x[2] - &(&x[0] * 0.1))),
        ];
        for (name, epilogue) in epilogues {
            let value = epilogue.result();
            let ns = self.time(Instr::MatMul(MatMul {
                batch: 1,
                m,
                n,
                k,
                a: Factor { loc: at(Space::State, 0), batch: 0, row: k, col: 1 },
                b: Factor { loc: at(Space::State, m * k), batch: 0, row: n, col: 1 },
                epilogue,
                inputs: vec![
                    Operand { loc: at(Space::State, 0), strides: vec![0, 0, 1] },
                    Operand { loc: at(Space::State, 0), strides: vec![0, n, 1] },
                ],
                stores: vec![Store { value, loc: at(Space::Arena, 0), reduce: None }],
            }));
            println!("{:>22} {ns:>10.1} {:>10.1}", format!("{m},{n},{k} {name}"), (2 * m * n * k) as f64 / ns);
        }
    }

    fn map(&mut self, name: &str, dims: &[usize], views: &[&[usize]], expr: Expr, stores: &[(u16, Option<Reduce>)]) {
        let n: usize = dims.iter().product();
        // Stores of unreduced values go back to the first operands.
        let gap = n.next_multiple_of(16);
        let inputs = views.iter().enumerate();
        let ns = self.time(Instr::Map(Map {
            dims: dims.to_vec(),
            expr,
            inputs: inputs.map(|(i, v)| Operand { loc: at(Space::State, i * gap), strides: v.to_vec() }).collect(),
            stores: stores
                .iter()
                .enumerate()
                .map(|(i, &(value, reduce))| Store {
                    value,
                    loc: at(if stores.len() > 1 && reduce.is_none() { Space::State } else { Space::Arena }, i * gap),
                    reduce,
                })
                .collect(),
        }));
        println!("{:>32} {:>16} {ns:>12.1} ns {:>8.3} ns/element", name, format!("{dims:?}"), ns / n as f64);
    }

    fn maps(&mut self) {
        let unary = |f: Unary| Expr::build(1, |x: &[Term]| x[0].unary(f));
        for n in [1usize, 16, 64, 1000, 100_000] {
            let ones: &[usize] = &[1];
            self.map("add", &[n], &[ones, ones], Expr::build(2, |x: &[Term]| &x[0] + &x[1]), &[(2, None)]);
            let five = Expr::build(2, |x: &[Term]| ((&(&x[0] + &x[1]).max(&x[0]) * &x[1]).square() - &x[0]).max(&x[1]));
            let last = five.result();
            self.map("five instructions", &[n], &[ones, ones], five, &[(last, None)]);
            self.map("sigmoid", &[n], &[ones], unary(Unary::Sigmoid), &[(1, None)]);
            self.map("tanh", &[n], &[ones], unary(Unary::Tanh), &[(1, None)]);
            self.map("exp", &[n], &[ones], unary(Unary::Exp), &[(1, None)]);
            self.map("log", &[n], &[ones], unary(Unary::Log), &[(1, None)]);
            self.map("erf", &[n], &[ones], unary(Unary::Erf), &[(1, None)]);
            self.map("sin", &[n], &[ones], unary(Unary::Sin), &[(1, None)]);
            let sum = Reduce { fold: Fold::Sum, from: 0, to: 1, scale: 1.0 };
            self.map("sum of squares", &[n], &[ones], unary(Unary::Square), &[(1, Some(sum))]);
            let (adam, stores) = adam();
            self.map("adam", &[n], &[ones, ones, ones, ones, &[0]], adam, &stores);
            let sgd = Expr::build(3, |x: &[Term]| &x[0] - &(&x[1] * &x[2]));
            let last = sgd.result();
            self.map("descent", &[n], &[ones, ones, &[0]], sgd, &[(last, None)]);
        }
        let axis = |k: usize| Some(Reduce { fold: Fold::Sum, from: k, to: k + 1, scale: 1.0 });
        for dims in [[5, 3], [16, 8], [64, 10], [64, 128], [256, 200], [64, 784]] {
            let all: &[usize] = &[dims[1], 1];
            self.map("sum of columns", &dims, &[all], Expr::identity(), &[(0, axis(0))]);
            self.map("sum of rows", &dims, &[all], Expr::identity(), &[(0, axis(1))]);
            let add = || Expr::build(2, |x: &[Term]| &x[0] + &x[1]);
            self.map("add to rows", &dims, &[all, &[0, 1]], add(), &[(2, None)]);
            self.map("add to columns", &dims, &[all, &[1, 0]], add(), &[(2, None)]);
        }
        for f in
            [gradus_kernels::Random::Uniform, gradus_kernels::Random::Bernoulli(0.5), gradus_kernels::Random::Normal]
        {
            let mut expr = Expr::new();
            let value = expr.push(Inst::Random(f, 1));
            self.map(&format!("{f:?}"), &[10_000], &[], expr, &[(value, None)]);
        }
    }

    /// The passes of a batch norm and its rectifier: over one image, near the processor, and over 64.
    fn norms(&mut self) {
        let sum = |from: usize| Some(Reduce { fold: Fold::Sum, from, to: 3, scale: 1.0 });
        for [side, channels] in [[32, 16], [16, 32], [8, 64], [8, 100]] {
            for images in [1, 64] {
                let dims = [images, side, side, channels];
                let x = [side * side * channels, side * channels, channels, 1];
                let x: &[usize] = &x;
                let c: &[usize] = &[0, 0, 0, 1];
                let i: &[usize] = &[x[0], 0, 0, 1];
                let normal = |x: &[Term]| &(&x[0] - &x[1]) * &x[2] + &x[3];
                let statistics = Expr::build(2, |x| (&x[0] - &x[1]).square());
                self.map("statistics", &dims, &[x, i], statistics, &[(0, sum(0)), (2, sum(1)), (3, sum(1))]);
                let relu = Expr::build(4, |x| normal(x).max(&x[0].constant(0.0)));
                self.map("normalise, relu", &dims, &[x, c, c, c], relu.clone(), &[(relu.result(), None)]);
                let relu = Expr::build(5, |x| (&normal(x) + &x[4]).max(&x[0].constant(0.0)));
                self.map("normalise, add, relu", &dims, &[x, c, c, c, x], relu.clone(), &[(relu.result(), None)]);
                let sums = Expr::build(5, |x| &(&x[4] * &normal(x).gt(0.0)) * &(&x[0] - &x[1]));
                let product = |v: &u16| matches!(sums.insts()[usize::from(*v)], Inst::Binary(Binary::Mul, ..));
                let gate = (0..sums.result()).rev().find(product).expect("a product");
                self.map(
                    "backward sums",
                    &dims,
                    &[x, c, c, c, x],
                    sums.clone(),
                    &[(gate, sum(0)), (sums.result(), sum(0))],
                );
                let shift = Expr::build(5, |x| {
                    let gate = &x[4] * &normal(x).gt(0.0);
                    gate * &x[2] + &(&(&x[0] - &x[1]) * &x[3]) * 2.0 + &x[2]
                });
                self.map("backward", &dims, &[x, c, c, c, x], shift.clone(), &[(shift.result(), None)]);
                let simple = Expr::build(2, |x| &x[0] + &x[1]);
                self.map("add", &dims, &[x, x], simple, &[(2, None)]);
            }
        }
    }

    /// All three sides, 64 images each. What is counted are the operations of a direct sum.
    fn convolutions(&mut self) {
        println!(
            "{:>40} {:>10} {:>10} {:>10}   GFLOP/s",
            "size, image, channels → filters", "output", "input", "weight"
        );
        let shapes = [
            (3, 1, 32, 16, 16),
            (3, 1, 16, 32, 32),
            (3, 1, 8, 64, 64),
            (3, 1, 32, 3, 16),
            (3, 2, 32, 16, 32),
            (3, 2, 16, 32, 64),
            (1, 2, 32, 16, 32),
            (1, 2, 16, 32, 64),
            (1, 1, 16, 64, 64),
            (3, 1, 28, 1, 8),
            (3, 1, 14, 8, 16),
            (5, 1, 14, 16, 32),
            (3, 1, 7, 128, 128),
        ];
        for (size, stride, image, channels, filters) in shapes {
            let before = size / 2;
            let slide = Slide { input: image, output: image.div_ceil(stride), size, stride, dilation: 1, before };
            let slides = [Slide::NONE, slide, slide];
            let (batch, operations) = (64, 128 * slide.output.pow(2) * size.pow(2) * channels * filters);
            let rates = [Side::Output, Side::Input, Side::Weight].map(|side| {
                let (x, w) = (64 * image * image * channels, size * size * channels * filters);
                let place = |of: Side, at_: usize| if side == of { at(Space::Arena, 0) } else { at(Space::State, at_) };
                let (x, w, y) = (place(Side::Input, w), place(Side::Weight, 0), place(Side::Output, w + x));
                let ns = self.time(Instr::Conv(Conv { side, batch, groups: 1, channels, filters, slides, x, w, y }));
                operations as f64 / ns
            });
            let name = format!("{size}×{size}/{stride} {image}×{image} {channels} → {filters}");
            println!("{name:>40} {:>10.1} {:>10.1} {:>10.1}", rates[0], rates[1], rates[2]);
        }
    }

    fn others(&mut self) {
        for (rows, cols) in [(64, 10), (256, 10), (64, 1000)] {
            let instr = Softmax { rows, cols, x: at(Space::State, 0), y: at(Space::Arena, 0), log: true };
            let ns = self.time(Instr::Softmax(instr));
            println!("log-softmax {rows}×{cols}: {ns:.1} ns");
        }
        for (m, n) in [(64, 784), (784, 128), (1000, 1000)] {
            let ns = self.time(Instr::Copy(Copy {
                dims: vec![m, n],
                source: Operand { loc: at(Space::State, 0), strides: vec![1, m] },
                target: Operand { loc: at(Space::Arena, 0), strides: vec![n, 1] },
            }));
            println!("transpose {m}×{n}: {ns:.1} ns, {:.2} elements/ns", (m * n) as f64 / ns);
        }
        let window = |input, size, stride| {
            let (output, dilation, before) = ((input - size) / stride + 1, 1, 0);
            PoolAxis::Slide(Slide { input, output, size, stride, dilation, before })
        };
        for (side, channels, size, stride) in [(28, 8, 2, 2), (28, 1, 2, 2), (14, 64, 2, 2), (28, 8, 3, 1)] {
            let axes = vec![window(side, size, stride); 2];
            let (batch, inputs) = (64, 64 * side * side * channels);
            for pooling in [Pooling::Max, Pooling::Return, Pooling::Sum, Pooling::Spread] {
                let (x, v) = (at(Space::State, 0), pooling.has_second().then(|| at(Space::State, inputs)));
                let (axes, scale, average, y) = (axes.clone(), 1.0, true, at(Space::Arena, 0));
                let pool = gradus_kernels::instr::Pool { pooling, batch, axes, channels, scale, average, x, v, y };
                let ns = self.time(Instr::Pool(pool));
                let name = format!("{pooling:?} of {size}×{size}/{stride} over 64×{side}×{side}×{channels}");
                println!("{name}: {:.1} µs, {:.2} inputs/ns", ns * 1e-3, inputs as f64 / ns);
            }
        }
        for (rows, cols) in [(16, 14), (64, 784)] {
            let (x, index, y) = (at(Space::State, 64), at(Space::Arena, 0), at(Space::Arena, 1000));
            let ns = self.time(Instr::Gather(Gather { outer: 1, mid: 1000, inner: cols, count: rows, x, index, y }));
            println!("gather {rows}×{cols}: {ns:.1} ns");
        }
    }
}

/// Adam over (p, m, v, g, lr), with the bias corrections as constants.
fn adam() -> (Expr, Vec<(u16, Option<Reduce>)>) {
    let mut expr = Expr::new();
    let x: Vec<u16> = (0..5).map(|i| expr.push(Inst::Input(i))).collect();
    let mut c = |v: f64| expr.push(Inst::Const(v));
    let (b1, c1, b2, c2, eps, fix) = (c(0.9), c(0.1), c(0.999), c(0.001), c(1e-8), c(1.1));
    let mut op = |f, a, b| expr.push(Inst::Binary(f, a, b));
    let (m, g) = (op(Binary::Mul, x[1], b1), op(Binary::Mul, x[3], c1));
    let m = op(Binary::Add, m, g);
    let square = op(Binary::Mul, x[3], x[3]);
    let (v, s) = (op(Binary::Mul, x[2], b2), op(Binary::Mul, square, c2));
    let v = op(Binary::Add, v, s);
    let corrected = op(Binary::Mul, v, fix);
    let root = expr.push(Inst::Unary(Unary::Sqrt, corrected));
    let mut op = |f, a, b| expr.push(Inst::Binary(f, a, b));
    let below = op(Binary::Add, root, eps);
    let step = op(Binary::Mul, m, x[4]);
    let change = op(Binary::Div, step, below);
    let p = op(Binary::Sub, x[0], change);
    (expr, vec![(p, None), (m, None), (v, None)])
}
