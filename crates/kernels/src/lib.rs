//! CPU kernels: everything that a compiled training step executes.
//!
//! | read | for |
//! |---|---|
//! | [`expr`] | scalar expressions, the language of fused maps and epilogues |
//! | [`instr`] | the instructions of a compiled step |

pub mod expr;
pub mod instr;
mod scalar;

pub use expr::{Binary, Expr, Inst, Random, Term, Unary, ValueId};
