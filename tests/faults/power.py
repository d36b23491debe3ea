"""What may lie on the disk after the power failed: only what was synced is sure.

A model of a file system with delayed writes, fed with the calls that a command made. Content that was not synced may be
old, new, half there, or as long as it should be and full of zeros; names of a directory that was not synced may be any
number of the first of its changes. Names and contents are independent, as in a journal of metadata alone.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.harness import Call


@dataclass
class File:
    """Content as programs see it, and as the device holds it."""

    now: bytes = b""
    synced: bytes = b""

    def after(self, rng: random.Random) -> bytes:
        """What may be left of it."""
        if self.now == self.synced:
            return self.synced
        return rng.choice([self.synced, self.now[: len(self.now) // 2], bytes(len(self.now)), self.now])


@dataclass
class Directory:
    """Names as programs see them, the changes that were not synced, and names as the device holds them."""

    now: dict[str, "Directory | File"] = field(default_factory=dict)
    synced: dict[str, "Directory | File"] = field(default_factory=dict)
    pending: list[tuple[str, "Directory | File | None"]] = field(default_factory=list)

    def change(self, name: str, node: "Directory | File | None") -> None:
        """Give a name to a node, or take it away."""
        _apply(self.now, name, node)
        self.pending.append((name, node))

    def sync(self) -> None:
        """Wait for the device."""
        self.synced, self.pending = dict(self.now), []

    def after(self, rng: random.Random) -> dict[str, "Directory | File"]:
        """The names that may be left."""
        names = dict(self.synced)
        for name, node in self.pending[: rng.choice([0, rng.randint(0, len(self.pending)), len(self.pending)])]:
            _apply(names, name, node)
        return names


def state_after(calls: list[Call]) -> Directory:
    """The file system after these calls, from an empty workplace."""
    root = Directory()
    for call in calls:
        _play(root, call)
    return root


def lay_out(directory: Directory, path: Path, rng: random.Random) -> None:
    """Write one of the states that a power loss may leave into a folder that exists."""
    for name, node in directory.after(rng).items():
        if isinstance(node, Directory):
            (path / name).mkdir()
            lay_out(node, path / name, rng)
        else:
            (path / name).write_bytes(node.after(rng))


def _play(root: Directory, call: Call) -> None:
    parent, name = _find(root, call.path)
    node = parent.now.get(name) if name else root
    if call.kind == "mkdir":
        if node is None:
            parent.change(name, Directory())
    elif call.kind == "open":
        if node is None:
            parent.change(name, File())
        elif call.rest == "cut":
            assert isinstance(node, File)
            node.now = b""
    elif call.kind == "write":
        assert isinstance(node, File)
        offset = int(call.rest.split("\t")[0])
        node.now = node.now[:offset].ljust(offset, b"\0") + call.data + node.now[offset + len(call.data) :]
    elif call.kind == "fsync":
        if isinstance(node, File):
            node.synced = node.now
        elif node is not None:
            node.sync()
    elif call.kind in ("rename", "link"):
        other, new_name = _find(root, call.rest)
        if node is not None and not (call.kind == "link" and new_name in other.now):
            other.change(new_name, node)
            if call.kind == "rename":
                parent.change(name, None)
    elif call.kind == "unlink":
        if node is not None:
            parent.change(name, None)
    else:
        raise ValueError(f"the model does not know {call.kind}")


def _find(root: Directory, path: str) -> tuple[Directory, str]:
    if path == ".":
        return root, ""
    *folders, name = path.split("/")
    for folder in folders:
        node = root.now[folder]
        assert isinstance(node, Directory)
        root = node
    return root, name


def _apply(names: dict[str, "Directory | File"], name: str, node: "Directory | File | None") -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node
