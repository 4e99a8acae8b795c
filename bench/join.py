#!/usr/bin/env python3
"""From the start of a peer's process to the first decodable picture at its player, real processes on loopback.

    python3 bench/join.py [--levada target/release/levada] [--wire native] [--joins 40] [--peers 3]

A server with a looped clip by ffmpeg, a splitter, some peers; then newcomers, one after the other, each with a player
that is connected before the stream is there. What counts is the first whole page of pictures behind the header set: it
begins at a key picture. `join` is counted from the first datagram to the splitter on, as the peer's own process is not
the protocol's; `start` from the start of the process.
"""
import argparse, os, re, signal, socket, statistics, subprocess, sys, tempfile, time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(command, word, env=None):
    """Starts a program and waits until it says `word`; gives it and the rest of that line."""
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env)
    while line := program.stderr.readline():
        if word in line:
            return program, line.split(word, 1)[1].strip()
    sys.exit(f"{command} said nothing of {word!r}")


def pages(data):
    """Whole Ogg pages: flags, granule position, serial number, the first bytes of the body."""
    at = 0
    while at + 27 <= len(data) and data[at:at + 4] == b"OggS":
        segments = data[at + 26]
        body = at + 27 + segments
        end = body + sum(data[at + 27:body])
        if len(data) < body or len(data) < end:
            return
        yield data[at + 5], int.from_bytes(data[at + 6:at + 14], "little"), data[at + 14:at + 18], data[body:body + 7]
        at = end


def has_picture(data):
    pictures = set()
    for flags, granule, serial, body in pages(data):
        if flags & 2 and body == b"\x80theora":
            pictures.add(serial)
        elif serial in pictures and granule > 0:
            return True
    return False


def join(levada, wire, splitter):
    began = time.perf_counter()
    command = [levada, "swarm", "peer", "--wire", wire, "--splitter", splitter, "--player-port", "0"]
    peer, players = start(command, "playing on ")
    said = time.perf_counter()
    host, port = re.match(r"http://([\d.]+):(\d+)/", players).groups()
    data = b""
    with socket.create_connection((host, int(port))) as player:
        player.sendall(b"GET / HTTP/1.0\r\n\r\n")
        player.settimeout(20)
        while not has_picture(data.split(b"\r\n\r\n", 1)[-1]):
            data += player.recv(65536)
    seen = time.perf_counter()
    peer.send_signal(signal.SIGTERM)
    peer.wait()
    return (seen - said) * 1000, (seen - began) * 1000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--levada", default=os.path.join(ROOT, "target/release/levada"))
    parser.add_argument("--wire", default="native")
    parser.add_argument("--joins", type=int, default=40)
    parser.add_argument("--peers", type=int, default=3)
    said = parser.parse_args()
    programs = []
    try:
        state = tempfile.mkdtemp()
        env = dict(os.environ, LEVADA__AUTH__SOURCE_PASSWORD="hush", LEVADA__AUTH__ADMIN_PASSWORD="hush-admin", LEVADA__SERVER__STATE=state)
        server, address = start([said.levada, "serve", "--http", "127.0.0.1:0"], "serving on http://", env)
        programs.append(server)
        address = address.rstrip("/")
        clip = os.path.join(ROOT, "media/testcard.ogv")
        programs.append(subprocess.Popen(["ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "ogg", "-content_type", "application/ogg", f"icecast://source:hush@{address}/BBB.ogv"], stdin=subprocess.DEVNULL))
        port = free_port()
        command = [said.levada, "swarm", "splitter", "--wire", said.wire, "--listen", "127.0.0.1", "--port", str(port), "--source", f"http://{address}/BBB.ogv"]
        programs.append(start(command, "splitting")[0])
        for _ in range(said.peers):
            command = [said.levada, "swarm", "peer", "--wire", said.wire, "--splitter", f"127.0.0.1:{port}", "--player-port", "0"]
            programs.append(start(command, "playing on ")[0])
        time.sleep(5)
        joins = []
        for n in range(said.joins):
            time.sleep(n * 0.137 % 0.4)
            joins.append(join(said.levada, said.wire, f"127.0.0.1:{port}"))
        for name, times in zip(("join", "start"), zip(*joins)):
            times = sorted(times)
            p99 = times[min(len(times) - 1, round(len(times) * 0.99))]
            print(f"{name:6} p50 {statistics.median(times):6.0f} ms   p99 {p99:6.0f} ms   of {len(times)}")
    finally:
        for program in programs:
            program.terminate()


main()
