//! The configuration as a person meets it: files, variables, flags, what is shown and what is complained about.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, http, levada};
use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

#[test]
fn one_variable_is_all_that_a_source_needs() -> Result<()> {
    let state = tempfile::tempdir()?;
    let mut command = levada();
    command.args(["serve", "--http", "127.0.0.1:0"]);
    command.env("LEVADA__AUTH__SOURCE_PASSWORD", "from the variable").env("XDG_STATE_HOME", state.path());
    let mut server = Program::start(&mut command)?;
    let address = server.wait_for("serving on http://")?;
    let address = address.trim_end_matches('/');
    let put = |password| {
        http::request("PUT", &format!("http://{address}/live.mp3"), Some(("source", password)), None)
    };
    ensure!(put("something else")?.status == 401);
    // No content type: past the password, and refused for another reason.
    ensure!(put("from the variable")?.status == 403);
    Ok(())
}

#[test]
fn a_wrong_file_is_refused_with_status_3_and_every_mistake_in_its_place() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("radio.toml");
    std::fs::write(
        &file,
        "[http]\nlistn = []\n[limits]\nsources = 'many'\n[[mount]]\nname = '/a'\nfallback = 'b'\n",
    )?;
    for arguments in [vec!["check-config"], vec!["serve", "--config"]] {
        let out = run(levada().args(arguments).arg(&file))?;
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        ensure!(out.status.code() == Some(3), "{:?}: {said}", out.status);
        for told in [
            "radio.toml:2:1: http.listn: unknown key, did you mean \"listen\"?",
            "radio.toml:4:11: limits.sources: \"many\" is not a whole number",
            "radio.toml:7:12: mount.0.fallback: a mount name begins with a slash",
        ] {
            ensure!(said.contains(told), "{told} is missing in\n{said}");
        }
    }
    std::fs::write(&file, "[[mount]]\nname = '/a'\n[[mount]]\nname = '/a'\n")?;
    let out = run(levada().args(["--json", "check-config"]).arg(&file))?;
    let report: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    ensure!(out.status.code() == Some(3) && report["good"] == false, "{report}");
    ensure!(report["complaints"][0]["key"] == "mount.1.name", "{report}");
    std::fs::write(&file, "[limits]\nlisteners = 7\n")?;
    ensure!(run(levada().arg("check-config").arg(&file))?.status.success());
    Ok(())
}

#[test]
fn a_file_with_passwords_that_everybody_can_read_is_warned_of() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("radio.toml");
    std::fs::write(&file, "[auth]\nsource_password = 'k7qf-3m9x'\n")?;
    for (mode, warned) in [(0o644, true), (0o640, false)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode))?;
        let out = run(levada().arg("check-config").arg(&file))?;
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        ensure!(
            out.status.success() && said.contains("everybody on this machine") == warned,
            "{mode:o}: {said}"
        );
    }
    Ok(())
}

#[test]
fn what_is_shown_names_who_said_it_and_no_secret() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("radio.toml");
    std::fs::write(
        &file,
        "[limits]\nlisteners = 7\n[[mount]]\nname = '/dj/*'\nsource_password = 'k7qf-3m9x'\n",
    )?;
    let clip = kit::clip("chords.mp3");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "vw2h-8c5n\n")?;
    let mut command = levada();
    command.args(["serve", "--print-config", "--http", "127.0.0.1:1", "--set", "limits.drain=1s"]);
    command.arg("--mount").arg(format!("BBB.mp3={}", clip.display()));
    command.arg("--config").arg(&file).arg("--state").arg(folder.path());
    command.env("LEVADA__LIMITS__SOURCES", "3").env("LEVADA__AUTH__SOURCE_PASSWORD_FILE", &secret);
    let out = run(&mut command)?;
    let said = String::from_utf8(out.stdout)?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for line in [
        "listen = [\"127.0.0.1:1\"]  # flag --http",
        "drain = \"1s\"  # flag --set",
        "sources = 3  # environment LEVADA__LIMITS__SOURCES",
        "source_password = \"***\"  # environment LEVADA__AUTH__SOURCE_PASSWORD_FILE",
        "name = \"/BBB.mp3\"  # flag --mount",
        "head_bytes = 8192  # default",
    ] {
        ensure!(said.lines().any(|one| one == line), "{line} is missing in\n{said}");
    }
    ensure!(said.contains("listeners = 7  # ") && said.contains("radio.toml:2:13"), "{said}");
    ensure!(!said.contains("k7qf") && !said.contains("vw2h"), "{said}");
    let path = folder.path().join("again.toml");
    std::fs::write(&path, said)?;
    let again = run(levada().arg("check-config").arg(&path))?;
    let why = String::from_utf8_lossy(&again.stderr).into_owned();
    ensure!(again.status.code() == Some(3) && why.contains("is masked"), "a mask is no password: {why}");
    Ok(())
}

#[test]
fn icecasts_file_becomes_one_that_serves() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let xml = "<icecast><limits><sources>3</sources></limits>
        <authentication><source-password>hackme</source-password></authentication>
        <listen-socket><port>1</port></listen-socket>
        <mount><mount-name>/live.mp3</mount-name><username>dj</username><password>k7qf-3m9x</password></mount>
        </icecast>";
    let path = folder.path().join("icecast.xml");
    std::fs::write(&path, xml)?;
    let out = run(levada().args(["config", "import"]).arg(&path))?;
    let text = String::from_utf8(out.stdout)?;
    ensure!(out.status.success() && text.contains("sources = 3"), "{text}");
    let imported = folder.path().join("levada.toml");
    std::fs::write(&imported, &text)?;
    let check = run(levada().arg("check-config").arg(&imported))?;
    ensure!(check.status.code() == Some(3), "hackme in public must not pass");
    let server = Serve::with(|command| {
        command.arg("--config").arg(&imported);
    })?;
    let put = |user, password| http::request("PUT", &server.url("/live.mp3"), Some((user, password)), None);
    ensure!(put("source", "hush")?.status == 401);
    ensure!(put("dj", "k7qf-3m9x")?.status == 403);
    std::fs::write(&path, "<icecast>\n<limits></icecast>")?;
    let out = run(levada().args(["config", "import"]).arg(&path))?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    ensure!(out.status.code() == Some(3) && said.contains("icecast.xml:2:"), "{said}");
    Ok(())
}

#[test]
fn a_hash_serves_instead_of_a_password() -> Result<()> {
    let mut hashing =
        levada().args(["config", "hash"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    hashing.stdin.take().context("no input")?.write_all(b"over the hills\n")?;
    let hash = String::from_utf8(hashing.wait_with_output()?.stdout)?;
    ensure!(hash.starts_with("$argon2id$"), "{hash}");
    let server = Serve::with(|command| {
        command.env("LEVADA__AUTH__SOURCE_PASSWORD", hash.trim());
    })?;
    let put = |password| http::request("PUT", &server.url("/a"), Some(("source", password)), None);
    ensure!(put(hash.trim())?.status == 401, "the hash itself opens nothing");
    ensure!(put("over the hills")?.status == 403);
    Ok(())
}

#[test]
fn an_address_that_is_taken_is_named() -> Result<()> {
    let server = Serve::start(&[])?;
    let state = tempfile::tempdir()?;
    let out = run(levada().args(["serve", "--http", &server.address]).arg("--state").arg(state.path()))?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    ensure!(
        !out.status.success() && said.contains(&format!("cannot listen on {}", server.address)),
        "{said}"
    );
    ensure!(std::fs::read_dir(state.path())?.count() == 0, "no password stays that nobody has seen");
    Ok(())
}

fn run(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("{command:?}"))
}
