//! Sequences that are nothing but padding: they give zeros or what a bias gives, and training goes on without a NaN.

use gradus_graph::{Engine, Graph, Mode, Node, Request, State};
use gradus_kernels::Pool;
use gradus_nn::layers::*;
use gradus_nn::losses::Mse;
use gradus_nn::optimizers::Adam;
use gradus_nn::{AnyLayer, LayerExt, TrainStep};

const TIME: usize = 4;
const FEATURES: usize = 4;

fn pooling(method: TimeMethod) -> AnyLayer {
    let k = matches!(method, TimeMethod::KMax | TimeMethod::KAverage | TimeMethod::ChunkMax | TimeMethod::ChunkAverage);
    TimePooling { method, k: k.then_some(2) }.into()
}

/// Every way from sequences to vectors.
fn nets() -> Vec<Vec<AnyLayer>> {
    use TimeMethod::*;
    let mut nets: Vec<Vec<AnyLayer>> = [First, Last, Max, Average, KMax, KAverage, ChunkMax, ChunkAverage]
        .into_iter()
        .map(|method| vec![pooling(method)])
        .collect();
    nets.extend([
        vec![SelfAttentionPooling::new(2).into()],
        vec![AttentionPooling::default().into()],
        vec![CapsulePooling::new(2, 3).into()],
        vec![Lstm::new(3).into()],
        vec![Gru::new(3).bidirectional().into()],
        vec![SimpleRnn::new(3).into()],
        vec![Attention::new(2).into(), pooling(Max)],
        vec![TransformerEncoder::new(2).into(), pooling(Average)],
    ]);
    nets
}

#[test]
fn rows_of_padding_alone_do_no_harm() {
    // The first and third row are padding alone, the second ends in it.
    let mut x = vec![0.0; 5 * TIME * FEATURES];
    let mut rng = gradus_tensor::Rng::new(4, 1, 0);
    for (i, x) in x.iter_mut().enumerate() {
        let (row, step) = (i / (TIME * FEATURES), i / FEATURES % TIME);
        let there = row > 2 || row == 1 && step < 2;
        *x = if there { rng.normal() } else { 0.0 };
    }
    for net in nets() {
        let g = Graph::new();
        let masked: Node = g.input("x", [TIME, FEATURES]).layer(Masking::default());
        let y = net.iter().fold(masked, |y, layer| y.layer(layer.clone())).layer(Flatten).layer(Dense::new(2));
        let step = TrainStep::new(Adam { lr: 0.05, ..Adam::default() }).loss("y", Mse::default());
        let model = step.build(&g.model(&[("y", &y)]).unwrap()).unwrap_or_else(|e| panic!("{net:?}: {e}"));
        let request = Request { mode: Mode::Train, updates: true, ..Request::predicting(&["y", "loss"]) };
        let mut engine = Engine::<f32>::new(&model, request).unwrap();
        let mut state = State::new(&model, 1);
        let (x, target): (Vec<f32>, Vec<f32>) = (x.iter().map(|&x| x as f32).collect(), vec![1.0; 10]);
        let mut losses = vec![];
        for _ in 0..30 {
            engine.run(&mut state, &[&x, &target], 5, 1, &Pool::new(1)).unwrap();
            losses.push(engine.output("loss").unwrap()[0]);
            assert!(engine.output("y").unwrap().iter().all(|y| y.is_finite()), "{net:?}");
        }
        assert!(state.variables().all(|(_, values)| values.iter().all(|x| x.is_finite())), "{net:?}");
        assert!(losses[29] < 0.5 * losses[0], "{net:?}: {losses:?}");
    }
}
