//! tests/lessons.md maps what happened to others to our tests. The tests that it names must exist.

use super::sources::Sources;

const FILE: &str = "tests/lessons.md";

/// Checks each row of the table: `| what happened | path::name |`, several tests parted by commas.
pub fn check(sources: &Sources) -> Vec<String> {
    let Some(table) = sources.file(FILE) else {
        return vec![format!("{FILE} is missing: it maps the lessons to tests")];
    };
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in table.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [what, .., tests] = cells.as_slice() else { continue };
        if tests.chars().all(|c| c == '-' || c == ':') || !tests.contains("::") {
            continue;
        }
        rows += 1;
        for test in tests.split(',').map(|test| test.trim().trim_matches('`')) {
            if !exists(sources, test) {
                wrong.push(format!("{FILE}: there is no test {test} (for: {what})"));
            }
        }
    }
    if rows == 0 {
        wrong.push(format!("{FILE} has no rows of the form | what happened | path::name |"));
    }
    wrong
}

/// Whether a Rust file whose path has the words of the test's path in it has a test of that name.
fn exists(sources: &Sources, test: &str) -> bool {
    let Some((path, name)) = test.rsplit_once("::") else { return false };
    let words: Vec<_> = path.split("::").flat_map(|word| word.split('/')).collect();
    let header = format!("fn {name}(");
    sources.rust().any(|(file, text)| {
        let place = |word: &&str| {
            let word = word.trim_end_matches(".rs").replace('_', "-");
            file.replace('_', "-").contains(&word) || text.contains(&format!("mod {word} {{"))
        };
        is_test(text, &header) && words.iter().all(place)
    })
}

/// A function that a `#[test]` or the like stands above, with only attributes and comments between.
fn is_test(text: &str, header: &str) -> bool {
    text.match_indices(header).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let above = before.rfind('\n').and_then(|end| before.get(..end)).unwrap_or_default();
        let lines = above.lines().rev().map(str::trim);
        let near = lines.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        near.into_iter().any(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"))
    })
}
