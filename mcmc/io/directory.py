"""The run directory: what lies where, who is writing to it, and whether it belongs to this configuration.

run.json            configuration, its hash, versions, commit, machine; written once
burn_in.json        ladder and step sizes of every adaptation round, the barrier; written when burn-in ends
until_error.json    why a run with target errors stopped, and where
segments/           write-once results, `segment.py`
checkpoint/         the state to resume from, `checkpoint.py`
log.jsonl           one line an attempt: when, where, how it ended; for people, never read back as results
lock                process and host of the writer, while there is one, `lock.py`
"""

import hashlib
import json
import socket
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mcmc._version import __version__
from mcmc.config import RunConfig, config_differences, parse_config
from mcmc.errors import ConfigError, RunDirectoryError
from mcmc.io.atomic import make_directory, write_bytes_atomically
from mcmc.io.lock import Lock, holder_of, is_lock_file, locked
from mcmc.io.segment import segment_name

RUN_FILE = "run.json"
BURN_IN_FILE = "burn_in.json"
UNTIL_ERROR_FILE = "until_error.json"
_RUN_KEYS = {"physics_hash", "physics", "config"}


class RunDirectory:
    """Paths and rules of one run directory.

    Attributes:
        path: the directory.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoint"
        self.segments = self.path / "segments"

    def exists(self) -> bool:
        """True if a run was ever started here."""
        return (self.path / RUN_FILE).exists()

    def segment(self, index: int) -> Path:
        """Path of results file number `index`."""
        return self.segments / segment_name(index)

    def segment_paths(self) -> list[Path]:
        """The results files that are there, in order."""
        return sorted(self.segments.glob("segment-*.h5"))

    def open_for(self, config: RunConfig, facts: dict[str, Any]) -> None:
        """Create the directory, or check that it belongs to a configuration with the same physics.

        Raises:
            RunDirectoryError: it holds a run of another configuration (the differences are listed) or foreign files.
        """
        if self.exists():
            found = self.read_json(RUN_FILE)
            if found["physics_hash"] != config.physics_hash():
                lines = config_differences(found["physics"], config.physics())
                if _is_only_older(found["physics"], config):
                    raise RunDirectoryError(
                        f"{self.path} holds a run that mlp-gibbs {found.get('version')} started before it knew "
                        f"{', '.join(line.split(':')[0] for line in lines)}; this is {__version__}. Its results can be "
                        "read; to finish it, use the version that started it (run.json has its commit).",
                        differences=lines,
                    )
                raise RunDirectoryError(
                    f"{self.path} holds a run of another configuration (theirs -> yours):\n  "
                    + "\n  ".join(lines or ["only the version of the format differs"])
                    + "\nGive another --out, or the configuration that it was started with.",
                    differences=lines,
                )
            return
        self.make()
        self.write_json(
            RUN_FILE,
            {
                "physics_hash": config.physics_hash(),
                "physics": config.physics(),
                "config": config.model_dump(mode="json"),
                "version": __version__,
                "commit": _git_commit(),
                "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                **facts,
            },
        )

    def make(self) -> None:
        """Create the directory and its folders; one that is there already is left as it is.

        Raises:
            RunDirectoryError: it holds foreign files.   StorageError: it cannot be created.
        """
        if self.exists():
            return
        if self.path.exists() and not self._is_unused():
            raise RunDirectoryError(
                f"{self.path} exists and is not a run directory (no {RUN_FILE} in it). Give another --out."
            )
        for directory in (self.path, self.checkpoints, self.segments):
            make_directory(directory)

    def _is_unused(self) -> bool:
        """True if the directory holds nothing but what a run leaves that was killed before it wrote run.json."""
        if not self.path.is_dir():
            return False
        ours = {self.checkpoints, self.segments, self.path / f"{RUN_FILE}.part"}
        entries = [entry for entry in self.path.iterdir() if not is_lock_file(entry)]
        return all(entry in ours and (entry.is_file() or not any(entry.iterdir())) for entry in entries)

    def read_json(self, name: str) -> dict[str, Any]:
        """One of the JSON files of the directory.

        Raises:
            RunDirectoryError: missing or damaged.
        """
        path = self.path / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if name == RUN_FILE:
                return _checked_run_file(content)
            if not isinstance(content, dict):
                raise ValueError("it is no JSON object")
            return content
        except (FileNotFoundError, NotADirectoryError):
            raise RunDirectoryError(
                f"{self.path} is not a run directory: there is no {name} in it. "
                "Start a run with `mlp-gibbs run CONFIG.toml --out DIR`."
            ) from None
        except (OSError, ValueError) as error:
            raise RunDirectoryError(f"{path} is damaged ({error}). Restore it from a copy.") from None

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write one of the JSON files, whole or not at all; run.json with a checksum."""
        if name == RUN_FILE:
            content = {**content, "sha256": _digest(content)}
        write_bytes_atomically(self.path / name, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())

    def log(self, event: str, **facts: Any) -> None:
        """Append a line for people; a full disk does not stop the run for it."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, "host": socket.gethostname(), **facts}
        try:
            with open(self.path / "log.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            print(f"mlp-gibbs: log.jsonl not written: {error.strerror}", file=sys.stderr)

    def holder(self) -> dict[str, Any] | None:
        """Process and host that write here; None if nobody does, or a process of this machine that has died."""
        try:
            holder, is_dead = holder_of(self.path)
        except FileNotFoundError:
            return None
        return None if is_dead else holder

    def locked(self) -> AbstractContextManager[Lock]:
        """Hold the directory for writing: `lock.locked`."""
        return locked(self.path)


def _is_only_older(physics: dict[str, Any], config: RunConfig) -> bool:
    """True if the two differ by keys alone that did not exist then and have their default now."""
    try:
        return parse_config(physics).physics() == config.physics()
    except ConfigError:
        return False


def _checked_run_file(content: Any) -> dict[str, Any]:
    """The content of run.json without its checksum, which earlier versions did not write.

    Raises:
        ValueError: it was altered.
    """
    if not isinstance(content, dict) or not content.keys() >= _RUN_KEYS:
        raise ValueError(f"it lacks some of {', '.join(sorted(_RUN_KEYS))}")
    checksum = content.pop("sha256", None)
    if checksum not in (None, _digest(content)) or _digest(content["physics"]) != content["physics_hash"]:
        raise ValueError("its content does not match its checksum")
    return content


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _git_commit() -> str | None:
    """Commit of the source tree that this package runs from, with + if it was changed; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    try:
        if not (root / ".git").exists():
            return None
        run = ["git", "-C", str(root)]
        commit = subprocess.run([*run, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True)
        dirty = subprocess.run([*run, "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=5)
        return commit.stdout.strip() + ("+" if dirty.stdout.strip() else "")
    except (OSError, subprocess.SubprocessError):
        return None
