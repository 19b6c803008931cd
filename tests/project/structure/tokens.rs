//! Rust source cut into words and signs, as far as names and braces are asked about: comments, strings and numbers are
//! left out, and so is what is compiled for tests only.

/// A word or a sign, and its line.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// The tokens of a file that are part of the program.
pub fn program(source: &str) -> Vec<Token> {
    without_tests(tokens(source))
}

fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    while at < chars.len() {
        let began = at;
        let next = |ahead: usize| chars.get(at + ahead).copied().unwrap_or('\0');
        match chars[at] {
            '/' if next(1) == '/' => at = find(&chars, at, &['\n']),
            '/' if next(1) == '*' => at = end_of_comment(&chars, at),
            '"' => at = end_of_quote(&chars, at, '"'),
            // A character, or a lifetime, which has no second quote.
            '\'' if next(1) == '\\' || next(2) == '\'' => at = end_of_quote(&chars, at, '\''),
            c if is_word(c) => {
                at += chars[at..].iter().position(|c| !is_word(*c)).unwrap_or(chars.len() - at);
                let word: String = chars[began..at].iter().collect();
                let prefix = ["r", "b", "br", "c", "cr"].contains(&word.as_str());
                match chars.get(at) {
                    Some('"') if prefix && !word.contains('r') => at = end_of_quote(&chars, at, '"'),
                    Some('"' | '#') if prefix && word.contains('r') => at = end_of_raw_string(&chars, at),
                    Some('\'') if word == "b" => at = end_of_quote(&chars, at, '\''),
                    _ if word.starts_with(|c: char| c.is_ascii_digit()) => {}
                    _ => tokens.push(Token { text: word, line }),
                }
            }
            ':' if next(1) == ':' => {
                tokens.push(Token { text: "::".to_owned(), line });
                at += 2;
            }
            c if c.is_whitespace() => at += 1,
            c => {
                tokens.push(Token { text: c.to_string(), line });
                at += 1;
            }
        }
        line += chars[began..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn find(chars: &[char], from: usize, wanted: &[char]) -> usize {
    chars[from..].windows(wanted.len()).position(|window| window == wanted).map_or(chars.len(), |found| from + found)
}

/// Block comments may hold others.
fn end_of_comment(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => (at, depth) = (at + 2, depth + 1),
            ['*', '/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_quote(chars: &[char], from: usize, quote: char) -> usize {
    let mut at = from + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// From its quote, or the signs before that; a raw name such as `r#type` ends before the name.
fn end_of_raw_string(chars: &[char], from: usize) -> usize {
    let signs = chars[from..].iter().take_while(|c| **c == '#').count();
    if chars.get(from + signs) != Some(&'"') {
        return from + signs;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', signs)).collect();
    (find(chars, from + signs + 1, &end) + end.len()).min(chars.len())
}

fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if tokens[at..].len() >= ATTRIBUTE.len()
            && tokens[at..].iter().zip(ATTRIBUTE).all(|(t, wanted)| t.text == wanted)
        {
            at = end_of_item(&tokens, at + ATTRIBUTE.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Behind the `;` or the braces that end the item which begins here.
pub fn end_of_item(tokens: &[Token], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[test]
fn comments_strings_characters_and_tests_are_left_out() {
    let source = r####"
        // crate::no
        /* crate::no /* nested */ crate::no */
        fn real<'a>(x: &'a str) { let s = "crate::no \" {"; let r = r#"crate::"no" {"#; let c = ['{', '\'', '"', b'{']; }
        #[cfg(test)]
        #[path = "x.rs"]
        mod tests;
        #[cfg(test)]
        mod more { use crate::no; fn x() {} }
        use crate::r#yes;
    "####;
    let words: Vec<String> = program(source).into_iter().map(|token| token.text).collect();
    assert!(!words.iter().any(|word| ["no", "nested", "tests", "more"].contains(&word.as_str())), "{words:?}");
    let count = |wanted: &str| words.iter().filter(|word| *word == wanted).count();
    assert_eq!((count("{"), count("}"), count("real"), count("yes")), (1, 1, 1, 1), "{words:?}");
    assert_eq!(program(source).last().map(|token| token.line), Some(10));
}
