//! Names for completion.

use super::super::run::{Handle, Node};
use super::album::all_albums;
use crate::api::{Failure, NameKind, Names, Reply};

/// Most names in one answer: nobody reads more, and readline counts its candidates in 16 bits.
const COMPLETIONS_MAX: usize = 1_000;

/// Living names that begin so.
pub(super) async fn names(
    handle: &Handle,
    label: Option<String>,
    kind: NameKind,
    begin: String,
) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let begin = begin.to_lowercase();
        let fits = |name: &String| name.to_lowercase().starts_with(&begin);
        let names = match kind {
            NameKind::Image => {
                let images = node.album(label.as_deref())?.images();
                images.map(|image| image.name).filter(fits).collect()
            }
            NameKind::Gone => {
                let gone = node.album(label.as_deref())?.gone().into_iter();
                gone.map(|image| image.name).filter(fits).collect()
            }
            NameKind::Album => {
                let albums = all_albums(node).into_iter();
                albums.map(|album| album.name).filter(fits).collect()
            }
            NameKind::Member => {
                let members = node.album(label.as_deref())?.members();
                let names = members.map(|member| node.name_of(&member.user));
                names.filter(fits).collect()
            }
        };
        Ok(Reply::Names(Names {
            names: some(names, COMPLETIONS_MAX),
        }))
    };
    handle.with(step).await?
}

/// Sorted, each once; of more than `most` the last stands for all that are left out: what all names share, the first and
/// the last share.
fn some(mut names: Vec<String>, most: usize) -> Vec<String> {
    names.sort();
    names.dedup();
    if names.len() > most {
        let last = names.len() - 1;
        names.swap(most - 1, last);
        names.truncate(most);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_keep_what_they_share() {
        let names = |n: usize| {
            (0..n)
                .rev()
                .map(|i| format!("IMG_{i:04}"))
                .collect::<Vec<String>>()
        };
        let at = some(names(COMPLETIONS_MAX), COMPLETIONS_MAX);
        assert_eq!(
            (at.len(), at[at.len() - 1].as_str()),
            (COMPLETIONS_MAX, "IMG_0999")
        );
        let past = some(names(COMPLETIONS_MAX + 5), COMPLETIONS_MAX);
        assert_eq!(
            (past.len(), past[past.len() - 1].as_str()),
            (COMPLETIONS_MAX, "IMG_1004")
        );
        assert_eq!(past[0], "IMG_0000");
        assert_eq!(some(vec!["b".into(), "a".into(), "b".into()], 9), ["a", "b"]);
    }
}
