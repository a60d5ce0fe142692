//! The ops that an op names as its deps, by number.

/// The deps of an op: mostly one or two, which take no room of their own.
#[derive(Debug, Clone)]
pub(crate) enum Deps {
    /// Filled from the front; the others are [`NO_OP`].
    Few([u32; 2]),
    Many(Box<[u32]>),
}

/// A number that no op has.
pub(crate) const NO_OP: u32 = u32::MAX;

impl Default for Deps {
    fn default() -> Self {
        Deps::Few([NO_OP; 2])
    }
}

impl std::ops::Deref for Deps {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match self {
            Deps::Few([NO_OP, _]) => &[],
            Deps::Few([first, NO_OP]) => std::slice::from_ref(first),
            Deps::Few(both) => both,
            Deps::Many(deps) => deps,
        }
    }
}

impl FromIterator<u32> for Deps {
    fn from_iter<I: IntoIterator<Item = u32>>(deps: I) -> Self {
        let mut deps = deps.into_iter();
        let few = [deps.next().unwrap_or(NO_OP), deps.next().unwrap_or(NO_OP)];
        match deps.next() {
            None => Deps::Few(few),
            Some(third) => Deps::Many(few.into_iter().chain([third]).chain(deps).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_deps_comes_back() {
        for count in 0..5 {
            let wanted: Vec<u32> = (0..count).collect();
            let deps: Deps = wanted.iter().copied().collect();
            assert_eq!(*deps, *wanted);
        }
        assert!(Deps::default().is_empty());
        assert_eq!(size_of::<Deps>(), 16);
    }
}
