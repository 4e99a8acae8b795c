#!/usr/bin/env python3
"""The codecs of `levada talk` beside the seminar's, FLAC and libopus: prints the tables of bench/talk/README.md.

    bench/talk.py [--part bits|lossless|quality|deflate|loss|time]... [--ending 1|2] [--rates 32,48] [--blocks 1024]

Needs ffmpeg with libopus, espeak-ng and cargo; ViSQOL (visqol-python), numpy and scipy go into a virtual environment in target/.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("LEVADA_BENCH", ROOT / "target/bench-talk"))
BENCH = Path(os.environ.get("LEVADA_BENCH_BUILT") or ROOT / "target/release/examples/talk_bench")
LOSS = BENCH.with_name("loss_bench")
RATES = [32, 48, 64, 96, 128]
PARTS = ["bits", "lossless", "quality", "deflate", "loss", "time"]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **options).stdout


def fields(line):
    return {key: float(value) for key, value in (word.split("=") for word in line.split() if "=" in word)}


def prepare():
    """The environment, the clips and the program."""
    python = WORK / "venv/bin/python"
    if not python.exists():
        venv.create(WORK / "venv", with_pip=True)
        run(python, "-m", "pip", "install", "-q", "visqol-python==3.8.0", "numpy", "scipy")
    run(python, ROOT / "bench/talk/clips.py", WORK / "clips")
    if "LEVADA_BENCH_BUILT" not in os.environ:
        packages = ["-p", "levada-codec", "-p", "levada-talk"]
        subprocess.run(["cargo", "build", "-q", "--release", *packages, "--examples"], check=True, cwd=ROOT)
    return python


def geometric(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    print(flush=True)


def flac(clip, block):
    out = WORK / f"{clip.stem}.{block}.flac"
    run("ffmpeg", "-v", "error", "-y", "-i", clip, "-compression_level", "12", "-frame_size", block, out)
    return out.stat().st_size


def bits(clips, parts):
    """Bits at the SNR of the seminar's best layer, and lossless against FLAC."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = list(pool.map(lambda clip: run(BENCH, "bits", clip).splitlines(), clips))
    sizes = ["n1024", "n480", "n240", "n120", "wavelet"]
    if "bits" in parts:
        for line, q in enumerate((128, 512)):
            rows = [(clip.stem, fields(lines[line])) for clip, lines in zip(clips, said)]
            print(f"**Bits at the SNR of the overlapped DWT, q = {q}** (its own decoder; 1 is its bits; packets stand alone)\n")
            body = [[name, f"{got['kbps']:.0f}", f"{got['snr']:.1f}"] + [got[size] for size in sizes] for name, got in rows]
            body.append(["geometric mean", "", ""] + [geometric([got[size] for _, got in rows]) for size in sizes])
            body.append(["mean", "", ""] + [sum(got[size] for _, got in rows) / len(rows) for size in sizes])
            table(["clip", "seminar kbit/s", "SNR dB", "1024", "480", "240", "120 frames", "wavelet mode"], body)
    if "lossless" in parts:
        print("**Lossless, against FLAC level 12 (ffmpeg) with the same blocks**; packets stand alone, FLAC's header counted\n")
        rows = []
        for clip, lines in zip(clips, said):
            ours = [int(fields(line)["bytes"]) for line in lines[2:4]]
            rows.append([clip.stem] + [ours[i] / flac(clip, block) for i, block in enumerate((1024, 256))])
        rows.append(["geometric mean"] + [geometric([row[i] for row in rows]) for i in (1, 2)])
        table(["clip", "1024 frames", "256 frames"], rows)


def resampled(path):
    out = WORK / "at48" / f"{path.stem}.wav"
    if not out.exists() or out.stat().st_mtime < path.stat().st_mtime:
        out.parent.mkdir(exist_ok=True)
        run("ffmpeg", "-v", "error", "-y", "-i", path, "-af", "aresample=48000:filter_size=64:cutoff=0.97", out)
    return out


def by_opus(clip, kbps):
    """What libopus makes of a clip, its packets' rate and where it is."""
    packed, out = WORK / f"{clip.stem}.{kbps}.opus", WORK / "heard" / f"{clip.stem}.opus.{kbps}.wav"
    if not out.exists():
        out.parent.mkdir(exist_ok=True)
        source = resampled(clip)
        run("ffmpeg", "-v", "error", "-y", "-i", source, "-c:a", "libopus", "-b:a", f"{kbps}k", "-vbr", "off", packed)
        run("ffmpeg", "-v", "error", "-y", "-i", packed, "-c:a", "pcm_s16le", out)
    listed = run("ffprobe", "-v", "error", "-show_entries", "packet=size", "-of", "csv=p=0", packed).split()
    return sum(int(size.strip(",")) for size in listed) * 8 / 5_000, out


def by_us(clip, kbps, block):
    out = WORK / "heard" / f"{clip.stem}.n{block}.{kbps:.1f}.wav"
    out.parent.mkdir(exist_ok=True)
    got = fields(run(BENCH, "through", "native", block, kbps, clip, out))
    return got["kbps"], resampled(out)


def judge(python, pairs):
    """ViSQOL's and the masking measure's word on pairs of files."""
    command = [str(python), str(ROOT / "bench/talk/judge.py")]
    halves = [pairs[i::2] for i in range(2)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in halves]
    with ThreadPoolExecutor(2) as pool:
        texts = ["".join(f"{a}\t{b}\n" for a, b in half) for half in halves]
        said = list(pool.map(lambda process, text: process.communicate(text)[0].splitlines(), running, texts))
    found = {}
    for half, lines in zip(halves, said):
        for pair, line in zip(half, lines):
            found[pair] = tuple(map(float, line.split()))
    return found


def quality(python, clips, rates, blocks):
    jobs = []
    for clip in clips:
        for kbps in rates:
            spent, out = by_opus(clip, kbps)
            jobs.append((clip, kbps, "opus", spent, (resampled(clip), out)))
            for block in blocks:
                # never more bits than Opus took
                spent_by_us, out = by_us(clip, min(spent, kbps), block)
                jobs.append((clip, kbps, f"{block}", spent_by_us, (resampled(clip), out)))
    known_path = WORK / "known.json"
    known = json.loads(known_path.read_text()) if known_path.exists() else {}
    fresh = [job[4] for job in jobs if job[2] != "opus" or str(job[4]) not in known]
    found = judge(python, fresh)
    known.update({str(pair): found[pair] for job in jobs if job[2] == "opus" for pair in [job[4]] if pair in found})
    known_path.write_text(json.dumps(known))
    score = {(clip.stem, kbps, who): found.get(pair) or known[str(pair)] for clip, kbps, who, _, pair in jobs}
    spent = {(clip.stem, kbps, who): rate for clip, kbps, who, rate, _ in jobs}
    whos = ["opus"] + [f"{block}" for block in blocks]
    for measure, title in ((0, "ViSQOL (audio), MOS-LQO"), (1, "Noise to mask, mean over time and bands, dB (less is better)")):
        print(f"**{title}**: libopus 1.3.1 as it is (20 ms, constant rate) and levada at most at its rate\n")
        rows = []
        for clip in clips:
            rows.append([clip.stem] + [score[clip.stem, kbps, who][measure] for kbps in rates for who in whos])
        rows.append(["mean"] + [sum(row[i] for row in rows) / len(rows) for i in range(1, len(rates) * len(whos) + 1)])
        rows.append(["kbit/s"] + [sum(spent[c.stem, k, w] for c in clips) / len(clips) for k in rates for w in whos])
        table(["clip"] + [f"{who} {kbps}" for kbps in rates for who in whos], rows)


def loss(python, clips):
    """What random loss takes away of a native call at 64 kbit/s, with its concealment and its copies."""
    rates = [0, 5, 20]

    def call(job):
        clip, rate = job
        out = WORK / "heard" / f"{clip.stem}.loss{rate}.wav"
        out.parent.mkdir(exist_ok=True)
        got = fields(run(LOSS, clip, out, f"loss={rate}% delay=10ms", 240, 64_000))
        return got, (resampled(clip), resampled(out))

    jobs = [(clip, rate) for clip in clips for rate in rates]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = dict(zip(jobs, pool.map(call, jobs)))
    found = judge(python, [pair for _, pair in said.values()])
    print("**Random loss, ViSQOL (audio)** of a native call in virtual time, 240 frames, 64 kbit/s of sound; one run each\n")
    rows = []
    for clip in clips:
        heard = [found[said[clip, rate][1]][0] for rate in rates]
        made_up = " / ".join(f"{100 * said[clip, rate][0]['made_up']:.2f}" for rate in rates)
        wire = " / ".join(f"{said[clip, rate][0]['kbps']:.0f}" for rate in rates)
        rows.append([clip.stem] + heard + [heard[0] - x for x in heard[1:]] + [made_up, wire])
    rows.append(["mean"] + [sum(row[i] for row in rows) / len(rows) for i in range(1, 6)] + ["", ""])
    table(["clip", "no loss", "5 %", "20 %", "drop at 5 %", "drop at 20 %", "% made up", "kbit/s on the wire"], rows)


def deflate(clips):
    print("**Bytes of InterCom's layers by how their zlib streams are made** (1 is zlib's level 9; layer and quantization step)\n")
    rows = {}
    for clip in clips:
        for line in run(BENCH, "deflate", clip).splitlines():
            rows.setdefault(line.split()[0], []).append(fields(line))
    means = {name: [geometric([got[k] for got in all_]) for k in ("quick", "thorough")] for name, all_ in rows.items()}
    table(["layer.q", "quick", "thorough"], [[name] + got for name, got in means.items()])


def times(clips):
    print("**Microseconds for a stereo block of 1024 frames at 96 kbit/s, encoded and decoded, one core** (shorter blocks: the same sound)\n")
    rows = {}
    for clip in clips:
        for line in run(BENCH, "time", clip).splitlines():
            rows.setdefault(line.split()[0], []).append(fields(line))
    means = {name: [sum(got[k] for got in all_) / len(all_) for k in ("encode", "decode", "per1024")] for name, all_ in rows.items()}
    base = means["opus960"][2]
    table(["codec", "encode a block", "decode a block", "both, per 1024 frames", "to Opus"],
          [[name] + [f"{x:.0f}" for x in got] + [got[2] / base] for name, got in means.items()])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--ending", default="", help="only clips whose names end so")
    parser.add_argument("--rates", default=",".join(map(str, RATES)))
    parser.add_argument("--blocks", default="1024,480")
    given = parser.parse_args()
    parts = given.part or PARTS
    WORK.mkdir(parents=True, exist_ok=True)
    python = prepare()
    clips = sorted((WORK / "clips").glob(f"*{given.ending}.wav"))
    if {"bits", "lossless"} & set(parts):
        bits(clips, parts)
    if "quality" in parts:
        quality(python, clips, [int(x) for x in given.rates.split(",")], [int(x) for x in given.blocks.split(",")])
    if "deflate" in parts:
        deflate(clips[:4])
    if "loss" in parts:
        loss(python, clips)
    if "time" in parts:
        times(clips[:4])


if __name__ == "__main__":
    sys.exit(main())
