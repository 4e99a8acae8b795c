//! `levada lab tutorial`: the experiments that the command carries in itself, explained and run.

use super::run::{self, Run};
use crate::exit::{self, Exit};
use crate::output::Console;
use anyhow::{Context, Result};
use clap::Args;
use levada_lab::{Scenario, Verdict, house};
use std::fs;
use std::path::Path;

/// Explains and runs the experiments.
#[derive(Debug, Args)]
pub struct Tutorial {
    /// Only those whose names begin so; `list` lists them
    which: Vec<String>,
}

macro_rules! experiments {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../../examples/labs/", $name, ".toml")))),*]
    };
}

const EXPERIMENTS: [(&str, &str); 18] = experiments![
    "01-intercom" "02-ping" "03-buffer" "03-call" "04-throughput" "05-codecs" "06-http-streaming" "07-two-sources"
    "08-relay-tree" "09-team" "10-rtmp" "11-unicast" "11-multicast" "11-tree" "11-team" "11-lan-team" "12-room"
    "13-nats"
];

const MEDIA: [(&str, &[u8]); 4] = [
    ("testcard.ogv", include_bytes!("../../../../media/testcard.ogv")),
    ("testcard.flv", include_bytes!("../../../../media/testcard.flv")),
    ("chords.ogg", include_bytes!("../../../../media/chords.ogg")),
    ("chords.mp3", include_bytes!("../../../../media/chords.mp3")),
];

impl Tutorial {
    /// Whether it only lists.
    pub fn lists(&self) -> bool {
        self.which.first().is_some_and(|word| word == "list")
    }

    /// Lists the experiments.
    ///
    /// # Errors
    /// None that a test does not see.
    pub fn list(&self) -> Result<()> {
        for (name, text) in EXPERIMENTS {
            let scenario: Scenario = text.parse().with_context(|| name.to_owned())?;
            let waits = scenario.waits.map_or(String::new(), |what| format!(" [waiting: {what}]"));
            println!("{name:<18} {}{waits}", scenario.about);
        }
        Ok(())
    }

    /// Runs them one after the other, in process 1.
    ///
    /// # Errors
    /// That one of them was not as it should be.
    pub fn run(self, console: Console) -> Result<()> {
        house::tie()?;
        let folder = std::env::temp_dir().join(format!("levada-tutorial-{}", std::process::id()));
        let folder = Kept(unique(&folder)?);
        for part in ["examples/labs", "media", "runs"] {
            fs::create_dir_all(folder.0.join(part))?;
        }
        for (name, bytes) in MEDIA {
            fs::write(folder.0.join("media").join(name), bytes)?;
        }
        let chosen =
            |name: &str| self.which.is_empty() || self.which.iter().any(|begin| name.starts_with(begin));
        let (mut ran, mut worst) = (0, 0);
        for (name, text) in EXPERIMENTS.into_iter().filter(|(name, _)| chosen(name)) {
            ran += 1;
            let scenario: Scenario = text.parse().with_context(|| name.to_owned())?;
            println!("\n== {name}: {}", scenario.about);
            text.lines().take_while(|line| line.starts_with('#')).for_each(|line| println!("{line}"));
            if let Some(what) = scenario.waits {
                println!("waiting: {what}");
                continue;
            }
            let path = folder.0.join("examples/labs").join(format!("{name}.toml"));
            fs::write(&path, text)?;
            let run = Run::of(path, folder.0.join("runs").join(name));
            let report = run.tutorial(console)?;
            run::show(&report, Path::new("not kept"), console);
            if report.verdict == Verdict::Failed {
                worst = exit::FAILED;
            }
        }
        if ran == 0 {
            return Err(Exit(
                exit::USAGE,
                "there is no experiment of that name; `levada lab tutorial list`".into(),
            )
            .into());
        }
        println!(
            "\nThese are files in examples/labs; `levada lab run FILE` runs one, and keeps what it captured."
        );
        super::speak::ended(worst)
    }
}

/// A folder that goes when this does.
struct Kept(std::path::PathBuf);

impl Drop for Kept {
    fn drop(&mut self) {
        let _gone_already = fs::remove_dir_all(&self.0);
    }
}

/// A new folder of nobody else's.
fn unique(stem: &Path) -> Result<std::path::PathBuf> {
    for number in 0..1_000 {
        let path = stem.with_extension(number.to_string());
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(why).with_context(|| format!("cannot make {}", path.display())),
        }
    }
    anyhow::bail!("cannot make a folder like {}", stem.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_experiments_are_carried_and_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/labs");
        let files = fs::read_dir(folder)
            .unwrap()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|e| e == "toml"));
        assert_eq!(files.count(), EXPERIMENTS.len());
        for (name, text) in EXPERIMENTS {
            let scenario: Scenario = text.parse().unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(scenario.name, name);
            assert!(!scenario.about.is_empty() && !scenario.expect.is_empty(), "{name}");
        }
    }
}
