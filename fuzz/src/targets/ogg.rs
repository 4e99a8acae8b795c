//! Ogg's filters behind the cutter.

use crate::Pieces;
use levada_media::{
    Cut, Page, Tags,
    container::ogg::{Align, Cutter, Retitle, Splice, is_sound},
};

/// Titles set in mid-stream: all that comes out are sound pages, and not many more than went in.
pub fn retitle(bytes: &[u8]) {
    let (mut cutter, mut count) = (Cutter::new(), 0);
    let (mut align, mut retitle, mut splice) = (Align::new(), Retitle::new(1), Splice::new(2));
    let pieces = Pieces::of(bytes);
    let every = 1 + usize::from(bytes.first().copied().unwrap_or(0) % 7);
    let mut out = 0;
    let mut put = |retitle: &mut Retitle, page: Page| {
        if count % every == 0 {
            retitle.set(Tags::titled(count.to_string()));
        }
        count += 1;
        retitle.push(page.clone());
        out += drain(|| retitle.poll());
        splice.push(page.clone());
        out += drain(|| splice.poll());
        align.push(page);
        out += drain(|| align.poll());
    };
    for piece in pieces {
        cutter.push(piece);
        while let Some(page) = cutter.poll() {
            put(&mut retitle, page);
        }
    }
    cutter.finish();
    while let Some(page) = cutter.poll() {
        put(&mut retitle, page);
    }
    let _ = retitle.can();
    assert!(out <= 700 * (count + 1), "{out} pages out of {count}");
    levada_media::container::ogg::exercise(bytes);
}

fn drain(mut poll: impl FnMut() -> Option<Page>) -> usize {
    let mut out = 0;
    while let Some(page) = poll() {
        assert!(page.bytes.is_empty() || is_sound(&page.bytes), "a page that no player takes");
        out += 1;
    }
    out
}
