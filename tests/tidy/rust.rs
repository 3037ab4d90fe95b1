//! Just enough reading of Rust for style checks: code without comments and texts, code without tests, paths.

/// The part before the first inline test module.
pub fn without_tests(text: &str) -> &str {
    let mut start = 0;
    while let Some(found) = text[start..].find("#[cfg(test)]\n") {
        let at = start + found;
        let after = at + "#[cfg(test)]\n".len();
        let next = text[after..].lines().next().unwrap_or_default().trim();
        // `mod tests;` or a lone function for tests in the middle is no end.
        if next.contains("mod ") && next.ends_with('{') {
            return &text[..at];
        }
        start = after;
    }
    text
}

/// The same text with blanks for comments and for what texts and characters hold; lines stay where they are.
pub fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment_or_text(rest, code.chars().next_back());
        if skipped > 0 {
            code.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// Length of the comment, text or character that `rest` begins with, 0 if it begins with code.
fn comment_or_text(rest: &str, before: Option<char>) -> usize {
    let after = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return after(2, "*/");
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    let hashes = rest.trim_start_matches('r').bytes().take_while(|&b| b == b'#').count();
    if rest.starts_with('r') && rest[1 + hashes..].starts_with('"') && !before.is_some_and(is_name) {
        return after(2 + hashes, &format!("\"{}", "#".repeat(hashes)));
    }
    // A character, not a lifetime: 'x' or '\…'.
    let mut characters = rest.chars();
    if characters.next() == Some('\'') {
        let second = characters.next();
        if second == Some('\\') || characters.next() == Some('\'') {
            return quoted(rest, '\'');
        }
    }
    0
}

/// Length of what stands between two of these quotes, both included.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every path of two names or more (`std::time::Instant`) in code without comments, `use a::{b, c::d}` taken apart,
/// with its line.
pub fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let next = read_path(code, at, "", &mut found);
        at = next.max(at + code[at..].chars().next().map_or(1, char::len_utf8));
    }
    found
}

/// Reads one path that begins at `at`, behind `prefix`; returns where it ends.
fn read_path(code: &str, mut at: usize, prefix: &str, found: &mut Vec<(usize, String)>) -> usize {
    let mut path = prefix.to_string();
    let line = || 1 + code[..at].matches('\n').count();
    let line = line();
    loop {
        let name = code[at..].find(|c| !is_name(c)).unwrap_or(code.len() - at);
        path += &code[at..at + name];
        at += name;
        if name == 0 || !code[at..].starts_with("::") {
            break;
        }
        at += 2;
        path += "::";
        if code[at..].starts_with('{') {
            return read_group(code, at + 1, &path, found);
        }
    }
    if path.contains("::") {
        found.push((line, path));
    }
    at
}

/// Reads `b, c::d}` behind `prefix`; returns where it ends.
fn read_group(code: &str, mut at: usize, prefix: &str, found: &mut Vec<(usize, String)>) -> usize {
    while let Some(c) = code[at..].chars().next() {
        if c == '}' {
            return at + 1;
        }
        if is_name(c) {
            at = read_path(code, at, prefix, found);
            // Over what may follow a name: `as other`.
            at += code[at..].find([',', '}']).unwrap_or(code.len() - at);
        } else {
            at += c.len_utf8();
        }
    }
    at
}

#[test]
fn comments_texts_and_characters_are_not_code() {
    let text = "a(\"x \\\" y\"); // b\n/* c\n */ r#\"d \" e\"# + 'f' + '\\'' <'g> r\"h\" i";
    assert_eq!(code_only(text).split_whitespace().collect::<Vec<_>>(), ["a(", ");", "+", "+", "<'g>", "i"]);
    assert_eq!(code_only(text).lines().count(), 3);
}

#[test]
fn only_an_inline_test_module_ends_the_code() {
    let text = "#[cfg(test)]\nmod twin;\n#[cfg(test)]\nfn x() {}\ncode\n#[cfg(test)]\nmod tests {\n}\n";
    assert!(without_tests(text).ends_with("code\n"));
}

#[test]
fn nested_imports_and_inline_paths_are_taken_apart() {
    let code = "use std::{fmt,\n collections::{BTreeMap, HashMap as H}};\nlet x = a::b::<C>(d); let y = z;";
    let found = paths(code).into_iter().map(|(line, path)| format!("{line} {path}")).collect::<Vec<_>>();
    assert_eq!(found, ["1 std::fmt", "2 std::collections::BTreeMap", "2 std::collections::HashMap", "3 a::b::"]);
}
