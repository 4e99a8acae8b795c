#!/usr/bin/env python3
"""levada beside Debian's icecast2 in one run: the same source, the same listeners, in turn; medians and ratios.

    make bench                                # everything, about twenty minutes
    bench/icecast.py --only low,video --reps 1

Every figure comes from `levada bench`; the bare writer is `levada bench limit` at levada's own mean write size.
Absolute times of a shared machine lie: read the ratios.
"""
import json, os, subprocess, sys, tempfile, time

from kit import arguments, free_port, pick, stop, wait_port

# name: listeners, kbit/s, kind, connects/s (0: all at once), query for levada, what it shows
SCENARIOS = {
    "audio-5k": (5000, 128, "mp3", 500, "", "5,000 × 128 kbit/s"),
    "audio-10k": (10000, 128, "mp3", 500, "", "10,000 × 128 kbit/s"),
    "quarter": (5000, 128, "mp3", 500, "?latency=250ms", "5,000 × 128 kbit/s, flushed every 250 ms"),
    "low": (1000, 128, "mp3", 250, "?latency=low", "1,000 × 128 kbit/s, low latency"),
    "audio-1k": (1000, 128, "mp3", 250, "", "1,000 × 128 kbit/s"),
    "video": (500, 4000, "ts", 100, "", "500 × 4 Mbit/s"),
    "herd": (2000, 128, "mp3", 0, "", "2,000 at once"),
}
ICECAST = """<icecast><limits><clients>15000</clients><sources>4</sources><queue-size>524288</queue-size>
<header-timeout>15</header-timeout><source-timeout>10</source-timeout><burst-size>65536</burst-size></limits>
<authentication><source-password>bench</source-password><relay-password>bench</relay-password>
<admin-user>admin</admin-user><admin-password>bench</admin-password></authentication><hostname>127.0.0.1</hostname>
<listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket><fileserve>0</fileserve>
<paths><basedir>/usr/share/icecast2</basedir><logdir>{dir}</logdir><webroot>/usr/share/icecast2/web</webroot>
<adminroot>/usr/share/icecast2/admin</adminroot></paths>
<logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>2</loglevel></logging>
<security><chroot>0</chroot>{owner}</security></icecast>"""


def start(server, port, folder, levada):
    log = open(os.path.join(folder, f"{server}.log"), "a")
    if server == "levada":
        env = dict(os.environ, LEVADA__AUTH__SOURCE_PASSWORD="bench", LEVADA__SERVER__STATE=folder)
        return subprocess.Popen([levada, "serve", "--http", f"127.0.0.1:{port}"], stdout=log, stderr=log, env=env)
    owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>" if os.geteuid() == 0 else ""
    os.chmod(folder, 0o777)
    conf = os.path.join(folder, "icecast.xml")
    with open(conf, "w") as f:
        f.write(ICECAST.format(port=port, dir=folder, owner=owner))
    return subprocess.Popen(["icecast2", "-c", conf], stdout=log, stderr=log)


def measure(server, scenario, folder, levada):
    n, kbps, kind, rate, query, _ = SCENARIOS[scenario]
    port = free_port()
    common = ["--kbps", str(kbps), "--kind", kind]
    process = source = None
    try:
        process = start(server, port, folder, levada)
        wait_port(port, process)
        source = subprocess.Popen([levada, "bench", "source", f"http://source:bench@127.0.0.1:{port}/bench", *common])
        time.sleep(6)  # the burst must be full
        url = f"http://127.0.0.1:{port}/bench" + (query if server == "levada" else "")
        run = subprocess.run([levada, "bench", "listen", url, "-n", str(n), "--rate", str(rate), "--pid",
                              str(process.pid), *common], capture_output=True, text=True)
        if not run.stdout.strip():
            sys.exit(f"{server} {scenario}: {run.stderr}")
        return json.loads(run.stdout)
    finally:
        stop(source)
        stop(process)


def bare(scenario, chunk, levada):
    n, kbps, kind, *_ = SCENARIOS[scenario]
    port = free_port()
    common = ["--kbps", str(kbps), "--kind", kind]
    secs = max(8.0, 3 * chunk / (kbps * 125))
    writer = subprocess.Popen([levada, "bench", "limit", "--listen", f"127.0.0.1:{port}", "-n", str(n), "--chunk",
                               str(chunk), "--secs", str(secs), *common], stdout=subprocess.PIPE, text=True)
    time.sleep(0.3)
    reader = subprocess.Popen([levada, "bench", "listen", f"http://127.0.0.1:{port}/", "-n", str(n), "--rate", "2000",
                               "--ramp-max", str(5 + n // 1000), "--settle", "0", "--secs", str(secs), "--icy-pct", "0", *common],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    out, _ = writer.communicate(timeout=180)
    stop(reader)
    return json.loads(out)


def main():
    a = arguments(__doc__, SCENARIOS)
    rows = []
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(a.out, "icecast.jsonl"), "a") as raw:
        for scenario in a.only.split(","):
            seen = {"icecast2": [], "levada": [], "bare": []}
            for rep in range(a.reps):
                for server in ("icecast2", "levada"):
                    got = measure(server, scenario, folder, a.levada)
                    seen[server].append(got)
                    raw.write(json.dumps({"scenario": scenario, "program": server, **got}) + "\n")
                chunk = max(400, int(seen["levada"][-1]["mean_read"]))
                got = bare(scenario, chunk, a.levada)
                seen["bare"].append(got)
                raw.write(json.dumps({"scenario": scenario, "program": "bare", **got}) + "\n")
                raw.flush()
                print(f"{scenario} {rep + 1}/{a.reps}", file=sys.stderr, flush=True)
            rows.append((scenario, seen))
    print("| scenario | server | served | CPU s/GB | ratio | µs per listener·s | KiB per listener | all in s | first byte p50/p99 ms | delay p50/p99 ms | mean read B | breaks |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for scenario, seen in rows:
        base = pick(seen["icecast2"], "server", "cpu_s_per_gb")
        for server in ("icecast2", "levada"):
            r = seen[server]
            cpu = pick(r, "server", "cpu_s_per_gb")
            print(f"| {SCENARIOS[scenario][5]} | {server} | {pick(r, 'alive'):.0f} | {cpu:.3f} | {cpu / base:.3f} | "
                  f"{pick(r, 'server', 'cpu_us_per_listener_s'):.1f} | {pick(r, 'server', 'rss_kib_per_listener'):.2f} | "
                  f"{pick(r, 'connect_s'):.2f} | {pick(r, 'first_byte', 'p50_ms'):.1f} / {pick(r, 'first_byte', 'p99_ms'):.1f} | "
                  f"{pick(r, 'delay', 'p50_ms'):.1f} / {pick(r, 'delay', 'p99_ms'):.1f} | {pick(r, 'mean_read'):.0f} | "
                  f"{max(x['breaks'] for x in r)} |")
        cpu = pick(seen["levada"], "server", "cpu_s_per_gb")
        bare_cpu = pick(seen["bare"], "cpu_s_per_gb")
        print(f"| {SCENARIOS[scenario][5]} | bare writer | {pick(seen['bare'], 'listeners'):.0f} | {bare_cpu:.3f} | levada is {cpu / bare_cpu:.2f} × this | | | | | | {pick(seen['bare'], 'mean_write'):.0f} | |")


if __name__ == "__main__":
    main()
