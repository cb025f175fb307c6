"""The figures of docs/line_search.md; used by `measure_search.py` beside it, not a program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import matplotlib as mpl
import numpy as np

mpl.use("agg")
from matplotlib import pyplot as plt

COLOURS = ("#0072B2", "#D55E00", "#009E73")
"""Blue, vermilion and green that colour-blind people tell apart (Okabe and Ito 2008)."""

MARKS = ("o", "s", "^")


class Curve(Protocol):
    """Per cent found in every bin, and its interval (bins, 2)."""

    @property
    def label(self) -> str: ...
    @property
    def share(self) -> np.ndarray: ...
    @property
    def interval(self) -> np.ndarray: ...


def _save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def draw_completeness(
    path: Path, edges: Sequence[float], curves: Sequence[Curve], original: Sequence[tuple[float, float, float]]
) -> None:
    """Completeness against S/N, emission on the left and absorption on the right."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.4), sharey=True, layout="constrained")
    middle = 0.5 * (np.array(edges)[1:] + np.array(edges)[:-1])
    for axis, name in zip(axes, ("emission", "absorption"), strict=True):
        chosen = [each for each in curves if each.label.endswith(name)]
        for i, each in enumerate(chosen):
            place = middle + 0.08 * (i - 1)
            spread = np.abs(each.interval.T - each.share)
            axis.errorbar(
                place, each.share, spread, color=COLOURS[i], marker=MARKS[i], ms=5, lw=1.3, capsize=2,
                label=each.label.removesuffix(f", {name}"),
            )  # fmt: skip
        if name == "emission":
            x = [0.5 * (low + high) for low, high, _ in original]
            reach = [0.5 * (high - low) for low, high, _ in original]
            axis.errorbar(
                x, [share for _, _, share in original], xerr=reach, fmt="x", color="0.25", ms=8, mew=2, lw=1,
                label="ELiXer 1.22.5, narrow",
            )  # fmt: skip
        axis.set(xlabel="true S/N", title=name, xlim=(edges[0] - 0.2, edges[-1] + 0.2), ylim=(-3, 104))
        axis.grid(color="0.88", lw=0.6)
        axis.legend(loc="lower right", frameon=False, fontsize=8)
    axes[0].set_ylabel("lines found, %")
    _save(figure, path)


def draw_false_lines(
    path: Path, thresholds: Sequence[float], counted: Sequence[tuple[str, np.ndarray, int]], used: float
) -> None:
    """Lines found in spectra without any against the threshold in S/N; the band is √n."""
    figure, axis = plt.subplots(figsize=(5.0, 3.4), layout="constrained")
    x = np.array(thresholds)
    for i, (label, count, n) in enumerate(counted):
        rate, spread = count / n, np.sqrt(np.maximum(count, 1)) / n
        shown = count > 0
        axis.plot(x[shown], rate[shown], color=COLOURS[i], marker=MARKS[i], ms=4, lw=1.3, label=label)
        axis.fill_between(
            x[shown], np.maximum(rate - spread, 0.3 / n)[shown], (rate + spread)[shown], color=COLOURS[i],
            alpha=0.2, lw=0,
        )  # fmt: skip
    axis.axhline(0.017, color="0.25", lw=1, ls=":", label="ELiXer 1.22.5, white noise")
    axis.axvline(used, color="0.25", lw=1, ls="--", label=f"threshold in use, {used:g}")
    axis.set(xlabel="threshold in S/N", ylabel="lines a spectrum", yscale="log", ylim=(2e-4, 3.0))
    axis.grid(color="0.88", lw=0.6)
    axis.legend(loc="upper right", frameon=False, fontsize=8)
    _save(figure, path)
