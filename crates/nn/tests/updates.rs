//! Groups, clipping, constraints and tying: what an update does with each parameter.

use gradus_graph::{Constant, Engine, Graph, GraphError, Kind, Model, Request, Role, State, Values};
use gradus_kernels::Pool;
use gradus_nn::clips::{GlobalNorm, Norm, Value};
use gradus_nn::layers::Dense;
use gradus_nn::losses::Mse;
use gradus_nn::optimizers::{AdamW, Momentum, Sgd};
use gradus_nn::regularizers::{L1, L2, Tying};
use gradus_nn::schedules::{OneCycle, Per, StepDecay};
use gradus_nn::step::Time;
use gradus_nn::updates::Decay;
use gradus_nn::{AnyClip, Group, LayerExt, TrainStep, Updates, seq};
use gradus_tensor::Shape;

const W: [f64; 6] = [0.5, -1.0, 2.0, 0.25, -0.5, 1.0];
const B: [f64; 2] = [0.1, -0.2];
const DW: [f64; 6] = [3.0, 0.0, -4.0, 0.5, 0.0, 12.0];
const DB: [f64; 2] = [0.0, 5.0];

/// One step of some updates of `dense/weight: [3, 2]` and `dense/bias: [2]` along fixed gradients.
fn step(updates: &Updates<'_>) -> (Vec<f64>, Vec<f64>) {
    let g = Graph::new();
    let gradients = g.scope("dense", || {
        g.variable("weight", [3, 2], Values(W.to_vec()), Role::Weight);
        g.variable("bias", [2], Values(B.to_vec()), Role::Bias);
        let input = |name, sizes: &[usize]| g.add_input(name, Shape::fixed(sizes), Kind::Real);
        [(0, input("dw", &[3, 2])), (1, input("db", &[2]))]
    });
    updates.apply(&g, &gradients);
    let model = g.model(&[]).unwrap();
    let mut state = State::<f64>::new(&model, 0);
    let mut engine = Engine::new(&model, Request::training(&[])).unwrap();
    engine.run(&mut state, &[&DW, &DB], 1, 1, &Pool::new(1)).unwrap();
    (state.variable("dense/weight").unwrap().to_vec(), state.variable("dense/bias").unwrap().to_vec())
}

fn close(what: &str, received: &[f64], expected: &[f64]) {
    assert_eq!(received.len(), expected.len(), "{what}");
    for (x, y) in received.iter().zip(expected) {
        assert!((x - y).abs() < 1e-14, "{what}: {received:?} is not {expected:?}");
    }
}

fn along(w: &[f64], g: impl IntoIterator<Item = f64>, lr: f64) -> Vec<f64> {
    w.iter().zip(g).map(|(w, g)| w - lr * g).collect()
}

const SGD: Sgd = Sgd { lr: 0.1, weight_decay: 0.0 };

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[test]
fn three_forms_of_clipping() {
    let clipped = |clip: AnyClip| step(&Updates { clip: Some(&clip), ..Updates::new(&SGD) });
    let (w, b) = clipped(Value::new(1.0).into());
    close("value", &w, &along(&W, DW.map(|g| g.clamp(-1.0, 1.0)), 0.1));
    close("value", &b, &along(&B, DB.map(|g| g.clamp(-1.0, 1.0)), 0.1));
    let (w, b) = clipped(Norm::new(6.0).into());
    close("norm", &w, &along(&W, DW.map(|g| g * 6.0 / norm(&DW)), 0.1));
    close("norm: below the limit", &b, &along(&B, DB, 0.1));
    let all = norm(&[norm(&DW), norm(&DB)]);
    let (w, b) = clipped(GlobalNorm::new(2.0).into());
    close("global norm", &w, &along(&W, DW.map(|g| g * 2.0 / all), 0.1));
    close("global norm", &b, &along(&B, DB.map(|g| g * 2.0 / all), 0.1));
    let (w, _) = clipped(GlobalNorm::new(all + 1e-9).into());
    close("below the limit nothing changes", &w, &along(&W, DW, 0.1));
}

#[test]
fn the_gradient_of_a_penalty_is_clipped_with_the_rest_and_decay_is_not() {
    let (penalty, clip) = (L2::new(0.5).into(), GlobalNorm::new(1.0).into());
    let (w, b) = step(&Updates { regularizer: Some(&penalty), clip: Some(&clip), ..Updates::new(&SGD) });
    let g: Vec<f64> = DW.iter().zip(W).map(|(g, w)| g + 0.5 * w).collect();
    let all = norm(&[norm(&g), norm(&DB)]);
    close("weights", &w, &along(&W, g.iter().map(|g| g / all), 0.1));
    close("biases have no penalty", &b, &along(&B, DB.map(|g| g / all), 0.1));
    let decaying = Sgd { lr: 0.1, weight_decay: 0.5 };
    let (w, _) = step(&Updates { clip: Some(&clip), ..Updates::new(&decaying) });
    let all = norm(&[norm(&DW), norm(&DB)]);
    close("decay", &w, &along(&W, DW.iter().zip(W).map(|(g, w)| g / all + 0.5 * w), 0.1));
}

#[test]
fn a_zero_gradient_stays_zero_when_clipped() {
    let g = Graph::new();
    let w = g.variable("w", [2], Constant(1.0), Role::Weight);
    let clip: AnyClip = GlobalNorm::new(1.0).into();
    Updates { clip: Some(&clip), ..Updates::new(&SGD) }.apply(&g, &[(0, &w * 0.0)]);
    let model = g.model(&[]).unwrap();
    let mut state = State::<f32>::new(&model, 0);
    Engine::new(&model, Request::training(&[])).unwrap().run(&mut state, &[], 1, 1, &Pool::new(1)).unwrap();
    assert_eq!(state.variable("w").unwrap(), [1.0, 1.0]);
}

#[test]
fn max_norm_scales_units_back() {
    let (w, b) = step(&Updates { max_norm: Some(1.5), ..Updates::new(&SGD) });
    let free = along(&W, DW, 0.1);
    let column = |k: usize| [free[k], free[2 + k], free[4 + k]];
    assert!(norm(&column(0)) > 1.5 && norm(&column(1)) < 1.5, "one unit is too large: {free:?}");
    let factor = 1.5 / norm(&column(0));
    let expected: Vec<f64> = free.iter().enumerate().map(|(i, w)| if i % 2 == 0 { w * factor } else { *w }).collect();
    close("weights", &w, &expected);
    close("biases are free", &b, &along(&B, DB, 0.1));
}

#[test]
fn groups_have_their_own_rate_decay_penalty_and_constraint() {
    let decaying = AdamW { lr: 0.1, weight_decay: 0.2, ..AdamW::default() };
    let groups = [Group { lr: Some(0.01), ..Group::new("*/weight") }];
    let (slow, b) = step(&Updates { groups: &groups, ..Updates::new(&decaying) });
    let (alone, _) = step(&Updates::new(&AdamW { lr: 0.01, ..decaying }));
    let (_, usual) = step(&Updates::new(&decaying));
    close("the group's rate", &slow, &alone);
    close("the others'", &b, &usual);

    let groups = [Group { decay: Some(Decay::All), weight_decay: Some(0.5), ..Group::new("dense/bias") }];
    let (w, b) = step(&Updates { groups: &groups, ..Updates::new(&SGD) });
    close("no decay here", &w, &along(&W, DW, 0.1));
    close("but here", &b, &along(&B, DB.iter().zip(B).map(|(g, b)| g + 0.5 * b), 0.1));

    let l2 = L2::new(0.1).into();
    let groups = [Group { regularizer: Some(L1::new(0.3).into()), max_norm: Some(1.0), ..Group::new("dense/w*") }];
    let (w, _) = step(&Updates { groups: &groups, regularizer: Some(&l2), ..Updates::new(&SGD) });
    let free = along(&W, DW.iter().zip(W).map(|(g, w)| g + 0.3 * w.signum()), 0.1);
    let norms = [0, 1].map(|k| norm(&[free[k], free[2 + k], free[4 + k]]));
    let expected: Vec<f64> = free.iter().enumerate().map(|(i, w)| w * (1.0 / norms[i % 2]).min(1.0)).collect();
    close("own penalty and constraint", &w, &expected);

    let both = [Group { lr: Some(0.5), ..Group::new("dense/*") }, Group { lr: Some(7.0), ..Group::new("*") }];
    let (w, _) = step(&Updates { groups: &both, ..Updates::new(&SGD) });
    close("the first group that fits", &w, &along(&W, DW, 0.5));
}

fn network() -> Model {
    let g = Graph::new();
    let y = g.input("x", [2]).layer(seq![Dense::new(2).tanh(), Dense::new(2).tanh(), Dense::new(1)]);
    g.model(&[("y", &y)]).unwrap()
}

const X: [f64; 6] = [0.1, 0.5, -0.3, 0.8, 0.9, -0.4];
const T: [f64; 3] = [0.3, -0.2, 0.5];

/// The state after some steps.
fn train(step: TrainStep, steps: usize) -> (State<f64>, Engine<f64>) {
    let model = step.loss("y", Mse::default()).build(&network()).unwrap();
    let mut state = State::<f64>::new(&model, 3);
    let mut engine =
        Engine::new(&model, Request { updates: true, ..Request::training(&["loss", "penalty", "data_loss"]) }).unwrap();
    for _ in 0..steps {
        engine.run(&mut state, &[&X, &T], 3, 1, &Pool::new(1)).unwrap();
    }
    (state, engine)
}

#[test]
fn frozen_parameters_keep_their_values() {
    let frozen = Group { frozen: true, ..Group::new("dense/*") };
    let (start, _) = train(TrainStep::new(SGD), 0);
    let (state, _) = train(TrainStep::new(SGD).group(frozen.clone()), 5);
    for (variable, values) in state.variables() {
        let same = start.variable(&variable.path).unwrap() == values;
        assert_eq!(same, variable.path.starts_with("dense/"), "{}", variable.path);
    }
    let all = TrainStep::new(SGD).group(Group { frozen: true, ..Group::new("*") }).loss("y", Mse::default());
    let error = all.build(&network()).unwrap_err().to_string();
    assert!(error.contains("at least one parameter to train"), "{error}");
}

#[test]
fn tied_parameters_draw_near() {
    let distance = |state: &State<f64>| {
        let (a, b) = (state.variable("dense/weight").unwrap(), state.variable("dense_1/weight").unwrap());
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
    };
    let tying = Tying { first: "dense/weight".into(), second: "dense_1/weight".into(), lambda: 2.0 };
    let (start, _) = train(TrainStep::new(SGD).tying(tying.clone()), 0);
    let (state, engine) = train(TrainStep::new(SGD).tying(tying.clone()), 1);
    let (loss, penalty, data) = (engine.sums()[0], engine.sums()[1], engine.sums()[2]);
    assert!((penalty - distance(&start)).abs() < 1e-14, "λ/2 of the squared distance");
    assert!((loss - penalty - data).abs() < 1e-14);
    let (free, _) = train(TrainStep::new(SGD), 1);
    let moved = |state: &State<f64>, path: &str| state.variable(path).unwrap()[0];
    let difference = moved(&start, "dense/weight") - moved(&start, "dense_1/weight");
    let expected = moved(&free, "dense/weight") - 0.1 * 2.0 * difference;
    assert!((moved(&state, "dense/weight") - expected).abs() < 1e-12, "its gradient is λ(a - b)");
    assert!(distance(&train(TrainStep::new(SGD).tying(tying), 50).0) < 1e-2 * distance(&start));
}

#[test]
fn what_names_no_parameter_is_refused_with_those_that_are() {
    let refused = |step: TrainStep| match step.loss("y", Mse::default()).build(&network()).unwrap_err() {
        GraphError::Shape { expected, received, .. } => format!("{expected} / {received}"),
        other => other.to_string(),
    };
    let known = "dense/weight, dense/bias, dense_1/weight, dense_1/bias, dense_2/weight, dense_2/bias";
    assert_eq!(
        refused(TrainStep::new(SGD).group(Group::new("conv*"))),
        format!("a pattern that fits a parameter: {known} / `conv*`")
    );
    let tying = |first: &str, second: &str| Tying { first: first.into(), second: second.into(), lambda: 1.0 };
    assert_eq!(
        refused(TrainStep::new(SGD).tying(tying("dense/weight", "x"))),
        format!("the path of a parameter: {known} / `x`")
    );
    assert_eq!(
        refused(TrainStep::new(SGD).tying(tying("dense/weight", "dense_2/weight"))),
        "two parameters of one shape / [2, 2] and [2, 1]"
    );
    assert_eq!(
        refused(TrainStep::new(SGD).group(Group { lr: Some(f64::NAN), ..Group::new("*") })),
        "`lr` above 0 / NaN"
    );
    assert_eq!(refused(TrainStep::new(SGD).clip(Norm::new(-1.0))), "`limit` above 0 / -1");
    assert_eq!(refused(TrainStep::new(SGD).max_norm(0.0)), "`max_norm` above 0 / 0");
}

#[test]
fn a_schedule_moves_the_rate_inside_the_step() {
    let time = Time { per: Per::Step, steps_per_epoch: 10, total_steps: Some(40) };
    let schedule = StepDecay { every: 2.0, gamma: 0.5 };
    let scheduled = |steps| train(TrainStep::new(SGD).schedule(schedule, time), steps).0;
    let (plain, _) = train(TrainStep::new(SGD), 2);
    assert_eq!(scheduled(2).variable("dense/weight"), plain.variable("dense/weight"), "not before the boundary");
    // The third step has half the rate: the same step by hand.
    let model = TrainStep::new(Sgd { lr: 0.05, ..SGD }).loss("y", Mse::default()).build(&network()).unwrap();
    let mut state = State::<f64>::new(&model, 3);
    state.copy_from(&plain);
    Engine::new(&model, Request::training(&[])).unwrap().run(&mut state, &[&X, &T], 3, 1, &Pool::new(1)).unwrap();
    assert_eq!(scheduled(3).variable("dense/weight"), state.variable("dense/weight"));
}

#[test]
fn one_cycle_moves_the_momentum_too() {
    let time = Time { per: Per::Step, steps_per_epoch: 10, total_steps: Some(20) };
    let momentum = Momentum { lr: 0.1, momentum: 0.5, ..Momentum::default() };
    let cycle = |cycle_momentum| OneCycle { cycle_momentum, ..OneCycle::default() };
    let end = |schedule: OneCycle, momentum: Momentum| {
        train(TrainStep::new(momentum).schedule(schedule, time), 10).0.variable("dense/weight").unwrap().to_vec()
    };
    assert_eq!(end(cycle(true), momentum), end(cycle(true), Momentum { momentum: 0.1, ..momentum }), "the schedule's");
    assert_ne!(
        end(cycle(false), momentum),
        end(cycle(false), Momentum { momentum: 0.1, ..momentum }),
        "the rule's own"
    );
}
