//! Once its two buffers have grown, the loader allocates nothing.

use gradus_data::{Dataset, Loader, LoaderMode, LoaderOptions, Target};
use gradus_tensor::Tensor;
use std::sync::Arc;

#[test]
fn a_warm_loader_allocates_nothing() {
    for width in [1, 12] {
        let x = Tensor::new([1000, width], vec![0.5f32; 1000 * width]).unwrap();
        let y = Target::from_values(Tensor::new([1000, 2], vec![0.5f32; 2000]).unwrap(), None).unwrap();
        let data = Arc::new(Dataset::new(x, y).unwrap());
        for mode in [LoaderMode::Inline, LoaderMode::Background] {
            let options = LoaderOptions { batch: 16, chunk_bytes: 4000, mode, ..LoaderOptions::default() };
            let mut loader = Loader::new(data.clone(), options).unwrap();
            let mut run = |epochs: std::ops::Range<u64>| {
                for epoch in epochs {
                    let mut chunks = loader.epoch(epoch, 0);
                    while let Some(chunk) = chunks.next_chunk() {
                        assert_eq!(chunk.inputs().len(), chunk.steps() * chunk.batch() * width);
                    }
                }
            };
            run(0..3);
            let counted = allocation_counter::measure(|| run(3..8));
            assert_eq!(counted.count_total, 0, "{mode:?}, {width} features");
        }
    }
}
