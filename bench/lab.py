#!/usr/bin/env python3
"""Figures of `levada lab`: how fast a lab is up, how exact its delays and rates are, what a packet costs.

Real sockets in real namespaces; the sender stamps, the receiver's kernel stamps. The machine's load stands in the table.
Run as an ordinary user for what one gets by default, as root (or with `ulimit -r` above 0) for real-time priority.
"""
import json, os, re, statistics, subprocess, sys, tempfile, time

LEVADA = os.path.abspath(os.environ.get("LEVADA", "target/release/levada"))
NAME = f"bench-{os.getpid()}"

SENDER = """
import socket, sys, time
rate, seconds, size = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("client", 5000))
pad = bytes(size - 8); gap = 1 / rate; start = time.perf_counter(); n = 0
while n < rate * seconds:
    due = start + n * gap
    while time.perf_counter() < due:
        if due - time.perf_counter() > 0.0003: time.sleep(0.0001)
    try: s.send(time.time_ns().to_bytes(8, "little") + pad)
    except OSError: pass
    n += 1
"""
FLOOD = """
import socket, sys
count, size = int(sys.argv[1]), int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("client", 5000)); pad = bytes(size - 8)
for n in range(count): s.send(n.to_bytes(8, "little") + pad)
"""
RECEIVER = """
import json, socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, 35, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20); s.bind(("0.0.0.0", 5000)); s.settimeout(float(sys.argv[1]))
print("ready", flush=True); out = []
try:
    while True:
        data, control, _, _ = s.recvmsg(2048, 64)
        for _, kind, value in control:
            if kind == 35:
                sec, nsec = struct.unpack("qq", value[:16])
                out.append((sec * 10**9 + nsec, int.from_bytes(data[:8], "little"), len(data)))
except TimeoutError: pass
print(json.dumps(out))
"""
DIRECT = """
set -e
mount -t tmpfs none /run; ip netns add a; ip netns add b
ip link add va netns a type veth peer name vb netns b
for n in a b; do ip -n $n link set lo up; ip -n $n link set v$n up; done
ip -n a addr add 10.0.0.1/24 dev va; ip -n b addr add 10.0.0.2/24 dev vb
for n in a b; do ip netns exec $n python3 -c "
import fcntl, socket, struct, array
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for c in (0x1f, 0x24, 0x2c, 0x17):
    v = array.array('B', struct.pack('II', c, 0)); fcntl.ioctl(s, 0x8946, struct.pack('16sP', b'v$n', v.buffer_info()[0]))
"; done
ip netns exec b iperf3 -s -1 -D; sleep 0.3
ip netns exec a iperf3 -c 10.0.0.2 -t 3 -J
"""


def lab(word, *more, **kw):
    return subprocess.run([LEVADA, "lab", word, "--name", NAME, *more], capture_output=True, text=True, **kw).stdout


class Up:
    def __init__(self, *more):
        self.p = subprocess.Popen([LEVADA, "lab", "up", "--stay", "--name", NAME, *more], stderr=subprocess.PIPE, text=True)
        self.line = self.p.stderr.readline()
        if "is up after" not in self.line:
            sys.exit(f"no lab: {self.line}{self.p.stderr.read()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.said = lab("stats").splitlines()[-1]
        lab("down")
        self.p.wait()


def row(what, value, goal=""):
    print(f"| {what} | {value} | {goal} |", flush=True)


def up_after(*more):
    times = []
    for _ in range(7):
        with Up(*more) as up:
            times.append(float(re.search(r"after ([\d.]+) ms", up.line).group(1)))
    return f"{statistics.median(times):.1f} ms (best {min(times):.1f})"


def stream(sender, patience, *words, then=None):
    receiver = subprocess.Popen([LEVADA, "lab", "exec", "--name", NAME, "client", "python3", "-c", RECEIVER, str(patience)],
                                stdout=subprocess.PIPE, text=True)
    receiver.stdout.readline()
    lab("exec", "server", "python3", "-c", sender, *map(str, words))
    if then:
        lab("link", "core", then)
    return json.loads(receiver.communicate()[0])


def main():
    with Up() as up:
        priority = up.line.split("engine runs at ")[-1].strip()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, uid {os.getuid()}, engine: {priority}\n")
    print("| figure | seen | goal |\n|---|---|---|")
    row("the experiment's topology up", up_after(), "≤ 20 ms")
    row("50 hosts around a switch up", up_after("--star", "50"), "≤ 200 ms")
    for ms in (10, 100):
        with Up("--core", f"delay={ms}ms") as up:
            got = stream(SENDER, 2, 1000, 3, 200)
        late = sorted(((at - sent) / 1e3 - ms * 1000 for at, sent, _ in got))
        p = lambda q: late[int(q * (len(late) - 1))]
        row(f"extra delay at {ms} ms, 1,000 packets/s, of {len(late)}",
            f"p50 {p(.5):.0f} µs, p99 {p(.99):.0f} µs; engine: {up.said.split(';')[0]}", "≤ 20 / ≤ 100 µs")
    for words, bits in (("200kbit", 2e5), ("10mbit", 1e7), ("100mbit", 1e8)):
        # All of them into the queue of a slow link, which then gets its rate: what is measured is how it empties that, not how
        # steadily somebody sends.
        count = int(min(4 * bits / 8 / 1500, 12000)) + 20
        with Up("--core", "rate=100kbit queue=20000p") as up:
            got = stream(FLOOD, 1, count, 1458, then=f"rate={words}")
        (first, begin, _), (last, end, _) = got[len(got) // 2], got[-1]
        packet = 1500 * 8 / bits * 1e9
        error = (last - first) / packet - (end - begin)
        row(f"rate error at {words}, {end - begin} packets one behind the other",
            f"{-error / (end - begin) * 100:+.4f} %: {abs(error):.2f} of a packet", "within one packet")
    script = "iperf3 -s -1 -D; exec sleep 0.3"
    direct = subprocess.run(["unshare", "-Urnm", "bash", "-c", DIRECT], capture_output=True, text=True)
    rate = lambda text: json.loads(text)["end"]["sum_received"]["bits_per_second"]
    with Up("--core", "perfect") as up:
        lab("exec", "client", "sh", "-c", script)
        ours = rate(lab("exec", "server", "iperf3", "-c", "client", "-t", "3", "-J"))
    ours_said = up.said
    try:
        base = rate(direct.stdout)
        row("one TCP stream, unshaped, offloads off", f"{ours / 1e9:.2f} Gbit/s, direct veth {base / 1e9:.2f}: {ours / base:.2f} of it", "≥ 0.6")
    except (ValueError, KeyError):
        row("one TCP stream, unshaped, offloads off", f"{ours / 1e9:.2f} Gbit/s (no direct veth: {direct.stderr.strip()[-80:]})", "≥ 0.6")
    row("the engine meanwhile", re.search(r"[\d.]+ µs of processor a packet", ours_said).group(0), "≤ 4 µs")


if __name__ == "__main__":
    main()
