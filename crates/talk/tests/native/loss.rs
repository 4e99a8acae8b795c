//! Datagrams are lost.

use crate::ends::{judge, pair, stats};

#[test]
fn losses_are_mended_by_copies_that_are_asked_for() {
    for (link, most) in [("loss=5% delay=10ms", 0.006), ("loss=20% delay=10ms", 0.015)] {
        let mut world = pair(link, 0.0, |_| {});
        let (share, delay) = judge(&mut world, 10.0, 40.0);
        println!("{link}: {:.2} % at {:.0} ms, {:?}", 100.0 * share, 1e3 * delay, stats(&world));
        assert!(share < most && delay < 0.05, "{link}: {share:.4}, {:?}", stats(&world));
    }
}
