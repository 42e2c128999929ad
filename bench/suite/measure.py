"""Running one command and what it cost: wall time, peak memory, room on disk."""

import os
import shlex
import stat
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LAUNCH = Path(__file__).resolve().with_name("launch.py")


class BenchError(Exception):
    """Something that ends the run, told to the user as it is."""


@dataclass(frozen=True)
class Command:
    """One command line, the folder that it runs in, and the file that it reads as its input."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    stdin: Path | None = None

    @classmethod
    def of(cls, *argv: object, cwd: Path | None = None, stdin: Path | None = None) -> "Command":
        """A command from words and paths."""
        return cls(tuple(str(word) for word in argv), cwd, stdin)


@dataclass(frozen=True)
class Cost:
    """What commands took: their time in sum, and the largest peak of any of their processes."""

    seconds: float = 0.0
    peak_kib: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, max(self.peak_kib, other.peak_kib))


def run(command: Command, env: dict[str, str], log: Path) -> Cost:
    """Runs `command` to its end, with its output going to the file `log`.

    The peak is the largest of the command's process and of the children that it waited for, not
    their sum; nothing below `peak_floor_kib` is known.
    """
    # Isolated and without `site`, the launcher is as small as Python gets.
    launch = [sys.executable, "-I", "-S", str(LAUNCH), str(log), *command.argv]
    with open(command.stdin or os.devnull, "rb") as stdin:
        # The launcher reads nothing of it, and its child inherits it.
        done = subprocess.run(
            launch,
            cwd=command.cwd,
            env=env,
            stdin=stdin,
            stdout=subprocess.PIPE,
            check=False,
        )
    if done.returncode != 0:
        raise BenchError(f"could not run: {shlex.join(command.argv)}")
    seconds, peak_kib, code = done.stdout.split()
    if int(code) != 0:
        raise BenchError(f"exit code {int(code)} from: {shlex.join(command.argv)}\n{_tail(log)}")
    return Cost(float(seconds), int(peak_kib))


def run_all(commands: Iterable[Command], env: dict[str, str], log: Path) -> Cost:
    """Runs commands one after the other, each taken when the one before has ended."""
    return sum((run(command, env, log) for command in commands), Cost())


def peak_floor_kib(env: dict[str, str], log: Path) -> int:
    """The peak that a program which does nothing is seen to have; nothing below it is known."""
    return run(Command.of("true"), env, log).peak_kib


def settle() -> None:
    """Lets the disk come to rest, and the clock reach another second.

    What one tool left unwritten must not be paid for by the next. And git compares times by the
    second: a file as young as its index is read again, whichever tool's turn it is.
    """
    os.sync()
    time.sleep(1.1)


def disk_bytes(folder: Path) -> int:
    """The room that a folder takes on disk, each file counted once however many names it has."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            found = os.lstat(os.path.join(parent, name))
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * 512
    return total


def empty_large_files(folder: Path, size_bytes: int) -> None:
    """Gives back the room of the files of at least this size, and keeps the files themselves."""
    for parent, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(parent, name)
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode) and found.st_size >= size_bytes:
                # Stores keep their files from being written to.
                os.chmod(path, 0o600)
                os.truncate(path, 0)


def verify(expected: Path, found: Path) -> None:
    """Ends the run unless `found` equals `expected`: bytes, links and executable bits."""
    diff = subprocess.run(
        ["diff", "-r", "--no-dereference", "-x", ".cas", "-x", ".git", str(expected), str(found)],
        capture_output=True,
        check=False,
    )
    if diff.returncode != 0:
        text = (diff.stdout + diff.stderr).decode(errors="replace")
        raise BenchError(f"{found} differs from {expected}:\n{text[:2000]}")
    for parent, _, files in os.walk(expected):
        for name in files:
            path = Path(parent, name)
            other = found / path.relative_to(expected)
            if (os.lstat(path).st_mode ^ os.lstat(other).st_mode) & 0o100:
                raise BenchError(f"{other} has lost or gained its executable bit")


def _tail(log: Path) -> str:
    return log.read_bytes()[-2000:].decode(errors="replace").rstrip()
