"""Pictures of a run: throughput over time, how latency is spread, and ratios beside what is to reach."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Picture

from fullhouse.operations.bench.figures import PERCENTILES, Curve, Load, Ratio
from fullhouse.operations.bench.run import Report

_BLUE: Final = "#2f6690"
_SHARE_MAX: Final = 4.0
_RED: Final = "#8c2f39"
COST_SHARE_MAX: Final = 1.2


def draw(report: Report, folder: Path) -> list[str]:
    """Draw everything that a run found into a folder; return the names of the files."""
    names: list[str] = []
    ratios = [each for section in report.sections for each in section.ratios]
    if ratios:
        names.append(_save(_ratios(ratios), folder, "ratios"))
    for section in report.sections:
        if section.loads:
            names.append(_save(_timelines(section.loads), folder, f"{section.name}-throughput"))
            names.append(_save(_latencies(section.loads), folder, f"{section.name}-latency"))
        if section.curves:
            names.append(_save(_curves(section.curves), folder, f"{section.name}-curves"))
    return names


def _ratios(ratios: Sequence[Ratio]) -> Picture:
    picture = Picture(figsize=(9, 0.6 * len(ratios) + 1.2), layout="constrained")
    axes: Any = picture.subplots()
    shares = [_share(each) for each in ratios]
    colours = [_BLUE if each.is_reached else _RED for each in ratios]
    axes.barh([each.name for each in ratios], shares, color=colours)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.set_xlabel("share of what is to reach (1 is reached)")
    return picture


def _share(ratio: Ratio) -> float:
    """Return how much of it is reached; no bar is so long that the others cannot be read."""
    if not ratio.is_most:
        return min(_SHARE_MAX, ratio.median / ratio.to_reach)
    return min(_SHARE_MAX, ratio.to_reach / ratio.median) if ratio.median > 0 else _SHARE_MAX


def _timelines(loads: Sequence[Load]) -> Picture:
    picture = Picture(figsize=(9, 2.4 * len(loads)), layout="constrained")
    for number, load in enumerate(loads):
        axes: Any = picture.add_subplot(len(loads), 1, number + 1)
        for outcome, values in sorted(load.timeline.items()):
            axes.plot(range(len(values)), values, label=outcome, drawstyle="steps-post")
        axes.set_title(load.name, fontsize=9)
        axes.set_ylabel("answers/s")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8)
    return picture


def _latencies(loads: Sequence[Load]) -> Picture:
    picture = Picture(figsize=(9, 4), layout="constrained")
    axes: Any = picture.subplots()
    names = [f"p{wanted:g}" for wanted in PERCENTILES]
    for load in loads:
        for outcome, values in sorted(load.latencies_ms.items()):
            axes.plot(names, [max(value, 0.01) for value in values], marker="o", label=f"{load.name}: {outcome}")
    axes.set_yscale("log")
    axes.set_ylabel("ms from when it was due")
    axes.legend(fontsize=7)
    return picture


def _curves(curves: Sequence[Curve]) -> Picture:
    """Draw each as shares of its smallest case, beside the most that it may be."""
    groups = dict.fromkeys(curve.group or curve.name for curve in curves)
    picture = Picture(figsize=(9, 2.8 * len(groups)), layout="constrained")
    for number, group in enumerate(groups):
        axes: Any = picture.add_subplot(len(groups), 1, number + 1)
        drawn = [curve for curve in curves if (curve.group or curve.name) == group]
        for curve in drawn:
            shares = [y / curve.points[0][1] for _, y in curve.points]
            axes.plot([f"{x:,.0f}" for x, _ in curve.points], shares, marker="o", label=curve.name.partition(",")[0])
        axes.axhline(COST_SHARE_MAX, color=_RED, linewidth=1)
        axes.set_title(group, fontsize=9)
        axes.set_xlabel(drawn[0].x_name)
        axes.set_ylabel("cost, of the smallest case")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8)
    return picture


def _save(picture: Picture, folder: Path, name: str) -> str:
    canvas: Any = FigureCanvasSVG(picture)
    canvas.print_svg(str(folder / f"{name}.svg"), metadata={"Date": None})
    return f"{name}.svg"
