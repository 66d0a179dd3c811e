//! What is refused before a run, what ends one, and what both say.

mod common;

use common::{Scratch, digits_model, iris_model, iris_trainer, parts};
use gradus_data::readers::Embedded;
use gradus_data::{Dataset, Target};
use gradus_graph::{Constant, Graph, Model, Node, Role, State};
use gradus_metrics::Metric;
use gradus_nn::layers::{BatchNorm, Dense, Embedding, Flatten};
use gradus_nn::losses::{BinaryCrossEntropy, CrossEntropy, Mse};
use gradus_nn::optimizers::Sgd;
use gradus_nn::{AnyInit, LayerExt, init, seq};
use gradus_tensor::{Tensor, safetensors};
use gradus_train::{Checkpoints, Epochs, Every, Keep, LossBelow, ModelFile, Patience, TrainError, Trainer};

fn message(result: Result<impl Sized, TrainError>) -> String {
    result.err().unwrap().to_string()
}

/// y = 3x on 32 points.
fn line() -> Dataset {
    let x: Vec<f32> = (0..32).map(|i| i as f32 / 16.0).collect();
    let y = Tensor::vector(x.iter().map(|x| 3.0 * x).collect::<Vec<f32>>());
    Dataset::new(Tensor::vector(x), Target::from_values(y, None).unwrap()).unwrap()
}

fn regression(build: impl FnOnce(&Node) -> Node) -> Model {
    let g = Graph::new();
    let y = build(&g.input("x", [1]));
    g.model(&[("y", &y)]).unwrap()
}

#[test]
fn batches_too_small_for_a_layer_are_found_before_training() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    let g = Graph::new();
    let y = g.input("x", [4]).layer(Dense::new(8)).layer(BatchNorm::default()).layer(Dense::new(3));
    let model = g.model(&[("species", &y)]).unwrap();
    let fit = |batch_size: usize| iris_trainer(&model).batch_size(batch_size).fit(&train, &valid, Epochs(1));
    // 120 = 7·17 + 1
    assert_eq!(
        message(fit(17)),
        "layer `batch_norm` cannot train on a batch of 1\n  expected: at least 2 samples in every batch, the last one of an epoch \
         too\n  received: 120 training samples in batches of 17: the last has 1\n  help:     choose another batch size, such as 18, \
         or other numbers of training samples"
    );
    assert!(message(fit(1)).contains("cannot train on a batch of 1"));
    assert!(fit(16).is_ok(), "the last has 8");
    assert!(fit(120).is_ok());
}

#[test]
fn data_and_model_must_fit() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    let model = iris_model();
    let fit = |mut trainer: Trainer<'_>, train: &Dataset| trainer.fit(train, &valid, Epochs(1));
    assert_eq!(
        message(fit(iris_trainer(&model).batch_size(121), &train)),
        "the batch size is 121, but there are only 120 samples; choose a batch size of at most 120"
    );
    let (digits, _) = parts(Embedded::Digits, 0.2, 3);
    assert_eq!(
        message(fit(iris_trainer(&model), &digits)),
        "the training data do not fit the model's input `x`\n  expected: [4] numbers for each sample\n  received: [8, 8]\n  help:     \
         correct the size of the model's input, or the columns that are read"
    );
    let wide = {
        let g = Graph::new();
        let y = g.input("x", [4]).layer(Dense::new(5));
        g.model(&[("species", &y)]).unwrap()
    };
    assert_eq!(
        message(fit(iris_trainer(&wide), &train)),
        "the training data's classes do not fit output `species`\n  expected: 5 classes\n  received: 3: `setosa`, `versicolor`, \
         `virginica`\n  help:     end the network with one unit for each class"
    );
    let single = regression(|x| x.layer(Dense::new(1)));
    let binary = Trainer::new(&single).loss("y", BinaryCrossEntropy::default()).fit(line(), None, Epochs(1));
    let text = message(binary);
    assert!(text.contains("expected: numbers in [0, 1]\n  received: 1.125"), "soft targets are shares: {text}");
    let classes =
        Dataset::new(line().inputs().clone(), Target::from_numbers(&[0.0, 1.0].repeat(16), None).unwrap()).unwrap();
    assert_eq!(
        message(Trainer::new(&single).loss("y", Mse::default()).fit(&classes, None, Epochs(1))),
        "the loss on output `y` does not fit the training data\n  expected: real values\n  received: class labels\n  help:     use \
         `cross_entropy` or `binary_cross_entropy`, or read the target as values"
    );
    let inputs = Dataset::new(line().inputs().clone(), Target::None).unwrap();
    assert!(
        message(Trainer::new(&single).loss("y", Mse::default()).fit(&inputs, None, Epochs(1)))
            .contains("have no target")
    );
    assert!(message(Trainer::new(&single).fit(line(), None, Epochs(1))).contains("at least one loss"));
    let some = valid.select(&(0..10).collect::<Vec<_>>()).unwrap();
    let others = Dataset::new(
        some.inputs().clone(),
        Target::Classes { labels: vec![0; 10], classes: vec!["a".into(), "b".into(), "c".into()] },
    )
    .unwrap();
    assert_eq!(
        message(iris_trainer(&model).fit(&train, &others, Epochs(1))),
        "the validation data have other classes than the training data\n  expected: `setosa`, `versicolor`, `virginica`\n  received: \
         `a`, `b`, `c`\n  help:     read both with the same list of classes"
    );
}

#[test]
fn what_is_watched_must_exist() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    let model = iris_model();
    let mut trainer = iris_trainer(&model).stop(Patience { monitor: Some("valid/los".into()), ..Patience::new(3) });
    assert_eq!(
        message(trainer.fit(&train, &valid, Epochs(1))),
        "`patience` watches `valid/los`, which this run does not have\n  expected: one of `train/loss`, `valid/loss`, \
         `train/accuracy`, `valid/accuracy`\n  help:     correct `monitor`, or ask for that metric"
    );
    let mut trainer = iris_trainer(&model).keep(Keep::BestOf("valid/loss".into()));
    assert!(
        message(trainer.fit(&train, None, Epochs(1)))
            .starts_with("`best` watches `valid/loss`, which this run does not have")
    );
    let mut trainer = iris_trainer(&model).metric("species", Metric::Mse);
    assert!(message(trainer.fit(&train, &valid, Epochs(1))).starts_with("metric `mse` does not fit a classification"));
    let mut trainer = iris_trainer(&model).metric("kind", Metric::Accuracy);
    assert!(message(trainer.fit(&train, &valid, Epochs(1))).starts_with("there is no output `kind`"));
    let mut trainer = iris_trainer(&model).stop(LossBelow { check_every: -1.0, ..LossBelow::new(0.1) });
    assert_eq!(message(trainer.fit(&train, None, Epochs(1))), "`check_every` is -1\n  expected: epochs, above 0");
    assert_eq!(message(iris_trainer(&model).fit(&train, None, Epochs(0))), "`epochs` is 0\n  expected: at least 1");
    let mut trainer = iris_trainer(&model).validate_every(0.0);
    assert_eq!(message(trainer.fit(&train, None, Epochs(1))), "`validate_every` is 0\n  expected: epochs, above 0");
    let nowhere = Checkpoints::new("/nonexistent/last.safetensors").every(Every::Steps(1));
    assert!(
        message(iris_trainer(&model).checkpoints(nowhere).fit(&train, None, Epochs(1)))
            .starts_with("cannot write /nonexistent")
    );
}

#[test]
fn a_rate_that_is_too_high_diverges_by_name() {
    let model = regression(|x| x.layer(Dense::new(1)));
    let file = Scratch::new("diverged");
    let run = |every| {
        Trainer::new(&model)
            .loss("y", Mse::default())
            .optimizer(Sgd { lr: 1e4, ..Sgd::default() })
            .batch_size(8)
            .seed(1)
            .checkpoints(Checkpoints::new(&file.0).every(every))
            .fit(line(), None, Epochs(100))
    };
    let error = run(Every::Steps(1)).err().unwrap();
    let TrainError::Diverged { step, epoch, loss, tensor, kept } = &error else { panic!("{error}") };
    assert_eq!(*epoch, *step as f64 / 4.0);
    assert!((3..20).contains(step) && !loss.is_finite(), "{error}");
    assert_eq!(tensor, "`reduce` in `y` (inf at [0, 0])");
    assert_eq!(*kept, format!("the last good checkpoint, {}", file.0.display()));
    // The checkpoint is that of the step before: whole and finite.
    let kept = safetensors::read(&file.0).unwrap();
    assert!(kept.tensors["dense/weight"].to_f32()[0].is_finite());
    assert!(kept.metadata["gradus.progress"].starts_with(&format!("{{\"step\":{step},")));
    assert_eq!(
        error.to_string().lines().nth(2),
        Some(
            "  help:     lower the learning rate, scale the inputs, or clip what may become 0 under a logarithm or a division"
        )
    );
    // However the steps were grouped, the same step is named.
    assert!(message(run(Every::Minutes(60.0))).contains(&format!("in step {step} ")));
}

#[test]
fn a_bad_layer_is_named() {
    // e²ˢ overflows in step s = 45, and inf/inf is NaN.
    let model = regression(|x| {
        let share = x.scope("growth", |x| {
            let e = (x * 0.1 + x.graph().step() * 2.0).exp();
            &e / (&e + 1.0)
        });
        x.layer(Dense::new(1)) + share
    });
    let result = Trainer::new(&model)
        .loss("y", Mse::default())
        .optimizer(Sgd { lr: 0.05, ..Sgd::default() })
        .batch_size(8)
        .seed(3)
        .fit(line(), None, Epochs(500));
    let text = message(result);
    assert!(
        text.starts_with("training diverged in step 45 (epoch 11.25): the loss is NaN, and the first bad tensor is"),
        "{text}"
    );
    assert!(text.contains("`exp` in `growth` (inf at ["), "{text}");
    assert!(text.contains("kept:     nothing: no checkpoints were asked for"), "{text}");
}

#[test]
fn gradients_that_overflow_while_the_loss_does_not_are_found() {
    // √|w| has an infinite slope where w becomes exactly 0; the loss stays finite.
    let g = Graph::new();
    let x = g.input("x", [1]);
    let w = g.scope("root", || g.variable("w", [1], Constant(1.0), Role::Weight));
    let y = &x * 0.0 + (&w + g.step() * 0.0).sub_root();
    let model = g.model(&[("y", &y)]).unwrap();
    let zeros =
        Dataset::new(line().inputs().clone(), Target::from_values(Tensor::vector(vec![0.0f32; 32]), None).unwrap())
            .unwrap();
    // loss = relu(w)^(1/2)², gradient 1: w = 1 - lr = 0 after one step with lr 1; there √ has slope inf, and inf·0 is NaN.
    let result = Trainer::new(&model)
        .loss("y", Mse::default())
        .optimizer(Sgd { lr: 1.0, ..Sgd::default() })
        .batch_size(32)
        .fit(&zeros, None, Epochs(50));
    let text = message(result);
    assert!(text.starts_with("training diverged in step 1 "), "{text}");
    assert!(text.contains("the loss is 0,"), "{text}");
    assert!(text.contains("`root/w`"), "{text}");
}

#[test]
fn large_states_are_diagnosed_without_a_copy() {
    let model = regression(|x| x.layer(Dense::new(1_100_000)).mean(-1));
    let result = Trainer::new(&model)
        .loss("y", Mse::default())
        .optimizer(Sgd { lr: 1e12, ..Sgd::default() })
        .batch_size(2)
        .fit(line(), None, Epochs(2));
    let text = message(result);
    assert!(text.starts_with("training diverged in step "), "{text}");
    assert!(text.contains("first bad tensor is `"), "{text}");
}

trait SubRoot {
    fn sub_root(&self) -> Node;
}

impl SubRoot for Node {
    fn sub_root(&self) -> Node {
        self.relu().sqrt()
    }
}

#[test]
fn the_first_gradients_are_looked_at() {
    let root = regression(|x| {
        let w = x.scope("root", |x| x.param("w", [1], Constant(0.0), Role::Weight));
        x * 0.0 + w.sqrt()
    });
    let text = message(Trainer::new(&root).loss("y", Mse::default()).fit(line(), None, Epochs(1)));
    assert_eq!(text.lines().next(), Some("the gradient of `root/w` is not finite in the first step: -inf at [0]"));
    let dead = regression(|x| {
        let last = Dense { weight_init: AnyInit::from(init::Zero), ..Dense::new(1) };
        x.layer(Dense::new(4).tanh()).layer(last)
    });
    let outcome = Trainer::new(&dead).loss("y", Mse::default()).fit(line(), None, Epochs(1)).unwrap();
    assert_eq!(outcome.warnings.len(), 2, "{:?}", outcome.warnings);
    assert!(outcome.warnings[0].starts_with("the gradient of `dense/weight` is all zero in the first step"));
}

#[test]
fn model_files_must_fit() {
    let file = Scratch::new("fit");
    let path = file.0.display().to_string();
    ModelFile::new(&State::new(&iris_model(), 1)).unwrap().write(&file.0).unwrap();
    let read = ModelFile::read(&file.0).unwrap();
    let restore =
        |read: &ModelFile, model: &Model| message(read.restore(&mut State::new(model, 2))).replace(&path, "FILE");
    let one = regression(|x| x.layer(Dense::new(1)));
    assert_eq!(
        restore(&read, &one),
        "FILE does not fit the model: it has `dense_1/bias`, `dense_1/weight`, for which the model has no place\n  help:     use the \
         file with the model (the recipe) that it was made with"
    );
    assert_eq!(
        restore(&read, &digits_model()),
        "FILE does not fit the model: `dense/bias` has shape [8], and the model's has [64]\n  help:     use the file with the model \
         (the recipe) that it was made with"
    );
    let mut lacking = read.clone();
    lacking.tensors.remove("dense/weight");
    assert!(restore(&lacking, &iris_model()).contains("it lacks `dense/weight`; it has `dense/bias`"));
    let mut whole = read.clone();
    whole.tensors.insert("dense/bias".into(), Tensor::vector(vec![1i32; 8]));
    assert!(restore(&whole, &iris_model()).contains("`dense/bias` holds numbers of type i32"));
    assert!(message(ModelFile::read("/nonexistent".as_ref())).starts_with("cannot read /nonexistent"));
}

#[test]
fn predictors_and_evaluations_say_what_they_need() {
    let model = iris_model();
    let state = State::new(&model, 1);
    let trainer = iris_trainer(&model);
    let mut predictor = trainer.predictor("species", &state).unwrap();
    assert_eq!(message(predictor.predict(&[1.0; 7])).lines().next(), Some("the numbers make no whole rows"));
    assert!(message(trainer.predictor("kind", &state)).starts_with("there is no output `kind`"));
    let other = State::new(&digits_model(), 1);
    assert!(message(trainer.predictor("species", &other)).starts_with("the state does not fit the model's parameter"));
    let (train, _) = parts(Embedded::Iris, 0.2, 3);
    let inputs = Dataset::new(train.inputs().clone(), Target::None).unwrap();
    assert!(message(iris_trainer(&model).evaluate(&state, &inputs)).starts_with("the evaluation data have no target"));
    let loss = CrossEntropy::default();
    assert!(gradus_train::Predictor::new(&model, "species", Some(&loss), &state).is_ok());
}

#[test]
fn vectors_that_nobody_has_read_are_missed() {
    let g = Graph::new();
    let mut words = Embedding::new(4, 2);
    words.vectors = Some("glove.txt".into());
    let y = g.index_input("x", [1]).layer(words.clone()).layer(seq![Flatten, Dense::new(1)]);
    let model = g.model(&[("y", &y)]).unwrap();
    let ids = Tensor::vector(vec![0.0f32, 1.0, 2.0, 3.0]);
    let data = Dataset::new(ids, Target::from_values(Tensor::vector(vec![0.0f32; 4]), None).unwrap()).unwrap();
    let trainer = || Trainer::new(&model).loss("y", Mse::default()).optimizer(Sgd::default()).batch_size(2);
    assert_eq!(
        message(trainer().fit(&data, None, Epochs(1))),
        "`embedding/weight` shall start from a file that nobody has read\n  expected: the vectors of glove.txt\n  received: none\n  \
         help:     read them, and give the numbers with `Embedding::starting_from`, or first weights with `initial`"
    );
    let initial = State::<f32>::new(&model, 3);
    assert!(trainer().initial(initial).fit(&data, None, Epochs(1)).is_ok());
    // Numbers that are given need no file.
    let given = Graph::new();
    let y = given.index_input("x", [1]).layer(words.starting_from(vec![0.5; 8])).layer(seq![Flatten, Dense::new(1)]);
    let model = given.model(&[("y", &y)]).unwrap();
    assert!(Trainer::new(&model).loss("y", Mse::default()).batch_size(2).fit(&data, None, Epochs(1)).is_ok());
}
