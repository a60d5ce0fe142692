//! A walk over all commands: each has its help and an example, parses in both spellings, and is in the guide.

use super::names::{camel, of_prompt};
use super::{parse_line, parse_shell, prompt, shell};

/// Words that fit each command, the command's name left out.
fn words(name: &str) -> &'static [&'static str] {
    match name {
        "register" | "login" | "recover" | "add-user" | "remove-user" | "verify-user" | "block"
        | "unblock" => &["bob"],
        "set-role" => &["bob", "viewer"],
        "create-album" | "enter-album" => &["trip"],
        "remove-image" | "show" | "open" | "why" | "restore" | "verify" | "compare" => &["a.jpg"],
        "add-image" => &["a.jpg", "b.jpg"],
        "rate-image" => &["a.jpg", "5"],
        "filter" | "preview" => &["a.jpg", "sepia"],
        "save" => &["a.jpg", "out.jpg"],
        "export" => &["out"],
        "say" => &["hello", "there"],
        "join" | "link" => &["7-carpet-monkey-lamp"],
        "config" => &["show"],
        "central" => &["trust", "zoo", "zoo", "zoo", "zoo", "zoo", "zoo"],
        "revoke-device" => &["laptop"],
        "escrow" => &["status"],
        _ => &[],
    }
}

#[test]
fn both_spellings_parse_in_both_doors() {
    for name in of_prompt() {
        for spelling in [name.clone(), camel(name)] {
            let line: Vec<&str> = std::iter::once(spelling.as_str())
                .chain(words(name).iter().copied())
                .collect();
            let parsed = parse_line(&line);
            assert!(parsed.is_ok(), "{line:?}: {}", parsed.unwrap_err());
            if !matches!(name.as_str(), "help" | "quit" | "more") {
                let parsed = parse_shell(std::iter::once("calotype").chain(line.iter().copied()));
                assert!(parsed.is_ok(), "{line:?}: {}", parsed.unwrap_err());
            }
        }
    }
}

#[test]
fn every_command_of_the_contract_is_there() {
    let contract = "register login logout list create-album enter-album leave-album get-images get-metadata get-or-set \
        add-image remove-image rate-image add-user set-role remove-user held verify-user filter filters verify preview compare members say chat peers status \
        net sync export save open show watch block unblock config doctor up central demo apply fsck man completions log why undo trash restore recover \
        recovery-words devices approve-device link revoke-device escrow";
    let known: Vec<String> = shell()
        .get_subcommands()
        .map(|c| c.get_name().to_owned())
        .collect();
    for name in contract.split_whitespace() {
        assert!(known.contains(&name.to_owned()), "{name} is missing");
    }
}

#[test]
fn every_command_has_help_and_an_example_that_parses() {
    let both = shell()
        .get_subcommands()
        .chain(prompt().get_subcommands())
        .cloned()
        .collect::<Vec<_>>();
    for mut command in both {
        let name = command.get_name().to_owned();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(about.len() > 8 && !about.ends_with('.'), "{name}: {about:?}");
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{name}: {} has no help", arg.get_id());
        }
        let help = command.render_long_help().to_string();
        let examples = help
            .split("Example:\n")
            .nth(1)
            .unwrap_or_else(|| panic!("{name} has no example"));
        let mut seen = 0;
        for example in examples.lines().map(str::trim).filter(|line| !line.is_empty()) {
            seen += 1;
            // What the shell does with the output is not ours.
            let example = example
                .split([' ', '\t'])
                .take_while(|word| !matches!(*word, "|" | ">"));
            let example = &example.collect::<Vec<_>>().join(" ");
            match example.strip_prefix('/') {
                Some(_) => {
                    let Ok(crate::doors::Typed::Command(words)) = crate::doors::read_line(example) else {
                        panic!("{example}")
                    };
                    parse_line(&words).unwrap_or_else(|e| panic!("{example}: {e}"));
                    assert_eq!(words[0], camel(&name));
                }
                None => {
                    let words = crate::doors::split_line(example).unwrap();
                    parse_shell(&words).unwrap_or_else(|e| panic!("{example}: {e}"));
                    assert!(words.contains(&name), "{example}");
                }
            }
        }
        assert!(seen >= 1, "{name}");
    }
}

#[test]
fn the_top_level_help_leads_with_commands() {
    let help = shell().term_width(100).render_help().to_string();
    let at = |heading: &str| help.find(&format!("\n{heading}\n")).unwrap();
    assert!(at("Examples:") < at("Commands:") && at("Commands:") < at("Options:"));
    let examples = help
        .split("Examples:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    for example in examples.lines() {
        // What it does stands behind it.
        let typed = example
            .trim()
            .split("  ")
            .next()
            .unwrap()
            .split(" | ")
            .next()
            .unwrap();
        parse_shell(crate::doors::split_line(typed).unwrap())
            .map(drop)
            .or_else(|e| {
                if super::usage::is_answer(&e) {
                    Ok(())
                } else {
                    Err(e)
                }
            })
            .unwrap();
    }
    insta::assert_snapshot!(help);
}

#[test]
fn the_prompts_help_is_a_page() {
    insta::assert_snapshot!(crate::ui::help::all(crate::ui::Paint(false)));
    let one = crate::ui::help::one("addImage").unwrap();
    assert!(
        one.contains("Usage: /addImage [OPTIONS] <PATH>...")
            && !one.contains("--password")
            && one.contains("Example:\n  calotype add-image"),
        "{one}"
    );
    assert_eq!(
        crate::ui::help::one("/add-image"),
        crate::ui::help::one("addImage")
    );
    assert_eq!(crate::ui::help::one("nonsense"), None);
}

#[test]
fn the_guide_has_every_command_and_flag() {
    let guide = include_str!("../../../docs/user-guide.md");
    let of_shell: Vec<String> = shell()
        .get_subcommands()
        .map(|c| c.get_name().to_owned())
        .collect();
    for name in of_prompt() {
        assert!(
            guide.contains(&format!("/{}", camel(name))),
            "the guide lacks /{}",
            camel(name)
        );
    }
    for name in of_shell {
        assert!(
            guide.contains(&format!("`{name}`")) || guide.contains(&format!("calotype {name}")),
            "the guide lacks {name}"
        );
    }
    for long in shell()
        .get_arguments()
        .filter_map(|arg| arg.get_long().map(str::to_owned))
    {
        assert!(guide.contains(&format!("--{long}")), "the guide lacks --{long}");
    }
}

#[test]
fn the_error_codes_are_documented() {
    use crate::api::Code;
    let doc = include_str!("../../../docs/errors.md");
    let codes = [
        Code::Usage,
        Code::Auth,
        Code::NotFound,
        Code::Denied,
        Code::Unreachable,
        Code::Partial,
        Code::Ambiguous,
        Code::NotAnImage,
        Code::TooLarge,
        Code::Damaged,
        Code::DiskFull,
        Code::Busy,
        Code::Exists,
        Code::Internal,
    ];
    for code in codes {
        let name = serde_json::to_value(code).unwrap();
        let row = format!("| `{}` | {} |", name.as_str().unwrap(), code.exit());
        assert!(doc.contains(&row), "docs/errors.md lacks {row}");
    }
}
