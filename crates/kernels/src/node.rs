//! Instructions made ready to run.

use crate::context::{Context, Place, Slot};
use crate::conv::{ConvPlan, Preparation, Winograd};
use crate::copy::CopyPlan;
use crate::index::IndexPlan;
use crate::instr::{Call, Instr, StepScalars};
use crate::lanes::LanesPlan;
use crate::map::{Gathering, MapPlan};
use crate::matmul::MatMulPlan;
use crate::pooling::PoolPlan;
use crate::roi::RoiPlan;
use crate::sample::SamplePlan;
use crate::softmax::SoftmaxPlan;
use crate::verify::Access;
use crate::{Inst, Isa, Real};

/// Elements that a part of a fill is worth.
const FILL: usize = 64 * 1024;
/// Inputs of a call that need no allocation.
const CALL_INPUTS: usize = 16;

pub enum Op<T> {
    Map(MapPlan<T>),
    Gathering(Gathering<T>),
    MatMul(MatMulPlan<T>),
    Lanes(LanesPlan<T>),
    Conv(ConvPlan<T>),
    Winograd(Winograd<T>),
    Preparation(Preparation<T>),
    Copy(CopyPlan<T>),
    Fill { place: Place, len: usize, value: T },
    Softmax(SoftmaxPlan<T>),
    Index(IndexPlan<T>),
    Pool(PoolPlan<T>),
    RoiPool(RoiPlan<T>),
    Sample(SamplePlan<T>),
    StepScalars { instr: StepScalars, places: Vec<(usize, Place)> },
    Guard { place: Place, id: u32 },
    Call { call: Call<T>, inputs: Vec<(Place, usize)>, output: (Place, usize) },
}

/// A step of the walk through the code.
pub struct Node<T> {
    pub op: Op<T>,
    /// Pieces that may run side by side. One piece always runs on the first thread.
    pub parts: usize,
    /// How many nodes run together, part by part: those from this one on.
    pub together: usize,
    /// Threads must meet before it.
    pub wait: bool,
    /// The instruction that it belongs to.
    pub instr: usize,
}

/// A guard's element and number.
pub struct Stopped {
    pub id: u32,
    pub value: f64,
}

impl<T: Real> Op<T> {
    /// An instruction ready to run on so many threads; `images` of a batch are one part, if that is given.
    pub fn new(instr: &Instr<T>, isa: Isa, threads: usize, images: Option<usize>) -> Op<T> {
        match instr {
            Instr::Map(map) => Op::Map(MapPlan::new(map, isa, images)),
            Instr::MatMul(product) => Op::MatMul(MatMulPlan::new(product, isa, threads)),
            Instr::Conv(conv) => match Winograd::new(conv, isa, images) {
                Some(winograd) => Op::Winograd(winograd),
                None => Op::Conv(ConvPlan::new(conv, isa, images)),
            },
            Instr::Copy(copy) => Op::Copy(CopyPlan::new(copy, isa)),
            Instr::Fill { loc, len, value } => Op::Fill { place: (*loc).into(), len: *len, value: T::from_f64(*value) },
            Instr::Softmax(s) => Op::Softmax(SoftmaxPlan::new(s, isa)),
            Instr::ArgMax(a) => Op::Index(IndexPlan::argmax(a, isa)),
            Instr::Gather(g) => Op::Index(IndexPlan::gather(g, isa)),
            Instr::ScatterAdd(s) => Op::Index(IndexPlan::scatter(s, isa)),
            Instr::Pool(pool) => Op::Pool(PoolPlan::new(pool, isa, images)),
            Instr::RoiPool(pool) => Op::RoiPool(RoiPlan::new(pool, isa)),
            Instr::Sample(sample) => Op::Sample(SamplePlan::new(sample, isa)),
            Instr::StepScalars(s) => Op::StepScalars {
                instr: s.clone(),
                places: s.stores.iter().map(|&(v, loc)| (usize::from(v), loc.into())).collect(),
            },
            Instr::Guard { loc, id } => Op::Guard { place: (*loc).into(), id: *id },
            Instr::Call(call) => Op::Call {
                call: call.clone(),
                inputs: call.inputs.iter().map(|&(loc, n)| (loc.into(), n)).collect(),
                output: (call.output.0.into(), call.output.1),
            },
        }
    }

    pub fn parts(&self) -> usize {
        match self {
            Op::Map(map) => map.parts,
            Op::MatMul(product) => product.parts,
            Op::Conv(conv) => conv.parts,
            Op::Winograd(winograd) => winograd.parts,
            Op::Copy(copy) => copy.parts,
            Op::Fill { len, .. } => len.div_ceil(FILL),
            Op::Softmax(s) => s.parts,
            Op::Index(index) => index.parts,
            Op::Pool(pool) => pool.parts,
            Op::RoiPool(pool) => pool.parts,
            Op::Sample(sample) => sample.parts,
            _ => 1,
        }
    }

    /// How many pieces that may run side by side with any number of threads.
    pub fn most_parts(&self) -> usize {
        if let Op::MatMul(product) = self { product.most_parts } else { self.parts() }
    }

    /// Elements of scratch memory that a thread needs.
    pub fn scratch(&self) -> usize {
        match self {
            Op::Map(map) => map.scratch(),
            Op::MatMul(product) => product.scratch(),
            Op::Conv(conv) => conv.scratch(),
            Op::Winograd(winograd) => winograd.scratch(),
            // The values are `f64`.
            Op::StepScalars { instr, .. } => instr.expr.insts().len() * size_of::<f64>() / size_of::<T>(),
            _ => 0,
        }
    }

    /// Takes the next piece of the scratch memory that all threads share. Returns what must run before all parts and after them, if the
    /// parts read something of their own there or leave it there.
    pub fn place_shared(&mut self, next: &mut usize, isa: Isa) -> (Option<Op<T>>, Option<Op<T>>) {
        let (len, before, after) = match self {
            Op::Map(map) => {
                map.place_shared(*next);
                (map.shared, None, map.gathering(isa))
            }
            Op::Conv(conv) => {
                conv.place_shared(*next);
                (conv.shared, None, conv.gathering(isa))
            }
            Op::Winograd(winograd) => {
                winograd.place_shared(*next);
                (winograd.shared, winograd.preparation(), winograd.gathering(isa))
            }
            _ => return (None, None),
        };
        *next += len.next_multiple_of(16);
        (before.map(Op::Preparation), after.map(Op::Gathering))
    }

    pub fn place_slots(&mut self, threads: &mut [(Vec<Slot<T>>, *mut T)], constant: &mut impl FnMut(f64) -> *mut T) {
        match self {
            Op::Map(map) => map.place_slots(threads, constant),
            Op::MatMul(product) => product.place_slots(threads, constant),
            _ => {}
        }
    }

    /// Runs one part.
    ///
    /// # Safety
    /// The instruction was checked against the memory of the context, the slots and the scratch memory were placed, and
    /// nothing that conflicts runs at the same time.
    #[inline(always)]
    pub unsafe fn run(&self, context: &Context<T>, part: usize) -> Result<(), Stopped> {
        // SAFETY: the caller's.
        unsafe {
            match self {
                Op::Map(map) => map.run(context, part),
                Op::Gathering(gathering) => gathering.run(context),
                Op::MatMul(product) => product.run(context, part),
                Op::Lanes(lanes) => lanes.run(context),
                Op::Conv(conv) => conv.run(context, part),
                Op::Winograd(winograd) => winograd.run(context, part),
                Op::Preparation(preparation) => preparation.run(context),
                Op::Copy(copy) => copy.run(context, part),
                Op::Fill { place, len, value } => {
                    let y = std::slice::from_raw_parts_mut(context.at(*place), *len);
                    y[part * FILL..((part + 1) * FILL).min(*len)].fill(*value);
                }
                Op::Softmax(s) => s.run(context, part),
                Op::Index(index) => index.run(context, part),
                Op::Pool(pool) => pool.run(context, part),
                Op::RoiPool(pool) => pool.run(context, part),
                Op::Sample(sample) => sample.run(context, part),
                Op::StepScalars { instr, places } => step_scalars(instr, places, context),
                Op::Guard { place, id } => {
                    let value = (*context.at(*place)).to_f64();
                    if !value.is_finite() {
                        return Err(Stopped { id: *id, value });
                    }
                }
                Op::Call { call, inputs, output } => run_call(call, inputs, *output, context),
            }
        }
        Ok(())
    }
}

unsafe fn step_scalars<T: Real>(instr: &StepScalars, places: &[(usize, Place)], context: &Context<T>) {
    // SAFETY: the caller's; the scratch memory is aligned to 64 bytes and has room for one `f64` for each value.
    unsafe {
        let values = context.scratch.cast::<f64>();
        let v = |i: crate::ValueId| *values.add(usize::from(i));
        for (i, inst) in instr.expr.insts().iter().enumerate() {
            *values.add(i) = match *inst {
                Inst::Const(c) => c,
                Inst::Step => context.step as f64,
                Inst::Unary(f, a) => f.eval(v(a)),
                Inst::Binary(f, a, b) => f.eval(v(a), v(b)),
                Inst::Select(c, a, b) => v(if v(c) != 0.0 { a } else { b }),
                Inst::Input(_) | Inst::Index(_) | Inst::Random(..) => f64::NAN,
            };
        }
        for &(value, place) in places {
            *context.at(place) = T::from_f64(*values.add(value));
        }
    }
}

unsafe fn run_call<T: Real>(call: &Call<T>, inputs: &[(Place, usize)], output: (Place, usize), context: &Context<T>) {
    // SAFETY: the caller's; the output overlaps no input.
    unsafe {
        let slice = |&(place, len): &(Place, usize)| std::slice::from_raw_parts(context.at(place).cast_const(), len);
        let y = std::slice::from_raw_parts_mut(context.at(output.0), output.1);
        if inputs.len() <= CALL_INPUTS {
            let mut x: [&[T]; CALL_INPUTS] = [&[]; CALL_INPUTS];
            x.iter_mut().zip(inputs).for_each(|(x, input)| *x = slice(input));
            call.kernel.run(&x[..inputs.len()], y);
        } else {
            call.kernel.run(&inputs.iter().map(slice).collect::<Vec<_>>(), y);
        }
    }
}

/// Decides where threads must meet: before a strand that touches what another thread may have touched since they met last.
/// Returns whether they must meet before the scalars are read.
pub fn place_meetings<T>(nodes: &mut [Node<T>], accesses: &[&[Access]], scalars: &[Access]) -> bool {
    let mut since: Vec<usize> = Vec::new();
    let mut guarded = false;
    let conflict = |a: &[Access], b: &[Access]| a.iter().any(|x| b.iter().any(|y| x.conflicts(y)));
    let mut next = 0;
    while next < nodes.len() {
        let strand = next..next + nodes[next].together;
        let single = nodes[next].parts == 1;
        let clash = since.iter().any(|&j: &usize| {
            !(single && nodes[j].parts == 1) && strand.clone().any(|i| conflict(accesses[i], accesses[j]))
        });
        let wait = next == 0 || clash || (guarded && !single) || matches!(nodes[next].op, Op::Gathering(_));
        if wait {
            since.clear();
            guarded = false;
        }
        guarded |= matches!(nodes[next].op, Op::Guard { .. });
        nodes[next].wait = wait;
        next = strand.end;
        since.extend(strand);
    }
    since.iter().any(|&j| nodes[j].parts > 1 && conflict(scalars, accesses[j]))
}
