"""The operations, and the rounds in which every tool does each of them in turn."""

import os
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .data import DataSet, mirror
from .measure import (
    Command,
    Cost,
    disk_bytes,
    empty_large_files,
    peak_floor_kib,
    run_all,
    settle,
    verify,
)
from .tools import Commands, Tool, branch_names

CommandsOf = Callable[[Tool], Commands]

# How many branches are created at once.
BRANCHES = 10_000

# Files of at least this size are emptied when their round has ended; smaller ones hold little.
LARGE_BYTES = 32 * 1024

OPERATIONS = {
    "import": "first import, durable",
    "reimport": "import again, unchanged",
    "checkout": "checkout into an empty folder",
    "recheckout": "checkout again, unchanged",
    "link": "checkout into an empty folder, hard links",
    "change": "import of the next version, durable",
    "switch": "checkout moved to the next version",
    "diff": "what differs between the last two versions",
    "branches": f"{BRANCHES:,} branches created, durable",
}

# What must have been done, timed or not, before an operation can be.
NEEDS = {
    "import": set(),
    "reimport": {"import"},
    "checkout": {"import"},
    "recheckout": {"import", "checkout"},
    "link": {"import"},
    "change": {"import"},
    "switch": {"import", "checkout", "change"},
    "diff": {"import", "change"},
    "branches": {"import"},
}


@dataclass
class Results:
    """What one data set gave: costs by operation and tool, one per round, and sizes of stores."""

    data: DataSet
    peak_floor_kib: int
    costs: dict[str, dict[str, list[Cost]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    store_bytes: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))


class Rounds:
    """The rounds over one data set."""

    def __init__(self, data: DataSet, tools: list[Tool], wanted: list[str], scratch: Path) -> None:
        self._data = data
        self._tools = tools
        self._wanted = set(wanted)
        self._needed = self._wanted.union(*(NEEDS[operation] for operation in wanted))
        self._scratch = scratch
        self._number = 0
        self._log = scratch / "output.log"
        self._recording = False
        scratch.mkdir(parents=True, exist_ok=True)
        self._results = Results(data, peak_floor_kib(dict(os.environ), self._log))

    def run(self, rounds: int) -> Results:
        """One round to warm up, which counts for nothing, and then the rounds that count."""
        for number in range(rounds + 1):
            self._number = number
            self._recording = number > 0
            name = f"round {number} of {rounds}" if number else "warm-up"
            print(f"{self._data.name}: {name}", file=sys.stderr, flush=True)
            # Each round begins with another tool, so that none is always the one to follow cp.
            shift = number % len(self._tools)
            self._round(self._tools[shift:] + self._tools[:shift])
            # A round of the largest set fills tens of GB.
            empty_large_files(self._folder, LARGE_BYTES)
        return self._results

    def _round(self, tools: list[Tool]) -> None:
        first, *later = self._data.versions
        self._restart(tools, first)
        self._measure("import", tools, lambda tool: tool.first_import(self._source))
        if "reimport" in self._needed:
            self._measure_again("reimport", tools, lambda tool: tool.save_unchanged(self._source))
        self._pack(tools)
        self._note_sizes("first version", tools)
        if "checkout" in self._needed:
            self._measure("checkout", tools, lambda tool: tool.checkout(self._target(tool)))
            self._verify(tools, first)
        if "recheckout" in self._needed:
            self._measure_again(
                "recheckout", tools, lambda tool: tool.checkout_unchanged(self._target(tool))
            )
            self._verify(tools, first)
        if "link" in self._needed:
            self._measure("link", tools, lambda tool: tool.link(self._target(tool, "link")))
            self._verify(tools, first, "link")
        if "change" in self._needed:
            self._follow(tools, later)
            self._pack(tools)
            self._note_sizes("all versions", tools)
        if "diff" in self._needed:
            self._measure("diff", tools, lambda tool: tool.diff())
        if "branches" in self._needed:
            # Last, since it fills the store with what no other operation is to meet.
            names = branch_names(BRANCHES)
            self._measure("branches", tools, lambda tool: tool.create_branches(names))

    def _restart(self, tools: list[Tool], first: Path) -> None:
        """Empty stores and a source at its first version, all in new folders.

        Nothing is deleted before the last round of the last set: ext4 does not use the inodes of
        deleted files again for some minutes, and looking past thousands of them makes every new
        file slow.
        """
        mirror(first, self._source)
        for tool in tools:
            home = self._home(tool)
            tool.restart(home)
            self._untimed(tool, tool.prepare(self._source))

    def _follow(self, tools: list[Tool], versions: list[Path]) -> None:
        """Imports the later versions one by one, with the checkouts following each."""
        sums: dict[str, dict[str, Cost]] = {"change": {}, "switch": {}}
        for version in versions:
            mirror(version, self._source)
            self._add(sums["change"], tools, lambda tool: tool.save(self._source))
            if "switch" in self._needed:
                self._add(sums["switch"], tools, lambda tool: tool.follow(self._target(tool)))
                followers = [tool for tool in tools if tool.follow(self._target(tool)) is not None]
                self._verify(followers, version)
        for operation, costs in sums.items():
            self._record(operation, costs)

    def _measure(self, operation: str, tools: list[Tool], commands: CommandsOf) -> None:
        costs: dict[str, Cost] = {}
        self._add(costs, tools, commands)
        self._record(operation, costs)

    def _measure_again(self, operation: str, tools: list[Tool], commands: CommandsOf) -> None:
        """Measures the second time, when what the first had to find out is on record."""
        self._add({}, tools, commands)
        self._measure(operation, tools, commands)

    def _add(self, costs: dict[str, Cost], tools: list[Tool], commands: CommandsOf) -> None:
        """Runs every tool's commands in turn, and adds what they cost to `costs`."""
        for tool in tools:
            wanted = commands(tool)
            if wanted is not None:
                settle()
                cost = run_all(wanted, tool.env(), self._log)
                costs[tool.name] = costs.get(tool.name, Cost()) + cost

    def _record(self, operation: str, costs: dict[str, Cost]) -> None:
        if self._recording and operation in self._wanted:
            for name, cost in costs.items():
                self._results.costs[operation][name].append(cost)

    def _pack(self, tools: list[Tool]) -> None:
        for tool in tools:
            self._untimed(tool, tool.pack())

    def _untimed(self, tool: Tool, commands: list[Command]) -> None:
        run_all(commands, tool.env(), self._log)

    def _verify(self, tools: list[Tool], expected: Path, folder: str = "checkout") -> None:
        for tool in tools:
            if self._target(tool, folder).exists():
                verify(expected, self._target(tool, folder))

    def _note_sizes(self, when: str, tools: list[Tool]) -> None:
        for tool in tools:
            self._results.store_bytes[when][tool.name] = disk_bytes(tool.store)

    @property
    def _folder(self) -> Path:
        return self._scratch / f"round-{self._number}"

    @property
    def _source(self) -> Path:
        return self._folder / "source"

    def _home(self, tool: Tool) -> Path:
        return self._folder / tool.name

    def _target(self, tool: Tool, folder: str = "checkout") -> Path:
        return self._home(tool) / folder
