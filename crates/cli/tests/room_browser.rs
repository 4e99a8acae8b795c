//! Browsers in rooms: they hear each other, and the server does not.

mod kit;

use anyhow::{Context, Result, bail, ensure};
use kit::{Program, Serve, browser::Browser, eventually, http, levada, wav};
use levada_codec::opus::Decoder;
use levada_link::room::wire::{COOKIE, FRAME_HEAD, Heard, Join, Said, VERSION};
use std::{
    collections::HashMap,
    net::UdpSocket,
    path::{Path, PathBuf},
    time::Duration,
};

/// `levada serve` with rooms for everybody; where others than browsers find them.
fn serve() -> Result<(Serve, String)> {
    let mut server = Serve::start(&["--webrtc", "127.0.0.1:0", "--rooms", "127.0.0.1:0"])?;
    server.program.wait_for("serving WebRTC on udp://")?;
    let rooms = server.program.wait_for("rooms at udp://")?;
    Ok((server, rooms))
}

/// A second of a tone that begins as it ends, in a file.
fn tone(desk: &Path, hertz: u32) -> Result<PathBuf> {
    let path = desk.join(format!("{hertz}.wav"));
    let sample = |n: u32| 8_000.0 * (std::f64::consts::TAU * f64::from(hertz * n) / 44_100.0).sin();
    let both = |n| [sample(n) as i16; 2];
    wav::write_wav(&path, &(0..44_100).flat_map(both).collect::<Vec<_>>())?;
    Ok(path)
}

/// Joins by the page's form; `before` runs in the page first.
fn join(browser: &Browser, server: &Serve, name: &str, passphrase: &str, before: &str) -> Result<()> {
    browser.open(&server.url("/rooms/tea"))?;
    browser.wait_until("the form", "return !!document.querySelector('form')?.dataset.dressed")?;
    browser.run(&format!(
        "window.peers = [];
         window.RTCPeerConnection = class extends RTCPeerConnection {{
           constructor(...about) {{ super(...about); peers.push(this); }} }};
         {before};
         const form = document.querySelector('form');
         form.elements.name.value = '{name}'; form.passphrase.value = '{passphrase}'; form.music.checked = true;
         form.querySelector('button').click();"
    ))?;
    eventually("to be in the room", || {
        let say = browser.run("return [document.querySelector('.here').hidden, document.querySelector('.say').textContent, document.querySelector('.say').classList.contains('bad')]")?;
        ensure!(say[2] == false, "{name}: {}", say[1]);
        Ok((say[0] == false).then_some(()))
    })
}

/// A line of the roster.
fn line(name: &str) -> String {
    format!(
        "[...document.querySelectorAll('.here li')].find((line) => line.querySelector('b').textContent === '{name}')"
    )
}

/// What `browser` hears of `name`: the loudest frequency, and how loud that is in dB of full scale.
fn heard(browser: &Browser, name: &str) -> Result<(f64, f64)> {
    let read = browser.run(&format!(
        "const line = {};
         if (!line) return null;
         const audio = line.querySelector('audio');
         window.context ||= new AudioContext({{ sampleRate: 48000 }});
         if (!audio.analyser) {{
           audio.analyser = new AnalyserNode(context, {{ fftSize: 8192, smoothingTimeConstant: 0 }});
           context.createMediaStreamSource(audio.srcObject).connect(audio.analyser);
         }}
         const bins = new Float32Array(audio.analyser.frequencyBinCount);
         audio.analyser.getFloatFrequencyData(bins);
         const most = bins.indexOf(Math.max(...bins));
         return [most * 48000 / 8192, Math.max(bins[most], -200)]",
        line(name)
    ))?;
    Ok((read[0].as_f64().unwrap_or(0.0), read[1].as_f64().unwrap_or(-200.0)))
}

fn hears(browser: &Browser, name: &str, hertz: u32) -> Result<()> {
    let mut last = (0.0, 0.0);
    eventually(&format!("{name}'s tone of {hertz} Hz"), || {
        last = heard(browser, name)?;
        Ok(((last.0 - f64::from(hertz)).abs() < 12.0 && last.1 > -45.0).then_some(()))
    })
    .with_context(|| format!("heard at last: {last:?}"))
}

/// What the page says of how well the room is kept, and the words beside `name`.
fn sealed(browser: &Browser, name: &str) -> Result<(String, String)> {
    let said = browser.run(&format!(
        "return [document.querySelector('.sealed').textContent, {}?.querySelector('code').textContent]",
        line(name)
    ))?;
    Ok((said[0].as_str().unwrap_or_default().to_owned(), said[1].as_str().unwrap_or_default().to_owned()))
}

/// A member that knows no keys and only listens: it gets of the others what the server has of them.
struct Tap {
    socket: UdpSocket,
    pass: u64,
    names: HashMap<u8, String>,
}

impl Tap {
    fn join(rooms: &str) -> Result<Tap> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(rooms)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let name = levada_link::room::DisplayName::of("tap");
        let (room, nonce) = (Some("tea".parse()?), 7);
        let mut join = Join { version: VERSION, nonce, cookie: [0; COOKIE], pass: 0, flags: 0, room, name };
        eventually("to be let in", || {
            socket.send(&join.write())?;
            let mut answer = [0; 1_500];
            let Ok(length) = socket.recv(&mut answer) else { return Ok(None) };
            match Heard::read(&answer[..length]) {
                Some(Heard::Bring { cookie, .. }) => join.cookie = cookie,
                Some(Heard::Welcome { pass, .. }) => return Ok(Some(pass)),
                Some(Heard::Refused { why, .. }) => bail!("{why}"),
                _ => {}
            }
            Ok(None)
        })
        .map(|pass| Tap { socket, pass, names: HashMap::new() })
    }

    /// How much of a second of the sound of `name`, as Opus, is a tone: 0 to 1.
    fn share(&mut self, name: &str, hertz: u32) -> Result<f64> {
        let mut decoder = Decoder::new(1)?;
        let mut samples: Vec<f32> = Vec::new();
        eventually("a second of frames", || {
            let mut message = [0; 1_500];
            let Ok(length) = self.socket.recv(&mut message) else { return Ok(None) };
            match Heard::read(&message[..length]) {
                Some(Heard::Roster(roster)) => {
                    self.socket.send(&Said::Known(roster.version).datagram(self.pass))?;
                    let here = roster.participants.iter();
                    self.names = here.map(|member| (member.number, member.name.to_string())).collect();
                }
                Some(Heard::Frame { from, frame }) if self.names.get(&from).is_some_and(|n| n == name) => {
                    let noise = [0.1, -0.1].repeat(480);
                    samples.extend(decoder.decode(&frame[FRAME_HEAD..]).unwrap_or(&noise));
                }
                _ => {}
            }
            Ok((samples.len() >= 48_000).then_some(()))
        })?;
        Ok(share(&samples, 48_000, hertz))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _gone_anyway = self.socket.send(&Said::Leave.datagram(self.pass));
    }
}

/// How much of the energy of `samples` at `rate` is a tone.
fn share(samples: &[f32], rate: u32, hertz: u32) -> f64 {
    let (mut sine, mut cosine, mut all) = (0.0, 0.0, 1e-9);
    for (n, sample) in samples.iter().enumerate() {
        let (angle, sample) =
            (std::f64::consts::TAU * f64::from(hertz) * n as f64 / f64::from(rate), f64::from(*sample));
        sine += sample * angle.sin();
        cosine += sample * angle.cos();
        all += sample * sample;
    }
    2.0 * (sine * sine + cosine * cosine) / (all * samples.len() as f64)
}

/// Makes this browser one that cannot seal.
const OLD: &str = "delete window.RTCRtpScriptTransform; delete RTCRtpSender.prototype.createEncodedStreams";

/// Makes this browser one that has the older way to seal alone, where it has that.
const OLDER: &str =
    "if ('createEncodedStreams' in RTCRtpSender.prototype) delete window.RTCRtpScriptTransform";

/// Puts a server between that changes a bit of every frame, until it is told to stop; what the page does is its own.
const TAMPER: &str = r#"
    const wrapped = `
      const [listen, handlers, early] = [self.addEventListener.bind(self), {}, []];
      let tampers = true;
      self.addEventListener = (type, handler) => { handlers[type] = handler; };
      const spoil = ({ transformer: { readable, writable, options } }) => ({ transformer: { writable, options,
        readable: options.slot === undefined ? readable : readable.pipeThrough(new TransformStream({
          transform(frame, out) {
            if (tampers) new Uint8Array(frame.data)[frame.data.byteLength >> 1] ^= 1;
            out.enqueue(frame);
          } })) } });
      const pass = (type, event) => (handlers[type] ? handlers[type](event) : early.push([type, event]));
      listen("message", (event) => (event.data === "honest" ? (tampers = false) : pass("message", event)));
      listen("rtctransform", (event) => pass("rtctransform", spoil(event)));
      import("${location.origin}/assets/room/transform.js").then(() => early.forEach(([type, event]) => handlers[type](event)));`;
    const [Real, url] = [Worker, URL.createObjectURL(new Blob([wrapped], { type: "text/javascript" }))];
    window.Worker = class extends Real { constructor() { super(url, { type: "module" }); window.between = this; } };
"#;

#[test]
fn two_browsers_hear_each_other_and_see_the_same_words() -> Result<()> {
    let (server, rooms) = serve()?;
    let desk = tempfile::tempdir()?;
    let one = Browser::hearing(&tone(desk.path(), 440)?)?;
    let two = Browser::hearing(&tone(desk.path(), 1_000)?)?;
    join(&one, &server, "ana", "hush", "")?;
    join(&two, &server, "ben", "hush", "")?;
    hears(&one, "ben", 1_000)?;
    hears(&two, "ana", 440)?;
    let (ours, theirs) = (sealed(&one, "ben")?, sealed(&two, "ana")?);
    ensure!(ours == theirs && ours.0.starts_with("End to end") && ours.1.len() == 9, "{ours:?} {theirs:?}");
    let page = http::get(&server.url("/rooms/tea"))?.text();
    ensure!(page.contains("Here now: ana, ben."), "{page}");
    one.wait_until(
        "who speaks to be shown",
        &format!("return {}.classList.contains('speaks')", line("ben")),
    )?;
    two.run("document.querySelector('.here button').click()")?;
    one.wait_until("ben to be mute", &format!("return !{}.classList.contains('speaks')", line("ben")))?;
    // somebody who does not know the passphrase is told so, and hears nothing
    join(&two, &server, "eve", "guess", "")?;
    for (browser, other) in [(&one, "eve"), (&two, "ana")] {
        browser.wait_until(
            "the wrong passphrase to be named",
            &format!("return {}?.textContent.includes('does not know the same passphrase')", line(other)),
        )?;
    }
    received(&two)?;
    ensure!(heard(&two, "ana")?.1 < -100.0, "{:?}", heard(&two, "ana")?);
    // somebody else under the same number, who does, and seals as older browsers do
    join(&two, &server, "ben", "hush", OLDER)?;
    hears(&one, "ben", 1_000)?;
    hears(&two, "ana", 440)?;
    // others come and go, for each of which there are new keys
    for _ in 0..3 {
        drop(Tap::join(&rooms)?);
    }
    received(&one)?;
    hears(&one, "ben", 1_000)?;
    let bad = one.complaints()?;
    ensure!(bad.is_empty(), "the page complains: {bad:#?}");
    Ok(())
}

/// Waits until a hundred more packets of sound have come, whatever became of them.
fn received(browser: &Browser) -> Result<()> {
    let count = |browser: &Browser| -> Result<f64> {
        let read = browser.run(
            "peers.at(-1).getStats().then((all) => { window.packets = [...all.values()]
               .filter(({ type }) => type === 'inbound-rtp').reduce((sum, { packetsReceived }) => sum + packetsReceived, 0); });
             return window.packets || 0",
        )?;
        read.as_f64().context("no count")
    };
    let first = count(browser)?;
    eventually("packets to come", || Ok((count(browser)? > first + 100.0).then_some(())))
}

/// The energy of all that was heard, as WebRTC counts it.
fn energy(browser: &Browser) -> Result<f64> {
    browser.run(
        "peers.at(-1).getStats().then((all) => { window.energy = [...all.values()]
           .filter(({ type }) => type === 'inbound-rtp').reduce((sum, { totalAudioEnergy }) => sum + (totalAudioEnergy || 0), 0); });",
    )?;
    browser.wait_until("statistics", "return window.energy !== undefined")?;
    browser.run("return energy")?.as_f64().context("no energy")
}

#[test]
fn a_browser_and_a_program_hear_each_other() -> Result<()> {
    let (server, rooms) = serve()?;
    let desk = tempfile::tempdir()?;
    let came = desk.path().join("came.wav");
    let browser = Browser::hearing(&tone(desk.path(), 440)?)?;
    join(&browser, &server, "ana", "hush", "")?;
    let mut talk = levada();
    talk.args(["talk", "--room", &format!("tea@{rooms}"), "--name", "nat", "--passphrase", "hush"]);
    talk.args(["--for", "60s", "--input", "tone:700", "--output"]).arg(&came);
    let mut talk = Program::start(&mut talk)?;
    let words = talk.wait_for("listens in: ")?;
    hears(&browser, "nat", 700)?;
    ensure!(sealed(&browser, "nat")?.1 == words, "{words} {:?}", sealed(&browser, "nat")?);
    received(&browser)?;
    talk.signal("INT")?;
    talk.wait()?;
    let bytes = std::fs::read(&came)?;
    let rate = u32::from_le_bytes(bytes[24..28].try_into()?);
    let samples = wav::read_wav(&came)?;
    let left: Vec<f32> = samples.iter().step_by(2).map(|sample| f32::from(*sample) / 32_768.0).collect();
    let end = &left[left.len().saturating_sub(rate as usize)..];
    let (share, energy) = (share(end, rate, 440), end.iter().map(|x| x * x).sum::<f32>() / end.len() as f32);
    ensure!(share > 0.5 && energy > 1e-4, "share {share}, energy {energy}, of {} samples", left.len());
    println!(
        "a program heard of a browser: {:.1} % is its tone, at {:.1} dB",
        100.0 * share,
        10.0 * energy.log10()
    );
    Ok(())
}

#[test]
fn what_was_tampered_with_is_silence() -> Result<()> {
    let (server, _) = serve()?;
    let desk = tempfile::tempdir()?;
    let one = Browser::hearing(&tone(desk.path(), 440)?)?;
    let two = Browser::hearing(&tone(desk.path(), 1_000)?)?;
    join(&one, &server, "ana", "", "")?;
    let channel = "const create = RTCPeerConnection.prototype.createDataChannel;
                   RTCPeerConnection.prototype.createDataChannel = function (...about) {
                     return window.channel = create.apply(this, about); };";
    join(&two, &server, "ben", "", &format!("{channel}{TAMPER}"))?;
    hears(&one, "ben", 1_000)?;
    received(&two)?;
    ensure!(
        energy(&two)? < 1e-6 && heard(&two, "ana")?.1 < -100.0,
        "{} {:?}",
        energy(&two)?,
        heard(&two, "ana")?
    );
    // junk through the channel ends nothing
    two.run(
        "for (let length = 0; length < 700; length += 1) {
           const junk = crypto.getRandomValues(new Uint8Array(length));
           if (length > 2) [junk[0], junk[1]] = [[16, 17, 18, 19, junk[0]][length % 5], 1 + length % 2];
           channel.send(junk);
         }",
    )?;
    two.run("between.postMessage('honest')")?;
    hears(&two, "ana", 440)?;
    hears(&one, "ben", 1_000)?;
    // it adds up as time goes by
    eventually("the sound to have energy", || Ok((energy(&two)? > 1e-3).then_some(())))
}

#[test]
fn a_browser_that_cannot_encrypt_opens_the_room_and_everybody_is_told() -> Result<()> {
    let (server, rooms) = serve()?;
    let desk = tempfile::tempdir()?;
    let one = Browser::hearing(&tone(desk.path(), 440)?)?;
    let two = Browser::hearing(&tone(desk.path(), 1_000)?)?;
    join(&one, &server, "ana", "", "")?;
    let share = || Tap::join(&rooms)?.share("ana", 440);
    let at_first = share()?;
    ensure!(at_first < 0.2, "the server hears ana: {at_first}");
    join(&two, &server, "ben", "", OLD)?;
    hears(&one, "ben", 1_000)?;
    hears(&two, "ana", 440)?;
    for (browser, why) in [(&one, "ben cannot encrypt"), (&two, "this browser cannot encrypt sound")] {
        let said = sealed(browser, "")?.0;
        ensure!(said.starts_with("NOT end to end") && said.contains(why), "{said}");
    }
    let open = share()?;
    ensure!(open > 0.5, "this is how it would be known: {open}");
    two.run("document.querySelectorAll('.here button')[1].click()")?;
    one.wait_until(
        "the room to be closed again",
        "return document.querySelector('.sealed').textContent.startsWith('End to end')",
    )?;
    eventually("the server to be deaf again", || Ok((share()? < 0.2).then_some(())))?;
    println!("share of the tone in what the server has: sealed {at_first:.4}, open {open:.4}");
    // with a passphrase, nothing is ever said openly
    two.run(&format!(
        "{OLD}; document.querySelector('form').passphrase.value = 'hush'; document.querySelector('form button').click()"
    ))?;
    two.wait_until(
        "it to be refused",
        "return document.querySelector('.say').textContent.includes('cannot take part in a room with a passphrase')",
    )
}

#[test]
fn what_is_no_offer_is_refused() -> Result<()> {
    let (server, _) = serve()?;
    for (method, path, body, status) in [
        ("POST", "/rooms/tea", "v=0", 415),
        ("GET", "/rooms/a%20b", "", 404),
        ("GET", "/rooms/?name=tea", "", 303),
        ("GET", "/rooms/?name=..", "", 400),
        ("PUT", "/rooms/tea", "", 405),
    ] {
        let reply = http::request(method, &server.url(path), None, (!body.is_empty()).then_some(body))?;
        ensure!(reply.status == status, "{method} {path}: {}", reply.status);
    }
    let browser = Browser::start()?;
    browser.open(&server.url("/rooms/tea"))?;
    browser.run(
        "window.replies = [];
         const ask = async (body) => {
           const headers = { 'Content-Type': 'application/sdp' };
           replies.push((await fetch('/rooms/tea', { method: 'POST', headers, body })).status);
         };
         (async () => {
           await ask('v=0');
           const peer = new RTCPeerConnection();
           peer.createDataChannel('room');
           await ask((await peer.createOffer()).sdp);
           peer.addTransceiver('audio', { direction: 'recvonly' });
           await ask((await peer.createOffer()).sdp);
         })()",
    )?;
    browser.wait_until("the replies", "return replies.length === 3")?;
    let replies = browser.run("return replies")?;
    ensure!(replies == serde_json::json!([400, 406, 406]), "{replies}");
    ensure!(http::get(&server.url("/rooms/tea"))?.text().contains("Nobody is here yet"), "nobody came in");
    Ok(())
}
