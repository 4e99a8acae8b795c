//! Pages drawn as letters, for tests.

use crate::{Cut, Page, Role};

/// What comes out of `cutter` when `bytes` go in.
pub(crate) fn pages(cutter: &mut impl Cut, bytes: &[u8]) -> Vec<Page> {
    cutter.push(bytes);
    std::iter::from_fn(|| cutter.poll()).collect()
}

/// A letter for each page: H for a header, E for an entry, a point for anything else.
pub(crate) fn roles(pages: &[Page]) -> String {
    let letter = |page: &Page| match page.role {
        Role::Header => 'H',
        Role::Entry => 'E',
        Role::Plain => '.',
    };
    pages.iter().map(letter).collect()
}
