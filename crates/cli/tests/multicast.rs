//! Transport streams in datagrams: to and from groups, with real programs on the other side. Everything happens in
//! network namespaces that the tests make.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, clip, codecs, eventually, levada, netns::Net, programs::Desk};
use serde_json::Value;
use std::{fs, net::UdpSocket, path::Path, process::Command};

/// VLC that saves what it hears; it is stopped, because live streams do not end.
fn vlc(net: &Net, desk: &Desk, from: &str, saved: &Path) -> Result<Program> {
    let mut command = Command::new("cvlc");
    command.env("HOME", desk.path("")).args(["-I", "dummy", "--no-plugins-cache", "--sout"]);
    // a description turns into the stream that it describes when it is played again
    command.arg(format!("#std{{access=file,mux=ts,dst={}}}", saved.display())).arg("--loop").arg(from);
    Program::start(&mut net.enter_as_nobody(&command))
}

fn ffmpeg(net: &Net, from: &str, saved: &Path) -> Result<Program> {
    let mut command = Command::new("ffmpeg");
    // it looks long enough to find both streams, wherever it comes in
    command.args(["-v", "error", "-analyzeduration", "10M", "-probesize", "10M"]);
    command.args(["-protocol_whitelist", "file,udp,rtp,http,tcp", "-i", from, "-t", "3"]);
    Program::start(&mut net.enter(command.args(["-c", "copy", "-y"]).arg(saved)))
}

fn pull(net: &Net, from: &str, seconds: &str, saved: &Path) -> Result<Program> {
    let mut command = levada();
    command.args(["pull", "--json", "--for", seconds, from, "-y", "-o"]).arg(saved);
    Program::start(&mut net.enter(&command))
}

/// Waits until a file has pictures and sound.
fn has_both(file: &Path) -> Result<()> {
    eventually(&format!("pictures and sound in {}", file.display()), || {
        let big = fs::metadata(file).is_ok_and(|about| about.len() > 100_000);
        let seen = if big { codecs(file).unwrap_or_default() } else { Vec::new() };
        let has = |codec: &str| seen.iter().any(|seen| seen == codec);
        Ok((has("h264") && has("aac")).then_some(()))
    })
}

/// What `levada pull --json` says at its end.
fn report(pull: &mut Program) -> Result<Value> {
    let (good, said) = pull.wait()?;
    ensure!(good, "{said}");
    let line = said.lines().find(|line| line.starts_with('{')).context("no report")?;
    Ok(serde_json::from_str(line)?)
}

/// Whole packets, and each stream's counter without a gap.
fn is_seamless(stream: &[u8]) -> Result<()> {
    let mut counters = [None; 8192];
    ensure!(stream.len() > 188 && stream.len().is_multiple_of(188), "{} bytes", stream.len());
    for packet in stream.chunks(188) {
        let pid = usize::from(packet[1] & 0x1f) << 8 | usize::from(packet[2]);
        ensure!(packet[0] == 0x47);
        if packet[3] & 0x10 != 0 {
            let last = counters[pid].replace(packet[3] & 15);
            ensure!(last.is_none_or(|last: u8| (last + 1) & 15 == packet[3] & 15), "a gap in {pid}");
        }
    }
    Ok(())
}

#[test]
fn ffmpeg_vlc_and_levada_hear_a_pushed_clip() -> Result<()> {
    let (net, desk) = (Net::new()?, Desk::new()?);
    for scheme in ["rtp", "udp"] {
        let to = format!("{scheme}://239.255.7.1:5004");
        let sdp = desk.path(&format!("{scheme}.sdp"));
        let mut push = levada();
        push.args(["push", "--loop"]).arg(clip("testcard.flv")).arg(&to).arg("--sdp").arg(&sdp);
        let _push = Program::start(&mut net.enter(&push))?;
        eventually("the description", || Ok(sdp.exists().then_some(())))?;
        let file = |name: &str| desk.path(&format!("{scheme}-{name}.ts"));
        let vlc_address = to.replace("udp://", "udp://@");
        let (by_address, by_sdp) = (file("vlc"), file("vlc-sdp"));
        let _vlc = vlc(&net, &desk, &vlc_address, &by_address)?;
        let _vlc_sdp = vlc(&net, &desk, &sdp.display().to_string(), &by_sdp)?;
        let mut players = vec![(ffmpeg(&net, &to, &file("ffmpeg"))?, file("ffmpeg"))];
        if scheme == "rtp" {
            players.push((ffmpeg(&net, &sdp.display().to_string(), &file("sdp"))?, file("sdp")));
            players.push((ffmpeg(&net, "sap://239.255.255.255", &file("sap"))?, file("sap")));
        }
        let mut ours = pull(&net, &to, "3s", &file("pull"))?;
        let mut ours_by_sdp = pull(&net, &sdp.display().to_string(), "3s", &file("pull-sdp"))?;
        for (player, saved) in &mut players {
            let (good, said) = player.wait()?;
            ensure!(good, "{}: {said}", saved.display());
            let size = fs::metadata(&*saved).map_or(0, |about| about.len());
            let seen = codecs(saved).unwrap_or_default();
            let has = |codec: &str| seen.iter().any(|seen| seen == codec);
            let good = size > 50_000 && has("h264") && has("aac");
            ensure!(good, "{}: {size} bytes, {seen:?}; {said}", saved.display());
        }
        for (pull, saved) in [(&mut ours, file("pull")), (&mut ours_by_sdp, file("pull-sdp"))] {
            let report = report(pull)?;
            ensure!(report["lost"] == 0 && report["junk"] == 0, "{report}");
            is_seamless(&fs::read(&saved)?)?;
            has_both(&saved)?;
        }
        has_both(&by_address)?;
        has_both(&by_sdp)?;
    }
    Ok(())
}

#[test]
fn levada_hears_what_ffmpeg_and_vlc_send() -> Result<()> {
    let (net, desk) = (Net::new()?, Desk::new()?);
    let source = desk.clip("testcard.flv")?;
    let sent = |port: u16, scheme: &str| format!("{scheme}://239.255.7.2:{port}");
    let mut senders = Vec::new();
    for (port, scheme, format) in [(5010, "udp", "mpegts"), (5012, "rtp", "rtp_mpegts")] {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-re", "-stream_loop", "-1", "-i"]).arg(&source);
        let to = format!("{}?pkt_size=1316", sent(port, scheme));
        senders.push(Program::start(&mut net.enter(command.args(["-c", "copy", "-f", format]).arg(to)))?);
    }
    for (port, scheme, chain) in [
        (5014, "udp", "#std{access=udp,mux=ts,dst=239.255.7.2:5014}".to_owned()),
        (5016, "rtp", "#rtp{mux=ts,dst=239.255.7.2,port=5016}".to_owned()),
    ] {
        let mut command = Command::new("cvlc");
        command.env("HOME", desk.path("")).args([
            "-I",
            "dummy",
            "--no-plugins-cache",
            "--loop",
            "--ttl",
            "1",
        ]);
        command.arg("--sout").arg(&chain).arg(&source);
        senders.push(Program::start(&mut net.enter_as_nobody(&command))?);
        let _ = (port, scheme);
    }
    let mut pulls = Vec::new();
    for (port, scheme) in [(5010, "udp"), (5012, "rtp"), (5014, "udp"), (5016, "rtp")] {
        let saved = desk.path(&format!("{port}.ts"));
        pulls.push((pull(&net, &sent(port, scheme), "6s", &saved)?, saved));
    }
    for (pull, saved) in &mut pulls {
        let report = report(pull)?;
        ensure!(report["lost"] == 0 && report["junk"] == 0, "{report}");
        has_both(saved)?;
    }
    Ok(())
}

#[test]
fn a_mount_is_sent_described_announced_and_heard_by_another() -> Result<()> {
    let (net, desk) = (Net::new()?, Desk::new()?);
    let clip = clip("testcard.flv");
    let config = desk.write(
        "cast.toml",
        &format!(
            "[auth]\nsource_password = 'hush-hush-hush'\nadmin_password = 'more-hush-hush'\n\
             [[mount]]\nname = '/out.flv'\nfile = '{}'\nstream_name = 'Tea time'\nmulticast = 'rtp://239.255.7.3:5020'\n\
             [[mount]]\nname = '/in.ts'\ninput = 'rtp://239.255.7.3:5020'\nsource_timeout = '2s'\n\
             multicast = 'udp://239.255.7.3:5030?sap=no'\n",
            clip.display()
        )
        .replace("multicast = 'rtp://239.255.7.3:5020'\n[[mount]]", "multicast = 'rtp://239.255.7.3:5020'\n\n[[mount]]"),
    )?;
    let mut serve = levada();
    serve.args(["serve", "--http", "127.0.0.1:0", "--config"]).arg(&config);
    serve.env("LEVADA__SERVER__STATE", desk.path("state"));
    let mut serve = Program::start(&mut net.enter(&serve))?;
    let address = serve.wait_for("serving on http://")?.trim_end_matches('/').to_owned();
    let get = |path: &str, most: &str| {
        let url = format!("http://{address}{path}");
        Command::new("curl")
            .args(["-s", "--max-time", most, &url])
            .get_args()
            .map(|a| a.to_owned())
            .collect::<Vec<_>>()
    };
    let curl = |path: &str, most: &str| -> Result<Vec<u8>> {
        let mut command = Command::new("curl");
        command.args(get(path, most));
        Ok(net.enter(&command).output()?.stdout)
    };
    let sdp = String::from_utf8(curl("/out.flv.sdp", "5")?)?;
    ensure!(sdp.contains("s=Tea time") && sdp.contains("m=video 5020 RTP/AVP 33"), "{sdp}");
    let described = desk.write("out.sdp", &sdp)?;
    let (saved, announced) = (desk.path("sdp.ts"), desk.path("sap.ts"));
    let mut player = ffmpeg(&net, &described.display().to_string(), &saved)?;
    let mut by_sap = ffmpeg(&net, "sap://239.255.255.255", &announced)?;
    // through the group to the other mount, and from there by datagrams and over HTTP
    let again = desk.path("again.ts");
    let mut pulled = pull(&net, "udp://239.255.7.3:5030", "4s", &again)?;
    let by_address = desk.path("address.ts");
    let mut told = pull(&net, &format!("http://{address}/out.flv.sdp"), "4s", &by_address)?;
    let over_http = eventually("the other mount", || {
        let bytes = curl("/in.ts", "4")?;
        Ok((bytes.len() > 100_000).then_some(bytes))
    })?;
    let file = desk.path("http.ts");
    fs::write(&file, over_http)?;
    for program in [&mut player, &mut by_sap] {
        let (good, said) = program.wait()?;
        ensure!(good, "{said}");
    }
    ensure!(report(&mut pulled)?["lost"] == 0 && report(&mut told)?["lost"] == 0);
    for file in [saved, announced, again, by_address, file] {
        has_both(&file)?;
    }
    let status = String::from_utf8(curl("/api/v1/mounts/in.ts", "5")?)?;
    ensure!(status.contains("\"origin\":\"multicast\"") && status.contains("h264"), "{status}");
    Ok(())
}

#[test]
fn mixed_up_datagrams_are_put_in_order_and_junk_is_counted() -> Result<()> {
    let desk = Desk::new()?;
    let free = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let saved = desk.path("mixed.ts");
    let mut command = levada();
    command.args(["pull", "--json", "--timeout", "2s", "-o"]).arg(&saved).arg(format!("rtp://{free}"));
    let mut pull = Program::start(&mut command)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    // until somebody listens, the system says that nobody does
    socket.connect(free)?;
    eventually("the receiver", || {
        Ok((socket.send(b"junk").is_ok() && {
            std::thread::sleep(std::time::Duration::from_millis(50));
            socket.send(b"junk").is_ok()
        })
        .then_some(()))
    })?;
    let packet = |n: u8| [&[0x47, 0, 0x11, 0x10 | n & 15][..], &[n; 184]].concat();
    let rtp =
        |n: u8| [&[0x80, 33, 0xff, 0xf0_u8.wrapping_add(n), 0, 0, 0, 0, 1, 2, 3, 4][..], &packet(n)].concat();
    for n in [0u8, 2, 1, 3, 7, 5, 6, 9, 8, 11] {
        socket.send(&rtp(n))?; // 4 and 10 are lost
        socket.send(&[n; 100])?;
    }
    let report = report(&mut pull)?;
    let expected: Vec<u8> = [0u8, 1, 2, 3, 5, 6, 7, 8, 9, 11].into_iter().flat_map(packet).collect();
    ensure!(fs::read(&saved)? == expected, "{report}");
    ensure!(
        report["lost"] == 2 && report["reordered"] == 4 && report["junk"].as_u64() >= Some(10),
        "{report}"
    );
    Ok(())
}

#[test]
fn what_no_transport_stream_carries_is_refused_with_a_reason() -> Result<()> {
    let mut command = levada();
    command.arg("push").arg(clip("chords.ogg")).arg("udp://127.0.0.1:9");
    let out = command.output()?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.code() == Some(2) && said.contains("mpeg-ts cannot carry vorbis"), "{said}");
    let out =
        levada().args(["pull", "--for", "300ms", "udp://127.0.0.1:9009", "-o", "/dev/null"]).output()?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.code() == Some(124) && said.contains("no stream came"), "{said}");
    Ok(())
}
