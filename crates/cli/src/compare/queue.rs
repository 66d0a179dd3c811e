//! The runs of a comparison, side by side: one thread each, the longest first, data read once and shared.

use super::entry::{self, Entry, Judge};
use super::run::{End, Finished, Job};
use crate::failure::{Failure, Result};
use crate::materials::{Materials, Raw};
use gradus_graph::Model;
use gradus_kernels::Isa;
use gradus_train::{Interrupt, Signal};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Data of so many bytes may lie in memory for seeds whose turn has not come.
const BYTES_AHEAD: usize = 256 << 20;

/// What all runs share.
pub struct Queue<'a> {
    /// What takes part.
    pub entries: &'a [Entry],
    /// The network of each.
    pub models: &'a [Model],
    /// The data as they were read.
    pub raw: &'a Raw,
    /// The seeds.
    pub seeds: &'a [u64],
    /// What judges them.
    pub judge: Judge,
    /// The folder of each run, by entry and place of its seed.
    pub folders: &'a [Vec<PathBuf>],
    /// Threads, all runs together.
    pub threads: usize,
    /// The instruction set.
    pub isa: Isa,
    /// What ends all runs early.
    pub interrupt: Interrupt,
}

/// What happens, as those who wait hear it.
pub enum News {
    /// A run begins.
    Begun(usize, u64),
    /// A run is so far, from 0 to 1.
    Progress(usize, u64, f64),
    /// A run has ended.
    Ended(Box<Finished>),
    /// A run could not be done at all.
    Failed(Box<Failure>),
}

type Key = (usize, u64);

/// Data of one seed, made by the first run that needs them, dropped by the last.
struct Slot {
    materials: Arc<Mutex<Option<Arc<Materials>>>>,
    users: usize,
    open: bool,
}

struct Pending {
    jobs: Vec<(usize, usize)>,
    slots: HashMap<Key, Slot>,
    /// Seconds of finished runs of each entry, and how many those were.
    known: Vec<(f64, u32)>,
}

impl Queue<'_> {
    /// Does all runs; `listen` hears the news on the thread of the caller until all have ended.
    ///
    /// # Errors
    /// What `listen` fails with. The runs are then ended early.
    pub fn go(
        &self,
        ready: Vec<(Key, Arc<Materials>)>,
        listen: impl FnMut(&Receiver<News>) -> Result<()>,
    ) -> Result<()> {
        let mut listen = listen;
        let jobs: Vec<(usize, usize)> =
            (0..self.seeds.len()).flat_map(|s| (0..self.entries.len()).map(move |e| (e, s))).collect();
        let mut slots: HashMap<Key, Slot> = HashMap::new();
        for &(entry, seed) in &jobs {
            let slot = slots.entry(self.key(entry, self.seeds[seed])).or_insert_with(|| Slot {
                materials: Arc::default(),
                users: 0,
                open: false,
            });
            slot.users += 1;
        }
        for (key, materials) in ready {
            if let Some(slot) = slots.get_mut(&key) {
                (slot.materials, slot.open) = (Arc::new(Mutex::new(Some(materials))), true);
            }
        }
        let workers = self.threads.clamp(1, jobs.len().max(1));
        let each = (self.threads / jobs.len().max(1)).max(1);
        let pending = Mutex::new(Pending { jobs, slots, known: vec![(0.0, 0); self.entries.len()] });
        let (tell, news) = channel();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let tell = tell.clone();
                let pending = &pending;
                scope.spawn(move || self.work(pending, &tell, each));
            }
            drop(tell);
            let result = listen(&news);
            if result.is_err() {
                self.interrupt.request(Signal::Interrupt);
            }
            result
        })
    }

    /// The data that a run needs: entries with the same transforms share them, and seeds where no split is drawn.
    pub fn key(&self, entry: usize, seed: u64) -> Key {
        let data = &self.entries[entry].recipe.data;
        let alike = |other: &Entry| other.recipe.data.transforms == data.transforms;
        let first = self.entries.iter().position(alike).unwrap_or(entry);
        (first, if entry::is_seeded(data) { seed } else { 0 })
    }

    fn work(&self, pending: &Mutex<Pending>, tell: &Sender<News>, threads: usize) {
        while self.interrupt.requested().is_none() {
            let Some((entry, place)) = self.take(&mut lock(pending)) else { return };
            let seed = self.seeds[place];
            let _ = tell.send(News::Begun(entry, seed));
            let begun = Instant::now();
            let end = self.one(pending, entry, place, threads, tell);
            self.give_back(&mut lock(pending), self.key(entry, seed));
            let news = match end {
                Ok(end) => {
                    if matches!(end, End::Done(_)) {
                        let known = &mut lock(pending).known[entry];
                        *known = (known.0 + begun.elapsed().as_secs_f64(), known.1 + 1);
                    }
                    News::Ended(Box::new(Finished { entry, seed, folder: self.folders[entry][place].clone(), end }))
                }
                Err(failure) => {
                    self.interrupt.request(Signal::Interrupt);
                    News::Failed(Box::new(failure))
                }
            };
            if tell.send(news).is_err() {
                return;
            }
        }
    }

    fn one(
        &self,
        pending: &Mutex<Pending>,
        entry: usize,
        place: usize,
        threads: usize,
        tell: &Sender<News>,
    ) -> Result<End> {
        let seed = self.seeds[place];
        let cell =
            lock(pending).slots.get(&self.key(entry, seed)).map(|slot| slot.materials.clone()).unwrap_or_default();
        let materials = {
            // Others that need the same data wait here; the rest goes on.
            let mut cell = lock(&cell);
            match &*cell {
                Some(materials) => materials.clone(),
                None => {
                    let made = Arc::new(self.raw.materials(&self.entries[entry].recipe.data, seed)?);
                    *cell = Some(made.clone());
                    made
                }
            }
        };
        let entry_of = &self.entries[entry];
        // Each seed has training texts, and so words, of its own.
        let own = match materials.schema.text.is_some() {
            true => Some(entry_of.network(&materials, seed)?),
            false => None,
        };
        let job = Job {
            entry: entry_of,
            model: own.as_ref().unwrap_or(&self.models[entry]),
            materials: &materials,
            seed,
            judge: self.judge,
            folder: &self.folders[entry][place],
            threads,
            isa: self.isa,
            interrupt: self.interrupt.clone(),
        };
        job.run(|share| drop(tell.send(News::Progress(entry, seed, share))))
    }

    /// The longest run whose data may be in memory.
    fn take(&self, pending: &mut Pending) -> Option<(usize, usize)> {
        let open = pending.slots.values().filter(|slot| slot.open).count();
        let ahead = (BYTES_AHEAD / self.raw.bytes().max(1)).max(self.threads);
        let may = |&(entry, place): &(usize, usize)| {
            pending.slots.get(&self.key(entry, self.seeds[place])).is_none_or(|slot| slot.open) || open < ahead
        };
        let best = (0..pending.jobs.len()).filter(|&i| may(&pending.jobs[i])).max_by(|&a, &b| {
            let seconds = |i: usize| self.estimate(pending, pending.jobs[i].0);
            // Of runs of the same length, the first.
            seconds(a).total_cmp(&seconds(b)).then(b.cmp(&a))
        });
        // All that are left wait for data: the first may open its own.
        let job = pending.jobs.remove(best.unwrap_or(0).min(pending.jobs.len().checked_sub(1)?));
        if let Some(slot) = pending.slots.get_mut(&self.key(job.0, self.seeds[job.1])) {
            slot.open = true;
        }
        Some(job)
    }

    /// About how many seconds a run of an entry takes: by those that are done, else by its size.
    fn estimate(&self, pending: &Pending, entry: usize) -> f64 {
        let size = |i: usize| self.entries[i].recipe.train.epochs as f64 * (self.models[i].parameters() + 100) as f64;
        match pending.known[entry] {
            (_, 0) => {
                let (seconds, sizes) = pending
                    .known
                    .iter()
                    .enumerate()
                    .filter(|(_, known)| known.1 > 0)
                    .fold((0.0, 0.0), |(seconds, sizes), (i, known)| {
                        (seconds + known.0 / f64::from(known.1), sizes + size(i))
                    });
                size(entry) * if sizes > 0.0 { seconds / sizes } else { 1.0 }
            }
            (seconds, runs) => seconds / f64::from(runs),
        }
    }

    fn give_back(&self, pending: &mut Pending, key: Key) {
        if let Some(slot) = pending.slots.get_mut(&key) {
            slot.users -= 1;
            if slot.users == 0 {
                pending.slots.remove(&key);
            }
        }
    }
}

/// A worker that panicked has told so already; what it held is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
