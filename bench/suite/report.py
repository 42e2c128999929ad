"""The results as Markdown tables for people and as JSON for programs."""

import os
import platform
import statistics
import subprocess
from pathlib import Path

from .data import MIB
from .measure import Cost
from .rounds import OPERATIONS, Results
from .tools import Tool

BASE = "cas"


def environment(tools: list[Tool], scratch: Path) -> dict[str, object]:
    """Where the numbers come from."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB,
        "file_system": _file_system(scratch),
        "tools": {tool.name: tool.version() for tool in tools},
    }


def markdown(results: Results) -> str:
    """The tables of one data set."""
    title = f"### {results.data.name}: {results.data.describe()}"
    return "\n\n".join([title, _costs(results), _sizes(results)]) + "\n"


def legend(tools: list[Tool], rounds: int) -> str:
    """What the columns and tools mean."""
    return "\n".join(
        [
            f"Rounds: {rounds}. `cas ÷` is the median over the rounds of cas's time by the tool's "
            "time in the same round: below 1, cas is faster. A set of more than two versions is "
            "walked to its end, and the times of the steps are added up. A peak marked ≤ is too "
            "small to be told from that of a program that does nothing.",
            "",
            *(f"- {tool.name}: {tool.about}" for tool in tools),
        ]
    )


def raw(results: Results) -> dict[str, object]:
    """Every sample of one data set."""
    return {
        "set": results.data.name,
        "about": results.data.describe(),
        "peak_floor_kib": results.peak_floor_kib,
        "operations": {
            operation: {
                name: [{"seconds": cost.seconds, "peak_kib": cost.peak_kib} for cost in costs]
                for name, costs in by_tool.items()
            }
            for operation, by_tool in results.costs.items()
        },
        "store_bytes": {when: dict(sizes) for when, sizes in results.store_bytes.items()},
    }


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, all columns but the first to the right."""
    lines = [header, ["---" if i < 1 else "---:" for i in range(len(header))], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _costs(results: Results) -> str:
    rows = []
    for operation in OPERATIONS:
        by_tool = results.costs.get(operation, {})
        for name in sorted(by_tool, key=lambda name: name != BASE):
            rows.append(
                [OPERATIONS[operation], name, *_times(by_tool[name])]
                + [_ratio(by_tool, name), _peak(by_tool[name], results.peak_floor_kib)]
            )
    header = ["operation", "tool", "median s", "min–max s", "cas ÷", "peak MiB"]
    return table(header, rows)


def _times(costs: list[Cost]) -> list[str]:
    seconds = [cost.seconds for cost in costs]
    return [f"{statistics.median(seconds):.3f}", f"{min(seconds):.3f}–{max(seconds):.3f}"]


def _ratio(by_tool: dict[str, list[Cost]], name: str) -> str:
    """The median of the ratios within each round, so that what slowed a round cancels out."""
    if name == BASE or BASE not in by_tool:
        return ""
    pairs = zip(by_tool[BASE], by_tool[name], strict=True)
    return f"{statistics.median(ours.seconds / theirs.seconds for ours, theirs in pairs):.2f}"


def _peak(costs: list[Cost], floor_kib: int) -> str:
    peak_kib = statistics.median(cost.peak_kib for cost in costs)
    # The floor itself differs by a few pages from one start to the next.
    below = peak_kib <= floor_kib * 1.05
    return f"{'≤ ' if below else ''}{peak_kib / 1024:.0f}"


def _sizes(results: Results) -> str:
    """Room on disk by tool; the columns are the moments at which it was looked at."""
    moments = list(results.store_bytes)
    names = results.store_bytes[moments[0]]
    rows = [
        [name, *(f"{results.store_bytes[when][name] / MIB:.1f}" for when in moments)]
        for name in sorted(names, key=lambda name: name != BASE)
    ]
    return table(["store on disk", *(f"{when}, MiB" for when in moments)], rows)


def _file_system(folder: Path) -> str:
    done = subprocess.run(
        ["df", "--output=fstype", str(folder)], capture_output=True, text=True, check=False
    )
    return (done.stdout.split() or ["unknown"])[-1]
