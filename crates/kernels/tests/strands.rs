//! Lists of instructions that run image by image give what each instruction gives by itself, one after the other.

use gradus_kernels::instr::*;
use gradus_kernels::{Bindings, Buffer, Code, Expr, Isa, Pool, Real, Sizes, Term};
use gradus_tensor::Rng;

const BATCH: usize = 32;
const SIDE: usize = 16;
const CHANNELS: usize = 16;
const IMAGE: usize = SIDE * SIDE * CHANNELS;
const WEIGHTS: usize = 9 * CHANNELS * CHANNELS;
/// Places for whole batches. Every other one lies apart from the rest; those between overlap their neighbours, which forbids some orders.
const LARGE: usize = 6;
const STEP: usize = BATCH * IMAGE / 2;
/// Places for numbers of each channel, behind those of batches.
const SMALL: usize = 4;
const ARENA: usize = (LARGE + 2) * STEP + (SMALL + 1) * WEIGHTS;

fn arena(offset: usize) -> Loc {
    Loc { space: Space::Arena, offset }
}

/// A random choice below `n`.
fn below(rng: &mut Rng, n: usize) -> usize {
    (rng.uniform() * n as f64) as usize % n
}

fn conv(rng: &mut Rng, side: Side, weights: Loc) -> Conv {
    let slide = Slide { input: SIDE, output: SIDE, size: 3, stride: 1, dilation: 1, before: 1 };
    let (x, y) = (large(rng), large(rng));
    let slides = [Slide::NONE, slide, slide];
    Conv { side, batch: BATCH, groups: 1, channels: CHANNELS, filters: CHANNELS, slides, x, w: weights, y }
}

/// Mostly places apart from each other, at times such as overlap.
fn large(rng: &mut Rng) -> Loc {
    let at = below(rng, LARGE);
    arena(
        STEP * if rng.uniform() < 0.8 { at / 2 * 2 } else { at }
            + below(rng, 2) * (IMAGE / 2) * usize::from(rng.uniform() < 0.1),
    )
}

fn small(rng: &mut Rng) -> Loc {
    arena((LARGE + 2) * STEP + below(rng, SMALL) * WEIGHTS)
}

fn instr<T: Real>(rng: &mut Rng) -> Instr<T> {
    let dims = vec![BATCH, SIDE, SIDE, CHANNELS];
    let whole = vec![IMAGE, SIDE * CHANNELS, CHANNELS, 1];
    let weights = Loc { space: Space::State, offset: 0 };
    match below(rng, 8) {
        0 => Instr::Conv(conv(rng, Side::Output, weights)),
        1 => Instr::Conv(conv(rng, Side::Input, weights)),
        2 => {
            let target = small(rng);
            Instr::Conv(conv(rng, Side::Weight, target))
        }
        3 => {
            let expr = Expr::build(2, |x: &[Term]| &x[0] * 0.5 + &x[1] * 0.25);
            let inputs =
                vec![Operand { loc: small(rng), strides: vec![1] }, Operand { loc: small(rng), strides: vec![1] }];
            let value = expr.result();
            Instr::Map(Map {
                dims: vec![CHANNELS],
                expr,
                inputs,
                stores: vec![Store { value, loc: small(rng), reduce: None }],
            })
        }
        4 => Instr::Fill { loc: small(rng), len: CHANNELS, value: 0.5 },
        kind => {
            let expr = Expr::build(3, |x: &[Term]| (&x[0] * 0.5 + &x[1] * 0.25).max(&x[2]));
            let value = expr.result();
            let inputs = vec![
                Operand { loc: large(rng), strides: whole.clone() },
                Operand { loc: large(rng), strides: whole },
                Operand { loc: small(rng), strides: vec![0, 0, 0, 1] },
            ];
            let all = Reduce { fold: Fold::Sum, from: 0, to: 3, scale: 1.0 / (BATCH * SIDE * SIDE) as f64 };
            let row = Reduce { fold: Fold::Max, from: 1, to: 3, scale: 1.0 };
            let stores = match kind {
                5 => vec![Store { value, loc: large(rng), reduce: None }],
                6 => vec![
                    Store { value, loc: inputs[0].loc, reduce: None },
                    Store { value, loc: small(rng), reduce: Some(all) },
                ],
                _ => vec![
                    Store { value, loc: small(rng), reduce: Some(all) },
                    Store { value, loc: large(rng), reduce: Some(row) },
                ],
            };
            Instr::Map(Map { dims, expr, inputs, stores })
        }
    }
}

fn run<T: Real>(instrs: Vec<Instr<T>>, memory: &[T], state: &mut [T], threads: usize) -> Option<Vec<T>> {
    let sizes = Sizes { arena: ARENA, state: WEIGHTS, ..Sizes::default() };
    let mut code = Code::new(instrs, sizes, vec![], Isa::detect(), threads).ok()?;
    let mut arena = Buffer::from(memory);
    let bindings = Bindings { arena: &mut arena, consts: &[], state, inputs: &[] };
    code.run(bindings, 1, 0, 1, &mut [], &Pool::new(threads)).expect("no guards");
    Some(arena.to_vec())
}

fn agrees<T: Real>(seeds: u64, tolerance: f64) {
    for seed in 0..seeds {
        let mut rng = Rng::new(seed, 0, 0);
        let mut number = |scale: f64| T::from_f64((rng.uniform() - 0.5) * scale);
        let start: Vec<T> = (0..ARENA).map(|_| number(1.0)).collect();
        let mut state: Vec<T> = (0..WEIGHTS).map(|_| number(0.1)).collect();
        let mut instrs: Vec<Instr<T>> = vec![];
        let mut memory = start.clone();
        while instrs.len() < 12 {
            let next = instr::<T>(&mut rng);
            // Some write over what they read, which is refused.
            if let Some(after) = run(vec![next.clone()], &memory, &mut state, 1) {
                memory = after;
                instrs.push(next);
            }
        }
        let together = run(instrs.clone(), &start, &mut state, 1).expect("each is valid");
        for (i, (a, b)) in together.iter().zip(&memory).enumerate() {
            let (a, b) = (a.to_f64(), b.to_f64());
            assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "seed {seed}, element {i}: {a} for {b}: {instrs:#?}");
        }
        for threads in [2, 3] {
            let many = run(instrs.clone(), &start, &mut state, threads).expect("each is valid");
            let same = many.iter().zip(&together).all(|(a, b)| a.to_f64().to_bits() == b.to_f64().to_bits());
            assert!(same, "seed {seed}: {threads} threads give other bits: {instrs:#?}");
        }
    }
}

#[test]
fn strands_compute_what_instructions_compute_alone() {
    agrees::<f64>(12, 1e-10);
    agrees::<f32>(12, 1e-3);
}
