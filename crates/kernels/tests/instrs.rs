//! Every instruction against its plainest execution, on every instruction set and both element types.

mod common;

use common::*;
use gradus_kernels::instr::*;
use gradus_tensor::Rng;

#[test]
fn maps() {
    let worlds = worlds();
    let mut rng = Rng::new(3, 0, 0);
    for _ in 0..400 {
        let map = map(&mut rng);
        check_all(&worlds, &Instr::Map(map.clone()), &Instr::Map(map));
    }
}

#[test]
fn products() {
    let worlds = worlds();
    let mut rng = Rng::new(4, 0, 0);
    for i in 0..300 {
        let product = matmul(&mut rng, i % 2 == 0);
        check_all(&worlds, &Instr::MatMul(product.clone()), &Instr::MatMul(product));
    }
}

#[test]
fn copies() {
    let worlds = worlds();
    let mut rng = Rng::new(5, 0, 0);
    for _ in 0..300 {
        let copy = copy(&mut rng);
        check_all(&worlds, &Instr::Copy(copy.clone()), &Instr::Copy(copy));
    }
}
