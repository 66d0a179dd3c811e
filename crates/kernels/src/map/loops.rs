//! Which loop computes which values of an expression.

use super::ops::OpKind;
use super::program::{Sink, Source};
use crate::{Binary, Inst, Unary, ValueId};

/// What one loop computes.
#[derive(Clone, Debug)]
pub struct Loop {
    pub kind: OpKind,
    pub args: Vec<ValueId>,
    pub results: Vec<ValueId>,
}

/// Which values are one number for the whole domain.
pub fn scalars(insts: &[Inst], sources: &[Source]) -> Vec<bool> {
    let mut scalar: Vec<bool> = Vec::with_capacity(insts.len());
    for inst in insts {
        scalar.push(match *inst {
            Inst::Const(_) | Inst::Step => true,
            Inst::Input(i) => sources[usize::from(i)] == Source::Splat,
            Inst::Random(..) | Inst::Index(_) => false,
            _ => inst.uses().all(|v| scalar[usize::from(v)]),
        });
    }
    scalar
}

/// Chooses a loop for every value and merges frequent groups; also tells which values are needed still.
pub fn select_loops(insts: &[Inst], scalar: &[bool], sinks: &[(ValueId, Sink)]) -> (Vec<Option<Loop>>, Vec<bool>) {
    let mut uses = vec![0usize; insts.len()];
    sinks.iter().for_each(|(v, _)| uses[usize::from(*v)] += 1);
    for v in (0..insts.len()).rev().filter(|&v| insts[v].uses().next().is_some()) {
        if uses[v] > 0 {
            insts[v].uses().for_each(|x| uses[usize::from(x)] += 1);
        }
    }
    let mut nodes: Vec<Option<(OpKind, Vec<ValueId>)>> = vec![None; insts.len()];
    for v in 0..insts.len() {
        if uses[v] == 0 {
            continue;
        }
        // A value that only this one uses and that can be merged into it.
        let merges = |x: ValueId| uses[usize::from(x)] == 1 && (!scalar[usize::from(x)] || scalar[v]);
        let node = |x: ValueId| if merges(x) { nodes[usize::from(x)].clone() } else { None };
        let constant = |x: ValueId| matches!(insts[usize::from(x)], Inst::Const(c) if !c.is_nan());
        let one = |x: ValueId| matches!(insts[usize::from(x)], Inst::Const(c) if c == 1.0);
        // A product: its two factors.
        let product = |x: ValueId| match node(x) {
            Some((OpKind::Binary(Binary::Mul), f)) => Some([f[0], f[1]]),
            Some((OpKind::Unary(Unary::Square), f)) => Some([f[0], f[0]]),
            _ => None,
        };
        // A product that is a square.
        let square = |x: ValueId| product(x).filter(|f| f[0] == f[1]).map(|f| f[0]);
        let quotient = |x: ValueId| match node(x) {
            Some((OpKind::Binary(Binary::Div), f)) => Some([f[0], f[1]]),
            _ => None,
        };
        let root = |x: ValueId| match node(x) {
            Some((OpKind::Unary(Unary::Sqrt), f)) => Some(f[0]),
            _ => None,
        };
        let (kind, args, absorbed): (OpKind, Vec<ValueId>, Vec<ValueId>) = match insts[v] {
            Inst::Binary(Binary::Add, a, b) => match (product(a), product(b)) {
                (Some(f), Some(g)) if a != b => match (square(f[0]), square(g[0]), square(f[1]), square(g[1])) {
                    (_, Some(x), ..) => (OpKind::ProductAndSquare, vec![f[0], f[1], x, g[1]], vec![a, b, g[0]]),
                    (.., Some(x)) => (OpKind::ProductAndSquare, vec![f[0], f[1], x, g[0]], vec![a, b, g[1]]),
                    (Some(x), ..) => (OpKind::ProductAndSquare, vec![g[0], g[1], x, f[1]], vec![a, b, f[0]]),
                    (_, _, Some(x), _) => (OpKind::ProductAndSquare, vec![g[0], g[1], x, f[0]], vec![a, b, f[1]]),
                    _ => (OpKind::TwoProducts, vec![f[0], f[1], g[0], g[1]], vec![a, b]),
                },
                (_, Some(f)) => (OpKind::MulAdd, vec![f[0], f[1], a], vec![b]),
                (Some(f), _) => (OpKind::MulAdd, vec![f[0], f[1], b], vec![a]),
                _ => match (root(a).map(|x| (a, x, b))).or(root(b).map(|x| (b, x, a))) {
                    Some((r, x, rest)) => match product(x) {
                        Some(f) => (OpKind::RootMulAdd, vec![f[0], f[1], rest], vec![r, x]),
                        None => (OpKind::RootAdd, vec![x, rest], vec![r]),
                    },
                    None => (OpKind::Binary(Binary::Add), vec![a, b], vec![]),
                },
            },
            Inst::Binary(Binary::Sub, a, b) => match (product(b), product(a), quotient(b)) {
                (Some(f), ..) => match (quotient(f[0]), quotient(f[1])) {
                    (Some(q), _) => (OpKind::SubMulDiv, vec![q[0], q[1], f[1], a], vec![b, f[0]]),
                    (_, Some(q)) => (OpKind::SubMulDiv, vec![q[0], q[1], f[0], a], vec![b, f[1]]),
                    _ => (OpKind::SubMul, vec![f[0], f[1], a], vec![b]),
                },
                (_, _, Some(q)) => match product(q[0]) {
                    Some(f) => (OpKind::SubDivMul, vec![f[0], f[1], q[1], a], vec![b, q[0]]),
                    None => (OpKind::Binary(Binary::Sub), vec![a, b], vec![]),
                },
                (_, Some(f), _) => (OpKind::MulSub, vec![f[0], f[1], b], vec![a]),
                _ => (OpKind::Binary(Binary::Sub), vec![a, b], vec![]),
            },
            Inst::Binary(Binary::Max, a, b) if constant(a) => (OpKind::MaxConst, vec![a, b], vec![]),
            Inst::Binary(Binary::Max, a, b) if constant(b) => (OpKind::MaxConst, vec![b, a], vec![]),
            Inst::Binary(Binary::Min, a, b) if constant(a) => (OpKind::MinConst, vec![a, b], vec![]),
            Inst::Binary(Binary::Min, a, b) if constant(b) => (OpKind::MinConst, vec![b, a], vec![]),
            Inst::Binary(Binary::Mul, a, b) => {
                let slope = |x: ValueId| match node(x) {
                    Some((OpKind::SubMul, f)) if f[0] == f[1] && one(f[2]) => Some(f[0]),
                    _ => None,
                };
                match (slope(a), slope(b)) {
                    (Some(y), _) => (OpKind::TanhGrad, vec![y, b], vec![a]),
                    (_, Some(y)) => (OpKind::TanhGrad, vec![y, a], vec![b]),
                    _ => (OpKind::Binary(Binary::Mul), vec![a, b], vec![]),
                }
            }
            Inst::Select(c, a, b) => match node(c) {
                Some((OpKind::Binary(Binary::Lt), f)) => (OpKind::SelectLt, vec![f[0], f[1], a, b], vec![c]),
                Some((OpKind::Binary(Binary::Gt), f)) => (OpKind::SelectLt, vec![f[1], f[0], a, b], vec![c]),
                Some((OpKind::Binary(Binary::Le), f)) => (OpKind::SelectLe, vec![f[0], f[1], a, b], vec![c]),
                Some((OpKind::Binary(Binary::Ge), f)) => (OpKind::SelectLe, vec![f[1], f[0], a, b], vec![c]),
                _ => (OpKind::Select, vec![c, a, b], vec![]),
            },
            Inst::Unary(f, a) => (OpKind::Unary(f), vec![a], vec![]),
            Inst::Binary(f, a, b) => (OpKind::Binary(f), vec![a, b], vec![]),
            _ => continue,
        };
        nodes[v] = Some((kind, args));
        for x in absorbed {
            uses[usize::from(x)] = 0;
            nodes[usize::from(x)] = None;
        }
    }
    let live = uses.iter().map(|&n| n > 0).collect();
    let mut loops: Vec<Option<Loop>> = nodes
        .into_iter()
        .enumerate()
        .map(|(v, node)| node.map(|(kind, args)| Loop { kind, args, results: vec![v as ValueId] }))
        .collect();
    for v in 0..loops.len() {
        if let Some((merged, absorbed)) = moments(&loops, v, scalar, &uses) {
            absorbed.into_iter().for_each(|x| loops[usize::from(x)] = None);
            loops[v] = Some(merged);
        }
    }
    (loops, live)
}

/// The whole step of Adam as one loop, if `v` is its last value: the loop, and the values whose loops it takes over.
fn moments(loops: &[Option<Loop>], v: usize, scalar: &[bool], uses: &[usize]) -> Option<(Loop, Vec<ValueId>)> {
    let get = |x: ValueId| loops[usize::from(x)].as_ref();
    let is_scalar = |x: ValueId| scalar[usize::from(x)];
    // One number and a tile, in either order.
    let pair = |a: ValueId, b: ValueId| match (is_scalar(a), is_scalar(b)) {
        (true, false) => Some((a, b)),
        (false, true) => Some((b, a)),
        _ => None,
    };
    let Loop { kind: OpKind::SubDivMul, args, .. } = loops[v].as_ref()? else { return None };
    let ((rate, mean), below) = (pair(args[0], args[1])?, args[2]);
    let only = |x: ValueId| get(x).filter(|_| uses[usize::from(x)] == 1);
    let (scale, root, square, eps) = match only(below)? {
        Loop { kind: OpKind::RootAdd, args, .. } => (None, None, args[0], args[1]),
        Loop { kind: OpKind::MulAdd, args, .. } => {
            let (scale, root) = pair(args[0], args[1])?;
            let Loop { kind: OpKind::Unary(Unary::Sqrt), args: of, .. } = only(root)? else { return None };
            (Some(scale), Some(root), of[0], args[2])
        }
        _ => return None,
    };
    let (shrink, w, shrunk) = match only(args[3]) {
        Some(Loop { kind: OpKind::Binary(Binary::Mul), args: f, .. }) => {
            let (shrink, w) = pair(f[0], f[1])?;
            (Some(shrink), w, Some(args[3]))
        }
        _ => (None, args[3], None),
    };
    let Loop { kind: OpKind::TwoProducts, args: m, .. } = get(mean)? else { return None };
    let Loop { kind: OpKind::ProductAndSquare, args: s, .. } = get(square)? else { return None };
    let (first, second, (keep_square, old_square)) = (pair(m[0], m[1])?, pair(m[2], m[3])?, pair(s[0], s[1])?);
    let (g, add_square) = (s[2], s[3]);
    let ((keep_mean, old_mean), (add_mean, _)) = match (first.1 == g, second.1 == g) {
        (_, true) => (first, second),
        (true, _) => (second, first),
        _ => return None,
    };
    // Nothing else may need the moments before they are there.
    let early = |x: &ValueId| *x == mean || *x == square;
    let taken = (usize::from(mean.min(square))..v)
        .filter(|&u| u != usize::from(below) && root.map(usize::from) != Some(u))
        .any(|u| loops[u].as_ref().is_some_and(|l| l.args.iter().any(early)));
    if taken || mean == square || is_scalar(w) || ![eps, add_square].into_iter().all(is_scalar) {
        return None;
    }
    let kind = OpKind::Moments { scaled: scale.is_some(), shrunk: shrink.is_some() };
    // Operands that are not there are not read: any value does.
    let (scale, shrink) = (scale.unwrap_or(rate), shrink.unwrap_or(rate));
    let args = vec![old_mean, old_square, g, w, keep_mean, add_mean, keep_square, add_square, scale, eps, rate, shrink];
    let absorbed = [mean, square, below].into_iter().chain(root).chain(shrunk).collect();
    Some((Loop { kind, args, results: vec![mean, square, v as ValueId] }, absorbed))
}

/// Whether an instruction takes several times as long as a sum.
pub fn is_slow(inst: &Inst) -> bool {
    matches!(
        inst,
        Inst::Random(..)
            | Inst::Unary(
                Unary::Exp
                    | Unary::Expm1
                    | Unary::Log
                    | Unary::Log1p
                    | Unary::Tanh
                    | Unary::Sigmoid
                    | Unary::Erf
                    | Unary::Softplus
                    | Unary::Sin
                    | Unary::Cos,
                _
            )
            | Inst::Binary(Binary::Pow, _, _)
    )
}
