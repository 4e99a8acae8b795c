//! libFuzzer over the target that `LEVADA_FUZZ` names.
#![no_main]

use levada_fuzz::Target;
use std::sync::OnceLock;

static TARGET: OnceLock<Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: {
        let name = std::env::var("LEVADA_FUZZ").unwrap_or_default();
        let target = levada_fuzz::find(&name).unwrap_or_else(|| {
            eprintln!("LEVADA_FUZZ must name one of:");
            levada_fuzz::TARGETS.iter().for_each(|target| eprintln!("  {}", target.name));
            std::process::exit(2);
        });
        TARGET.get_or_init(|| target);
    },
    |bytes: &[u8]| {
        if let Some(target) = TARGET.get() {
            (target.run)(bytes);
        }
    }
);
