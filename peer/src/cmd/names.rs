//! One command, two spellings: `add-image` in the shell, `/addImage` at the prompt.

/// How a door spells commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spelling {
    /// `calotype add-image`
    #[default]
    Shell,
    /// `/addImage`
    Slash,
}

/// `add-image` as `addImage`; `get-or-set` as `getOrSet`.
pub fn camel(kebab: &str) -> String {
    let mut out = String::with_capacity(kebab.len());
    let mut up = false;
    for c in kebab.chars() {
        match c {
            '-' => up = true,
            c if up => {
                out.extend(c.to_uppercase());
                up = false;
            }
            c => out.push(c),
        }
    }
    out
}

/// `addImage` as `add-image`.
pub fn kebab(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 2);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// All commands of the prompt, in kebab-case, in the order of the help.
pub fn of_prompt() -> &'static [String] {
    use clap::CommandFactory as _;
    static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    NAMES.get_or_init(|| {
        super::Line::command()
            .get_subcommands()
            .map(|c| c.get_name().to_owned())
            .collect()
    })
}

/// Messages are written with the prompt's spelling (`/addImage`); this gives them the door's.
pub fn respell(text: &str, spelling: Spelling) -> String {
    if spelling == Spelling::Slash || !text.contains('/') {
        return text.to_owned();
    }
    let known = of_prompt();
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find('/') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let word: String = from[1..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric())
            .collect();
        let starts = out
            .chars()
            .next_back()
            .is_none_or(|c| c.is_whitespace() || "`(\"'".contains(c));
        let ends = !from[1 + word.len()..].starts_with(['/', '-', '_']);
        let name = kebab(&word);
        if starts && ends && known.contains(&name) && name != "quit" {
            out.push_str("calotype ");
            out.push_str(if name == "help" { "--help" } else { &name });
            rest = &from[1 + word.len()..];
        } else {
            out.push('/');
            rest = &from[1..];
        }
    }
    out.push_str(rest);
    out
}

/// The known name nearest to what was typed, if one is near.
pub fn nearest<'a>(typed: &str, known: &'a [String]) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&typed, &name.to_lowercase()), name))
        .filter(|(distance, name)| {
            *distance <= 1 + name.len() / 4 || (typed.len() >= 3 && name.starts_with(&typed))
        })
        .min_by_key(|(distance, name)| (*distance, name.len()))
        .map(|(_, name)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_each_others_inverse() {
        for name in of_prompt() {
            assert_eq!(kebab(&camel(name)), *name);
        }
        assert_eq!(camel("get-or-set"), "getOrSet");
    }

    #[test]
    fn messages_take_the_spelling_of_the_door() {
        let check = |text: &str, expect: &str| assert_eq!(respell(text, Spelling::Shell), expect, "{text}");
        check("/addUser bob", "calotype add-user bob");
        check(
            "try /getImages, or /list",
            "try calotype get-images, or calotype list",
        );
        check("see /tmp/list and a/list", "see /tmp/list and a/list");
        check("/list/x", "/list/x");
        check("/help lists them", "calotype --help lists them");
        check("/", "/");
        check("plain", "plain");
        assert_eq!(respell("/addUser bob", Spelling::Slash), "/addUser bob");
    }

    #[test]
    fn near_names_are_suggested() {
        let known = of_prompt();
        let check = |typed: &str, expect: Option<&str>| assert_eq!(nearest(typed, known), expect, "{typed}");
        check("ad-image", Some("add-image"));
        check("getimages", Some("get-images"));
        check("regsiter", Some("register"));
        check("lst", Some("list"));
        check("xyzzy", None);
    }
}
