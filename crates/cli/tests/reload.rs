//! Another configuration while the server runs: everybody stays, and a bad one changes nothing.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, clip, eventually, http, levada};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// A server whose whole configuration is a file.
struct Radio {
    program: Program,
    folder: tempfile::TempDir,
    ports: [u16; 2],
    reloads: usize,
}

impl Radio {
    /// With two free ports; `rest` follows the usual in the file.
    fn start(rest: &str) -> Result<Radio> {
        let folder = tempfile::tempdir()?;
        let ports = free_ports()?;
        let file = folder.path().join("radio.toml");
        fs::write(&file, usual(&format!("127.0.0.1:{}", ports[0]), "hush", rest))?;
        let mut command = levada();
        command.args(["serve", "--config"]).arg(&file).arg("--state").arg(folder.path());
        command.current_dir(folder.path());
        let mut program = Program::start(&mut command)?;
        program.wait_for("serving on http://")?;
        Ok(Radio { program, folder, ports, reloads: 0 })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self, port: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports[port])
    }

    /// Puts a configuration into the file and asks for it by signal.
    fn become_like(&mut self, listen: &str, password: &str, rest: &str) -> Result<()> {
        fs::write(self.path("radio.toml"), usual(listen, password, rest))?;
        self.program.signal("HUP")?;
        self.reloads += 1;
        let wanted = self.reloads;
        eventually("the configuration to be read again", || {
            let read = self.program.said().matches("configuration read again").count();
            Ok((read == wanted).then_some(()))
        })
    }

    fn push(&self, password: &str) -> Result<Program> {
        let to = format!("icecast://source:{password}@127.0.0.1:{}/a.mp3", self.ports[0]);
        let program = Program::start(levada().arg("push").arg("--loop").arg(clip("chords.mp3")).arg(to))?;
        let url = self.url(0, "/status-json.xsl");
        eventually("the source", || Ok(http::get(&url)?.text().contains("/a.mp3\"").then_some(())))?;
        Ok(program)
    }
}

fn usual(listen: &str, password: &str, rest: &str) -> String {
    let listen: Vec<String> = listen.split(' ').map(|address| format!("'{address}'")).collect();
    format!(
        "[http]\nlisten = [{}]\naccess_log = 'access.log'\n[auth]\nsource_password = '{password}'\nadmin_password = 'hush-admin'\n{rest}",
        listen.join(", ")
    )
}

#[test]
fn reloading_under_load_drops_nobody() -> Result<()> {
    let mut radio = Radio::start("")?;
    let source = radio.push("hush")?;
    let crowd = Crowd::come(&radio.url(0, "/a.mp3"), 40)?;
    let [one, two] = radio.ports.map(|port| format!("127.0.0.1:{port}"));
    for round in 0..6 {
        let rest =
            format!("[limits]\nlisteners = {}\n[[mount]]\nname = '/*'\nlinger = '{round}s'\n", 1_000 + round);
        radio.become_like(&format!("{one} {two}"), &format!("hush {round}"), &rest)?;
        let beside = http::Listener::open(&radio.url(1, "/a.mp3"), "")?;
        radio.become_like(&one, &format!("hush {round}"), &rest)?;
        ensure!(TcpStream::connect(&two).is_err(), "the address is still open");
        crowd.take(beside);
    }
    let put = |password: &str| http::request("PUT", &radio.url(0, "/b"), Some(("source", password)), None);
    ensure!(put("hush 5")?.status == 403 && put("hush")?.status == 401, "the new password is in force");
    let said = radio.program.said();
    for told in ["limits.listeners: 100000 → 1000", "auth.source_password: *** → ***"] {
        ensure!(said.contains(told), "{told} is missing in\n{said}");
    }
    crowd.all_hear_more()?;
    drop(source);
    Ok(())
}

#[test]
fn a_bad_configuration_changes_nothing_and_names_its_place() -> Result<()> {
    let mut radio = Radio::start("[limits]\nlisteners = 7\n")?;
    let _source = radio.push("hush")?;
    let crowd = Crowd::come(&radio.url(0, "/a.mp3"), 5)?;
    let [one, taken] = [format!("127.0.0.1:{}", radio.ports[0]), format!("127.0.0.1:{}", radio.ports[1])];
    let _taker = TcpListener::bind(&taken)?;
    for (listen, rest, told) in [
        (
            one.as_str(),
            "[limits]\nlisteners = 'seven'\n",
            "radio.toml:8:13: limits.listeners: \"seven\" is not a whole number",
        ),
        (
            &one,
            "[[mount]]\nname = '/a.mp3'\nfallback = '/a.mp3'\n",
            "radio.toml:9:12: mount.0.fallback: leads to the mount itself",
        ),
        (&one, "[limits\n", "radio.toml:7:"),
        (&format!("{one} {taken}"), "[limits]\nlisteners = 8\n", &format!("cannot listen on {taken}")),
    ] {
        fs::write(radio.path("radio.toml"), usual(listen, "other", rest))?;
        let url = radio.url(0, "/api/v1/reload");
        let answer = http::request("POST", &url, Some(("admin", "hush-admin")), Some("{}"))?;
        ensure!((400..600).contains(&answer.status), "{} {}", answer.status, answer.text());
        let answer_says = answer.text().replace("\\\"", "\"");
        ensure!(answer_says.contains(told), "{told} is missing in {answer_says}");
        eventually("the log to tell", || Ok(radio.program.said().contains(told).then_some(())))?;
        let put = http::request("PUT", &radio.url(0, "/b"), Some(("source", "hush")), None)?;
        ensure!(put.status == 403, "the old password is in force: {}", put.status);
    }
    ensure!(radio.program.said().matches("the old one stays in force").count() >= 3);
    crowd.all_hear_more()?;
    radio.become_like(&one, "other", "[limits]\nlisteners = 8\n")
}

#[test]
fn an_address_can_widen_to_all_and_back() -> Result<()> {
    let mut radio = Radio::start("")?;
    let _source = radio.push("hush")?;
    let crowd = Crowd::come(&radio.url(0, "/a.mp3"), 5)?;
    let port = radio.ports[0];
    let elsewhere = format!("127.0.0.2:{port}");
    ensure!(TcpStream::connect(&elsewhere).is_err());
    radio.become_like(&format!("0.0.0.0:{port}"), "k7qf-3m9x", "")?;
    let listener = http::Listener::open(&format!("http://{elsewhere}/a.mp3"), "")?;
    crowd.take(listener);
    radio.become_like(&format!("127.0.0.1:{port}"), "k7qf-3m9x", "")?;
    ensure!(TcpStream::connect(&elsewhere).is_err());
    crowd.all_hear_more()
}

#[test]
fn the_log_goes_on_in_a_new_file_and_only_changed_relays_start_anew() -> Result<()> {
    let clip = clip("chords.mp3");
    let files = format!(
        "[[mount]]\nname = '/a.mp3'\nfile = '{0}'\n[[mount]]\nname = '/b.mp3'\nfile = '{0}'\n",
        clip.display()
    );
    let mut radio = Radio::start(&files)?;
    let hear = |radio: &Radio, path: &str| http::listen(&radio.url(0, path), "", 10_000).map(drop);
    eventually("the file", || Ok(hear(&radio, "/a.mp3").ok()))?;
    let log = radio.path("access.log");
    let lines = |path: &PathBuf| fs::read_to_string(path).unwrap_or_default().lines().count();
    eventually("a line in the log", || Ok((lines(&log) > 0).then_some(())))?;
    let crowd = Crowd::come(&radio.url(0, "/a.mp3"), 3)?;
    let old = radio.path("access.log.1");
    fs::rename(&log, &old)?;
    let changed = files.replace("/b.mp3", "/c.mp3");
    radio.become_like(&format!("127.0.0.1:{}", radio.ports[0]), "hush", &changed)?;
    let before = lines(&old);
    eventually("the new file mount", || Ok(hear(&radio, "/c.mp3").ok()))?;
    eventually("a line in the new log", || Ok((lines(&log) > 0).then_some(())))?;
    ensure!(lines(&old) == before, "the old log grew");
    crowd.all_hear_more()?;
    let stats = http::get(&radio.url(0, "/status-json.xsl"))?.text();
    ensure!(stats.contains("/a.mp3\"") && stats.contains("/c.mp3\""), "{stats}");
    Ok(())
}

/// Listeners that read all the time and are counted when they are dropped.
struct Crowd {
    heard: Vec<Arc<AtomicUsize>>,
    later: std::sync::Mutex<Vec<Arc<AtomicUsize>>>,
    gone: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
}

impl Crowd {
    fn come(url: &str, count: usize) -> Result<Crowd> {
        let mut crowd = Crowd {
            heard: Vec::new(),
            later: std::sync::Mutex::default(),
            gone: Arc::default(),
            enough: Arc::default(),
        };
        for _ in 0..count {
            let listener = http::Listener::open(url, "").context("a listener is not let in")?;
            ensure!(listener.head.contains(" 200 "), "{}", listener.head);
            let heard = crowd.follow(listener);
            crowd.heard.push(heard);
        }
        Ok(crowd)
    }

    /// One more, who came by another way.
    fn take(&self, listener: http::Listener) {
        let heard = self.follow(listener);
        self.later.lock().expect("nobody panics under it").push(heard);
    }

    fn follow(&self, mut listener: http::Listener) -> Arc<AtomicUsize> {
        let heard = Arc::<AtomicUsize>::default();
        let (count, gone, enough) = (heard.clone(), self.gone.clone(), self.enough.clone());
        thread::spawn(move || {
            while !enough.load(SeqCst) {
                if !listener.more().unwrap_or(false) {
                    gone.fetch_add(1, SeqCst);
                    return;
                }
                count.fetch_add(listener.body.len(), SeqCst);
                listener.body.clear();
            }
        });
        heard
    }

    /// Everybody who came is here and hears new bytes.
    fn all_hear_more(&self) -> Result<()> {
        let all: Vec<_> = self
            .heard
            .iter()
            .cloned()
            .chain(self.later.lock().expect("nobody panics under it").clone())
            .collect();
        let before: Vec<usize> = all.iter().map(|heard| heard.load(SeqCst)).collect();
        eventually("everybody to hear more", || {
            ensure!(self.gone.load(SeqCst) == 0, "{} of {} were dropped", self.gone.load(SeqCst), all.len());
            let more = all.iter().zip(&before).all(|(heard, before)| heard.load(SeqCst) > *before);
            Ok(more.then_some(()))
        })
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.enough.store(true, SeqCst);
    }
}

fn free_ports() -> Result<[u16; 2]> {
    let listeners = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let [one, two] = listeners.each_ref().map(|listener| listener.local_addr().map(|address| address.port()));
    Ok([one?, two?])
}
