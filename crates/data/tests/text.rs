//! Texts from tables, folders and lines, and what is wrong with them.

use gradus_data::text::vocabulary::Vocabulary;
use gradus_data::{Dataset, Locator, Schema, Source};
use std::fs;
use std::path::PathBuf;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let folder = Folder(std::env::temp_dir().join(format!("gradus-text-{name}-{}", std::process::id())));
        let _ = fs::remove_dir_all(&folder.0);
        for (name, text) in files {
            let place = folder.0.join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
        folder
    }

    fn source(&self, text: &str) -> (Source, Locator) {
        (toml::from_str(&format!("text = {{ {text} }}")).unwrap(), Locator::new([&self.0]))
    }

    fn read(&self, text: &str) -> Result<Dataset, String> {
        let (source, locator) = self.source(text);
        let place = format!("{}/", self.0.display());
        source.read(&locator).map_err(|error| error.to_string().replace(&place, ""))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_table_a_folder_and_lines_say_the_same() {
    let folder = Folder::new(
        "same",
        &[
            ("t.csv", "id,text,label\n1,\"Good, good day.\",yes\n2,Bad day,no\n3,A\u{e9}rea \u{c9}T\u{c9},yes\n"),
            ("t.tsv", "label\ttext\nyes\tGood, good day.\nno\tBad day\nyes\tA\u{e9}rea \u{c9}T\u{c9}\n"),
            ("lines.txt", "yes\tGood, good day.\n\nno\tBad day\nyes\tA\u{e9}rea \u{c9}T\u{c9}\n"),
            ("fast.txt", "__label__yes Good, good day.\n__label__no Bad day\n__label__yes A\u{e9}rea \u{c9}T\u{c9}\n"),
            ("set/no/1.txt", "Bad\nday"),
            ("set/yes/1.txt", "Good, good day."),
            ("set/yes/2.txt", "A\u{e9}rea \u{c9}T\u{c9}"),
            ("set/yes/ignored.md", "not a text"),
        ],
    );
    let table = folder.read(r#"path = "t.csv", target = "label""#).unwrap();
    assert_eq!(table.inputs().shape(), [3, 3]);
    assert_eq!(table.input_values(), [2.0, 2.0, 3.0, 4.0, 3.0, 0.0, 5.0, 6.0, 0.0]);
    assert_eq!(table.text().unwrap().words, ["good", "day", "bad", "a\u{e9}rea", "\u{e9}t\u{e9}"]);
    assert_eq!(
        (table.labels().unwrap(), table.classes().unwrap()),
        (&[1, 0, 1][..], &["no".to_string(), "yes".into()][..])
    );
    for other in [r#"path = "t.tsv", target = 0"#, r#"path = "lines.txt""#, r#"path = "fast.txt""#] {
        assert_eq!(folder.read(other).unwrap(), table, "{other}");
    }
    let set = folder.read(r#"path = "set""#).unwrap();
    assert_eq!((set.labels().unwrap(), set.feature_shape()), (&[0, 1, 1][..], &[3][..]));
    assert_eq!(folder.read(r#"path = "t.csv", column = "id""#).unwrap().classes(), None);
}

#[test]
fn other_texts_are_read_with_the_words_of_the_training_samples() {
    let folder = Folder::new(
        "other",
        &[
            ("train.txt", "a\tred red apple\nb\tgreen pear\na\tred plum\n"),
            ("test.txt", "b\tgreen plum tree\n"),
            ("new.txt", "Red pear\n"),
            ("new.csv", "no,text\n1,green apple\n"),
            ("more/x.txt", "apple pear plum"),
        ],
    );
    let (source, locator) = folder.source(r#"path = "train.txt", min_count = 1, vocabulary = 4"#);
    let whole = source.read(&locator).unwrap();
    let (train, held) = (whole.select(&[0, 1]).unwrap(), whole.select(&[2]).unwrap());
    let vocabulary = Vocabulary::fit(&train).unwrap();
    assert_eq!(vocabulary.text().words, ["red", "apple"]);
    assert_eq!(vocabulary.apply(held).input_values(), [2.0, 1.0, 0.0]);
    let (test, _) = folder.source(r#"path = "test.txt", lower = false, length = 9"#);
    let test = test.read_like(&locator, &whole.schema()).unwrap();
    assert_eq!(vocabulary.apply(test).input_values(), [1.0, 1.0, 1.0]);
    // As a model file keeps it.
    let schema = vocabulary.apply(train).schema();
    let schema: Schema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
    for (path, ids) in [("new.txt", [2.0, 1.0, 0.0]), ("new.csv", [1.0, 3.0, 0.0]), ("more", [3.0, 1.0, 1.0])] {
        let new = Source::for_inputs(path, Some(&source), &locator).unwrap().read_inputs(&locator, &schema).unwrap();
        assert_eq!(new.input_values(), ids, "{path}");
        assert_eq!(new.labels(), None);
    }
}

#[test]
fn messages() {
    let folder = Folder::new(
        "messages",
        &[
            ("mixed.txt", "a\tone\ntwo\n"),
            ("several.txt", "__label__a __label__b one\n"),
            ("nothing.txt", "a\tone\n\nb\t ...\n"),
            ("empty.txt", "\n\n"),
            ("t.csv", "body,label\none,a\n"),
            ("none/a.md", "x"),
            ("label.txt", "\tone\n"),
        ],
    );
    fs::write(folder.0.join("latin.txt"), b"a\tone\nb\tcaf\xe9\n").unwrap();
    let error = |text: &str| folder.read(text).unwrap_err();
    for (text, expected) in [
        (
            r#"path = "mixed.txt""#,
            "mixed.txt, line 2: the text has no label, but 1 of 2 have one; write `label<TAB>text` or \
             `__label__NAME text` in each line",
        ),
        (
            r#"path = "several.txt""#,
            "several.txt, line 1: the text has several labels, but one is expected; keep one label in each line",
        ),
        (
            r#"path = "nothing.txt""#,
            "nothing.txt, line 3: the text \" ...\" has no word; leave such texts out, or cut texts otherwise: `split = \"spaces\"` or \
             `\"characters\"`",
        ),
        (r#"path = "empty.txt""#, "empty.txt: it has no texts; give a file with a text in each line"),
        (r#"path = "label.txt""#, "label.txt, line 1: the label is empty; write the name of the class there"),
        (
            r#"path = "t.csv""#,
            "t.csv: there is no column named \"text\"; there are \"body\", \"label\"; correct the name, or check `header`, \
             `delimiter` and `columns`",
        ),
        (
            r#"path = "none""#,
            "none: it has no .txt files; put the texts of each class into a folder named after it, as .txt files",
        ),
        (r#"path = "latin.txt""#, "latin.txt, line 2: it is not UTF-8 text; save the file as UTF-8"),
        (r#"lower = true"#, "text is without `path` and `embedded`: say where the texts are"),
        (
            r#"path = "t.csv", column = 0, vocabulary = 1"#,
            "text.vocabulary is 1: it must be at least 3: padding, the unknown word and one word",
        ),
    ] {
        let found = error(text);
        assert!(found.ends_with(expected), "{text}: {found}");
    }
    let numbers: Schema = serde_json::from_str(r#"{ "features": [2], "target": "none" }"#).unwrap();
    let (source, locator) = folder.source(r#"path = "label.txt""#);
    fs::write(folder.0.join("label.txt"), "one\n").unwrap();
    assert_eq!(
        source.read_inputs(&locator, &numbers).unwrap_err().to_string().replace(&folder.0.display().to_string(), "F"),
        "the data do not fit: data of the kind that was trained on expected, but texts in F/label.txt received; the model was \
         not trained on texts; give numbers"
    );
}
