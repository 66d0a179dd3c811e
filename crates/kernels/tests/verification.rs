//! What cannot run is refused, with the place and the reason.

use gradus_kernels::instr::*;
use gradus_kernels::{Binary, Code, Expr, Inst, Isa, Random, Sizes, Term};

fn at(space: Space, offset: usize) -> Loc {
    Loc { space, offset }
}

fn message(instr: Instr<f32>) -> String {
    let sizes = Sizes { arena: 100, consts: 10, state: 100, inputs: vec![50] };
    let fine = Instr::Fill { loc: at(Space::Arena, 0), len: 100, value: 0.0 };
    let error = Code::new(vec![fine, instr], sizes, vec![], Isa::Portable, 1).expect_err("refused");
    assert_eq!(error.instr, 1);
    error.to_string()
}

fn sum() -> Map {
    Map {
        dims: vec![4, 5],
        expr: Expr::build(2, |x: &[Term]| &x[0] + &x[1]),
        inputs: vec![
            Operand { loc: at(Space::State, 0), strides: vec![5, 1] },
            Operand { loc: at(Space::Input(0), 0), strides: vec![0, 1] },
        ],
        stores: vec![Store { value: 2, loc: at(Space::Arena, 0), reduce: None }],
    }
}

fn product() -> MatMul {
    MatMul {
        batch: 1,
        m: 4,
        n: 5,
        k: 6,
        a: Factor { loc: at(Space::State, 0), batch: 0, row: 6, col: 1 },
        b: Factor { loc: at(Space::Input(0), 0), batch: 0, row: 5, col: 1 },
        epilogue: Expr::identity(),
        inputs: vec![],
        stores: vec![Store { value: 0, loc: at(Space::Arena, 0), reduce: None }],
    }
}

macro_rules! refused {
    ($base:expr, |$x:ident| $change:expr, $message:expr) => {{
        let mut $x = $base;
        $change;
        assert_eq!(message($x.into_instr()), $message);
    }};
}

trait IntoInstr {
    fn into_instr(self) -> Instr<f32>;
}

impl IntoInstr for Map {
    fn into_instr(self) -> Instr<f32> {
        Instr::Map(self)
    }
}

impl IntoInstr for MatMul {
    fn into_instr(self) -> Instr<f32> {
        Instr::MatMul(self)
    }
}

impl IntoInstr for Copy {
    fn into_instr(self) -> Instr<f32> {
        Instr::Copy(self)
    }
}

#[test]
fn maps() {
    refused!(
        sum(),
        |m| m.inputs[0].loc.offset = 81,
        "instruction 1 (map), input 0: expected elements of State 0..100, received 20 from 81 on"
    );
    refused!(
        sum(),
        |m| m.inputs[1].loc.space = Space::Input(3),
        "instruction 1 (map), input 1: expected one of 1 inputs, received 3"
    );
    refused!(sum(), |m| m.inputs[0].strides = vec![1], "instruction 1 (map), input 0: expected 2 strides, received 1");
    refused!(
        sum(),
        |m| m.inputs[0].strides = vec![usize::MAX, 1],
        "instruction 1 (map), input 0: expected elements of State 0..100, received too many from 0 on"
    );
    refused!(
        sum(),
        |m| m.dims = vec![usize::MAX, 5],
        "instruction 1 (map), domain: expected a number of elements that fits in memory, received [18446744073709551615, 5]"
    );
    refused!(
        sum(),
        |m| m.stores[0].loc.space = Space::Const,
        "instruction 1 (map), store 0: expected a place in the arena or the state to write to, received Const"
    );
    refused!(
        sum(),
        |m| m.stores[0].loc = at(Space::State, 3),
        "instruction 1 (map), store 0: expected a place apart from input 0 at State 0..20, received State 3..23"
    );
    refused!(
        sum(),
        |m| m.stores[0].value = 3,
        "instruction 1 (map), store 0: expected one of 3 values, received value 3"
    );
    refused!(
        sum(),
        |m| m.stores.push(m.stores[0].clone()),
        "instruction 1 (map), store 1: expected a place apart from store 0 at Arena 0..20, received Arena 0..20"
    );
    refused!(
        sum(),
        |m| m.stores[0].reduce = Some(Reduce { fold: Fold::Sum, from: 1, to: 3, scale: 1.0 }),
        "instruction 1 (map), store 0: expected a range of the 2 dimensions to reduce, received 1..3"
    );
    refused!(
        sum(),
        |m| _ = m.expr.push(Inst::Input(2)),
        "instruction 1 (map), expression value 3: expected one of 2 inputs, received input 2"
    );
    refused!(
        sum(),
        |m| _ = m.expr.push(Inst::Binary(Binary::Mul, 1, 9)),
        "instruction 1 (map), expression value 3: expected the use of earlier values, received value 9"
    );
    refused!(
        sum(),
        |m| _ = m.expr.push(Inst::Index(2)),
        "instruction 1 (map), expression value 3: expected one of 2 dimensions, received index 2"
    );
    refused!(
        sum(),
        |m| _ = m.expr.push(Inst::Random(Random::Bernoulli(1.5), 0)),
        "instruction 1 (map), expression value 3: expected a probability, received 1.5"
    );
    // In place is fine.
    let mut map = sum();
    map.stores[0].loc = at(Space::State, 0);
    let sizes = Sizes { arena: 0, consts: 0, state: 20, inputs: vec![5] };
    assert!(Code::<f32>::new(vec![Instr::Map(map)], sizes, vec![], Isa::Portable, 1).is_ok());
}

#[test]
fn products() {
    refused!(
        product(),
        |p| p.a.row = 40,
        "instruction 1 (product), a: expected elements of State 0..100, received 126 from 0 on"
    );
    refused!(
        product(),
        |p| p.stores[0].loc = at(Space::State, 10),
        "instruction 1 (product), store 0: expected a place apart from a at State 0..24, received State 10..30"
    );
    refused!(
        product(),
        |p| p.stores[0].reduce = Some(Reduce { fold: Fold::Sum, from: 0, to: 1, scale: 1.0 }),
        "instruction 1 (product), store 0: expected no reduction in a product, received one"
    );
    refused!(
        product(),
        |p| p.m = usize::MAX / 4,
        format!(
            "instruction 1 (product), domain: expected a number of elements that fits in memory, received [1, {}, 5]",
            usize::MAX / 4
        )
    );
}

#[test]
fn others() {
    let copy = |strides: [usize; 2], target| Copy {
        dims: vec![3, 4],
        source: Operand { loc: at(Space::State, 0), strides: vec![4, 1] },
        target: Operand { loc: target, strides: strides.to_vec() },
    };
    refused!(
        copy([2, 1], at(Space::Arena, 0)),
        |c| _ = &mut c,
        "instruction 1 (copy), target: expected every element written once, received sizes [3, 4] with strides [2, 1]"
    );
    refused!(
        copy([4, 1], at(Space::State, 11)),
        |c| _ = &mut c,
        "instruction 1 (copy), target: expected a place apart from source at State 0..12, received State 11..23"
    );
    assert_eq!(
        message(Instr::Guard { loc: at(Space::Const, 10), id: 0 }),
        "instruction 1 (guard), element: expected elements of Const 0..10, received 1 from 10 on"
    );
    let (x, index, y) = (at(Space::State, 0), at(Space::Input(0), 0), at(Space::State, 8));
    assert_eq!(
        message(Instr::Gather(Gather { outer: 1, mid: 3, inner: 3, count: 2, x, index, y })),
        "instruction 1 (gather), y: expected a place apart from x at State 0..9, received State 8..14"
    );
    let mut expr = Expr::new();
    let value = expr.push(Inst::Random(Random::Uniform, 0));
    assert_eq!(
        message(Instr::StepScalars(StepScalars { expr, stores: vec![(value, at(Space::Arena, 0))] })),
        "instruction 1 (step scalars), expression value 0: expected the step and constants only, received a random number"
    );
    let scalars = vec![at(Space::Arena, 0), at(Space::Arena, 5)];
    let sizes = Sizes { arena: 5, ..Sizes::default() };
    assert_eq!(
        Code::<f32>::new(vec![], sizes, scalars, Isa::Portable, 1).expect_err("refused").to_string(),
        "instruction 0 (scalars), scalar 1: expected elements of Arena 0..5, received 1 from 5 on"
    );
}

#[test]
fn poolings() {
    let slide = Slide { input: 6, output: 3, size: 2, stride: 2, dilation: 1, before: 0 };
    let pool = || Pool {
        pooling: Pooling::Max,
        batch: 2,
        axes: vec![PoolAxis::Slide(slide)],
        channels: 3,
        scale: 1.0,
        average: false,
        x: at(Space::State, 0),
        v: None,
        y: at(Space::Arena, 0),
    };
    let refused = |change: fn(&mut Pool)| {
        let mut pool = pool();
        change(&mut pool);
        message(Instr::Pool(pool))
    };
    assert_eq!(
        refused(|p| p.x.offset = 65),
        "instruction 1 (pooling), x: expected elements of State 0..100, received 36 from 65 on"
    );
    assert_eq!(
        refused(|p| p.y = at(Space::State, 35)),
        "instruction 1 (pooling), y: expected a place apart from x at State 0..36, received State 35..53"
    );
    assert_eq!(refused(|p| p.axes.clear()), "instruction 1 (pooling), axes: expected from 1 to 3, received 0");
    assert_eq!(
        refused(|p| p.pooling = Pooling::Pick),
        "instruction 1 (pooling), v: expected a second operand, received none"
    );
    assert_eq!(
        refused(|p| p.axes =
            vec![PoolAxis::Slide(Slide { input: 6, output: 4, size: 2, stride: 3, dilation: 1, before: 0 })]),
        "instruction 1 (pooling), axis 0: expected windows that see at least one element, received none in window 2"
    );
    assert!(
        refused(|p| p.axes =
            vec![PoolAxis::Slide(Slide { input: 6, output: 4, size: 2, stride: 0, dilation: 1, before: 0 })])
        .contains("stride and dilation of at least 1")
    );
    assert!(refused(|p| p.axes = vec![PoolAxis::Bins { input: 6, output: usize::MAX }]).contains("below 2^30"));
}
