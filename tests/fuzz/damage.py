"""What is done to files: bits, blocks and lengths of any of them; datasets and attributes of HDF5, with or without a
checksum that fits what was done."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mcmc.io.schema import DATASETS, SCALES
from mcmc.io.segment import content_digest

Node = h5py.Dataset
TEXT = h5py.string_dtype()  # an empty array of objects would have no type in a file


def flip(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice([1, 1, 1, 8])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def cut(data: bytearray, rng: random.Random) -> bytearray:
    return data[: rng.randrange(len(data))]


def zero(data: bytearray, rng: random.Random) -> bytearray:
    at, n = _block(data, rng)
    data[at : at + n] = bytes(len(data[at : at + n]))
    return data


def noise(data: bytearray, rng: random.Random) -> bytearray:
    at, n = _block(data, rng)
    data[at : at + n] = rng.randbytes(len(data[at : at + n]))
    return data


def double(data: bytearray, rng: random.Random) -> bytearray:
    """A block once more, over another or between two."""
    at, n = _block(data, rng)
    to = rng.randrange(len(data))
    data[to : to + rng.choice([0, n])] = data[at : at + n]
    return data


def extend(data: bytearray, rng: random.Random) -> bytearray:
    return data + rng.randbytes(rng.choice([1, 4096]))


BYTES: tuple[Callable[[bytearray, random.Random], bytearray], ...] = (
    flip,
    flip,
    flip,
    cut,
    zero,
    noise,
    double,
    extend,
)


def _block(data: bytearray, rng: random.Random) -> tuple[int, int]:
    return rng.randrange(len(data)), rng.choice([1, 8, 64, 512, 4096])


def datasets(file: h5py.File) -> list[str]:
    """Paths of all of them."""
    found: list[str] = []
    file.visititems(lambda name, node: found.append(name) if isinstance(node, Node) else None)
    return sorted(found)


def swap(file: h5py.File, rng: random.Random) -> None:
    a, b = rng.sample(datasets(file), 2)
    file.move(a, "aside")
    file.move(b, a)
    file.move("aside", b)


def lose(file: h5py.File, rng: random.Random) -> None:
    del file[rng.choice(datasets(file))]


def renumber(file: h5py.File, rng: random.Random) -> None:
    """One number is another, the checksums of its chunk right."""
    node = file[rng.choice(datasets(file))]
    if node.size and node.dtype.kind in "iuf":
        array = node[()] if node.ndim else np.array(node[()])
        array.reshape(-1)[rng.randrange(node.size)] += 1
        node[...] = array


def retype(file: h5py.File, rng: random.Random) -> None:
    kinds = [np.float32, np.int8, np.complex128, "S3", np.dtype([("a", "i4")]), bool]
    kind = rng.choice([*kinds, "text"])
    _replace(file, rng, lambda a: np.full(a.shape, "é", TEXT) if kind == "text" else np.zeros(a.shape, kind))


def reshape(file: h5py.File, rng: random.Random) -> None:
    def other(array: np.ndarray) -> np.ndarray:
        return rng.choice(
            [array.reshape(-1), array[None], np.concatenate([array.reshape(-1)] * 2), array.reshape(-1)[:0]]
        )

    _replace(file, rng, other)


def bomb(file: h5py.File, rng: random.Random) -> None:
    """A dataset that is nowhere, and would fill the memory."""
    name = rng.choice(datasets(file))
    ndim = file[name].ndim or 1
    del file[name]
    file.create_dataset(name, shape=(rng.choice([2**28, 2**33, 2**40]),) + (1,) * (ndim - 1), dtype="f8", chunks=True)


def link(file: h5py.File, rng: random.Random) -> None:
    name = rng.choice(datasets(file))
    del file[name]
    file[name] = rng.choice(
        [
            h5py.SoftLink(f"/{name}"),
            h5py.SoftLink("/nothing"),
            h5py.ExternalLink("other.h5", "/x"),
            h5py.ExternalLink("/dev/zero", "/"),
        ]
    )


def elsewhere(file: h5py.File, rng: random.Random) -> None:
    """Its numbers lie in a file of somebody else."""
    name = rng.choice(datasets(file))
    shape, dtype = file[name].shape or (1,), file[name].dtype
    del file[name]
    size = int(np.prod(shape)) * dtype.itemsize
    file.create_dataset(name, shape=shape, dtype=dtype, external=[("/etc/passwd", 0, max(size, 1))])


def group(file: h5py.File, rng: random.Random) -> None:
    name = rng.choice(datasets(file))
    del file[name]
    file.create_group(name)


def attribute(file: h5py.File, rng: random.Random) -> None:
    """One of the root is missing, of another kind, or says something else."""
    name = rng.choice(sorted(file.attrs))
    del file.attrs[name]
    value: Any = rng.choice(
        [None, -1, 10**9, 2.5, "x" * 5000, "{}", "[]", "null", np.zeros(3), h5py.Empty("f8"), b"\xff"]
    )
    if value is not None:
        file.attrs[name] = value


TREE = (swap, swap, lose, renumber, renumber, retype, reshape, bomb, link, elsewhere, group, attribute, attribute)


def _replace(file: h5py.File, rng: random.Random, change: Callable[[np.ndarray], np.ndarray]) -> None:
    name = rng.choice(datasets(file))
    array = np.asarray(file[name][()])
    del file[name]
    file.create_dataset(name, data=change(array))


def sign(path: Path) -> None:
    """A checksum that fits what the file holds now, as somebody could write it who means harm."""
    with h5py.File(path, "r+") as file:
        attributes = dict(file.attrs)
        is_segment = "index" in attributes or "config" in attributes
        names = datasets(file)
        if is_segment:
            arrays = {name: file[name][()] for name in DATASETS if name in names}
            scales = {name: file[name][()] for name in SCALES if name in names}
        else:
            arrays, scales = {name: file[name][()] for name in names}, {}
        file.attrs["sha256"] = content_digest(arrays, scales, attributes)


def damage(path: Path, rng: random.Random) -> tuple[str, bool]:
    """Damages one file; (what was done, whether its checksum was made to fit)."""
    if path.suffix == ".h5" and rng.random() < 0.5:
        change = rng.choice(TREE)
        with h5py.File(path, "r+") as file:
            change(file, rng)
        if rng.random() < 0.5 and change not in (bomb, link, elsewhere):
            try:
                sign(path)
                return f"{change.__name__}, signed", True
            except (KeyError, TypeError, ValueError, OSError):
                pass
        return change.__name__, False
    if path.suffix == ".json" and rng.random() < 0.5:
        return _damage_json(path, rng), False
    change_bytes = rng.choice(BYTES)
    path.write_bytes(change_bytes(bytearray(path.read_bytes()), rng))
    return change_bytes.__name__, False


def _damage_json(path: Path, rng: random.Random) -> str:
    """Another value at some place of the tree."""
    content = json.loads(path.read_text())
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            places.append((node, key))
            if isinstance(value, (dict, list)):
                walk(value)

    walk(content)
    node, key = rng.choice(places)
    node[key] = rng.choice([None, -1, 1e999, 10**30, "x", "\0", [], {}, [[]], True])
    path.write_text(json.dumps(content))
    return f"value of {key}"
