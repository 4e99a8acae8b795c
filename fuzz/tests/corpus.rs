//! Every target over its kept corpus, and over some mutants of it, the same ones at every run.

use anyhow::{Context, Result, ensure};
use levada_fuzz::{Mutator, TARGETS, Target, find};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

#[test]
fn every_target_keeps_its_promises_over_its_corpus() -> Result<()> {
    let mut broken = Vec::new();
    for target in TARGETS {
        let corpus = corpus(target.name)?;
        ensure!(!corpus.is_empty(), "{} has no corpus", target.name);
        let breaks = |(path, bytes): (PathBuf, Vec<u8>)| (!keeps(*target, &bytes)).then_some(path);
        broken.extend(corpus.into_iter().filter_map(breaks));
    }
    ensure!(broken.is_empty(), "promises are broken over {broken:#?}");
    Ok(())
}

/// As many mutants as half a second takes, but no fewer than 200: more is for `make fuzz`.
#[test]
fn every_target_keeps_its_promises_over_mutants() -> Result<()> {
    let mut broken = Vec::new();
    for (seed, target) in (1..).zip(TARGETS) {
        let corpus: Vec<_> = corpus(target.name)?.into_iter().map(|(_, bytes)| bytes).collect();
        let mut mutator = Mutator::new(&corpus, seed);
        let began = Instant::now();
        let enough = |count| count == MOST || count >= FEWEST && began.elapsed() > SHARE;
        let mutants = (0..).take_while(|count| !enough(*count)).map(|_| mutator.mutant());
        if let Some(bytes) = mutants.into_iter().find(|bytes| !keeps(*target, bytes)) {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(target.name);
            fs::write(&path, &bytes)?;
            broken.push(path);
        }
    }
    ensure!(broken.is_empty(), "promises are broken over {broken:#?}");
    Ok(())
}

fn keeps(target: Target, bytes: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).is_ok()
}

#[test]
fn every_corpus_belongs_to_a_target_and_is_small() -> Result<()> {
    for folder in fs::read_dir(corpora())? {
        let name = folder?.file_name().to_string_lossy().into_owned();
        ensure!(find(&name).is_some(), "{name} is no target");
        let files = corpus(&name)?;
        ensure!(files.len() <= 64, "{name}: {} files; keep what tells something", files.len());
        for (path, bytes) in files {
            ensure!(bytes.len() <= 8 * 1024, "{} has {} bytes", path.display(), bytes.len());
        }
    }
    Ok(())
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The files of a corpus, by name.
fn corpus(name: &str) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let folder = corpora().join(name);
    let files = fs::read_dir(&folder).with_context(|| format!("{} is missing", folder.display()))?;
    let mut paths = files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(|path| Ok((path.clone(), fs::read(path)?))).collect()
}

const FEWEST: usize = 200;
const MOST: usize = 4_000;
const SHARE: Duration = Duration::from_millis(500);
