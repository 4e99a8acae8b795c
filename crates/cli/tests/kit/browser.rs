//! A headless Chromium, driven through chromedriver by the WebDriver protocol.

use super::{Program, eventually, http};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{net::TcpListener, path::Path, process::Command};

/// A browser with one page.
pub struct Browser {
    session: String,
    _driver: Program,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts it on an empty page.
    pub fn start() -> Result<Browser> {
        Browser::with(&[])
    }

    /// The same, with a microphone that hears the WAV file at `path` over and over.
    pub fn hearing(path: &Path) -> Result<Browser> {
        Browser::with(&[format!("--use-file-for-fake-audio-capture={}", path.display())])
    }

    fn with(more: &[String]) -> Result<Browser> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut driver = Program::start(Command::new("chromedriver").arg(format!("--port={port}")))?;
        driver.wait_for("started successfully")?;
        let profile = tempfile::tempdir()?;
        let mut arguments: Vec<String> = ARGUMENTS.iter().map(|argument| (*argument).to_owned()).collect();
        arguments.extend_from_slice(more);
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {"browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": arguments}}}});
        let base = format!("http://127.0.0.1:{port}/session");
        let made = post(&base, &wanted)?;
        let id = made["sessionId"].as_str().context("no browser session")?;
        Ok(Browser { session: format!("{base}/{id}"), _driver: driver, _profile: profile })
    }

    /// Opens an address.
    pub fn open(&self, url: &str) -> Result<()> {
        post(&format!("{}/url", self.session), &json!({"url": url})).map(drop)
    }

    /// Runs a function body in the page and gives what it returns.
    pub fn run(&self, script: &str) -> Result<Value> {
        post(&format!("{}/execute/sync", self.session), &json!({"script": script, "args": []}))
    }

    /// Waits until a script says true.
    pub fn wait_until(&self, what: &str, script: &str) -> Result<()> {
        eventually(what, || Ok((self.run(script)? == json!(true)).then_some(())))
    }

    /// Resizes the window.
    pub fn resize(&self, width: u32, height: u32) -> Result<()> {
        post(&format!("{}/window/rect", self.session), &json!({"width": width, "height": height})).map(drop)
    }

    /// What the page complained about: errors of scripts, refused resources.
    pub fn complaints(&self) -> Result<Vec<String>> {
        let log = post(&format!("{}/se/log", self.session), &json!({"type": "browser"}))?;
        let lines = log.as_array().into_iter().flatten();
        Ok(lines.filter_map(|line| Some(line["message"].as_str()?.to_owned())).collect())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ends_anyway = http::request("DELETE", &self.session, None, None);
    }
}

fn post(url: &str, body: &Value) -> Result<Value> {
    let reply = http::request("POST", url, None, Some(&body.to_string()))?;
    let answer = reply.json()?;
    ensure!(reply.status == 200, "the browser refuses: {}", answer["value"]["message"]);
    Ok(answer["value"].clone())
}

/// No sandbox, as tests may run as root; nothing that talks to the outside.
const ARGUMENTS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    // a camera that is none, and nobody to ask for it
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
];
