"""The tools that are compared, each as the commands it needs for each operation.

A method returns the commands to be timed, or `None` where the tool has nothing for the operation.
The methods of one round are called in the order of `rounds.py`: a store is saved to and checked
out from, and one checkout follows the store from version to version.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .data import walk_files
from .measure import Command

Commands = list[Command] | None


class Tool:
    """One tool with one store, in a folder that is emptied at the start of each round."""

    name = ""
    program = ""
    about = ""
    # The only data sets that the tool is for; none: all.
    sets: tuple[str, ...] = ()

    def __init__(self, program: str | None = None) -> None:
        self.program = program or self.program
        self.home = Path()

    @property
    def store(self) -> Path:
        """What the tool keeps, as it counts for room on disk."""
        return self.home / "store"

    def installed(self) -> bool:
        """Whether the program can be run."""
        return shutil.which(self.program) is not None

    def version(self) -> str:
        """What the program says its version is."""
        return first_line(self.program, "--version")

    def restart(self, home: Path) -> None:
        """Begins a round with an empty `home`."""
        self.home = home
        for folder in (home, home / "user", home / "cache", home / "config"):
            folder.mkdir(parents=True, exist_ok=True)

    def env(self) -> dict[str, str]:
        """The environment: nothing of the user's own settings but the search path."""
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.home / "user"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
        } | {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}

    def prepare(self, source: Path) -> list[Command]:
        """Makes an empty store; not timed."""
        return []

    def pack(self) -> list[Command]:
        """Housekeeping between saving and checking out; not timed."""
        return []

    def first_import(self, source: Path) -> Commands:
        """Saves a folder into the empty store, durably."""
        return self.save(source)

    def save(self, source: Path) -> Commands:
        """Saves a folder into a store that has an older version of it, durably."""
        return None

    def save_unchanged(self, source: Path) -> Commands:
        """Finds that a folder is what was saved last."""
        return self.save(source)

    def checkout(self, target: Path) -> Commands:
        """Fills an empty folder with the newest version."""
        return None

    def checkout_unchanged(self, target: Path) -> Commands:
        """Finds that a checkout is the newest version."""
        return None

    def follow(self, target: Path) -> Commands:
        """Turns a checkout of the version before into the newest."""
        return None

    def link(self, target: Path) -> Commands:
        """Fills an empty folder with the newest version, as hard links into the store."""
        return None

    def diff(self) -> Commands:
        """Names what differs between the last two versions, and how."""
        return None

    def create_branches(self, names: list[str]) -> Commands:
        """Creates branches at the newest version, durably."""
        return None

    def _lines(self, name: str, lines: Iterable[str]) -> Path:
        """A file with these lines, for a command to read as its input."""
        file = self.home / name
        file.write_text("".join(f"{line}\n" for line in lines))
        return file


class Cas(Tool):
    """The store of this repository."""

    name = "cas"
    about = "`cas import`; `cas checkout`; `cas diff`; `cas branch create --stdin`"

    def env(self) -> dict[str, str]:
        return super().env() | {"CAS_STORE": str(self.store)}

    def prepare(self, source: Path) -> list[Command]:
        return [self._cas("init")]

    def save(self, source: Path) -> Commands:
        return [self._cas("import", source, "book", "-m", "bench")]

    def checkout(self, target: Path) -> Commands:
        return [self._cas("checkout", "book", target)]

    def checkout_unchanged(self, target: Path) -> Commands:
        return self.checkout(target)

    def follow(self, target: Path) -> Commands:
        return self.checkout(target)

    def link(self, target: Path) -> Commands:
        return [self._cas("checkout", "--link", "book", target)]

    def diff(self) -> Commands:
        return [self._cas("diff", "book@main~1", "book@main", "--name-status")]

    def create_branches(self, names: list[str]) -> Commands:
        return [self._cas("branch", "create", "book", "--stdin", stdin=self._lines("names", names))]

    def _cas(self, *words: object, stdin: Path | None = None) -> Command:
        return Command.of(self.program, "--actor", "bench", "--quiet", *words, stdin=stdin)


class Git(Tool):
    """git with its defaults, but every object synced one by one before a commit is done.

    The repository is bare, so that nothing is written into the folder that all tools share, and
    a checkout is a linked worktree: like a checkout of cas it comes with an index of its own, and
    can be asked what changed and be moved to another version.
    """

    name = "git"
    program = "git"
    about = (
        "`add -A && commit`, or `status` if unchanged; `worktree add`, `status`, `checkout`; "
        "`diff --name-status`; `update-ref --stdin`"
    )
    settings = {"core.fsync": "all", "core.fsyncMethod": "fsync"}

    def env(self) -> dict[str, str]:
        who = {"NAME": "Bench", "EMAIL": "bench@example.org"}
        return (
            super().env()
            | {f"GIT_{role}_{key}": who[key] for role in ("AUTHOR", "COMMITTER") for key in who}
            | {"GIT_CONFIG_NOSYSTEM": "1"}
        )

    def prepare(self, source: Path) -> list[Command]:
        settings = {"gc.auto": "0", "maintenance.auto": "false"} | self.settings
        self._keep_bytes()
        return [Command.of(self.program, "init", "-q", "-b", "main", "--bare", self.store)] + [
            self._bare("config", key, value) for key, value in settings.items()
        ]

    def save(self, source: Path) -> Commands:
        return [
            self._git(source, "add", "--all", "--force"),
            self._git(source, "commit", "-q", "-m", "bench"),
        ]

    def save_unchanged(self, source: Path) -> Commands:
        return [self._git(source, "status", "--porcelain")]

    def checkout(self, target: Path) -> Commands:
        return [self._bare("worktree", "add", "-q", "--detach", target, "main")]

    def checkout_unchanged(self, target: Path) -> Commands:
        return [Command.of(self.program, "status", "--porcelain", cwd=target)]

    def follow(self, target: Path) -> Commands:
        return [Command.of(self.program, "checkout", "-q", "--detach", "main", cwd=target)]

    def diff(self) -> Commands:
        # Only renames without an edit, as cas finds them: to look for others compares contents.
        words = ("--name-status", "--find-renames=100%")
        return [self._bare("diff", *words, "main~1", "main")]

    def create_branches(self, names: list[str]) -> Commands:
        tip = self._tip()
        lines = self._lines("refs", (f"create refs/heads/{name} {tip}" for name in names))
        return [self._bare("update-ref", "--stdin", stdin=lines)]

    def _tip(self) -> str:
        """The id of the newest version."""
        return first_line(self.program, "--git-dir", str(self.store), "rev-parse", "main")

    def _bare(self, *words: object, stdin: Path | None = None) -> Command:
        """A command that needs no folder but the repository."""
        return Command.of(self.program, "--git-dir", self.store, *words, stdin=stdin)

    def _git(self, source: Path, *words: object) -> Command:
        return Command.of(self.program, "--git-dir", self.store, "--work-tree", source, *words)

    def _keep_bytes(self) -> None:
        """Overrides any `.gitattributes` in a book: its bytes are to come back as they went in."""
        info = self.store / "info"
        info.mkdir(parents=True)
        (info / "attributes").write_text("* -text -ident -filter\n")


class GitTuned(Git):
    """git made as fast as its own settings can: syncs in batches, packed, checkout in parallel."""

    name = "git-tuned"
    about = "as git, with `core.fsyncMethod=batch`, `checkout.workers=0`, packed before checkouts"
    settings = {"core.fsync": "all", "core.fsyncMethod": "batch", "checkout.workers": "0"}

    def pack(self) -> list[Command]:
        return [self._bare("repack", "-a", "-d", "-q")]


class Cp(Tool):
    """A plain copy: the least that moving the bytes can cost, without names, history or checks."""

    name = "cp"
    program = "cp"
    about = "`cp -r` and `sync -f`; a checkout without the sync"

    def first_import(self, source: Path) -> Commands:
        return [Command.of("cp", "-r", source, self.store), Command.of("sync", "-f", self.store)]

    def save_unchanged(self, source: Path) -> Commands:
        return None

    def checkout(self, target: Path) -> Commands:
        return [Command.of("cp", "-r", self.store, target)]


class B3sumCp(Cp):
    """The floor for importing large files: to read them, to hash them and to copy them."""

    name = "b3sum+cp"
    program = "b3sum"
    about = "`b3sum` of every file, `cp -r` and `sync -f`; only an import, and only of `big`"
    # b3sum hashes one small file after the other, which says nothing about what must be.
    sets = ("big",)

    def first_import(self, source: Path) -> Commands:
        files = (source / path for path in walk_files(source))
        return [Command.of(self.program, *files), *(super().first_import(source) or [])]

    def checkout(self, target: Path) -> Commands:
        return None


class Rsync(Tool):
    """A copy that is brought up to date; it has one version and no history."""

    name = "rsync"
    program = "rsync"
    about = "`rsync -a --delete` both ways, and `sync -f` after saving"

    def save(self, source: Path) -> Commands:
        return [self._rsync(source, self.store), Command.of("sync", "-f", self.store)]

    def save_unchanged(self, source: Path) -> Commands:
        return [self._rsync(source, self.store)]

    def checkout(self, target: Path) -> Commands:
        return [self._rsync(self.store, target)]

    def checkout_unchanged(self, target: Path) -> Commands:
        return self.checkout(target)

    def follow(self, target: Path) -> Commands:
        return self.checkout(target)

    def _rsync(self, source: Path, target: Path) -> Command:
        return Command.of(self.program, "-a", "--delete", f"{source}/", f"{target}/")


class Ostree(Tool):
    """A content-addressed store of whole files, made for operating systems."""

    name = "ostree"
    program = "ostree"
    about = "`commit` into a bare-user-only repository; `checkout --force-copy`, or with hard links"

    def version(self) -> str:
        # The first line says only which program it is.
        return first_line("sh", "-c", f"{self.program} --version | grep Version")

    def prepare(self, source: Path) -> list[Command]:
        return [self._ostree("init", "--mode=bare-user-only")]

    def save(self, source: Path) -> Commands:
        words = ("--branch=main", "--canonical-permissions", "--no-xattrs", "--fsync=true")
        return [self._ostree("commit", *words, f"--tree=dir={source}")]

    def checkout(self, target: Path) -> Commands:
        return [self._ostree("checkout", "--user-mode", "--force-copy", "main", target)]

    def link(self, target: Path) -> Commands:
        words = ("--user-mode", "--require-hardlinks")
        return [self._ostree("checkout", *words, "main", target)]

    def _ostree(self, *words: object) -> Command:
        return Command.of(self.program, f"--repo={self.store}", *words)


class Restic(Tool):
    """A backup program that cuts files into chunks, compresses and encrypts them."""

    name = "restic"
    program = "restic"
    about = "`backup`; `restore latest`"

    def version(self) -> str:
        return first_line(self.program, "version")

    def env(self) -> dict[str, str]:
        return super().env() | {
            "RESTIC_REPOSITORY": str(self.store),
            "RESTIC_PASSWORD": "bench",
        }

    def prepare(self, source: Path) -> list[Command]:
        return [Command.of(self.program, "init", "-q")]

    def save(self, source: Path) -> Commands:
        return [Command.of(self.program, "backup", "-q", ".", cwd=source)]

    def checkout(self, target: Path) -> Commands:
        return [Command.of(self.program, "restore", "-q", "latest", "--target", target)]


class Borg(Tool):
    """A backup program that cuts files into chunks and compresses them; here unencrypted."""

    name = "borg"
    program = "borg"
    about = "`create`; `extract` of the newest archive"

    def __init__(self, program: str | None = None) -> None:
        super().__init__(program)
        self._archives = 0

    def restart(self, home: Path) -> None:
        super().restart(home)
        self._archives = 0

    def env(self) -> dict[str, str]:
        return super().env() | {
            "BORG_REPO": str(self.store),
            "BORG_BASE_DIR": str(self.home / "user"),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }

    def prepare(self, source: Path) -> list[Command]:
        return [Command.of(self.program, "init", "--encryption=none")]

    def save(self, source: Path) -> Commands:
        self._archives += 1
        return [Command.of(self.program, "create", f"::{self._archives}", ".", cwd=source)]

    def checkout(self, target: Path) -> Commands:
        target.mkdir(parents=True, exist_ok=True)
        return [Command.of(self.program, "extract", f"::{self._archives}", cwd=target)]


class Casync(Tool):
    """A store of compressed chunks of one stream, made for images of operating systems."""

    name = "casync"
    program = "casync"
    about = "chunks and compresses: `make` and `sync -f`; `extract`"
    # What the others keep of a file besides its bytes. To keep more, such as owners and times, is
    # the default, and to bring it back can need privileges.
    metadata = ("--with=permissions", "--with=symlinks")

    def __init__(self, program: str | None = None) -> None:
        super().__init__(program)
        self._indexes = 0

    def restart(self, home: Path) -> None:
        super().restart(home)
        self._indexes = 0

    def prepare(self, source: Path) -> list[Command]:
        # Without its folder the chunk store is not made.
        return [Command.of("mkdir", self.store)]

    def save(self, source: Path) -> Commands:
        self._indexes += 1
        return [self._casync("make", self._index, source), Command.of("sync", "-f", self.store)]

    def checkout(self, target: Path) -> Commands:
        return [self._casync("extract", self._index, target)]

    @property
    def _index(self) -> Path:
        return self.store / f"{self._indexes}.caidx"

    def _casync(self, verb: str, *words: object) -> Command:
        chunks = f"--store={self.store / 'default.castr'}"
        return Command.of(self.program, verb, *self.metadata, chunks, *words)


PEERS: list[type[Tool]] = [Git, GitTuned, Cp, B3sumCp, Rsync, Ostree, Restic, Borg, Casync]


def branch_names(count: int) -> list[str]:
    """Names of personal branches."""
    return [f"users/r{number:06}" for number in range(1, count + 1)]


def first_line(*argv: str) -> str:
    """The first line that a command prints."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if lines else "unknown"
