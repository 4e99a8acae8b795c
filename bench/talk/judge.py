#!/usr/bin/env python3
"""Reads pairs of 48 kHz WAV files (tab between), answers each with ViSQOL's MOS-LQO and a noise-to-mask ratio in dB."""
import sys
import wave

import numpy as np
from visqol import VisqolApi

SIZE, HOP = 2_048, 1_024


def read(path):
    with wave.open(path) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, file.getnchannels())
    return samples / 32_768


def spectra(sound):
    window = np.hanning(SIZE)
    frames = [np.fft.rfft(window * sound[i : i + SIZE]) for i in range(0, len(sound) - SIZE, HOP)]
    return np.abs(np.array(frames)) ** 2


def bands():
    hertz = np.arange(SIZE // 2 + 1) * 48_000 / SIZE
    bark = 13 * np.arctan(0.00076 * hertz) + 3.5 * np.arctan((hertz / 7_500) ** 2)
    return [np.nonzero((bark >= b) & (bark < b + 1))[0] for b in range(24)]


BANDS = bands()
# what a band hides of its neighbours: 25 dB a Bark below, 10 dB above
SPREAD = 10 ** (-np.array([[25 * (j - i) if j > i else 10 * (i - j) for j in range(24)] for i in range(24)]) / 10)
# quieter than this is not heard (about -90 dB of full scale a band)
FLOOR = 1e-9 * SIZE


def noise_to_mask(reference, degraded):
    """After Brandenburg: noise in Bark bands over a mask of 14.5 dB + band number below the spread signal."""
    n = min(len(reference), len(degraded))
    ratios = []
    for channel in range(2):
        signal, noise = reference[:n, channel], degraded[:n, channel] - reference[:n, channel]
        s = np.stack([spectra(signal)[:, b].sum(1) for b in BANDS], 1)
        e = np.stack([spectra(noise)[:, b].sum(1) for b in BANDS], 1)
        offset = 10 ** (-(6 + 0.4 * np.arange(24)) / 10)
        mask = (s @ SPREAD.T) * offset + FLOOR
        loud = s.sum(1) > FLOOR * 24
        ratios.append(10 * np.log10((e / mask).mean(1) + 1e-4)[loud])
    return float(np.concatenate(ratios).mean())


def main():
    api = VisqolApi()
    api.create(mode="audio")
    for line in sys.stdin:
        reference, degraded = line.rstrip("\n").split("\t")
        ratio = noise_to_mask(read(reference), read(degraded))
        print(f"{api.measure(reference, degraded).moslqo:.4f} {ratio:.3f}", flush=True)


if __name__ == "__main__":
    main()
