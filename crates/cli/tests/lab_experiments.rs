//! The experiments of `examples/labs`, run as they stand, as an ordinary user.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::lab::{is_possible, lab};
use kit::programs::Desk;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn every_experiment_shows_what_it_should() -> Result<()> {
    if !is_possible("the experiments") {
        return Ok(());
    }
    // A copy of its own, where the ordinary user can read it.
    let desk = Desk::new()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["examples/labs", "media"] {
        copy(&root.join(folder), &desk.path(folder))?;
    }
    fs::set_permissions(desk.path(""), fs::Permissions::from_mode(0o777))?;
    let mut scenarios: Vec<PathBuf> =
        fs::read_dir(desk.path("examples/labs"))?.flatten().map(|entry| entry.path()).collect();
    scenarios.retain(|path| path.extension().is_some_and(|kind| kind == "toml"));
    // The longest first.
    scenarios.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).map_or(0, |about| about.len())));
    ensure!(scenarios.len() >= 14, "experiments are missing");
    let (next, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        // They mostly wait; but each of them should have some of the machine.
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(path) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = experiment(path, &desk);
                    told.lock().expect("nobody panics with it").push(outcome);
                }
            });
        }
    });
    let outcomes = told.into_inner()?;
    let failed: Vec<String> =
        outcomes.into_iter().filter_map(|outcome| outcome.err().map(|why| format!("{why:#}"))).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n\n"));
    Ok(())
}

/// Runs one; what went wrong with it.
fn experiment(path: &Path, desk: &Desk) -> Result<()> {
    let name = path.file_stem().context("a name")?.to_string_lossy().into_owned();
    let word = path.display().to_string();
    let mut last = String::new();
    // Programs of others may stumble on a busy machine: once more is allowed, and told.
    for turn in 0..2 {
        // Whether the engine was punctual is the machine's business here; what it did is ours.
        let out = lab(&["run", &word, "--fidelity", "1h"], &desk.path("")).output()?;
        let said =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        match out.status.code() {
            Some(0) => return Ok(()),
            _ => last = format!("{name}, turn {turn}: {}\n{said}", out.status),
        }
        println!("{last}");
    }
    anyhow::bail!(last)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for folder in to.ancestors().take(2) {
        let _not_ours = fs::set_permissions(folder, fs::Permissions::from_mode(0o755));
    }
    for entry in fs::read_dir(from)?.flatten().filter(|entry| entry.path().is_file()) {
        let to = to.join(entry.file_name());
        fs::copy(entry.path(), &to)?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}
