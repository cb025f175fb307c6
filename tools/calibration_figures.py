"""The figures of docs/calibration.md. Colours after Okabe & Ito (2008), told apart with any colour vision."""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import calibration_scores as scores
import numpy as np
from calibration_answers import Answers
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.reports.colors import BLACK, BLUE, GREEN, GREY, LIGHT, ORANGE, VERMILLION

DPI = 100
TENTHS = np.linspace(0.0, 1.0, 11)
FINE = np.array([0.0, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 0.99, 1.0])

RULE_STYLE = {
    "voting rules of ELiXer, P(Lyα) > 0.5": ("s", ORANGE),
    "P(LAE)/P(OII) > 1": ("^", GREEN),
    "rest equivalent width > 20 Å": ("D", GREY),
}


def _diagram(axes: Axes, p: np.ndarray, true: np.ndarray, color: str, marker: str, label: str, offset: float) -> None:
    rows = [row for row in scores.reliability(p, true, TENTHS) if row.count >= 10]
    axes.errorbar(
        [row.mean + offset for row in rows],
        [row.share for row in rows],
        [row.error for row in rows],
        color=color,
        marker=marker,
        markersize=5,
        linewidth=1.2,
        capsize=2,
        label=label,
    )


def _frame(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=LIGHT, linewidth=1.5, zorder=0)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, facecolor="white")
    plt.close(figure)


def reliability(answers: Answers, path: Path) -> None:
    """P(Lyα) of the package and of the voting rules against the share that is Lyα, with how many there are."""
    true = answers.truth == "Lya"
    figure, (axes, counts) = plt.subplots(
        2, 1, figsize=(5.2, 6.4), height_ratios=(4, 1.1), sharex=True, layout="constrained"
    )
    _frame(axes)
    _diagram(axes, answers.p("Lya"), true, BLUE, "o", "this package", 0.0)
    _diagram(axes, answers.votes, true, ORANGE, "s", "voting rules of ELiXer", 0.0)
    axes.set_ylabel("share that is Lyα")
    axes.legend(frameon=False, loc="upper left")
    axes.set_title(f"{len(answers):,} simulated detections, S/N > 4.8", fontsize=10)
    for values, color, style in ((answers.p("Lya"), BLUE, "-"), (answers.votes, ORANGE, "--")):
        number, edges = np.histogram(values, np.linspace(0, 1, 21))
        counts.stairs(number, edges, color=color, linestyle=style)
    counts.set(yscale="log", ylabel="detections", xlabel="P(Lyα)")
    counts.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def identities(answers: Answers, names: list[str], path: Path) -> None:
    """Small reliability diagrams of several identities."""
    figure, grid = plt.subplots(2, 4, figsize=(9.6, 5.2), sharex=True, sharey=True, layout="constrained")
    for axes, name in zip(grid.flat, names, strict=False):
        _frame(axes)
        true = answers.truth == name
        _diagram(axes, answers.p(name), true, BLUE, "o", name, 0.0)
        axes.set_title(f"{LABELS[name]}: {int(true.sum()):,}", fontsize=10)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("probability", fontsize=10)
    figure.supylabel("share that came true", fontsize=10)
    _save(figure, path)


def samples(answers: Answers, path: Path) -> None:
    """Contamination against completeness for every threshold, and where the simpler rules lie."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 4.2), layout="constrained")
    thresholds = np.concatenate([np.linspace(0.02, 0.98, 49), [0.985, 0.99, 0.995]])
    pair = np.isin(answers.truth, ("Lya", "OII"))
    lya, oii = answers.p("Lya"), answers.p("OII")
    relative = lya / np.maximum(lya + oii, 1e-12)
    two = answers.take(np.flatnonzero(pair))
    found = [scores.sample(two.truth, relative[pair] > t) for t in thresholds]
    left.plot([100 * s.completeness for s in found], [100 * s.mixed for s in found], color=BLUE, label="this package")
    voted = [scores.sample(two.truth, two.votes > t) for t in thresholds]
    left.plot(
        [100 * s.completeness for s in voted],
        [100 * s.mixed for s in voted],
        color=ORANGE,
        linestyle="--",
        label="votes",
    )
    whole = [scores.sample(answers.truth, lya > t) for t in thresholds]
    right.plot(
        [100 * s.completeness for s in whole], [100 * (s.by_oii + s.by_false + s.by_other) for s in whole], color=BLUE
    )
    voted = [scores.sample(answers.truth, answers.votes > t) for t in thresholds]
    right.plot(
        [100 * s.completeness for s in voted],
        [100 * (s.by_oii + s.by_false + s.by_other) for s in voted],
        color=ORANGE,
        linestyle="--",
    )
    for name, chosen in scores.rules(answers).items():
        marker, color = RULE_STYLE.get(name, ("o", BLUE))
        if name.endswith("P([O II])"):
            continue
        s, t = scores.sample(answers.truth, chosen), scores.sample(two.truth, chosen[pair])
        left.plot(100 * t.completeness, 100 * t.mixed, marker, color=color, label=name)
        right.plot(100 * s.completeness, 100 * (s.by_oii + s.by_false + s.by_other), marker, color=color)
    left.plot(99.1, 1.2, "*", color=VERMILLION, markersize=11, label="Davis et al. 2023, real data")
    left.set(
        xlabel="true Lyα kept (%)",
        ylabel="[O II] in it (%)",
        title="Lyα and [O II] alone",
        xlim=(50, 100.5),
        ylim=(0, 8),
    )
    right.set(
        xlabel="true Lyα kept (%)",
        ylabel="anything else in it (%)",
        title="all detections",
        xlim=(50, 100.5),
        ylim=(0, 60),
    )
    left.legend(frameon=False, fontsize=7.5, loc="upper left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def by_signal(answers: Answers, edges: np.ndarray, path: Path) -> None:
    """Mean P(Lyα) and the share of Lyα by S/N and by wavelength."""
    figure, grid = plt.subplots(1, 2, figsize=(9.2, 3.6), layout="constrained", sharey=True)
    waves = np.arange(3500.0, 5501.0, 200.0)
    for axes, values, limits, label in (
        (grid[0], answers.sn, edges, "S/N of the selection"),
        (grid[1], answers.wave_true, waves, "wavelength (Å)"),
    ):
        centers, mean, share, error = [], [], [], []
        for low, high in itertools.pairwise(limits):
            inside = (values >= low) & (values < high)
            n = int(inside.sum())
            if n < 20:
                continue
            centers.append(float(np.median(values[inside])))
            mean.append(float(answers.p("Lya")[inside].mean()))
            p = float((answers.truth[inside] == "Lya").mean())
            share.append(p)
            error.append(np.sqrt(p * (1 - p) / n))
        axes.errorbar(centers, share, error, color=BLACK, marker="o", capsize=2, label="share that is Lyα")
        axes.plot(centers, mean, color=BLUE, marker="s", linestyle="--", label="mean P(Lyα)")
        axes.set_xlabel(label)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_xscale("log")
    grid[0].set_xticks([5, 6, 8, 10, 20, 40], ["5", "6", "8", "10", "20", "40"])
    grid[0].set_xticks([], minor=True)
    grid[0].set_ylim(0, 1)
    grid[0].legend(frameon=False)
    _save(figure, path)
