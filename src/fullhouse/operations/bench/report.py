"""A run written down: as text for the terminal, Markdown for people, JSON for machines."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from math import isfinite

from fullhouse.operations.bench.figures import Load, Section
from fullhouse.operations.bench.run import Report

_SHOWN = (50.0, 99.0, 99.9)


def as_json(report: Report) -> str:
    """Write everything, each round by itself."""
    return json.dumps(asdict(report), default=str, indent=1, ensure_ascii=False) + "\n"


def as_markdown(report: Report, pictures: Iterable[str] = ()) -> str:
    """Write the tables: ratios first, then each scenario. ``pictures`` are files beside it."""
    lines = ["# A run of the benchmarks", ""]
    lines += [f"- {name}: {value}" for name, value in {"began": report.began_at, **report.machine}.items()]
    plan = report.plan
    lines += [
        f"- {plan.rounds} rounds by turns, {plan.seconds:g} s each, {plan.connections} connections",
        "- the generator of the load, the product and its database share the processors",
        "",
        "## Ratios",
        "",
        "| ratio | median | lowest to highest | to reach | |",
        "|---|---|---|---|---|",
    ]
    for section in report.sections:
        for each in section.ratios:
            sign = "≤" if each.is_most else "≥"
            spread = f"{min(each.values):.2f} to {max(each.values):.2f}"
            verdict = "reached" if each.is_reached else "**not reached**"
            lines.append(f"| {each.name} | {each.median:.2f} | {spread} | {sign} {each.to_reach:g} | {verdict} |")
    for section in report.sections:
        lines += ["", *_section(section)]
    lines += ["", *(f"![{name}]({name})" for name in pictures)]
    return "\n".join(lines).rstrip() + "\n"


def as_text(section: Section) -> str:
    """Write one scenario for the terminal."""
    lines = [section.name]
    lines += [f"  {each.name:<58}{_number(each.median):>12}{each.unit}" for each in section.figures]
    for each in section.ratios:
        sign = "at most" if each.is_most else "at least"
        lines.append(f"  {each.name:<58}{each.median:>12.2f}  ({sign} {each.to_reach:g})")
    lines += [f"  {_load_in_words(load)}" for load in section.loads]
    for curve in section.curves:
        points = ", ".join(f"{_number(x)}: {_number(y)}" for x, y in curve.points)
        lines.append(f"  {curve.name} ({curve.y_name} by {curve.x_name}): {points}")
    lines += [f"  {note}" for note in section.notes]
    lines += [f"  BROKEN: {complaint}" for complaint in section.broken]
    return "\n".join(lines)


def _section(section: Section) -> list[str]:
    lines = [f"## {section.name}", "", section.says, ""]
    if section.figures:
        lines += ["| figure | median | lowest to highest |", "|---|---|---|"]
        for each in section.figures:
            spread = f"{_number(min(each.values))} to {_number(max(each.values))}"
            lines.append(f"| {each.name} | {_number(each.median)}{each.unit} | {spread} |")
        lines.append("")
    if section.loads:
        heads = " | ".join(f"p{wanted:g} ms" for wanted in _SHOWN)
        lines += [f"| load | offered/s | outcome | answers | {heads} |", "|---" * (4 + len(_SHOWN)) + "|"]
        for load in section.loads:
            for outcome, number in sorted(load.counts.items()):
                cells = " | ".join(f"{load.percentile(outcome, wanted):,.1f}" for wanted in _SHOWN)
                lines.append(f"| {load.name} | {_number(load.offered_per_second)} | {outcome} | {number:,} | {cells} |")
        lines.append("")
    for curve in section.curves:
        lines += [f"| {curve.x_name} | {curve.y_name} ({curve.name}) |", "|---|---|"]
        lines += [f"| {_number(x)} | {_number(y)} |" for x, y in curve.points]
        lines.append("")
    lines += [f"- {note}" for note in section.notes]
    lines += [f"- **broken**: {complaint}" for complaint in section.broken]
    return lines


def _load_in_words(load: Load) -> str:
    parts: list[str] = []
    for outcome, number in sorted(load.counts.items()):
        middle, late = load.percentile(outcome, 50.0), load.percentile(outcome, 99.0)
        parts.append(f"{number:,} {outcome} (p50 {middle:,.1f} ms, p99 {late:,.1f})")
    return f"{load.name}, {_number(load.offered_per_second)}/s offered: {'; '.join(parts)}"


def _number(value: float) -> str:
    if not isfinite(value):
        return "never"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
