//! Every packet comes out, once, whole and in time.

use levada_media::{Demux, Frame, Item, container::ogg};

/// The frames of `bytes`.
pub fn frames(bytes: &[u8]) -> Vec<Frame> {
    let frame = |item| if let Item::Frame(frame) = item { Some(frame) } else { None };
    items(bytes).into_iter().filter_map(frame).collect()
}

/// All that is in `bytes`.
pub fn items(bytes: &[u8]) -> Vec<Item> {
    let mut demux = ogg::Demux::new();
    demux.push(bytes);
    std::iter::from_fn(|| demux.poll().unwrap()).collect()
}
