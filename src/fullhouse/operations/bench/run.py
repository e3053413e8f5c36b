"""Run scenarios, each on a house of its own, and collect what they found."""

import gc
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fullhouse.infra.system import now
from fullhouse.operations.bench.bench import Advance, Plan, prepare
from fullhouse.operations.bench.catalogue import SCENARIOS
from fullhouse.operations.bench.figures import Section
from fullhouse.operations.bench.house import running_house

_PROCESSES: Final = {"recovery": 2}
"""API processes of the houses in which one is killed; the others have one."""

_SETTINGS: Final = {
    "FULLHOUSE_RATE_LIMITS": "off",
    "FULLHOUSE_SIMULATED_PAYMENTS": "on",
    "FULLHOUSE_STREAM_CONNECTIONS_MAX": "20000",
}


@dataclass(frozen=True, slots=True)
class Report:
    """One run: on what, when, and what was found."""

    began_at: str
    machine: dict[str, str]
    plan: Plan
    sections: list[Section] = field(default_factory=list[Section])

    @property
    def broken(self) -> list[str]:
        """Every promise that did not hold, with its scenario."""
        return [f"{section.name}: {complaint}" for section in self.sections for complaint in section.broken]


async def run(names: Sequence[str], plan: Plan, advance: Advance) -> Report:
    """Run scenarios by name, in order. Everything they start ends with them."""
    report = Report(now().isoformat(timespec="seconds"), describe_machine(), plan)
    base = plan.folder.absolute()
    base.mkdir(parents=True, exist_ok=True)
    _spare_the_collector()
    for name in names:
        with tempfile.TemporaryDirectory(dir=base, prefix=f"{name}-") as folder:
            try:
                section = await _run_one(name, Path(folder), plan, advance)
            except Exception as error:  # noqa: BLE001 (what the others found is worth more than where it stood)
                section = Section(name, "It did not come to its end.", broken=[f"it ended early: {error!r}"])
            report.sections.append(section)
    return report


async def _run_one(name: str, folder: Path, plan: Plan, advance: Advance) -> Section:
    async with running_house(folder, processes=_PROCESSES.get(name, 1), settings=_SETTINGS) as house:
        bench = await prepare(plan, house, lambda step: advance(f"{name}: {step}"))
        return await SCENARIOS[name](bench)


def _spare_the_collector() -> None:
    """Let it look seldom: it would find records of answers, again and again, while others are due to be sent."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def describe_machine() -> dict[str, str]:
    """Say on what was measured: processors, memory, system and interpreter."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processors": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{memory / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
