//! A real icecast2 on a free port of loopback.

use super::{Program, eventually, http};
use anyhow::{Context, Result};
use std::{net::TcpListener, process::Command};

/// What the last of its threads says, in its debug log. An icecast2 2.4.4 that is spoken to before dies of it, one time
/// in twenty.
const STANDS: &str = "checking master stream list";

/// A running icecast2 with the source password `hush`.
pub struct Icecast {
    pub program: Program,
    /// `127.0.0.1:port`.
    pub address: String,
    _folder: tempfile::TempDir,
}

impl Icecast {
    /// Starts one; `more` is put into its configuration.
    pub fn start(more: &str) -> Result<Icecast> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().display();
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let root = String::from_utf8_lossy(&Command::new("id").arg("-u").output()?.stdout).trim() == "0";
        let owner = match root {
            // icecast2 does not run as root
            true => "<changeowner><user>nobody</user><group>nogroup</group></changeowner>",
            false => "",
        };
        let config = format!(
            "<icecast><limits><clients>100</clients><sources>10</sources><burst-size>65535</burst-size></limits>
            <authentication><source-password>hush</source-password><relay-password>hush-relay</relay-password>
            <admin-user>admin</admin-user><admin-password>hush-admin</admin-password></authentication>
            <hostname>127.0.0.1</hostname>
            <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
            {more}
            <paths><logdir>{path}</logdir><webroot>/usr/share/icecast2/web</webroot>
            <adminroot>/usr/share/icecast2/admin</adminroot></paths>
            <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>4</loglevel></logging>
            <security><chroot>0</chroot>{owner}</security></icecast>"
        );
        let file = folder.path().join("icecast.xml");
        std::fs::write(&file, config)?;
        if root {
            let mode = Command::new("chmod").args(["-R", "a+rwX"]).arg(folder.path()).status()?;
            assert!(mode.success());
        }
        let program = Program::start(Command::new("icecast2").arg("-c").arg(&file))?;
        let address = format!("127.0.0.1:{port}");
        let stands = || program.said().contains(STANDS);
        eventually("icecast2 to stand", || Ok(stands().then_some(()))).with_context(|| program.said())?;
        let up = format!("http://{address}/status-json.xsl");
        eventually("icecast2 to answer", || Ok(http::get(&up).ok().map(drop)))
            .with_context(|| program.said())?;
        Ok(Icecast { program, address, _folder: folder })
    }

    /// The address of a path for listeners.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The address of a mount for sources.
    pub fn source(&self, mount: &str) -> String {
        format!("icecast://source:hush@{}{mount}", self.address)
    }

    /// Waits until a mount is fed.
    pub fn wait_live(&self, mount: &str) -> Result<()> {
        eventually(&format!("{mount} to be live on icecast2"), || {
            let status = http::get(&self.url("/status-json.xsl"))?.text();
            Ok(status.contains(&format!("{mount}\"")).then_some(()))
        })
    }
}
