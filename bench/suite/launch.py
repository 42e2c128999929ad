"""Runs one command and prints what it cost: `launch.py LOG PROGRAM ARGUMENT...`.

A process of its own, and one that imports next to nothing: the kernel counts what the parent held
at the fork into the child's peak (`ru_maxrss`), so the parent had better be small, and always the
same. The line printed is the seconds, the peak in KiB and the exit code.
"""

import os
import sys
import time


def main(log: str, argv: list[str]) -> None:
    """Runs `argv` with its output going to the file `log`."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    redirect = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    started = time.monotonic()
    child = os.posix_spawnp(argv[0], argv, os.environ, file_actions=redirect)
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - started
    print(seconds, usage.ru_maxrss, os.waitstatus_to_exitcode(status))


main(sys.argv[1], sys.argv[2:])
