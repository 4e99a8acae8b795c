#!/usr/bin/env python3
"""Glass to glass: from a clock drawn in the picture to the same clock read from the pixels that Chromium shows.

  bench/glass.py [--ways whep,hls,flv] [--secs 20] [--size 1280x720] [--binary target/release/levada]

A picture with the milliseconds in it is drawn 30 times a second, encoded by ffmpeg (x264, zerolatency, a key frame every
two seconds), published by RTMP to levada, and played in headless Chromium by levada's own page; the page's own reader
(web/clock.js) reads it back at every frame. No timestamp of any container takes part. Needs ffmpeg, chromium and
chromedriver; prints a table.
"""
import argparse, json, os, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request

CELLS, BITS = 32, 24


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def cells(now):
    check = (now ^ (now >> 6) ^ (now >> 12) ^ (now >> 18)) & 63
    bits = lambda value, count: [value >> (count - 1 - n) & 1 for n in range(count)]
    return [1, 0] + bits(now, BITS) + bits(check, 6)


def draw(out, width, height, stop):
    """Grey pictures with a clock above and something that moves below, at 30 a second."""
    top, cell, frame = height // 20, width // CELLS, 0
    # a picture that costs the encoder something: slopes that wander
    bands = [bytes((x * 3 + y * 2) & 0x7f | 0x20 for x in range(2 * width)) for y in range(64)]
    chroma = b"\x80" * (width * height // 2)
    begin = time.monotonic()
    while not stop.is_set():
        late = begin + frame / 30 - time.monotonic()
        if late > 0:
            time.sleep(late)
        at = frame * 4 % width
        rows = b"".join(bands[y % 64][at:at + width] for y in range(top, height))
        line = b"".join((b"\xeb" if white else b"\x10") * cell for white in cells(int(time.time() * 1000) % (1 << BITS)))
        line += b"\x10" * (width - len(line))
        try:
            out.write(line * top + rows + chroma)
            out.flush()
        except (BrokenPipeError, ValueError):
            return
        frame += 1


class Browser:
    def __init__(self):
        self.port = free_port()
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.profile = tempfile.TemporaryDirectory()
        self.base = f"http://127.0.0.1:{self.port}/session"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
                     "--autoplay-policy=no-user-gesture-required", "--no-first-run", "--disable-background-networking",
                     "--window-size=1280,900", f"--user-data-dir={self.profile.name}"]
        wanted = {"capabilities": {"alwaysMatch": {"goog:loggingPrefs": {"browser": "ALL"},
                  "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": arguments}}}}
        for _ in range(200):
            try:
                self.session = f"{self.base}/{self.post(self.base, wanted)['sessionId']}"
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("chromedriver does not answer")

    def post(self, url, body):
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)["value"]

    def open(self, url):
        self.post(f"{self.session}/url", {"url": url})

    def run(self, script, wait=False):
        return self.post(f"{self.session}/execute/{'async' if wait else 'sync'}", {"script": script, "args": []})

    def wait(self, script, what, patience=40):
        end = time.monotonic() + patience
        while not self.run(script):
            if time.monotonic() > end:
                raise SystemExit(f"not within {patience} s: {what}; the page says: "
                                 + str(self.run("return document.querySelector('.say')?.textContent")))
            time.sleep(0.1)

    def close(self):
        try:
            urllib.request.urlopen(urllib.request.Request(self.session, method="DELETE"), timeout=10)
        except OSError:
            pass
        self.driver.terminate()
        self.driver.wait()
        self.profile.cleanup()


# Reads the clock at every frame that is shown; resolves with the ages in milliseconds.
MEASURE = """
const done = arguments[arguments.length - 1];
import("/assets/clock.js").then(({ pictureAge }) => {
  const video = document.querySelector("video"), ages = [];
  let shown = 0;
  const end = performance.now() + SECS * 1000;
  const look = () => {
    shown += 1;
    const age = pictureAge(video);
    if (age !== null) ages.push(age);
    if (performance.now() < end) video.requestVideoFrameCallback(look); else done({ ages, shown });
  };
  video.requestVideoFrameCallback(look);
  setTimeout(() => done({ ages, shown }), SECS * 1000 + 3000);
});
"""


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--ways", default="whep,hls,flv")
    ask.add_argument("--secs", type=int, default=20)
    ask.add_argument("--size", default="1280x720")
    ask.add_argument("--binary", default="target/release/levada")
    ask.add_argument("--shot", help="write a screenshot of the page here")
    told = ask.parse_args()
    width, height = map(int, told.size.split("x"))
    state, stop, procs, browser = tempfile.TemporaryDirectory(), threading.Event(), [], None
    try:
        http, rtmp = free_port(), free_port()
        env = dict(os.environ, LEVADA__AUTH__SOURCE_PASSWORD="hush", LEVADA__AUTH__ADMIN_PASSWORD="hush-admin", LEVADA__SERVER__STATE=state.name)
        procs.append(subprocess.Popen([told.binary, "serve", "--http", f"127.0.0.1:{http}", "--rtmp", f"127.0.0.1:{rtmp}", "--webrtc", f"127.0.0.1:{free_port()}"],
                                      env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(1)
        publisher = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", told.size, "-r", "30", "-i", "-",
             "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "60", "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "1250k",
             "-flush_packets", "1", "-f", "flv", f"rtmp://127.0.0.1:{rtmp}/live/clock?key=hush"],
            stdin=subprocess.PIPE, stderr=sys.stderr)
        procs.append(publisher)
        drawing = threading.Thread(target=draw, args=(publisher.stdin, width, height, stop), daemon=True)
        drawing.start()
        time.sleep(4)
        browser = Browser()
        browser.post(f"{browser.session}/timeouts", {"script": (told.secs + 20) * 1000})
        print("| way | frames read / shown | p50 ms | p90 ms | p99 ms |\n|---|---|---|---|---|")
        for way in told.ways.split(","):
            browser.open(f"http://127.0.0.1:{http}/")
            browser.wait("return !!document.querySelector('.stage .go')", "a play button")
            browser.run(f"const way = document.querySelector('.way'); way.value = '{way}'; way.dispatchEvent(new Event('change')); document.querySelector('.go').click()")
            browser.wait("return /Playing/.test(document.querySelector('.say').textContent)", f"{way} to play")
            time.sleep(8)  # the player finds its distance
            seen = browser.run(MEASURE.replace("SECS", str(told.secs)), wait=True)
            ages = sorted(seen["ages"])
            at = lambda part: ages[min(len(ages) - 1, int(len(ages) * part))] if ages else "–"
            print(f"| {way} | {len(ages)} / {seen['shown']} | {at(0.5)} | {at(0.9)} | {at(0.99)} |", flush=True)
            if told.shot:
                import base64
                with urllib.request.urlopen(f"{browser.session}/screenshot") as reply:
                    open(f"{told.shot}-{way}.png", "wb").write(base64.b64decode(json.load(reply)["value"]))
    finally:
        stop.set()
        if browser:
            browser.close()
        for proc in reversed(procs):
            proc.terminate()
            try:
                proc.wait(10)
            except subprocess.TimeoutExpired:
                proc.kill()
        state.cleanup()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
