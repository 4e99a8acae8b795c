//! Ogg: pages of logical streams side by side, one chain after another (RFC 3533).

mod align;
mod chain;
mod clock;
mod coding;
mod crc;
mod cutter;
mod demux;
mod looped;
mod packet;
mod page;
mod retitle;
mod seam;
mod serial;
mod splice;
mod stream;
mod sync;
mod write;

use crate::{Cut as _, Demux as _};
pub use align::Align;
pub use cutter::Cutter;
pub use demux::Demux;
pub use looped::Looped;
pub use page::{PageHeader, Piece, is_sound, pieces, rewrite_serial, write};
pub use retitle::Retitle;
pub use splice::Splice;
pub use write::Writer;

/// Runs everything that reads Ogg over `bytes`, in pieces whose lengths the first bytes decide: the fuzz target's
/// body. Gives how many pages and items came out.
///
/// # Panics
/// When the pages are not the input less what was skipped, which no input may bring about.
pub fn exercise(bytes: &[u8]) -> usize {
    let (mut cutter, mut demux) = (Cutter::new(), Demux::new());
    let (mut align, mut retitle, mut splice) = (Align::new(), Retitle::new(1), Splice::new(2));
    let (mut count, mut kept) = (0, 0);
    let step = bytes.first().map_or(1, |&first| 1 + usize::from(first) * 5);
    for part in bytes.chunks(step) {
        cutter.push(part);
        demux.push(part);
        while let Some(page) = cutter.poll() {
            kept += page.bytes.len() as u64;
            retitle.set(crate::Tags::titled(count.to_string()));
            splice.push(page.clone());
            align.push(page.clone());
            retitle.push(page);
            count += [splice.poll(), align.poll(), retitle.poll()].iter().flatten().count();
        }
        while let Ok(Some(_)) = demux.poll() {
            count += 1;
        }
    }
    cutter.finish();
    while let Some(page) = cutter.poll() {
        kept += page.bytes.len() as u64;
    }
    assert_eq!(kept + cutter.skipped(), bytes.len() as u64, "every byte is in a page or counted");
    count
}
