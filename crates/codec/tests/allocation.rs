//! Nothing is allocated for a block: counted by an allocator that this program brings with it.
#![allow(
    unsafe_code,
    reason = "a global allocator is made of unsafe functions; these only count and pass on"
)]

use levada_codec::packet::{Codec, Decoder, Encoder};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn no_block_of_our_codecs_allocates() {
    for codec in [Codec::Native, Codec::Lossless, Codec::Wavelet, Codec::Pcm] {
        for frames in [1_024, 480, 240, 120] {
            let mut encoder = Encoder::new(codec, frames).unwrap();
            let mut decoder = Decoder::new(codec, frames).unwrap();
            let (mut packet, mut out) = (Vec::with_capacity(16 * frames + 64), vec![0; 2 * frames]);
            for number in 0..12_usize {
                // quiet, a beginning, loud noise
                let sample = |n: usize| (n * n * 7_919 % 20_011) as i32 - 10_000;
                let block: Vec<i16> = (0..2 * frames)
                    .map(|n| (sample(n + number) / if number < 5 { 400 } else { 1 }) as i16)
                    .collect();
                packet.clear();
                let before = COUNT.get();
                encoder.encode(&block, frames / 2, &mut packet);
                decoder.decode(&packet, &mut out).unwrap();
                let allocated = COUNT.get() - before;
                assert!(allocated == 0 || number == 0, "{codec} {frames}, block {number}: {allocated}");
            }
        }
    }
}
