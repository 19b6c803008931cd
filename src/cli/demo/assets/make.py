#!/usr/bin/env python3
"""Makes the pictures of `pixcourier demo`: three plots as a monitoring system would send them, two photographs.

    pip install matplotlib==3.11.2 scikit-image==0.26.0
    python make.py
"""

import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from skimage import data

HERE = pathlib.Path(__file__).parent
INK, PAPER, GRID = "#1f2933", "#ffffff", "#e4e7eb"
BLUE, TEAL, AMBER, RED = "#2f6fde", "#14919b", "#e8a33d", "#d64545"
rng = np.random.default_rng(7)

plt.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 13, "text.color": INK, "axes.labelcolor": INK,
    "axes.edgecolor": GRID, "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False,
    "axes.spines.right": False, "axes.titlesize": 18, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.titlepad": 34, "figure.facecolor": PAPER, "axes.facecolor": PAPER, "grid.color": GRID, "axes.axisbelow": True,
})


def minutes(count, step):
    return np.datetime64("2026-11-21T06:00") + np.arange(count) * np.timedelta64(step, "m")


def canvas(title, subtitle):
    figure, axes = plt.subplots(figsize=(12.8, 7.2), dpi=100)
    axes.set_title(title)
    axes.text(0, 1.025, subtitle, transform=axes.transAxes, fontsize=13, color="#616e7c")
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%H:%M"))
    return figure, axes


def save(figure, name):
    figure.tight_layout()
    figure.savefig(HERE / name)
    plt.close(figure)
    # 192 colours are plenty for a plot and a third of the bytes.
    picture = Image.open(HERE / name).convert("RGB").quantize(192, dither=Image.Dither.NONE)
    picture.save(HERE / name, optimize=True)


def latency():
    """Requests by latency over time; a release at 09:20 makes a second, slower population."""
    times, edges = minutes(180, 2), np.geomspace(2, 4000, 49)
    middle = np.sqrt(edges[:-1] * edges[1:])
    counts = np.zeros((48, 180))
    for i in range(180):
        load = 900 + 500 * np.sin(i / 36) + rng.normal(0, 40)
        fast = np.exp(-((np.log(middle) - np.log(28 + 5 * np.sin(i / 25))) ** 2) / 0.35)
        share = 0.45 / (1 + np.exp(-(i - 103) / 0.9)) if i < 140 else 0.45 * np.exp(-(i - 140) / 5)
        slow = np.exp(-((np.log(middle) - np.log(620)) ** 2) / 0.22)
        counts[:, i] = rng.poisson(load * ((1 - share) * fast / fast.sum() + share * slow / slow.sum()))
    figure, axes = canvas("checkout: request latency", "requests per 2 minutes, by duration")
    mesh = axes.pcolormesh(times, edges[:-1], np.where(counts > 0, counts, np.nan), cmap="magma_r", shading="nearest")
    axes.set_yscale("log")
    axes.set_yticks([2, 10, 50, 200, 1000, 4000], ["2 ms", "10 ms", "50 ms", "200 ms", "1 s", "4 s"])
    axes.minorticks_off()
    axes.axvline(times[100], color=BLUE, linestyle="--", linewidth=1.6)
    axes.text(times[99], 2700, "release 4.18 ", color=BLUE, ha="right", weight="bold")
    axes.text(times[141], 2700, " rolled back", color=TEAL, ha="left", weight="bold")
    axes.axvline(times[140], color=TEAL, linestyle="--", linewidth=1.6)
    figure.colorbar(mesh, ax=axes, pad=0.015, aspect=35).outline.set_visible(False)
    save(figure, "latency-heatmap.png")


def errors():
    """An error rate that crosses its threshold and makes somebody's phone ring."""
    times = minutes(240, 1)
    rate = 0.35 + 0.1 * np.sin(np.arange(240) / 20) + rng.gamma(2, 0.05, 240)
    rate[150:205] += 4.6 * np.exp(-((np.arange(55) - 22) ** 2) / 190) + rng.normal(0, 0.18, 55)
    figure, axes = canvas("ALERT  payments: 5xx rate above 2 %", "share of answers with status 5xx, 1 minute average")
    axes.grid(axis="y")
    axes.plot(times, rate, color=BLUE, linewidth=2)
    axes.fill_between(times, rate, color=BLUE, alpha=0.10)
    axes.fill_between(times, rate, 2, where=rate > 2, color=RED, alpha=0.35, interpolate=True)
    axes.axhline(2, color=RED, linestyle="--", linewidth=1.6)
    axes.text(times[2], 2.08, "alert threshold 2 %", color=RED, weight="bold")
    peak = int(rate.argmax())
    axes.annotate(f"{rate[peak]:.1f} %", (times[peak], rate[peak]), (times[peak + 14], rate[peak] + 0.1),
                  color=RED, weight="bold", fontsize=15, arrowprops={"arrowstyle": "-", "color": RED})
    axes.set_ylim(0, 6)
    axes.set_xlim(times[0], times[-1])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")
    save(figure, "error-rate.png")


def queues():
    """Three queues, of which one backs up and drains."""
    times = minutes(200, 1)
    step = np.arange(200)
    backlog = np.clip(np.where(step < 70, 30, np.where(step < 120, 30 + (step - 70) * 95, 4780 - (step - 120) * 88)), 20, None)
    figure, axes = canvas("orders: queue depth", "messages ready, by queue")
    axes.grid(axis="y")
    layers = [backlog + rng.normal(0, 40, 200), 420 + 120 * np.sin(step / 14) + rng.normal(0, 18, 200),
              180 + 60 * np.cos(step / 9) + rng.normal(0, 10, 200)]
    axes.stackplot(times, np.clip(layers, 0, None), labels=["invoice-pdf", "warehouse", "e-mail"],
                   colors=[AMBER, TEAL, BLUE], alpha=0.85)
    axes.annotate("consumer restarted", (times[120], 5250), (times[128], 5700), weight="bold",
                  arrowprops={"arrowstyle": "-", "color": INK})
    axes.set_xlim(times[0], times[-1])
    axes.set_ylim(0, 6200)
    axes.legend(loc="upper left", frameon=False, ncols=3)
    save(figure, "queue-depth.png")


def photographs():
    for name in ("coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()).save(HERE / f"{name}.jpg", quality=88, optimize=True, progressive=True)


latency()
errors()
queues()
photographs()
