//! Runs the standard's cases below a folder and prints what became of each.

use gradus_onnx::{Limits, check};

fn main() {
    let folder = std::env::args().nth(1).expect("a folder");
    for case in check::cases(folder.as_ref()).expect("a folder") {
        let case = check::run(&case, true, Limits::default());
        println!("{} {:?} {:?}", case.folder.file_name().unwrap().to_string_lossy(), case.operators, case.outcome);
    }
}
