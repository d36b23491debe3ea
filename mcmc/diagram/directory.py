"""The directory of a phase diagram: what lies where, and whether it belongs to the request.

diagram.json         what was asked for, and the version that was
items/item-*.h5      one write-once file for each finished item: what resuming goes by
diagram.h5           all items in one file, once all are there
lock                 process and host of the writer, while there is one
"""

import json
from pathlib import Path
from typing import Any

from mcmc._version import __version__
from mcmc.diagram.layout import pack, unpack
from mcmc.diagram.request import DiagramRequest, Item
from mcmc.diagram.solve import ItemResult
from mcmc.errors import RunDirectoryError, SegmentError
from mcmc.io.arrays import read_arrays, write_arrays
from mcmc.io.atomic import make_directory, storage_error, write_bytes_atomically
from mcmc.io.lock import is_lock_file

SCHEMA, SCHEMA_VERSION = "mlp-gibbs phase diagram", 1
REQUEST_FILE, RESULT_FILE = "diagram.json", "diagram.h5"


class DiagramDirectory:
    """Paths and rules of one directory.

    Attributes:
        path: the directory.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.items = self.path / "items"
        self.result = self.path / RESULT_FILE

    def exists(self) -> bool:
        """A diagram was started here."""
        return (self.path / REQUEST_FILE).exists()

    def open_for(self, request: DiagramRequest) -> None:
        """Create the directory, or check that it belongs to this request.

        Raises:
            RunDirectoryError: it holds another diagram (the differences are listed) or something else.
            StorageError:      it cannot be written.
        """
        if self.exists():
            differences = _differences(self._identity(), request.identity())
            if differences:
                raise RunDirectoryError(
                    f"{self.path} holds another phase diagram (theirs -> yours):\n  "
                    + "\n  ".join(differences)
                    + "\nGive another --out, or the options that it was started with.",
                    differences=differences,
                )
            return
        self.make()
        content = {"schema": SCHEMA, "version": __version__, "request": request.identity()}
        write_bytes_atomically(self.path / REQUEST_FILE, (json.dumps(content, indent=1) + "\n").encode())

    def make(self) -> None:
        """Create the directory; one that is there already is left as it is.

        Raises:
            RunDirectoryError: it holds something else.   StorageError: it cannot be created.
        """
        if self.exists():
            return
        try:
            is_foreign = self.path.exists() and (not self.path.is_dir() or self._foreign())
        except OSError as error:
            raise storage_error(self.path, error) from error
        if is_foreign:
            raise RunDirectoryError(
                f"{self.path} exists and is not a phase diagram (no {REQUEST_FILE} in it). Give another --out."
            )
        make_directory(self.path)
        make_directory(self.items)

    def request(self) -> DiagramRequest:
        """What the diagram shows.

        Raises:
            RunDirectoryError: no diagram was started here, or its request is damaged.
        """
        try:
            return DiagramRequest.from_identity(self._identity())
        except (KeyError, TypeError, AttributeError) as error:
            raise RunDirectoryError(f"{self.path / REQUEST_FILE} is damaged ({_words(error)}).") from None

    def item_path(self, item: Item) -> Path:
        """The file of an item."""
        return self.items / f"item-{item.index:06d}.h5"

    def write_item(self, result: ItemResult) -> None:
        """Write the file of a finished item, whole or not at all."""
        write_arrays(self.item_path(result.item), pack([result]), _HEAD)

    def read_item(self, item: Item) -> ItemResult | None:
        """A finished item, None if it is not there.

        Raises:
            SegmentError: its file is damaged or of another item.
        """
        path = self.item_path(item)
        if not path.exists():
            return None
        return _read(path, [item])[0]

    def set_aside(self, item: Item) -> Path:
        """Rename a damaged file, which is kept for whoever wants to know; returns its new name."""
        path, n = self.item_path(item), 1
        while (aside := path.with_name(f"{path.name}.damaged-{n}")).exists():
            n += 1
        try:
            return path.rename(aside)
        except OSError as error:
            raise storage_error(path, error) from error

    def write_result(self, request: DiagramRequest, results: list[ItemResult]) -> None:
        """Write all items into one file."""
        head = {**_HEAD, "request": json.dumps(request.identity(), sort_keys=True)}
        write_arrays(self.result, pack(results), head)

    def _identity(self) -> dict[str, Any]:
        path = self.path / REQUEST_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))["request"]
            if not isinstance(content, dict):
                raise TypeError("request is no object")
            return content
        except FileNotFoundError:
            raise RunDirectoryError(
                f"{self.path} is not a phase diagram: there is no {REQUEST_FILE} in it. "
                "Start one with `mlp-gibbs phase --out DIR`."
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunDirectoryError(f"{path} is damaged ({_words(error)}). Restore it from a copy.") from None

    def _foreign(self) -> bool:
        """Holds more than what is left when a diagram is killed before its request is written."""
        ours = {self.items, self.path / f"{REQUEST_FILE}.part"}
        entries = [entry for entry in self.path.iterdir() if not is_lock_file(entry)]
        return any(entry not in ours or (entry.is_dir() and any(entry.iterdir())) for entry in entries)


def read_result(path: Path) -> tuple[DiagramRequest, list[ItemResult]]:
    """A whole diagram from its one file.

    Raises:
        SegmentError: missing, damaged, or not a phase diagram.
    """
    arrays, attributes = read_arrays(path)
    try:
        _check_head(attributes)
        request = DiagramRequest.from_identity(json.loads(attributes["request"]))
        return request, unpack(arrays, request.items())
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise SegmentError(f"{path} is not a phase diagram that can be read: {error}.", path=str(path)) from error


_HEAD: dict[str, str | int] = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "version": __version__}


def _read(path: Path, items: list[Item]) -> list[ItemResult]:
    arrays, attributes = read_arrays(path)
    try:
        _check_head(attributes)
        return unpack(arrays, items)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise SegmentError(f"{path} cannot be used: {error}.", path=str(path)) from error


def _check_head(attributes: dict[str, Any]) -> None:
    if attributes.get("schema") != SCHEMA:
        raise ValueError(f"its schema is {attributes.get('schema')!r}, expected {SCHEMA!r}")
    if attributes.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"its schema version is {attributes.get('schema_version')}, expected {SCHEMA_VERSION}")


def _words(error: Exception) -> str:
    """Its kind and message; its repr may hold the whole file."""
    return f"{type(error).__name__}: {error}"


def _differences(theirs: dict[str, Any], yours: dict[str, Any]) -> list[str]:
    """key: theirs -> yours, for every key that differs."""
    keys = sorted(theirs.keys() | yours.keys())
    return [f"{key}: {theirs.get(key)} -> {yours.get(key)}" for key in keys if theirs.get(key) != yours.get(key)]
