use super::*;

const TEXT: &str = r#"seed = 7

[data]
train = { embedded = "digits" }
test = { fraction = 0.2 }
transforms = [{ min_max = {} }]

[model]
layers = ["flatten", { dense = { units = 32, activation = "relu" } }, { dense = { units = 10 } }]

[train]
epochs = 5
loss = { cross_entropy = {} }
optimizer = { adam = { lr = 1e-2 } }
stop = [{ loss_below = 0.1 }]
"#;

fn with(sets: &[&str]) -> Result<Recipe, RecipeError> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_string()).collect();
    Recipe::of(&Document::new("test.toml", TEXT, &sets), "test")
}

#[test]
fn rendered_recipes_read_back() {
    let recipe = with(&[]).unwrap();
    let text = render(&recipe);
    assert!(text.contains("batch_size = 32\n") && text.contains("keep = \"best\"\n"), "{text}");
    assert_eq!(Recipe::of(&Document::new("rendered", &text, &[]), "other").unwrap(), recipe, "{text}");
    assert_eq!(render(&Recipe::of(&Document::new("rendered", &text, &[]), "other").unwrap()), text);
}

#[test]
fn options_are_merged() {
    let recipe = with(&[
        "seed=3",
        "train.batch_size = 16",
        "model.layers.1.dense.units=64",
        "model.layers.1.dense.activation.leaky_relu.slope=0.2",
        "model.layers.3.dropout.rate=0.5",
        "train.optimizer.sgd.lr=0.05",
        "train.keep=last",
        "data.test.stratified=false",
        "data.valid.fraction=0.1",
        "train.stop=[]",
    ])
    .unwrap();
    assert_eq!((recipe.seed, recipe.train.batch_size, recipe.train.keep), (3, 16, Keep::Last));
    let layers = toml::Value::try_from(&recipe.model.layers).unwrap().to_string();
    assert!(layers.contains("units = 64, activation = { leaky_relu = { slope = 0.2 } }"), "{layers}");
    assert!(layers.contains("rate = 0.5"), "{layers}");
    assert_eq!(recipe.train.optimizer, gradus_nn::optimizers::Sgd { lr: 0.05, ..Default::default() }.into());
    let held = gradus_data::Holdout { stratified: false, ..gradus_data::Holdout::fraction(0.2) };
    assert_eq!(recipe.data.test, Some(Part::Held(held)));
    assert_eq!(recipe.data.valid, Some(Part::Held(gradus_data::Holdout::fraction(0.1))));
    assert!(recipe.train.stop.is_empty());
}

#[test]
fn rows_are_taken_from_any_source() {
    let iris = r#"data.train={ take = { rows = 90, seed = 4, from = { embedded = "iris" } } }"#;
    let recipe = with(&[iris, "data.train.take.rows=60", "data.test.take={ rows = 9, from = { embedded = 'iris' } }"]);
    let recipe = recipe.unwrap();
    let data = crate::materials::Materials::load(&recipe, &gradus_data::Locator::default()).unwrap();
    assert_eq!((data.train.len(), data.test.unwrap().len()), (60, 9));
    let text = render(&recipe);
    assert_eq!(Recipe::of(&Document::new("rendered", &text, &[]), "other").unwrap(), recipe, "{text}");
    let other = with(&[iris, "data.train.take.from.npz.path=x.npz", "data.train.take.from.npz.task=classes"]).unwrap();
    assert_eq!(other.data.train.name(), "x.npz");
    let error = with(&[iris, "data.train.take.rows=0"]).unwrap_err().to_string();
    assert!(error.contains("`data.train.take.rows` is 0, but must be at least 1"), "{error}");
}

#[test]
fn a_fold_can_be_held_out() {
    let iris = r#"data.train={ embedded = "iris" }"#;
    let test = "data.test={ count = 30 }";
    let mut held = vec![];
    for fold in
        ["data.valid={ fold = 1, of = 4 }", "data.valid={ fold = 2, of = 4 }", "data.valid={ fold = 3, of = 4 }"]
    {
        let recipe = with(&[iris, test, fold]).unwrap();
        let data = crate::materials::Materials::load(&recipe, &gradus_data::Locator::default()).unwrap();
        let valid = data.valid.unwrap();
        assert_eq!((data.train.len(), valid.len(), data.test.unwrap().len()), (90, 30, 30));
        assert!(valid.class_counts().unwrap().iter().all(|count| count.abs_diff(10) <= 1));
        held.push(valid.fingerprint());
        let text = render(&recipe);
        assert_eq!(Recipe::of(&Document::new("rendered", &text, &[]), "other").unwrap(), recipe, "{text}");
    }
    assert!(held[0] != held[1] && held[1] != held[2] && held[0] != held[2]);
    let part = |sets: &[&str]| with(sets).unwrap().data.valid;
    let fold = Some(Part::Held(gradus_data::Holdout::fold(2, 5)));
    assert_eq!(part(&["data.valid={ fraction = 0.1 }", "data.valid.fold=2", "data.valid.of=5"]), fold);
    assert_eq!(part(&["data.valid={ fold = 4, of = 5 }", "data.valid.fold=2"]), fold);
    let count = Some(Part::Held(gradus_data::Holdout::count(7)));
    assert_eq!(part(&["data.valid={ fold = 4, of = 5 }", "data.valid.count=7"]), count);
    for (set, expected) in [
        ("data.valid={ fold = 6, of = 5 }", "`data.valid.fold` is 6, but must be from 1 to 5"),
        ("data.valid={ fold = 0, of = 5 }", "`data.valid.fold` is 0, but must be from 1 to 5"),
        ("data.valid={ fold = 1, of = 1 }", "`data.valid.of` is 1, but must be at least 2"),
        ("data.valid={ fold = 1 }", "`fold` and `of` need each other"),
        ("data.valid={ fold = 1, of = 5, count = 3 }", "needs one of `fraction`, `count` and `fold`"),
        ("data.valid={ stratified = true }", "needs one of `fraction`, `count` and `fold`"),
    ] {
        let error = with(&[set]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn places_are_told() {
    let document = Document::new("test.toml", TEXT, &["model.layers.2.dense.units=12".into()]);
    let text = |path: &str| document.text_at(&document.place(path).unwrap()).to_string();
    assert_eq!(text("train.epochs"), "5");
    assert_eq!(text("model.layers.1.dense.units"), "32");
    assert_eq!(text("model.layers.2.dense.units"), "12");
    let (name, source, place) = document.source(&document.place("model.layers.2.dense.units").unwrap());
    assert_eq!((name.as_str(), &source[place]), ("--set", "12"));
}

const STUDY: &str = r#"
base = "none"

[data]
train = { embedded = "digits" }

[model]
layers = ["flatten", { dense = { units = 32, activation = "relu" } }, { dense = { units = 10 } }]

[train]
epochs = 5
loss = { cross_entropy = {} }
optimizer = { sgd = { lr = 0.1 } }
regularizer = { l1 = { lambda = 0.5 } }

[[variants]]
name = "l2"
train.regularizer.l2.lambda = 0.01
model.layers.1.dense.activation = "tanh"

[[variants]]
name = "adam"
[variants.train.optimizer.adam]
lr = 0.02

[[variants]]
name = "whole"
train.optimizer = { sgd = {} }
model.layers.3.dropout.rate = 0.5
"#;

#[test]
fn a_line_of_a_variant_is_what_an_option_is() {
    let document = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_string()).collect();
        Document::new("study.toml", STUDY, &sets)
    };
    let (base, variants) = document(&[]).variants().unwrap();
    assert_eq!(base.as_deref(), Some("none"));
    assert_eq!(variants.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["l2", "adam", "whole"]);
    let plain = Recipe::of(&document(&[]), "study").unwrap();
    for (name, sets) in [
        ("none", &[][..]),
        ("l2", &["train.regularizer.l2.lambda=0.01", "model.layers.1.dense.activation=tanh"]),
        ("adam", &["train.optimizer.adam.lr=0.02"]),
        ("whole", &["train.optimizer={ sgd = {} }", "model.layers.3.dropout.rate=0.5"]),
    ] {
        let variant = Recipe::of(&document(&[]).with_variant(name).unwrap(), "study").unwrap();
        assert_eq!(variant, Recipe::of(&document(sets), "study").unwrap(), "{name}");
        assert_eq!(variant == plain, name == "none");
        let epochs = Recipe::of(&document(&["train.epochs=9"]).with_variant(name).unwrap(), "study").unwrap();
        assert_eq!(epochs.train.epochs, 9, "{name}");
    }
}

#[test]
fn places_in_variants_are_told() {
    let document = Document::new("study.toml", STUDY, &[]).with_variant("l2").unwrap();
    let place = document.place("train.regularizer.l2.lambda").unwrap();
    assert_eq!((document.text_at(&place), document.source(&place).0.as_str()), ("0.01", "study.toml"));
    assert_eq!(document.text_at(&document.place("train.epochs").unwrap()), "5");
    assert!(place.start > STUDY.find("[[variants]]").unwrap());
}
