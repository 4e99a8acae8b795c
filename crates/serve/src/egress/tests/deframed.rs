//! Takes title blocks out of a body again, written apart from what puts them in.

/// A body without its title blocks, and the titles with where in the body they were told.
#[derive(Debug, Default)]
pub(in super::super) struct Deframed {
    pub(in super::super) body: Vec<u8>,
    pub(in super::super) titles: Vec<(usize, String)>,
    /// Blocks, with the empty ones.
    pub(in super::super) blocks: usize,
}

/// Reads what a client that was promised a block after each `metaint` bytes has got, to where it breaks off.
pub(in super::super) fn deframe(mut got: &[u8], metaint: usize) -> Deframed {
    let mut out = Deframed::default();
    while got.len() > metaint {
        let (body, rest) = got.split_at(metaint);
        out.body.extend_from_slice(body);
        let length = 16 * usize::from(rest[0]);
        if rest.len() < 1 + length {
            return out;
        }
        if length > 0 {
            let block = std::str::from_utf8(&rest[1..1 + length]).unwrap().trim_end_matches('\0');
            let title = block.strip_prefix("StreamTitle='").unwrap().strip_suffix("';").unwrap();
            out.titles.push((out.body.len(), title.to_owned()));
        }
        out.blocks += 1;
        got = &rest[1 + length..];
    }
    out.body.extend_from_slice(got);
    out
}
