//! Batches for training: shuffled anew each epoch, gathered ahead of the training thread.
//!
//! The loader hands out *chunks*: the batches of several steps side by side in one buffer, so that many small steps cost one
//! hand-over. Every number is copied once, from the data set into the chunk. Two buffers go round for ever: while one is used,
//! the other is filled. The order of an epoch depends on (seed, epoch) alone, and the augmentation of a sample on (seed, epoch, sample),
//! so training can go on from any step.

use crate::augment::Augmenter;
use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use gradus_tensor::Rng;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The random stream that the order of samples is drawn from; its step is the epoch.
pub const SHUFFLE_STREAM: u32 = 0xDA7A_0001;

/// How a [`Loader`] makes batches.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LoaderOptions {
    /// Samples per step.
    pub batch: usize,
    /// The seed of the order.
    pub seed: u64,
    /// Whether each epoch has its own random order; otherwise samples come as they lie.
    pub shuffle: bool,
    /// Whether the last batch is left out when it is smaller than the others.
    pub drop_last: bool,
    /// About how many bytes a chunk has; at least one step.
    pub chunk_bytes: usize,
    /// Who fills the chunks.
    pub mode: LoaderMode,
}

/// Who fills the chunks. The chunks are the same either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LoaderMode {
    /// A thread of its own where an epoch is large enough to pay for it and there is more than one core.
    #[default]
    Auto,
    /// The caller's thread.
    Inline,
    /// A thread of its own.
    Background,
}

impl Default for LoaderOptions {
    fn default() -> LoaderOptions {
        LoaderOptions {
            batch: 32,
            seed: 0,
            shuffle: true,
            drop_last: false,
            chunk_bytes: 1 << 20,
            mode: LoaderMode::Auto,
        }
    }
}

/// Below this many bytes an epoch is gathered faster than it is handed over.
const SMALL_EPOCH: usize = 1 << 22;

/// Several steps' batches: inputs `[steps, batch, features…]` and targets `[steps, batch, K]`, sample after sample.
#[derive(Debug, Default)]
pub struct Chunk {
    first_step: usize,
    steps: usize,
    batch: usize,
    inputs: Vec<f32>,
    targets: Vec<f32>,
}

impl Chunk {
    /// The step of the epoch that the chunk starts with, counted from 0.
    pub fn first_step(&self) -> usize {
        self.first_step
    }

    /// How many steps it holds.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Samples per step. Only the last chunk of an epoch can have fewer than the loader's batch size, and then has one step.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// `[steps, batch, features…]`.
    pub fn inputs(&self) -> &[f32] {
        &self.inputs
    }

    /// `[steps, batch, K]`: for class labels K is 1 and the number is the class's index; empty where there is no target.
    pub fn targets(&self) -> &[f32] {
        &self.targets
    }
}

/// Makes the batches of a data set.
///
/// ```
/// use gradus_data::loader::{Loader, LoaderOptions};
/// use gradus_data::readers::Embedded;
/// use std::sync::Arc;
/// let iris = Arc::new(Embedded::Iris.read());
/// let mut loader = Loader::new(iris, LoaderOptions { batch: 40, ..LoaderOptions::default() })?;
/// let mut sizes = Vec::new();
/// let mut epoch = loader.epoch(0, 0);
/// while let Some(chunk) = epoch.next_chunk() {
///     sizes.push((chunk.steps(), chunk.batch()));
///     assert_eq!(chunk.inputs().len(), chunk.steps() * chunk.batch() * 4);
/// }
/// assert_eq!(sizes, [(3, 40), (1, 30)]);
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Debug)]
pub struct Loader {
    plan: Plan,
    free: Vec<Chunk>,
    filler: Filler,
}

#[derive(Debug)]
enum Filler {
    Inline(Gatherer),
    Background { jobs: Option<SyncSender<Job>>, done: Receiver<Chunk>, thread: Option<JoinHandle<()>> },
}

/// One chunk to be filled.
#[derive(Debug)]
struct Job {
    chunk: Chunk,
    epoch: u64,
    first_step: usize,
    steps: usize,
    batch: usize,
}

/// How an epoch is cut.
#[derive(Clone, Debug)]
struct Plan {
    samples: usize,
    batch: usize,
    steps: usize,
    chunk_steps: usize,
}

impl Loader {
    /// A loader over `data`. Fails if the batch size is 0 or larger than the data.
    pub fn new(data: Arc<Dataset>, options: LoaderOptions) -> Result<Loader, DataError> {
        crate::check::check_batch(&data, options.batch)?;
        let LoaderOptions { batch, seed, shuffle, drop_last, chunk_bytes, mode } = options;
        let width = data.feature_len() + data.target().width();
        let steps = if drop_last { data.len() / batch } else { data.len().div_ceil(batch) };
        let step_bytes = width.saturating_mul(batch).saturating_mul(4).max(1);
        let chunk_steps = (chunk_bytes / step_bytes).clamp(1, steps);
        let plan = Plan { samples: data.len(), batch, steps, chunk_steps };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let large = step_bytes.saturating_mul(steps) >= SMALL_EPOCH;
        let augmenter = Augmenter::new(data.augmentation(), data.feature_shape(), seed);
        let gatherer = Gatherer { data, batch, seed, shuffle, augmenter, order: Vec::new(), epoch: None };
        let background = mode == LoaderMode::Background || mode == LoaderMode::Auto && large && cores > 1;
        let filler = if background { Filler::spawn(gatherer)? } else { Filler::Inline(gatherer) };
        Ok(Loader { plan, free: vec![Chunk::default(), Chunk::default()], filler })
    }

    /// How many steps an epoch has.
    pub fn steps_per_epoch(&self) -> usize {
        self.plan.steps
    }

    /// Samples per step, but for a smaller last one.
    pub fn batch(&self) -> usize {
        self.plan.batch
    }

    /// The chunks of epoch `epoch` from step `from_step` to its end.
    pub fn epoch(&mut self, epoch: u64, from_step: usize) -> Epoch<'_> {
        self.steps(epoch, from_step..self.plan.steps)
    }

    /// The chunks of some steps of epoch `epoch`; steps beyond the end are left out.
    pub fn steps(&mut self, epoch: u64, steps: Range<usize>) -> Epoch<'_> {
        let end = steps.end.min(self.plan.steps);
        let mut chunks = Epoch { loader: self, epoch, next: steps.start, end, current: None, ahead: 0 };
        chunks.order_ahead();
        chunks
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        if let Filler::Background { jobs, thread, .. } = &mut self.filler {
            jobs.take();
            if let Some(thread) = thread.take() {
                let _ = thread.join();
            }
        }
    }
}

/// The chunks of an epoch, one at a time. Dropping it early is fine.
#[derive(Debug)]
pub struct Epoch<'a> {
    loader: &'a mut Loader,
    epoch: u64,
    /// The first step that no chunk has been ordered for.
    next: usize,
    end: usize,
    current: Option<Chunk>,
    /// Chunks ordered from the thread and not yet received.
    ahead: usize,
}

impl Epoch<'_> {
    /// The next chunk, or `None` at the end. Its buffer is used again after the next call.
    pub fn next_chunk(&mut self) -> Option<&Chunk> {
        self.loader.free.extend(self.current.take());
        self.order_ahead();
        let job = if self.ahead == 0 { self.job()? } else { return self.receive() };
        if let Filler::Inline(gatherer) = &mut self.loader.filler {
            self.current = Some(gatherer.fill(job));
        }
        self.current.as_ref()
    }

    /// Gives every free buffer to the thread, if there is one.
    fn order_ahead(&mut self) {
        while matches!(self.loader.filler, Filler::Background { .. }) {
            let Some(job) = self.job() else { return };
            if let Filler::Background { jobs: Some(jobs), .. } = &self.loader.filler {
                jobs.send(job).expect("the loader's thread lives as long as the loader");
                self.ahead += 1;
            }
        }
    }

    /// The next job, if steps and a free buffer are left.
    fn job(&mut self) -> Option<Job> {
        if self.next >= self.end {
            return None;
        }
        let chunk = self.loader.free.pop()?;
        let plan = &self.loader.plan;
        let whole = plan.samples / plan.batch;
        let first_step = self.next;
        let (steps, batch) = if first_step < whole {
            (plan.chunk_steps.min(whole.min(self.end) - first_step), plan.batch)
        } else {
            (1, plan.samples % plan.batch)
        };
        self.next += steps;
        Some(Job { chunk, epoch: self.epoch, first_step, steps, batch })
    }

    fn receive(&mut self) -> Option<&Chunk> {
        if let Filler::Background { done, .. } = &self.loader.filler {
            self.current = Some(done.recv().expect("the loader's thread lives as long as the loader"));
            self.ahead -= 1;
        }
        self.current.as_ref()
    }
}

impl Drop for Epoch<'_> {
    fn drop(&mut self) {
        while self.ahead > 0 && !std::thread::panicking() {
            self.receive();
            self.loader.free.extend(self.current.take());
        }
        self.loader.free.extend(self.current.take());
    }
}

impl Filler {
    fn spawn(mut gatherer: Gatherer) -> Result<Filler, DataError> {
        let (jobs, orders) = sync_channel::<Job>(2);
        let (finished, done) = sync_channel(2);
        let thread = std::thread::Builder::new()
            .name("gradus-loader".to_string())
            .spawn(move || {
                while let Ok(job) = orders.recv() {
                    if finished.send(gatherer.fill(job)).is_err() {
                        return;
                    }
                }
            })
            .map_err(|source| DataError::Io { action: "start a thread for", file: "the loader".to_string(), source })?;
        Ok(Filler::Background { jobs: Some(jobs), done, thread: Some(thread) })
    }
}

/// Copies samples into chunks.
#[derive(Debug)]
struct Gatherer {
    data: Arc<Dataset>,
    batch: usize,
    seed: u64,
    shuffle: bool,
    augmenter: Option<Augmenter>,
    /// The order of `epoch`.
    order: Vec<u32>,
    epoch: Option<u64>,
}

impl Gatherer {
    fn fill(&mut self, job: Job) -> Chunk {
        if self.epoch != Some(job.epoch) {
            self.order.clear();
            self.order.extend(0..self.data.len() as u32);
            if self.shuffle {
                Rng::new(self.seed, SHUFFLE_STREAM, job.epoch).shuffle(&mut self.order);
            }
            self.epoch = Some(job.epoch);
        }
        let start = job.first_step * self.batch;
        let rows = &self.order[start..start + job.steps * job.batch];
        let mut chunk = Chunk { first_step: job.first_step, steps: job.steps, batch: job.batch, ..job.chunk };
        let (values, width) = (self.data.input_values(), self.data.feature_len());
        match &mut self.augmenter {
            None => gather(values, width, rows, &mut chunk.inputs),
            Some(augmenter) => {
                chunk.inputs.resize(rows.len() * width, 0.0);
                for (&row, place) in rows.iter().zip(chunk.inputs.chunks_exact_mut(width)) {
                    augmenter.apply(job.epoch, row, &values[row as usize * width..][..width], place);
                }
            }
        }
        chunk.targets.clear();
        match self.data.target() {
            Target::None => {}
            Target::Classes { labels, .. } => chunk.targets.extend(rows.iter().map(|&row| labels[row as usize] as f32)),
            Target::Values { values, .. } => {
                gather(values.slice().unwrap_or_default(), values.row_len(), rows, &mut chunk.targets);
            }
        }
        chunk
    }
}

/// Copies rows of `width` numbers in the given order.
fn gather(values: &[f32], width: usize, rows: &[u32], out: &mut Vec<f32>) {
    fn narrow<const W: usize>(values: &[f32], rows: &[u32], out: &mut Vec<f32>) {
        let (values, _) = values.as_chunks::<W>();
        out.resize(rows.len() * W, 0.0);
        let (places, _) = out.as_chunks_mut::<W>();
        for (place, &row) in places.iter_mut().zip(rows) {
            *place = values[row as usize];
        }
    }
    match width {
        1 => narrow::<1>(values, rows, out),
        2 => narrow::<2>(values, rows, out),
        3 => narrow::<3>(values, rows, out),
        4 => narrow::<4>(values, rows, out),
        _ => {
            out.clear();
            for &row in rows {
                let start = row as usize * width;
                out.extend_from_slice(&values[start..start + width]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Tensor;

    fn data(rows: usize, width: usize) -> Arc<Dataset> {
        let x = (0..rows * width).map(|i| i as f32).collect::<Vec<_>>();
        let y = (0..rows).map(|i| i as f64).collect::<Vec<_>>();
        let x = Tensor::new([rows, width], x).unwrap();
        Arc::new(Dataset::new(x, Target::from_numbers(&y, None).unwrap()).unwrap())
    }

    /// All batches of an epoch as (batch, inputs, targets).
    fn batches(loader: &mut Loader, epoch: u64, steps: Range<usize>) -> Vec<(usize, Vec<f32>, Vec<f32>)> {
        let mut list = Vec::new();
        let mut chunks = loader.steps(epoch, steps);
        while let Some(chunk) = chunks.next_chunk() {
            for step in 0..chunk.steps() {
                let part = |values: &[f32]| {
                    let n = values.len() / chunk.steps();
                    values[step * n..(step + 1) * n].to_vec()
                };
                list.push((chunk.batch(), part(chunk.inputs()), part(chunk.targets())));
            }
        }
        list
    }

    #[test]
    fn augmentation_does_not_depend_on_thread_batch_or_where_a_run_goes_on() {
        use crate::augment::{Augment, Crop, Flip};
        let x: Vec<f32> = (0..103 * 48).map(|i| i as f32).collect();
        let y: Vec<f64> = (0..103).map(f64::from).collect();
        let data = Dataset::new(Tensor::new([103, 3, 4, 4], x).unwrap(), Target::from_numbers(&y, None).unwrap());
        let steps = [Augment::Flip(Flip::default()), Augment::Crop(Crop::new(2))];
        let plain = data.unwrap();
        let data = Arc::new(plain.clone().with_augmentation(&steps).unwrap());
        assert_ne!(plain.fingerprint(), data.fingerprint());
        // Every sample of an epoch by its label.
        let samples = |loader: &mut Loader, epoch| {
            let mut list: Vec<(u32, Vec<f32>)> = vec![];
            for (_, x, y) in batches(loader, epoch, 0..usize::MAX) {
                list.extend(y.iter().map(|&y| y as u32).zip(x.chunks_exact(48).map(<[f32]>::to_vec)));
            }
            list.sort_by_key(|(label, _)| *label);
            list
        };
        let mut inline = Loader::new(data.clone(), options(10, LoaderMode::Inline)).unwrap();
        let mut thread = Loader::new(data.clone(), options(10, LoaderMode::Background)).unwrap();
        let mut other = Loader::new(data.clone(), options(7, LoaderMode::Background)).unwrap();
        let first = samples(&mut inline, 3);
        assert_eq!(first.len(), 103);
        assert_eq!(first, samples(&mut thread, 3));
        assert_eq!(first, samples(&mut other, 3));
        assert_ne!(first, samples(&mut inline, 4));
        let changed = first.iter().filter(|(label, x)| x[..] != *plain.input_row(*label as usize)).count();
        assert!(changed > 90, "{changed}");
        let all = batches(&mut inline, 5, 0..usize::MAX);
        assert_eq!(batches(&mut thread, 5, 4..usize::MAX), all[4..]);
        assert_eq!(batches(&mut inline, 5, 9..10), all[9..10]);
    }

    fn options(batch: usize, mode: LoaderMode) -> LoaderOptions {
        LoaderOptions { batch, seed: 5, mode, chunk_bytes: 300, ..LoaderOptions::default() }
    }

    #[test]
    fn an_epoch_has_every_sample_once() {
        for width in 1..7 {
            let data = data(103, width);
            let mut loader = Loader::new(data.clone(), options(10, LoaderMode::Inline)).unwrap();
            assert_eq!(loader.steps_per_epoch(), 11);
            let first = batches(&mut loader, 0, 0..usize::MAX);
            assert_eq!(
                first.iter().map(|(batch, ..)| *batch).collect::<Vec<_>>(),
                [[10; 10].as_slice(), &[3]].concat()
            );
            let mut labels: Vec<usize> = Vec::new();
            for (_, x, y) in &first {
                for (row, &label) in x.chunks_exact(width).zip(y) {
                    assert_eq!(row, data.input_row(label as usize));
                    labels.push(label as usize);
                }
            }
            assert!(!labels.is_sorted());
            labels.sort_unstable();
            assert_eq!(labels, (0..103).collect::<Vec<_>>());
            assert_ne!(first, batches(&mut loader, 1, 0..usize::MAX));
            assert_eq!(first, batches(&mut loader, 0, 0..usize::MAX));
        }
    }

    #[test]
    fn a_thread_changes_nothing_and_any_step_can_be_resumed() {
        let data = data(103, 5);
        let mut inline = Loader::new(data.clone(), options(10, LoaderMode::Inline)).unwrap();
        let mut thread = Loader::new(data, options(10, LoaderMode::Background)).unwrap();
        for epoch in [0, 1, 7] {
            let all = batches(&mut inline, epoch, 0..usize::MAX);
            assert_eq!(all, batches(&mut thread, epoch, 0..usize::MAX));
            for from in 0..=11 {
                assert_eq!(all[from..], batches(&mut thread, epoch, from..11));
                assert_eq!(all[..from], batches(&mut thread, epoch, 0..from));
                thread.epoch(epoch, from).next_chunk();
            }
        }
    }

    #[test]
    fn options_hold() {
        let data = data(25, 1);
        let plain = LoaderOptions { shuffle: false, drop_last: true, ..options(10, LoaderMode::Auto) };
        let mut loader = Loader::new(data.clone(), plain).unwrap();
        let all = batches(&mut loader, 3, 0..usize::MAX);
        assert_eq!(all.len(), 2);
        assert_eq!(all[1].1, (10..20).map(|i| i as f32).collect::<Vec<_>>());
        assert_eq!(
            Loader::new(data.clone(), options(26, LoaderMode::Auto)).unwrap_err().to_string(),
            "the batch size is 26, but there are only 25 samples; choose a batch size of at most 25"
        );
        assert_eq!(
            Loader::new(data, options(0, LoaderMode::Auto)).unwrap_err().to_string(),
            "batch_size is 0: it must be at least 1"
        );
    }

    #[test]
    fn buffers_go_round() {
        for mode in [LoaderMode::Inline, LoaderMode::Background] {
            let mut loader = Loader::new(data(400, 8), options(4, mode)).unwrap();
            let mut places = std::collections::BTreeSet::new();
            for epoch in 0..5 {
                let mut chunks = loader.epoch(epoch, 0);
                while let Some(chunk) = chunks.next_chunk() {
                    places.insert(chunk.inputs().as_ptr() as usize);
                }
            }
            assert!(places.len() <= 2, "{mode:?} used {} buffers", places.len());
        }
    }
}
