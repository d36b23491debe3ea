"""Checkpoints in two generations with checksums; the manifest is written last, and nothing is unpickled.

checkpoint/A.npz, B.npz     the two youngest states, written in turn
checkpoint/manifest.json    which is which: file, serial number, SHA-256
"""

import hashlib
import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mcmc.errors import CheckpointError
from mcmc.io.atomic import write_bytes_atomically

GENERATIONS = ("A.npz", "B.npz")
MANIFEST = "manifest.json"
_META = "__meta__"
_DAMAGE = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile)  # all seen on flipped bits


class Checkpoint(NamedTuple):
    """Arrays of a state, and the facts about it that are not arrays."""

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> None:
    """Replace the older of the two generations; the younger stays until the new one is complete."""
    entries = _read_manifest(directory)
    if not entries:
        entries = _entries_of_files(directory)
    serial = max((entry["serial"] for entry in entries), default=0) + 1
    name = GENERATIONS[serial % 2]
    data = _pack(Checkpoint(checkpoint.arrays, {**checkpoint.meta, "serial": serial}))
    write_bytes_atomically(directory / name, data)
    entry = {"file": name, "serial": serial, "sha256": _checksum(data)}
    kept = [old for old in entries if old["file"] != name]
    _write_manifest(directory, [entry, *kept])


class Generation(NamedTuple):
    """One of the two files, as it was found.

    Attributes:
        file:       its name.
        checkpoint: what it holds; None if it is damaged.
        problem:    what is wrong with it.
    """

    file: str
    checkpoint: Checkpoint | None
    problem: str | None = None


def generations(directory: Path) -> tuple[list[Generation], bool]:
    """(what is listed in the manifest or lies there, whether the manifest is intact)."""
    entries = _read_manifest(directory)
    listed = {entry["file"] for entry in entries or []}
    unlisted = [name for name in GENERATIONS if name not in listed and (directory / name).exists()]
    is_intact = entries is not None
    entries = [*(entries or []), *({"file": name, "serial": None, "sha256": None} for name in unlisted)]
    found = []
    for entry in entries:
        try:
            data = (directory / entry["file"]).read_bytes()
            checkpoint = _unpack(data)
            # a younger one than the manifest knows was written whole just before its writer was killed
            is_known = entry["sha256"] is None or checkpoint.meta["serial"] > entry["serial"]
            if not is_known and _checksum(data) != entry["sha256"]:
                raise ValueError(f"its {len(data)} bytes do not match their checksum")
            found.append(Generation(entry["file"], checkpoint))
        except _DAMAGE as error:
            found.append(Generation(entry["file"], None, str(error)))
    return found, is_intact


def load_checkpoint(directory: Path) -> Checkpoint | None:
    """The youngest intact generation; None if there has never been one.

    A damaged generation is passed over with a warning that names it.

    Raises:
        CheckpointError: there were checkpoints and none is intact.
    """
    found, is_manifest_intact = generations(directory)
    if not is_manifest_intact:
        if not found and not (directory / MANIFEST).exists():
            return None
        names = [generation.file for generation in found]
        warnings.warn(f"{directory / MANIFEST} is damaged or missing; looking at {names} itself.", stacklevel=2)
    intact = [generation.checkpoint for generation in found if generation.checkpoint is not None]
    damaged = [f"{generation.file}: {generation.problem}" for generation in found if generation.checkpoint is None]
    if not intact:
        raise CheckpointError(
            f"no checkpoint in {directory} is intact ({'; '.join(damaged) or 'no files'}). The results files beside "
            "it are not affected. Restore the checkpoint from a copy, or start again with another --out.",
            damaged=damaged,
        )
    if damaged:
        warnings.warn(
            f"checkpoint damaged ({'; '.join(damaged)}): continuing from the other generation, "
            f"sweep {intact[0].meta.get('sweep')}.",
            stacklevel=2,
        )
    return max(intact, key=lambda checkpoint: checkpoint.meta["serial"])


def rewrite_manifest(directory: Path) -> None:
    """List the generations that are there and intact."""
    entries = sorted(_entries_of_files(directory), key=lambda entry: -entry["serial"])
    _write_manifest(directory, entries)


def _pack(checkpoint: Checkpoint) -> bytes:
    facts = {"meta": checkpoint.meta, "names": sorted(checkpoint.arrays)}
    meta = np.frombuffer(json.dumps(facts, sort_keys=True).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{_META: meta}, **checkpoint.arrays)
    return buffer.getvalue()


def _unpack(data: bytes) -> Checkpoint:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        damaged = archive.testzip()  # a short read, as after a changed dtype, would not reach the checksum
    if damaged is not None:
        raise ValueError(f"its array {damaged} does not match its checksum")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    facts = json.loads(arrays.pop(_META).tobytes().decode())
    if "names" not in facts:  # the first version had the facts alone
        return Checkpoint(arrays, facts)
    if sorted(arrays) != facts["names"]:
        raise ValueError("its table of arrays is damaged")
    return Checkpoint(arrays, facts["meta"])


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _entries_of_files(directory: Path) -> list[dict[str, Any]]:
    """What the manifest would say; serial numbers must go on after it is lost, so that the youngest stays that."""
    entries = []
    for name in GENERATIONS:
        try:
            data = (directory / name).read_bytes()
            entries.append({"file": name, "serial": _unpack(data).meta["serial"], "sha256": _checksum(data)})
        except _DAMAGE:
            continue  # this one is replaced next
    return entries


def _write_manifest(directory: Path, entries: list[dict[str, Any]]) -> None:
    text = json.dumps({"generations": entries}, indent=1) + "\n"
    write_bytes_atomically(directory / MANIFEST, text.encode())


def _read_manifest(directory: Path) -> list[dict[str, Any]] | None:
    try:
        entries = json.loads((directory / MANIFEST).read_bytes())["generations"]
        is_intact = isinstance(entries, list) and all(map(_is_entry, entries))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return entries if is_intact else None


def _is_entry(entry: Any) -> bool:
    kinds = {"file": str, "serial": int, "sha256": str}
    return (
        isinstance(entry, dict)
        and all(type(entry.get(key)) is kind for key, kind in kinds.items())
        and entry["file"] in GENERATIONS
    )
