//! Keys in files, and chance.

use anyhow::{Context, Result, bail};
use levada_talk::secure::{Identity, PublicKey};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The system's chance.
pub fn chance() -> Result<[u8; 32]> {
    let mut drawn = [0; 32];
    getrandom::fill(&mut drawn).context("the system has no chance to give")?;
    Ok(drawn)
}

/// The key in a file, which is made where there is none; a new one without a file.
pub fn identity(file: Option<&Path>) -> Result<Identity> {
    let Some(file) = file else { return Ok(Identity::new(chance()?)) };
    let shown = file.display();
    match std::fs::read_to_string(file) {
        // a private key is written as a public one is
        Ok(text) => match text.trim().parse::<PublicKey>() {
            Ok(PublicKey(bytes)) => Ok(Identity::new(bytes)),
            Err(why) => bail!("{shown}: {why}"),
        },
        Err(why) if why.kind() == ErrorKind::NotFound => {
            let identity = Identity::new(chance()?);
            let mut made = std::fs::OpenOptions::new();
            let made = made.write(true).create_new(true).mode(0o600).open(file);
            let written = made.and_then(|mut made| writeln!(made, "{}", PublicKey(*identity.bytes())));
            written.with_context(|| format!("{shown} cannot be made"))?;
            Ok(identity)
        }
        Err(why) => Err(why).with_context(|| format!("{shown} cannot be read")),
    }
}

/// The keys of a file: the first word of each line that is not empty and does not begin with `#`.
pub fn known(file: &Path) -> Result<Vec<PublicKey>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let words = text.lines().enumerate().filter_map(|(n, line)| Some((n, line.split_whitespace().next()?)));
    let keys = words.filter(|(_, word)| !word.starts_with('#'));
    keys.map(|(n, word)| word.parse().with_context(|| format!("{}:{}", file.display(), n + 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_their_files() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("key");
        let made = identity(Some(&file))?;
        assert_eq!(identity(Some(&file))?, made);
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file)?);
        assert_eq!(mode & 0o777, 0o600);
        let list = folder.path().join("known");
        std::fs::write(&list, format!("# friends\n\n{} ann\n", made.public()))?;
        assert_eq!(known(&list)?, [made.public()]);
        std::fs::write(&list, "# friends\nann\n")?;
        let why = format!("{:#}", known(&list).err().context("no key")?);
        assert!(why.ends_with("known:2: a key is 64 hexadecimal digits"), "{why}");
        Ok(())
    }
}
