//! The commands end to end: outputs and messages as people see them.

#[test]
fn commands() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.md")
        .env("COLUMNS", "100")
        .env("GRADUS_DATA", "")
        .env("XDG_CACHE_HOME", "/nowhere");
}
