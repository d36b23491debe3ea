"""The directory of a study: what lies where, what is done, and whether it belongs to the study.

study.json       the resolved study, its items with the hash of their physics, and versions
items/NAME/      run directories
logs/            what the engine and the items said
lock             process and host that drives the study, while there is one
"""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mcmc._version import __version__
from mcmc.errors import RunDirectoryError
from mcmc.io.atomic import storage_error, write_bytes_atomically
from mcmc.io.directory import RUN_FILE, RunDirectory
from mcmc.study.config import Study
from mcmc.study.items import StudyItem

SCHEMA, SCHEMA_VERSION = "mlp-gibbs study", 1
STUDY_FILE = "study.json"


class StudyDirectory:
    """Paths and rules of one study directory.

    Attributes:
        path: the directory.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.items = self.path / "items"
        self.logs = self.path / "logs"

    def exists(self) -> bool:
        """A study was started here."""
        return (self.path / STUDY_FILE).exists()

    def make(self) -> None:
        """Create the folders, which the lock needs.

        Raises:
            RunDirectoryError: something is there that is not a study; nothing is changed.
            StorageError:      it cannot be written.
        """
        if not self.exists() and self.path.exists() and (not self.path.is_dir() or self._foreign()):
            raise RunDirectoryError(
                f"{self.path} exists and is not a study (no {STUDY_FILE} in it). Give another --out."
            )
        try:
            self.items.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
        except OSError as error:
            raise storage_error(self.path, error) from error

    def open_for(self, study: Study) -> None:
        """Write down the study, or check that the directory belongs to it; it may have grown since.

        A study may get more networks, more sizes or more settings; what is there already must stay a part of it.

        Raises:
            RunDirectoryError: it holds another study or something else; nothing is changed.
            StorageError:      it cannot be written.
        """
        self.make()
        content = _content(study)
        if self.exists() and self.check(study) == content["study"]:
            return
        write_bytes_atomically(self.path / STUDY_FILE, (json.dumps(content, indent=1) + "\n").encode())

    def check(self, study: Study) -> dict[str, Any]:
        """The identity of what was started here, after checking that it is a part of this study.

        Raises:
            RunDirectoryError: it is not, or nothing was started here.
        """
        found = self._read()
        self._refuse_another(found["items"], _hashes(study))
        return found["study"]

    def study(self) -> Study:
        """The study that was started here.

        Raises:
            RunDirectoryError: there is none, or its file is damaged.
        """
        content = self._read()
        try:
            return Study.from_identity(content["study"])
        except (KeyError, TypeError, AttributeError) as error:
            raise RunDirectoryError(f"{self.path / STUDY_FILE} is damaged ({error!r}). Restore it.") from None

    def run_directory(self, item: StudyItem) -> RunDirectory:
        """Where the item is run."""
        return RunDirectory(self.items / item.name)

    def is_completed(self, item: StudyItem) -> bool:
        """Every results file of the item is there (each is written whole or not at all).

        Raises:
            RunDirectoryError: its directory holds another run.
        """
        directory = self.run_directory(item)
        if not directory.exists():
            return False
        if directory.read_json(RUN_FILE)["physics_hash"] != item.config.physics_hash():
            raise RunDirectoryError(
                f"{directory.path} holds a run of another configuration than its study. Move it away, and run the "
                "study again.",
                item=item.name,
            )
        return len(directory.segment_paths()) == item.config.n_segments

    def completed(self) -> list[StudyItem]:
        """Finished items of the study, in order."""
        return [item for item in self.study().items() if self.is_completed(item)]

    def missing(self) -> list[StudyItem]:
        """Items of the study that are not finished, in order."""
        return [item for item in self.study().items() if not self.is_completed(item)]

    def _read(self) -> dict[str, Any]:
        path = self.path / STUDY_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or content.get("schema") != SCHEMA:
                raise ValueError(f"its schema is not {SCHEMA!r}")
            if content["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"schema version {content['schema_version']}, expected {SCHEMA_VERSION}")
            if not isinstance(content["items"], dict):
                raise ValueError("items is no table")
            content["study"]
            return content
        except (FileNotFoundError, NotADirectoryError):
            raise RunDirectoryError(
                f"{self.path} is not a study: there is no {STUDY_FILE} in it. "
                "Start one with `mlp-gibbs study run STUDY.toml --out DIR`."
            ) from None
        except (OSError, ValueError, KeyError) as error:
            raise RunDirectoryError(f"{path} is damaged ({error}). Restore it from a copy.") from None

    def _refuse_another(self, theirs: dict[str, str], yours: dict[str, str]) -> None:
        gone = sorted(theirs.keys() - yours.keys())
        changed = sorted(name for name in theirs.keys() & yours.keys() if theirs[name] != yours[name])
        if not gone and not changed:
            return
        lines = [f"{len(names)} items {what}, such as {names[0]}" for names, what in _reasons(gone, changed) if names]
        raise RunDirectoryError(
            f"{self.path} holds another study: " + "; ".join(lines) + ". A study can grow (by more sizes, settings, "
            "or whole items of item_networks), not change. Give another --out, or the study that it was started with.",
            gone=gone,
            changed=changed,
        )

    def _foreign(self) -> bool:
        """Holds more than what is left when a study is killed before its file is written."""
        ours = {self.items, self.logs, self.path / "lock", self.path / f"{STUDY_FILE}.part"}
        return any(entry not in ours or (entry.is_dir() and any(entry.iterdir())) for entry in self.path.iterdir())


def _reasons(gone: list[str], changed: list[str]) -> list[tuple[list[str], str]]:
    return [(gone, "are not in yours"), (changed, "have another configuration")]


def _content(study: Study) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "versions": _versions(),
        "study": study.identity(),
        "items": _hashes(study),
    }


def _hashes(study: Study) -> dict[str, str]:
    return {item.name: item.config.physics_hash() for item in study.items()}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("torch", "numpy", "h5py", "parsl"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
