//! Tables as text, from good to bad.

use gradus_data::{Dataset, Locator, Schema, Source, Target, check_file};
use std::path::PathBuf;

/// A folder for one test's files, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("gradus-csv-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn locator(&self) -> Locator {
        Locator::new([&self.0])
    }

    fn read(&self, options: &str) -> Result<Dataset, String> {
        source(options).read(&self.locator()).map_err(|e| self.short(&e.to_string()))
    }

    fn short(&self, message: &str) -> String {
        message.replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn source(options: &str) -> Source {
    toml::from_str::<Source>(&format!("csv = {{ path = \"t.csv\", {options} }}")).unwrap()
}

const PEOPLE: &str = "age,job,income\n39,clerk,<=50K\n50,\"boss, big\",>50K\n38,clerk,<=50K\n";

#[test]
fn numbers_categories_and_classes() {
    let folder = Folder::new("people");
    folder.file("t.csv", PEOPLE);
    let data = folder.read("target = \"income\"").unwrap();
    assert_eq!(data.feature_names().unwrap(), ["age", "job=boss, big", "job=clerk"]);
    assert_eq!(data.input_values(), [39.0, 0.0, 1.0, 50.0, 1.0, 0.0, 38.0, 0.0, 1.0]);
    assert_eq!(data.classes().unwrap(), ["<=50K", ">50K"]);
    assert_eq!(data.labels().unwrap(), [0, 1, 0]);
    assert_eq!(data, folder.read("target = -1").unwrap());
    assert_eq!(data, folder.read("target = 2, task = \"classes\"").unwrap());
}

#[test]
fn values_and_dropped_columns() {
    let folder = Folder::new("values");
    folder.file("t.csv", "id;price;rooms;size\n\"1\";1.225e+006;\"3\";10\n2;5e5;4;20\n");
    let data = folder.read("delimiter = \";\", target = \"price\", task = \"values\", drop = [\"id\"]").unwrap();
    assert_eq!(data.feature_names().unwrap(), ["rooms", "size"]);
    assert_eq!(data.values().unwrap().to_f32(), [1225000.0, 500000.0]);
    let data = folder.read("delimiter = \";\", target = [\"size\", 1], task = \"values\"").unwrap();
    let Target::Values { values, names } = data.target() else { panic!("values") };
    assert_eq!(
        (values.to_f32(), names.as_slice()),
        (vec![10.0, 1225000.0, 20.0, 500000.0], &["size", "price"].map(String::from)[..])
    );
}

#[test]
fn no_header_comments_blanks_and_codes() {
    let folder = Folder::new("plain");
    folder.file("t.csv", "|a title\n1, 5, yes.\n\n# note\n2, 7, no.\r\n1, 6, yes.\n\n");
    let options =
        "header = false, skip_lines = 1, comment = \"#\", target = \"c2\", label_trim = \".\", categorical = [0]";
    let data = folder.read(options).unwrap();
    assert_eq!(data.feature_names().unwrap(), ["c0=1", "c0=2", "c1"]);
    assert_eq!(data.input_values(), [1.0, 0.0, 5.0, 0.0, 1.0, 7.0, 1.0, 0.0, 6.0]);
    assert_eq!(data.classes().unwrap(), ["no", "yes"]);
    folder.file("t.csv", "\u{feff}a,b\n1,2\n");
    assert_eq!(folder.read("").unwrap().feature_names().unwrap(), ["a", "b"]);
}

#[test]
fn missing_cells() {
    let folder = Folder::new("missing");
    folder.file("t.csv", "a,b,y\n1,x,0\n?,x,1\n4,,1\n4,z,0\n");
    assert_eq!(
        folder.read("target = \"y\", task = \"classes\"").unwrap_err(),
        "t.csv, line 3, column \"a\" (field 1): the value is missing (\"?\"); fill it in, or say on_missing = \"drop\" or \"fill\", \
         or list the column in `drop`"
    );
    let dropped = folder.read("target = \"y\", task = \"classes\", on_missing = \"drop\"").unwrap();
    assert_eq!(dropped.input_values(), [1.0, 1.0, 0.0, 4.0, 0.0, 1.0]);
    let filled = folder.read("target = \"y\", task = \"classes\", on_missing = \"fill\"").unwrap();
    assert_eq!(filled.input_values(), [1.0, 1.0, 0.0, 3.0, 1.0, 0.0, 4.0, 1.0, 0.0, 4.0, 0.0, 1.0]);
    // Data read later are filled with the numbers of the training data.
    folder.file("t.csv", "a,b,y\n100,x,0\n?,?,1\n");
    let later = source("target = \"y\", task = \"classes\", on_missing = \"fill\"");
    let later = later.read_like(&folder.locator(), &filled.schema()).unwrap();
    assert_eq!(later.input_values(), [100.0, 1.0, 0.0, 3.0, 1.0, 0.0]);
    // A word can be declared missing, and then others are not.
    folder.file("t.csv", "a,b\n1,x\n-9,?\n");
    let data = folder.read("missing = [\"-9\"], on_missing = \"drop\"").unwrap();
    assert_eq!(data.len(), 1);
}

#[test]
fn predictions_find_their_columns() {
    let folder = Folder::new("predict");
    folder.file("t.csv", PEOPLE);
    let train = source("target = \"income\"");
    let schema = train.read(&folder.locator()).unwrap().schema();
    let predict = |text: &str| -> Result<Vec<f32>, String> {
        folder.file("new.csv", text);
        let new = Source::for_inputs("new.csv", Some(&train), &folder.locator()).unwrap();
        let data = new.read_inputs(&folder.locator(), &schema).map_err(|e| folder.short(&e.to_string()))?;
        Ok(data.input_values().to_vec())
    };
    assert_eq!(predict("job,age\nclerk,20\n").unwrap(), [20.0, 0.0, 1.0]);
    assert_eq!(predict("income,job,age\n>50K,clerk,20\n").unwrap(), [20.0, 0.0, 1.0]);
    assert_eq!(predict("20,clerk\n21,\"boss, big\"\n").unwrap(), [20.0, 0.0, 1.0, 21.0, 1.0, 0.0]);
    assert_eq!(
        predict("age,job\n20,king\n").unwrap_err(),
        "new.csv, line 2, column \"job\" (field 2): \"king\" is none of the known categories \"boss, big\", \"clerk\"; correct it, or \
         train on data that have this category"
    );
    assert_eq!(
        predict("age,rank\n20,king\n").unwrap_err(),
        "new.csv: there is no column named \"job\"; there are \"age\", \"rank\"; correct the name, or check `header`, `delimiter` \
         and `columns`"
    );
    assert_eq!(
        predict("20,clerk,7,8\n").unwrap_err(),
        "new.csv: there is no column named \"age\"; there are \"c0\", \"c1\", \"c2\", \"c3\"; correct the name, or check `header`, \
         `delimiter` and `columns`"
    );
    assert_eq!(
        predict("age,job\n20,\n").unwrap_err(),
        "new.csv, line 2, column \"job\" (field 2): the value is missing; fill it in, or say on_missing = \"drop\" or \"fill\", or \
         list the column in `drop`"
    );
}

#[test]
fn a_table_for_a_model_of_arrays() {
    let folder = Folder::new("arrays");
    let schema = Schema { features: vec![2, 2], columns: None, text: None, target: gradus_data::TargetSchema::None };
    for text in ["1,2,3,4\n5,6,7,8\n", "a,b,c,d\n1,2,3,4\n5,6,7,8\n"] {
        folder.file("t.csv", text);
        let new = Source::for_inputs("t.csv", None, &folder.locator()).unwrap();
        let data = new.read_inputs(&folder.locator(), &schema).unwrap();
        assert_eq!(data.inputs().shape(), [2, 2, 2], "{text}");
        assert_eq!(data.input_values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], "{text}");
    }
}

#[test]
fn messages() {
    let folder = Folder::new("messages");
    let error = |text: &str, options: &str| {
        folder.file("t.csv", text);
        folder.read(options).unwrap_err()
    };
    assert_eq!(
        error("a,b\n1,2\n\n# x\n3,4,5\n", "comment = \"#\""),
        "t.csv, line 5: 2 fields expected, as in the first row, but 3 fields found; complete the row, or check quotes and the \
         delimiter"
    );
    assert_eq!(
        error("a title\n1,2\n", ""),
        "t.csv, line 2: 1 field expected, as in the first row, but 2 fields found; if the first line is no row, say skip_lines = 1; \
         else check quotes and the delimiter"
    );
    assert_eq!(
        error("a,b\n1,2\n\"3\n\",4\n3,x4\n5,6\n", ""),
        "t.csv, line 5, column \"b\" (field 2): a number expected, but \"x4\" found; correct it; if it stands for a missing value, \
         list it in `missing`; if the column holds categories, list it in `categorical`"
    );
    assert_eq!(error("", ""), "t.csv: it looks like an empty file, not CSV; give a text file with one row a line");
    assert_eq!(error("a,b\n", ""), "t.csv: it has a header but no rows; give a file with data");
    assert_eq!(error("\n\n", ""), "t.csv: it has no rows; give a file with data");
    assert_eq!(
        error("a,a\n1,2\n", ""),
        "t.csv: two columns are named \"a\"; rename one, or give all names in `columns`"
    );
    assert_eq!(
        error("a,b\n1,2\n", "target = \"c\""),
        "t.csv: there is no column named \"c\"; there are \"a\", \"b\"; correct the name, or check `header`, `delimiter` and \
         `columns`"
    );
    assert_eq!(
        error("a,b\n1,2\n", "target = 2"),
        "t.csv: `target` asks for column 2, but there are 2; columns count from 0, and from the end as -1, -2, …"
    );
    assert_eq!(
        error("a,b\n1,2\n", "target = \"b\""),
        "t.csv: the numbers of the target can be class labels or real values; say task = \"classes\" or task = \"values\""
    );
    assert_eq!(
        error("a,b,c\n1,2,3\n", "target = [\"a\", \"b\"], task = \"classes\""),
        "t.csv: several target columns cannot be class labels; name one target column, or say task = \"values\""
    );
    assert_eq!(
        error("a,b\n1,2\n", "target = [\"a\", \"b\"], task = \"values\""),
        "t.csv: no column is left for the inputs; drop fewer columns"
    );
    assert_eq!(error("a,b\n1,2\n", "delimiter = \"→\""), "csv.delimiter is '→': it must be one ASCII character");
    assert_eq!(
        error("a,b\n1,2\n", "columns = [\"x\"]"),
        "t.csv: `columns` names 1 columns, but the file has 2; name every column once"
    );
    assert_eq!(
        error("a,b\n?,2\n1,?\n", "on_missing = \"drop\""),
        "t.csv: every row lacks a value; say on_missing = \"fill\", or list columns in `drop`"
    );
    let dates: String = (0..101).map(|i| format!("{i},day {i}\n")).collect();
    assert_eq!(
        error(&format!("a,date\n{dates}"), ""),
        "t.csv: column \"date\" holds 101 different texts; list it in `drop`, or in `categorical` to have one feature for each"
    );
    std::fs::write(folder.0.join("t.csv"), b"a,b\n1,2\n3,\xff\n").unwrap();
    assert_eq!(folder.read("").unwrap_err(), "t.csv, line 3: field 2 is not UTF-8 text; save the file as UTF-8");
    folder.file("t.csv", "a,y\n1,u\n2,v\n");
    let schema = folder.read("target = \"y\"").unwrap().schema();
    folder.file("t.csv", "a,y\n1,u\n2,w\n");
    let unknown = source("target = \"y\"").read_like(&folder.locator(), &schema).unwrap_err().to_string();
    assert_eq!(
        folder.short(&unknown),
        "t.csv, line 3, column \"y\" (field 2): label \"w\" is none of the known classes \"u\", \"v\"; correct the label, cut its end \
         with `label_trim`, or train on data that have this class"
    );
}

#[test]
fn reports() {
    let folder = Folder::new("reports");
    folder.file("t.csv", "age;job;x\n39;clerk;1.5\n;boss;nan\n38;clerk;2\n");
    let report = check_file(&folder.0.join("t.csv")).unwrap();
    assert_eq!(
        folder.short(&report.to_string()),
        "t.csv: csv, 44 bytes\n  age: number [3], 38 to 39, 1 missing, 2 classes (38: 1, 39: 1)\n  job: text [3], 2 classes \
         (boss: 1, clerk: 2)\n  x: number [3], 1.5 to 2, 1 missing"
    );
    folder.file("ragged.csv", "a,b\n1,2,3\n4,5\n");
    assert_eq!(
        folder.short(&check_file(&folder.0.join("ragged.csv")).unwrap_err().to_string()),
        "ragged.csv, line 2: 2 fields expected, as in the first row, but 3 fields found; if the first line is no row, say \
         skip_lines = 1; else check quotes and the delimiter"
    );
    folder.file("page.csv", "<!DOCTYPE html><html></html>");
    assert_eq!(
        folder.short(&check_file(&folder.0.join("page.csv")).unwrap_err().to_string()),
        "page.csv: it looks like a web page (HTML or XML); IDX, NPY, NPZ, CSV, CIFAR and safetensors files can be checked"
    );
}
