//! CPU kernels: everything that a compiled training step executes.
//!
//! | read | for |
//! |---|---|
//! | [`expr`] | scalar expressions, the language of fused maps and epilogues |
//! | [`instr`] | the instructions of a compiled step |
//! | [`Code`] | a checked list of instructions that runs |
//! | [`mod@reference`] | what each instruction means, in the plainest code |
//! | [`random`] | the random numbers of an instruction |
//! | [`Machine`] | the least time that work takes here: the roofline |
//! | [`Pool`], [`Buffer`], [`Isa`], [`Real`] | threads, memory, instruction sets, element types |
//!
//! Inside: `simd` is the vector trait that every kernel is written over, `math` the functions on vectors; `map`, `matmul`,
//! `conv`, `pooling`, `roi`, `sample`, `copy`, `softmax` and `index` hold one kind of instruction each (`tiles` cuts results for
//! products and convolutions), `lanes` runs small products and maps with the batch in the lanes, `node` puts them behind one interface, `verify` checks them, `strands` finds those that run image by image,
//! `arrange` brings them in order, `walk` is a run of all threads, `prefetch` asks for memory ahead.

mod arrange;
mod buffer;
mod code;
mod context;
mod conv;
mod copy;
pub mod expr;
mod index;
pub mod instr;
mod isa;
mod lanes;
mod machine;
mod map;
mod math;
mod matmul;
mod node;
mod pool;
mod pooling;
mod prefetch;
pub mod random;
mod real;
pub mod reference;
mod roi;
mod sample;
mod scalar;
mod simd;
mod softmax;
mod strands;
mod tiles;
mod verify;
mod walk;

pub use buffer::Buffer;
pub use code::{Bindings, Code, Sizes, Span, Tripped};
pub use expr::{Binary, Expr, Inst, Random, Term, Unary, ValueId};
pub use isa::{Isa, UnknownIsa};
pub use machine::{Bound, Level, Machine, Roof};
pub use pool::Pool;
pub use real::Real;
pub use verify::CodeError;
