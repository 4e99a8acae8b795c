#!/usr/bin/env python3
"""Makes the sixteen clips that codecs are compared on: 44,100 Hz, stereo, five seconds, always the same samples.

Usage: clips.py FOLDER (numpy and scipy, espeak-ng). Clips whose names end in "2" were never looked at when the codec was tuned.
"""
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
from scipy import signal

RATE = 44_100
N = 5 * RATE
T = np.arange(N) / RATE


def rng(seed):
    return np.random.default_rng(seed)


def pan(mono, where):
    """Left and right of a source at -1 to 1, by power and a little delay."""
    angle = (where + 1) * np.pi / 4
    late = int(abs(where) * 12)
    left, right = np.cos(angle) * mono, np.sin(angle) * mono
    if where > 0:
        left = np.concatenate([np.zeros(late), left[: len(left) - late]])
    else:
        right = np.concatenate([np.zeros(late), right[: len(right) - late]])
    return np.stack([left, right], 1)


def room(stereo, seed, seconds=0.6, wet=0.2):
    n = int(seconds * RATE)
    fade = np.exp(-6 * np.arange(n) / n)
    tails = [signal.lfilter([0.4], [1, -0.6], rng(seed + c).standard_normal(n)) * fade for c in (0, 1)]
    wets = [signal.fftconvolve(stereo[:, c], tails[c])[: len(stereo)] for c in (0, 1)]
    wets = np.stack(wets, 1)
    return stereo + wet * wets / (np.abs(wets).max() + 1e-9) * np.abs(stereo).max()


def at(seconds, sound):
    """A sound of the clip's length that begins later."""
    out, begin = np.zeros(N), int(seconds * RATE)
    sound = sound[: N - begin]
    out[begin : begin + len(sound)] = sound
    return out


def espeak(voice, text, speed, pitch):
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", file.name, text], check=True)
        with wave.open(file.name) as read:
            said = np.frombuffer(read.readframes(read.getnframes()), np.int16) / 32_768
            said = signal.resample_poly(said, RATE, read.getframerate())
    return np.concatenate([said, np.zeros(N)])[:N]


def pluck(hertz, seconds, seed, bright=0.5):
    """Karplus and Strong's string."""
    period = int(RATE / hertz)
    burst = signal.lfilter([bright], [1, bright - 1], rng(seed).uniform(-1, 1, period))
    excite = np.concatenate([burst, np.zeros(int(seconds * RATE))])
    a = np.zeros(period + 2)
    a[0], a[period], a[period + 1] = 1, -0.498, -0.498
    return signal.lfilter([1], a, excite)


def struck(hertz, seconds, inharmonic, partials, seed):
    t = np.arange(int(seconds * RATE)) / RATE
    out = np.zeros_like(t)
    for h in range(1, partials + 1):
        f = hertz * h * np.sqrt(1 + inharmonic * h * h)
        if f < 16_000:
            out += np.sin(2 * np.pi * f * t + rng(seed + h).uniform(0, 6)) * np.exp(-t * (1.2 + 0.5 * h)) / h
    hammer = rng(seed).standard_normal(len(t)) * np.exp(-t * 300) * 0.3
    return out + hammer


def drum(kind, seed):
    t = np.arange(int(0.5 * RATE)) / RATE
    noise = rng(seed).standard_normal(len(t))
    if kind == "kick":
        return np.sin(2 * np.pi * (45 * t + 12 * (1 - np.exp(-t * 30)))) * np.exp(-t * 9) + 0.2 * noise * np.exp(-t * 400)
    if kind == "snare":
        return 0.5 * np.sin(2 * np.pi * 190 * t) * np.exp(-t * 25) + 0.7 * noise * np.exp(-t * 18)
    b, a = signal.butter(3, 7_000, "high", fs=RATE)
    return 0.5 * signal.lfilter(b, a, noise) * np.exp(-t * (60 if kind == "hat" else 12))


def beat(pattern, seed, tempo=0.125):
    out = np.zeros((N, 2))
    for step in range(int(5 / tempo)):
        for kind, steps, where in pattern:
            if step % 16 in steps:
                out += pan(at(step * tempo, drum(kind, seed + step)) * rng(seed + 100 + step).uniform(0.6, 1), where)
    return out


ROCK = [("kick", {0, 6, 8}, 0.0), ("snare", {4, 12}, 0.1), ("hat", set(range(0, 16, 2)), -0.4), ("open", {14}, 0.4)]
DANCE = [("kick", {0, 4, 8, 12}, 0.0), ("snare", {4, 12}, -0.1), ("open", {2, 6, 10, 14}, 0.3), ("hat", set(range(16)), -0.3)]


def saw(hertz, t=T):
    return sum(np.sin(2 * np.pi * hertz * h * t) / h for h in range(1, int(15_000 / hertz)))


def voice(notes, seed):
    """A singer: pulses with vibrato through formants, and breath."""
    pitch = np.concatenate([np.full(int(RATE * 5 / len(notes)) + 1, note) for note in notes])[:N]
    pitch = signal.filtfilt([0.002], [1, -0.998], pitch) * (1 + 0.012 * np.sin(2 * np.pi * 5.6 * T))
    phase = np.cumsum(pitch) / RATE % 1
    glottis = np.where(phase < 0.6, np.sin(np.pi * phase / 0.6) ** 2, 0)
    source = np.diff(glottis, prepend=0) + 0.004 * rng(seed).standard_normal(N)
    out = np.zeros(N)
    for f, width, gain in [(700, 90, 1), (1_150, 110, 0.6), (2_600, 160, 0.4), (3_300, 200, 0.25), (4_500, 300, 0.1)]:
        r = np.exp(-np.pi * width / RATE)
        out += gain * signal.lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * f / RATE), r * r], source)
    return out / np.abs(out).max()


def pink(seed):
    b = [0.049922035, -0.095993537, 0.050612699, -0.004408786]
    a = [1, -2.494956002, 2.017265875, -0.522189400]
    return signal.lfilter(b, a, rng(seed).standard_normal(N))


def speech1():
    a = espeak("en-gb", "The north wind and the sun were arguing which of them was the stronger, when a traveller came along.", 150, 40)
    b = at(1.5, espeak("en-us+f3", "Yes, I hear you well. Can you hear me as well as I hear you?", 160, 60))
    return room(pan(a, -0.4) + 0.7 * pan(b, 0.5), 1, 0.3, 0.08)


def speech2():
    a = espeak("es+f2", "El viento del norte y el sol discutían sobre cuál de los dos era el más fuerte, cuando llegó un viajero.", 155, 55)
    return room(pan(a, 0.1), 2, 0.2, 0.05) + 0.001 * np.stack([pink(3), pink(4)], 1)


def guitar1():
    out = np.zeros((N, 2))
    chords = [[110, 164.8, 220, 277.2], [98, 146.8, 196, 246.9], [130.8, 164.8, 196, 329.6], [146.8, 220, 293.7, 370]]
    for i in range(20):
        for k, f in enumerate(chords[i // 5 % 4]):
            out += pan(at(i * 0.25 + k * 0.02, pluck(f * (2 if i % 3 else 1), 1.5, i * 7 + k)), (k - 1.5) / 2.5)
    return room(out, 5)


def strings2():
    out = np.zeros((N, 2))
    for k, f in enumerate([130.8, 196, 261.6, 329.6, 392]):
        for d in (-1, 0, 1):
            wave_ = saw(f * (1 + 0.003 * d), T + 0.0008 / 5 * np.sin(2 * np.pi * (5 + 0.3 * d) * T))
            out += pan(wave_ * (0.6 + 0.4 * np.sin(2 * np.pi * (0.2 + 0.05 * k) * T + k)), d * 0.6 + (k - 2) * 0.1)
    b, a = signal.butter(2, 3_500, fs=RATE)
    return room(signal.lfilter(b, a, out, axis=0), 6, 1.2, 0.3)


def piano1():
    out = np.zeros((N, 2))
    for i, f in enumerate([262, 330, 392, 523, 392, 330, 294, 349, 440, 587, 440, 349, 247, 294, 392, 494, 131, 196]):
        out += pan(at(i * 0.27, struck(f, 2, 4e-4, 30, i * 50)), np.sin(i))
    return room(out, 7)


def organ2():
    out = np.zeros((N, 2))
    for i, chord in enumerate([[196, 247, 294], [220, 262, 330], [165, 196, 247], [147, 185, 220]]):
        gate = at(i * 1.25, signal.windows.tukey(int(1.25 * RATE), 0.05))
        for k, f in enumerate(chord):
            tone = sum(g * np.sin(2 * np.pi * f * h * T + h) for h, g in [(0.5, 0.6), (1, 1), (2, 0.7), (3, 0.4), (4, 0.5), (6, 0.3), (8, 0.2)])
            out += pan(gate * tone, (k - 1) * 0.7)
    return room(out, 8, 1.5, 0.5)


def drums1():
    return room(beat(ROCK, 10), 9, 0.4, 0.15)


def castanets2():
    out, draw = np.zeros((N, 2)), rng(11)
    for i in range(34):
        t = np.arange(int(0.06 * RATE)) / RATE
        f = draw.uniform(1_800, 2_900)
        click = np.sin(2 * np.pi * f * t) * np.exp(-t * 220) + 0.6 * draw.standard_normal(len(t)) * np.exp(-t * 500)
        out += pan(at(0.1 + i * 0.14 + draw.uniform(0, 0.03), click), draw.uniform(-0.8, 0.8))
    return room(out, 12, 0.25, 0.06)


def band1():
    bass = sum(at(i * 0.25, pluck([55, 55, 65.4, 73.4][i // 5 % 4], 0.4, 900 + i, 0.25)) for i in range(20))
    lead = voice([440, 494, 523, 440, 392, 440], 13)
    return 0.6 * beat(ROCK, 14) + 0.5 * guitar1() / 3 + pan(bass, 0) * 0.8 + pan(0.5 * lead, 0.15)


def dance2():
    out = 0.7 * beat(DANCE, 20)
    duck = 1 - 0.8 * np.exp(-((T % 0.5) * 8))
    for i in range(40):
        f = [220, 277, 330, 440, 554][i % 5] * (1.122 if i // 10 % 2 else 1)
        t = np.arange(int(0.2 * RATE)) / RATE
        tone = np.sin(2 * np.pi * f * t + 3 * np.exp(-t * 20) * np.sin(2 * np.pi * 2.01 * f * t)) * np.exp(-t * 12)
        out += pan(0.4 * at(i * 0.125, tone), (-1) ** i * 0.7)
    pad = np.stack([saw(110.3) + saw(164.2), saw(109.7) + saw(165.1)], 1) * 0.08 * duck[:, None]
    return out + pad


def applause1():
    out, draw = np.zeros((N, 2)), rng(30)
    t = np.arange(int(0.03 * RATE)) / RATE
    for _ in range(1_400):
        b, a = signal.butter(1, [draw.uniform(500, 1_200), draw.uniform(1_800, 5_000)], "band", fs=RATE)
        clap = signal.lfilter(b, a, draw.standard_normal(len(t))) * np.exp(-t * draw.uniform(150, 400)) * draw.uniform(0.1, 1)
        out += pan(at(draw.uniform(0, 4.95), clap), draw.uniform(-1, 1))
    return room(out, 31, 0.5, 0.3)


def rain2():
    both = pink(40)
    swell = 0.7 + 0.3 * np.sin(2 * np.pi * 0.4 * T)
    return np.stack([both + 0.8 * pink(41), both + 0.8 * pink(42)], 1) * swell[:, None]


def bells1():
    out = np.zeros((N, 2))
    for i, f in enumerate([1_047, 1_319, 1_568, 2_093, 1_760, 1_397, 1_175, 988, 1_319, 1_976]):
        t = np.arange(int(2.5 * RATE)) / RATE
        tone = sum(g * np.sin(2 * np.pi * f * h * t) * np.exp(-t * d) for h, g, d in [(1, 1, 2), (2.76, 0.5, 4), (5.4, 0.3, 8), (8.93, 0.15, 14)])
        out += pan(at(i * 0.45, tone), (i % 5 - 2) / 2.5)
    return out


def sweep2():
    phase = 2 * np.pi * 60 * 5 / np.log(200) * (np.exp(T / 5 * np.log(200)) - 1)
    return np.stack([np.sin(phase) + 0.3 * np.sin(2 * phase * (phase < 1e9)), np.sin(phase + 1)], 1) + 1e-4 * np.stack([pink(50), pink(51)], 1)


def podcast1():
    said = espeak("en-us", "Good evening and welcome. Tonight we listen to the sound of packets, as they travel from one room to another.", 165, 45)
    return pan(said, 0) + 0.15 * guitar1() / 3


def singer2():
    return room(pan(voice([262, 294, 330, 349, 392, 330, 262], 60), -0.05), 61, 1.4, 0.35) + 0.05 * strings2() / 8


CLIPS = [speech1, speech2, guitar1, strings2, piano1, organ2, drums1, castanets2, band1, dance2, applause1, rain2, bells1, sweep2, podcast1, singer2]


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for seed, make in enumerate(CLIPS):
        path = folder / f"{make.__name__}.wav"
        if path.exists():
            continue
        sound = make()[:N]
        sound = sound / np.abs(sound).max() * 0.8
        # as real recordings have it: dither
        samples = np.round(sound * 32_767 + rng(seed).triangular(-1, 0, 1, sound.shape)).clip(-32_768, 32_767).astype("<i2")
        with wave.open(str(path), "wb") as out:
            out.setnchannels(2)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(samples.tobytes())


if __name__ == "__main__":
    main()
