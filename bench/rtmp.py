#!/usr/bin/env python3
"""levada beside Debian's nginx with libnginx-mod-rtmp in one run: the same publisher, the same players, in turn.

    make bench                                   # everything
    bench/rtmp.py --only default,small --reps 1

Every figure comes from `levada bench play`; the stream is that of `levada bench publish` (720p H.264 and AAC at 2.64
Mbit/s, a key picture every two seconds). Absolute times of a shared machine lie: read the ratios, which are taken to
nginx at the same number of players.
"""
import json, os, subprocess, sys, tempfile, time

from kit import arguments, free_port, pick, stop, wait_port

# name: players, way, query, share of slow players in percent, what it shows
SCENARIOS = {
    "default": (500, "rtmp", "", 0, "500 players, default"),
    "economy": (500, "rtmp", "?latency=100ms", 0, "500, economy (`?latency=100ms`)"),
    "realtime": (500, "rtmp", "?latency=low", 0, "500, real time (`?latency=low`)"),
    "flv": (500, "flv", "", 0, "500 over HTTP-FLV, default"),
    "slow": (500, "rtmp", "", 10, "500, of which 50 read at 256 kbit/s"),
    "small": (50, "rtmp", "", 0, "50 players, default"),
    "hls": (100, "hls", "", 0, "100 over Low-Latency HLS"),
    "whep": (100, "whep", "", 0, "100 over WebRTC"),
}
NGINX = """load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; master_process off; worker_processes 1; error_log {dir}/error.log warn; pid {dir}/nginx.pid;
worker_rlimit_nofile 8192; events {{ worker_connections 4096; use epoll; }}
rtmp {{ server {{ listen 127.0.0.1:{port}; chunk_size 4096; access_log off;
  application live {{ live on; record off; wait_key on; interleave off; }} }} }}
"""


def start(server, port, http, folder, levada):
    log = open(os.path.join(folder, f"{server}.log"), "a")
    if server == "levada":
        env = dict(os.environ, LEVADA__AUTH__SOURCE_PASSWORD="bench", LEVADA__SERVER__STATE=folder)
        args = [levada, "serve", "--http", f"127.0.0.1:{http}", "--rtmp", f"127.0.0.1:{port}", "--webrtc", "127.0.0.1:0"]
        return subprocess.Popen(args, stdout=log, stderr=log, env=env)
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w") as f:
        f.write(NGINX.format(dir=folder, port=port))
    return subprocess.Popen(["/usr/sbin/nginx", "-p", folder, "-c", conf], stdout=log, stderr=log)


def measure(server, n, way, query, slow, folder, a):
    port, http = free_port(), free_port()
    process = publisher = None
    try:
        process = start(server, port, http, folder, a.levada)
        wait_port(port, process)
        key = "?key=bench" if server == "levada" else ""
        publisher = subprocess.Popen([a.levada, "bench", "publish", f"rtmp://127.0.0.1:{port}/live/bench{key}"])
        time.sleep(3)
        query = query if server == "levada" else ""
        urls = {"rtmp": f"rtmp://127.0.0.1:{port}/live/bench{query}",
                "flv": f"http://127.0.0.1:{http}/live/bench.flv{query}",
                "hls": f"http://127.0.0.1:{http}/live/bench/index.m3u8",
                "whep": f"http://127.0.0.1:{http}/whep/live/bench"}
        run = subprocess.run([a.levada, "bench", "play", urls[way], "-n", str(n), "--rate", str(max(n / 4, 25)),
                              "--slow-pct", str(slow), "--secs", str(a.secs), "--pid", str(process.pid)],
                             capture_output=True, text=True)
        if not run.stdout.strip():
            sys.exit(f"{server}: {run.stderr}")
        return json.loads(run.stdout)
    finally:
        stop(publisher)
        stop(process)


def row(what, server, rows, base):
    two = lambda key: f"{pick(rows, key, 'p50_ms'):.1f} / {pick(rows, key, 'p99_ms'):.1f}"
    cpu = pick(rows, "server", "cpu_s_per_gb")
    wrong = [max(r[key] for r in rows) for key in ("lost", "backwards", "ended")]
    print(f"| {what} | {server} | {cpu:.3f} | {cpu / base:.2f} | {two('join')} | {two('behind')} | {two('delay')} | "
          f"{pick(rows, 'server', 'rss_kib_per_player'):.1f} | {' / '.join(map(str, wrong))} | "
          f"{pick(rows, 'mean_read'):.0f} |", flush=True)


def main():
    a = arguments(__doc__, SCENARIOS, [("--secs", float, 8)])
    only = a.only.split(",")
    seen = {}
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(a.out, "rtmp.jsonl"), "a") as raw:
        os.chmod(folder, 0o777)
        for rep in range(a.reps):
            sizes = sorted({(SCENARIOS[name][0], SCENARIOS[name][3]) for name in only})
            runs = [(("nginx", n, slow), ("nginx", n, "rtmp", "", slow)) for n, slow in sizes]
            runs += [((name,), ("levada", *SCENARIOS[name][:4])) for name in only]
            for key, run in runs:
                got = measure(*run, folder, a)
                seen.setdefault(key, []).append(got)
                raw.write(json.dumps({"scenario": "-".join(map(str, key)), "program": run[0], **got}) + "\n")
                raw.flush()
                print(f"{key} {rep + 1}/{a.reps}", file=sys.stderr, flush=True)
    print("| scenario | server | CPU s/GB | ratio | join to key p50/p99 ms | behind live after 1 s p50/p99 ms | "
          "frame delay p50/p99 ms | KiB per player | lost / backwards / ended | bytes a read |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in only:
        n, _, _, slow, what = SCENARIOS[name]
        nginx = seen[("nginx", n, slow)]
        base = pick(nginx, "server", "cpu_s_per_gb")
        if name in ("default", "slow", "small"):
            row(what, "nginx-rtmp", nginx, base)
        row(what, "levada", seen[(name,)], base)


if __name__ == "__main__":
    main()
