//! Compiled models: an [`Engine`] runs over a [`State`], plans once per batch size, and allocates nothing per step.

use crate::model::{Frozen, Model, NodeId};
use crate::op::{HostOp, Result};
use crate::passes::{
    again::masks_of_sources, concrete::concrete, group::group, simplify::simplify, split::split_updates,
    stack::stack_products,
};
use crate::plan::{Plan, SCOPE, Wanted, operations, plan, traffic};
use crate::profile::{KernelCost, Profile};
use crate::state::{Layout, State};
use crate::{GraphError, Op};
use gradus_kernels::instr::HostKernel;
use gradus_kernels::{Bindings, Buffer, Code, Isa, Pool, Real, Span, Tripped};
use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What a model is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Training: dropout drops, batch norm uses the batch's statistics.
    Train,
    /// Predicting.
    Predict,
}

/// What an [`Engine`] computes.
#[derive(Clone, Debug)]
pub struct Request {
    /// Training or predicting.
    pub mode: Mode,
    /// Outputs to read after a run, by name.
    pub outputs: Vec<String>,
    /// Single-number outputs to add up over the steps of a run, by name.
    pub scalars: Vec<String>,
    /// Single-number outputs that must be finite: the run ends before any update if one is not.
    pub guards: Vec<String>,
    /// Carry out the model's updates.
    pub updates: bool,
    /// Optimise the graph. Off, every op is computed by itself as its definition says: the reference for tests.
    pub optimize: bool,
    /// The instruction set.
    pub isa: Isa,
    /// The most threads that a run may use.
    pub threads: usize,
}

impl Request {
    /// All updates, no outputs, and these scalars summed; the first one is guarded.
    pub fn training(scalars: &[&str]) -> Request {
        let names: Vec<String> = scalars.iter().map(|s| (*s).to_string()).collect();
        let guards = names.first().cloned().into_iter().collect();
        Request {
            mode: Mode::Train,
            outputs: vec![],
            scalars: names,
            guards,
            updates: true,
            ..Request::predicting(&[])
        }
    }

    /// These outputs, without updates.
    pub fn predicting(outputs: &[&str]) -> Request {
        Request {
            mode: Mode::Predict,
            outputs: outputs.iter().map(|s| (*s).to_string()).collect(),
            scalars: vec![],
            guards: vec![],
            updates: false,
            optimize: true,
            isa: Isa::detect(),
            threads: 1,
        }
    }
}

/// A run ended because a guarded number was not finite. Nothing was updated in that step.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{name}` is {value} in step {step}")]
pub struct Halt {
    /// The guarded output.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// The step, counted from 0.
    pub step: u64,
}

/// The memory of a compiled step, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Intermediate values.
    pub arena: usize,
    /// Constants.
    pub constants: usize,
    /// Parameters, optimiser slots, running statistics.
    pub state: usize,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> usize {
        self.arena + self.constants + self.state
    }
}

/// A compiled model. Plans are made for each batch size when it first occurs, and kept.
///
/// ```
/// use gradus_graph::{Constant, Engine, Graph, Request, Role, State};
/// use gradus_kernels::Pool;
/// // One weight, trained by gradient descent to make 2·w equal 6.
/// let g = Graph::new();
/// let (x, y) = (g.input("x", [1]), g.input("y", [1]));
/// let w = g.variable("w", [1], Constant(0.0), Role::Weight);
/// let loss = (&x * &w - &y).square().mean_all();
/// let dw = g.gradients(&loss, &[&w]).unwrap().remove(0);
/// g.update(&w, &(&w - dw * 0.1));
/// let model = g.model(&[("loss", &loss)]).unwrap();
///
/// let mut state = State::<f32>::new(&model, 0);
/// let mut engine = Engine::new(&model, Request::training(&["loss"])).unwrap();
/// for _ in 0..50 {
///     engine.run(&mut state, &[&[2.0], &[6.0]], 1, 1, &Pool::new(1)).unwrap();
/// }
/// assert!((state.variable("w").unwrap()[0] - 3.0).abs() < 1e-5);
/// assert_eq!(state.step, 50);
/// ```
pub struct Engine<T> {
    model: Arc<Frozen>,
    layout: Layout,
    request: Request,
    plans: HashMap<usize, Program<T>>,
    current: usize,
    sums: Vec<f64>,
    /// The next run goes on from `sums` instead of from 0.
    carried: bool,
}

/// A plan for one batch size with its memory.
struct Program<T> {
    code: Code<T>,
    labels: Vec<String>,
    arena: Buffer<T>,
    consts: Buffer<T>,
    outputs: Vec<(usize, Vec<usize>)>,
}

impl<T: Real> Engine<T> {
    /// Compiles a model for a request. Plans follow with the first run of each batch size.
    ///
    /// # Errors
    /// A name in the request that is no output of the model, or a scalar or guard that is not a single number.
    pub fn new(model: &Model, request: Request) -> Result<Engine<T>> {
        let outputs = model.outputs();
        for name in request.outputs.iter().chain(&request.scalars).chain(&request.guards) {
            if !outputs.iter().any(|(n, _)| n == name) {
                let known = outputs.iter().map(|(n, _)| format!("`{n}`")).collect::<Vec<_>>().join(", ");
                return Err(GraphError::Unknown { what: "output", name: name.clone(), known });
            }
        }
        for name in request.scalars.iter().chain(&request.guards) {
            let shape = model.output_shape(name).map(ToString::to_string).unwrap_or_default();
            if shape != "[]" {
                return Err(GraphError::NotScalar { shape });
            }
        }
        let sums = vec![0.0; request.scalars.len()];
        let layout = Layout::new(&model.inner);
        Ok(Engine {
            model: model.inner.clone(),
            layout,
            request,
            plans: HashMap::new(),
            current: 0,
            sums,
            carried: false,
        })
    }

    /// Makes the plan for a batch size, if it is not there yet.
    ///
    /// # Errors
    /// A training step of fewer samples than a layer needs ([`GraphError::Batch`]).
    pub fn prepare(&mut self, batch: usize) -> Result<()> {
        if !self.plans.contains_key(&batch) {
            let program = self.compile(batch)?;
            self.plans.insert(batch, program);
        }
        Ok(())
    }

    /// Runs `steps` steps of `batch` samples each. Input `i` of the model holds `steps` batches, one after the other.
    ///
    /// The state's step counter advances if the request has updates. Nothing is allocated once the batch size is prepared.
    ///
    /// # Errors
    /// [`RunError::Halt`] if a guard tripped, [`RunError::Graph`] if the plan cannot be made, [`RunError::Input`] if an input
    /// has not the right length or the state is that of another model.
    pub fn run(
        &mut self,
        state: &mut State<T>,
        inputs: &[&[T]],
        batch: usize,
        steps: usize,
        pool: &Pool,
    ) -> std::result::Result<(), RunError> {
        self.walk(state, inputs, batch, steps, |code, memory, seed, step, sums| {
            code.run(memory, seed, step, steps, sums, pool)
        })
    }

    /// Runs steps as [`Engine::run`] does, and tells what each kernel cost and which thread did what when.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn profile(
        &mut self,
        state: &mut State<T>,
        inputs: &[&[T]],
        batch: usize,
        steps: usize,
        pool: &Pool,
    ) -> std::result::Result<Profile, RunError> {
        self.prepare(batch)?;
        let room = self.plans[&batch].labels.len() * steps;
        let mut threads: Vec<Vec<Span>> = (0..pool.threads()).map(|_| Vec::with_capacity(room)).collect();
        self.walk(state, inputs, batch, steps, |code, memory, seed, step, sums| {
            code.run_traced(memory, seed, step, steps, sums, pool, &mut threads)
        })?;
        let program = &self.plans[&batch];
        let kernels = program.labels.iter().zip(program.code.instrs()).map(|(label, instr)| {
            let (label, path) = label.split_once(SCOPE).unwrap_or((label, ""));
            let (operations, bytes) = (operations(instr), traffic(instr) * size_of::<T>());
            KernelCost { label: label.into(), path: path.into(), time: Duration::ZERO, operations, bytes }
        });
        Ok(Profile::new(kernels.collect(), threads))
    }

    fn walk(
        &mut self,
        state: &mut State<T>,
        inputs: &[&[T]],
        batch: usize,
        steps: usize,
        run: impl FnOnce(&mut Code<T>, Bindings<'_, T>, u64, u64, &mut [f64]) -> std::result::Result<(), Tripped>,
    ) -> std::result::Result<(), RunError> {
        self.prepare(batch)?;
        self.check(state, inputs, batch, steps)?;
        self.current = batch;
        if !std::mem::take(&mut self.carried) {
            self.sums.fill(0.0);
        }
        let Some(program) = self.plans.get_mut(&batch) else { return Ok(()) };
        let memory = Bindings { arena: &mut program.arena, consts: &program.consts, state: &mut state.values, inputs };
        let result = run(&mut program.code, memory, state.seed, state.step, &mut self.sums);
        let done = match &result {
            Ok(()) => steps as u64,
            Err(tripped) => tripped.step - state.step,
        };
        if self.request.updates {
            state.step += done;
        }
        result.map_err(|t| {
            let name = self.request.guards[t.id as usize].clone();
            RunError::Halt(Halt { name, value: t.value, step: t.step })
        })
    }

    fn check(
        &self,
        state: &State<T>,
        inputs: &[&[T]],
        batch: usize,
        steps: usize,
    ) -> std::result::Result<(), RunError> {
        if *state.layout != self.layout {
            return Err(RunError::Input("the state belongs to another model: make one with `State::new`".into()));
        }
        if inputs.len() != self.model.inputs.len() {
            let (expected, received) = (self.model.inputs.len(), inputs.len());
            return Err(RunError::Input(format!("expected {expected} inputs, received {received}")));
        }
        for (spec, x) in self.model.inputs.iter().zip(inputs) {
            let expected = spec.shape.len_at(batch) * steps;
            if x.len() != expected {
                let (name, shape, received) = (&spec.name, &spec.shape, x.len());
                return Err(RunError::Input(format!(
                    "input `{name}` {shape} needs {expected} numbers for {steps} steps of batch size {batch}, received {received}"
                )));
            }
        }
        Ok(())
    }

    /// The values of an output after the last step of the last run, in row-major order.
    pub fn output(&self, name: &str) -> Option<&[T]> {
        let program = self.plans.get(&self.current)?;
        let index = self.request.outputs.iter().position(|n| n == name)?;
        let (offset, sizes) = &program.outputs[index];
        Some(&program.arena[*offset..offset + sizes.iter().product::<usize>()])
    }

    /// The sizes of an output in the last run.
    pub fn output_sizes(&self, name: &str) -> Option<&[usize]> {
        let program = self.plans.get(&self.current)?;
        let index = self.request.outputs.iter().position(|n| n == name)?;
        Some(&program.outputs[index].1)
    }

    /// For each requested scalar, the sum of its values over the steps of the last run.
    pub fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// The next run adds to these sums instead of starting from 0: steps cut into several runs then add up to the same bits as in
    /// one. Sums that are not given start at 0.
    pub fn carry_sums(&mut self, sums: &[f64]) {
        self.sums.fill(0.0);
        self.sums.iter_mut().zip(sums).for_each(|(own, &sum)| *own = sum);
        self.carried = true;
    }

    /// What the engine was made for.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The schedule for a batch size as text: kernels, shapes and the bytes that each reads and writes, in the order they run.
    pub fn describe(&mut self, batch: usize) -> Result<String> {
        self.prepare(batch)?;
        let program = &self.plans[&batch];
        let mut text = format!("{:<4} {:>12}  kernel\n", "#", "bytes");
        for (i, (label, instr)) in program.labels.iter().zip(program.code.instrs()).enumerate() {
            let bytes = traffic(instr) * size_of::<T>();
            text.push_str(&format!("{i:>4} {bytes:>12}  {label}\n"));
        }
        Ok(text)
    }

    /// The memory that a step of this batch size works in, in bytes.
    pub fn memory(&mut self, batch: usize) -> Result<Memory> {
        self.prepare(batch)?;
        let program = &self.plans[&batch];
        let bytes = |elements: usize| elements * size_of::<T>();
        Ok(Memory {
            arena: bytes(program.arena.len()),
            constants: bytes(program.consts.len()),
            state: bytes(self.layout.len),
        })
    }

    fn compile(&self, batch: usize) -> Result<Program<T>> {
        if let Some(need) = crate::hooks::most(&self.model.hooks)
            && self.request.mode == Mode::Train
            && batch < need.samples
        {
            return Err(GraphError::Batch { path: need.path.clone(), least: need.samples, batch });
        }
        let (roots, mut wanted) = self.wanted();
        let mut dag = concrete(&self.model.nodes, &roots, batch, self.request.mode);
        if self.request.optimize {
            let (split, updates) = split_updates(&stack_products(&simplify(&dag)), &wanted.updates);
            dag = masks_of_sources(&simplify(&split));
            wanted.updates = updates;
        }
        let groups = group(&dag, self.request.optimize);
        let plan: Plan<T> = plan(&dag, &groups, &wanted, &self.model, &self.layout, batch);
        let room = |len: usize| {
            let what = || format!("a step of batch size {batch}");
            Buffer::try_zeroed(len).ok_or_else(|| GraphError::memory(what(), len.saturating_mul(size_of::<T>())))
        };
        let mut consts = room(plan.sizes.consts)?;
        for (x, c) in consts.iter_mut().zip(&plan.consts) {
            *x = T::from_f64(*c);
        }
        let arena = room(plan.sizes.arena)?;
        let outputs: Vec<_> =
            plan.outputs.iter().map(|(at, sizes)| *at..at + sizes.iter().product::<usize>()).collect();
        let Request { isa, threads, .. } = self.request;
        let code = Code::sparing(plan.instrs, plan.sizes, plan.scalars, &outputs, isa, threads)
            .map_err(|e| GraphError::Internal(e.to_string()))?;
        Ok(Program { code, labels: plan.labels, arena, consts, outputs: plan.outputs })
    }

    /// The nodes that the request needs, and what each is for.
    fn wanted(&self) -> (Vec<NodeId>, Wanted) {
        let mut roots = vec![];
        let mut wanted = Wanted::default();
        let mut add = |id: NodeId| {
            roots.push(id);
            roots.len() - 1
        };
        let node = |name: &String| self.model.outputs.iter().find(|(n, _)| n == name).map_or(0, |o| o.1);
        wanted.outputs = self.request.outputs.iter().map(|n| add(node(n))).collect();
        wanted.scalars = self.request.scalars.iter().map(|n| add(node(n))).collect();
        wanted.guards = self.request.guards.iter().map(|n| add(node(n))).collect();
        if self.request.updates {
            for &(target, value) in &self.model.updates {
                let start = match self.model.nodes[target].op {
                    Op::Variable(v) => self.layout.variables[v],
                    Op::Flat(f) => self.layout.flats[f],
                    _ => continue,
                };
                wanted.updates.push((start, add(value)));
            }
        }
        (roots, wanted)
    }
}

/// Why a run did not happen or ended early.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RunError {
    /// A guarded number was not finite.
    #[error(transparent)]
    Halt(#[from] Halt),
    /// The plan could not be made.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The inputs or the state do not fit the model.
    #[error("{0}")]
    Input(String),
}

/// The user's function in the precision of the program.
pub(crate) fn host_kernel<T: Real>(op: &dyn HostOp, x: &[Vec<usize>], y: &[usize]) -> Arc<dyn HostKernel<T>> {
    // `T` is one of two types: the boxes below are of the type asked for.
    let boxed: Box<dyn std::any::Any> =
        if TypeId::of::<T>() == TypeId::of::<f32>() { Box::new(op.single(x, y)) } else { Box::new(op.double(x, y)) };
    *boxed.downcast::<Arc<dyn HostKernel<T>>>().expect("`Real` is `f32` or `f64`")
}
