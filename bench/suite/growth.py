"""How work on one branch grows with the number of branches, and with the length of history.

Stores of the same book that differ in one size alone do the same work in turn. What is measured
leaves a store as it was, but for a few versions more in each round, the same in all.
"""

import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from .data import DataSet, mirror
from .measure import Command, Cost, run_all, settle, verify
from .report import table
from .tools import Cas, Commands, Git, branch_names

OPERATIONS = {
    "reimport": "import again, unchanged",
    "recheckout": "checkout again, unchanged",
    "checkout": "checkout into an empty folder",
    "change": "import of 1 % changed, and of the first again",
    "switch": "checkout moved to it, and back",
    "ls": "list the root folder",
    "branch": "show one branch",
}

# What grows.
TITLES = {
    "branches": "By the number of branches",
    "versions": "By the number of versions in the history",
}

SIZES = [1_000, 10_000, 100_000]
QUICK_SIZES = [100, 1_000, 10_000]


class GrowingCas(Cas):
    """A store of cas with many branches or versions."""

    def __init__(self, program: str, long_history: Path) -> None:
        super().__init__(program)
        self._long_history = long_history

    def with_branches(self, source: Path, count: int) -> Iterator[Command]:
        """Makes a store with so many branches."""
        yield from self.prepare(source)
        yield from self.first_import(source) or []
        yield from self.create_branches(branch_names(count)) or []

    def with_versions(self, source: Path, count: int) -> Iterator[Command]:
        """Makes a store with so many versions, the last of them `source`, and one branch."""
        yield Command.of(self._long_history, self.store, count, source)
        yield from self.create_branches(branch_names(1)) or []

    def list_root(self) -> Commands:
        """Names what is in the root folder of the newest version."""
        return [self._cas("ls", "book")]

    def show_branch(self, name: str) -> Commands:
        """Says where a branch is, and how many versions it and main are apart."""
        return [self._cas("branch", "show", f"book@{name}")]


class GrowingGit(Git):
    """A repository of git with many branches or versions, packed as `git gc` would leave them."""

    def with_branches(self, source: Path, count: int) -> Iterator[Command]:
        """Makes a repository with so many branches."""
        yield from self.prepare(source)
        yield from self.first_import(source) or []
        # Packed by hand: `pack-refs` would delete as many files as there are branches, and slow
        # down all that comes after.
        head, tip = "# pack-refs with: peeled fully-peeled sorted ", self._tip()
        refs = (f"{tip} refs/heads/{name}" for name in sorted(branch_names(count)))
        yield Command.of("mv", self._lines("refs", [head, *refs]), self.store / "packed-refs")

    def with_versions(self, source: Path, count: int) -> Iterator[Command]:
        """Makes a repository with so many versions, the last of them `source`, and one branch."""
        yield from self.prepare(source)
        yield from self.first_import(source) or []
        history = self._lines("history", self._history(count - 1))
        yield self._bare("fast-import", "--quiet", stdin=history)
        yield from self.create_branches(branch_names(1)) or []

    def list_root(self) -> Commands:
        """Names what is in the root folder of the newest version."""
        return [self._bare("ls-tree", "--name-only", "main")]

    def show_branch(self, name: str) -> Commands:
        """Says how many versions a branch and main are apart."""
        return [self._bare("rev-list", "--left-right", "--count", f"{name}...main")]

    def _history(self, count: int) -> Iterator[str]:
        """So many commits for fast-import, each changing one file that the last removes."""
        for number in range(1, count + 1):
            yield "commit refs/heads/main"
            yield f"committer Bench <bench@example.org> {1_700_000_000 + number} +0000"
            yield from ("data 5", "bench")
            if number == 1:
                yield "from refs/heads/main^0"
            if number == count:
                yield "D history.md"
            else:
                text = f"Version {number}"
                yield from ("M 100644 inline history.md", f"data {len(text)}", text)


Grower = GrowingCas | GrowingGit
CommandsOf = Callable[[Grower], Commands]
Samples = dict[str, dict[str, dict[int, list[Cost]]]]


class Growth:
    """The rounds over stores of several sizes; samples are by operation, tool and size."""

    def __init__(
        self, data: DataSet, tools: Callable[[], list[Grower]], sizes: list[int], scratch: Path
    ) -> None:
        self._versions = data.versions[:2]
        self._subjects = [(size, tool) for size in sizes for tool in tools()]
        self._scratch = scratch
        self._log = scratch / "output.log"
        self._source = scratch / "source"
        self._round = 0
        self._samples: Samples = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        scratch.mkdir(parents=True, exist_ok=True)

    def run(self, what: str, rounds: int) -> Samples:
        """Makes the stores, one round to warm up, and then the rounds that count.

        Nothing is deleted, for the reason that `Rounds` has: every round has folders of its own.
        """
        mirror(self._versions[0], self._source)
        for size, tool in self._subjects:
            print(f"{what}: making {size:,} for {tool.name}", file=sys.stderr, flush=True)
            tool.restart(self._scratch / f"{tool.name}-{size}")
            make = tool.with_branches if what == "branches" else tool.with_versions
            run_all(make(self._source, size), tool.env(), self._log)
        for number in range(rounds + 1):
            self._round = number
            name = f"round {number} of {rounds}" if number else "warm-up"
            print(f"{what}: {name}", file=sys.stderr, flush=True)
            self._one_round()
            # Each round begins with another store.
            self._subjects = self._subjects[1:] + self._subjects[:1]
        return self._samples

    def _one_round(self) -> None:
        self._measure("checkout", lambda tool: tool.checkout(self._target(tool)))
        # The first of each may have to find out what the second finds on record.
        for operation in (None, "recheckout"):
            self._measure(operation, lambda tool: tool.checkout_unchanged(self._target(tool)))
        self._verify(self._versions[0])
        for operation in (None, "reimport"):
            self._measure(operation, lambda tool: tool.save_unchanged(self._source))
        self._measure("ls", lambda tool: tool.list_root())
        # No branch but the first is in all stores.
        self._measure("branch", lambda tool: tool.show_branch(branch_names(1)[0]))
        there = self._move(self._versions[1])
        back = self._move(self._versions[0])
        for operation, costs in there.items():
            for place, cost in costs.items():
                self._record(operation, place, cost + back[operation][place])

    def _move(self, version: Path) -> dict[str, dict[int, Cost]]:
        """Imports a version and lets the checkouts follow; what it cost, by operation and store."""
        mirror(version, self._source)
        costs = {
            "change": self._time(lambda tool: tool.save(self._source)),
            "switch": self._time(lambda tool: tool.follow(self._target(tool))),
        }
        self._verify(version)
        return costs

    def _measure(self, operation: str | None, commands: CommandsOf) -> None:
        """Times one operation in all stores; without a name it counts for nothing."""
        costs = self._time(commands)
        if operation is not None:
            for place, cost in costs.items():
                self._record(operation, place, cost)

    def _time(self, commands: CommandsOf) -> dict[int, Cost]:
        """What every store's commands cost, by the store's place among the subjects."""
        costs = {}
        for place, (_, tool) in enumerate(self._subjects):
            wanted = commands(tool) or []
            settle()
            costs[place] = run_all(wanted, tool.env(), self._log)
        return costs

    def _record(self, operation: str, place: int, cost: Cost) -> None:
        size, tool = self._subjects[place]
        if self._round > 0:
            self._samples[operation][tool.name][size].append(cost)

    def _verify(self, expected: Path) -> None:
        for _, tool in self._subjects:
            verify(expected, self._target(tool))

    def _target(self, tool: Grower) -> Path:
        return tool.home / f"checkout-{self._round}"


def markdown(title: str, samples: Samples, sizes: list[int]) -> str:
    """The medians, one column for each size, and how the largest compares with the smallest."""
    rows = []
    for operation, about in OPERATIONS.items():
        # cas before git, whichever store began.
        for name, by_size in sorted(samples[operation].items()):
            medians = [statistics.median(cost.seconds for cost in by_size[n]) for n in sizes]
            times = [f"{seconds:.3f}" for seconds in medians]
            rows.append([about, name, *times, f"{medians[-1] / medians[0]:.2f}"])
    header = ["operation, median s", "tool", *(f"{size:,}" for size in sizes), "last ÷ first"]
    return f"### {title}\n\n{table(header, rows)}\n"


def raw(samples: Samples) -> dict[str, object]:
    """Every sample, in seconds, by operation, tool and size."""
    return {
        operation: {
            name: {size: [cost.seconds for cost in costs] for size, costs in by_size.items()}
            for name, by_size in by_tool.items()
        }
        for operation, by_tool in samples.items()
    }
