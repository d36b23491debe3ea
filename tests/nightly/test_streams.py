"""Numbers along every part of an address, and 10^6 neighbouring keys in every plane of two; broken streams, caught.

The Philox words themselves are held against published vectors in tests/cpp_ext/test_philox_op.py.
"""

from itertools import combinations, product

import numpy as np
import pytest
import torch
from scipy.stats import binom, norm

from mcmc import native, philox
from mcmc.rng import Purpose, Streams
from tests.nightly.batteries import NORMAL, UNIFORM, neighbours
from tests.nightly.conftest import IS_FULL, seed_of
from tests.nightly.pvalues import joined, limit

pytestmark = pytest.mark.statistical

FIELDS = ("seed", "step", "network", "chain")
PLANES = list(combinations(FIELDS, 2))
N_ITEMS = 1 + len(FIELDS) + len(PLANES)
LENGTH = 2**20 if IS_FULL else 2**15
SIDE = 1000 if IS_FULL else 60  # of a plane: 10^6 keys
N_EACH = 16
DIRECTIONS = [(0, 1), (1, 0), (1, 1), (1, -1)]


def grid(
    draw: str, origin: dict[str, int], extent: dict[str, int], n: int, alias=lambda address: address
) -> np.ndarray:
    """(A, B, ..., n) first numbers at every address of a box, its axes in the order of FIELDS."""
    box = {name: range(origin[name], origin[name] + extent.get(name, 1)) for name in FIELDS}
    networks, chains = (torch.tensor(box[name]) for name in ("network", "chain"))
    rows = []
    for address in product(box["seed"], box["step"]):
        seed, step, network, chain = alias((*address, networks, chains))
        rows.append(getattr(Streams(seed, network, chain), draw)(Purpose.TEST, step, n))
    shape = [len(box[name]) for name in FIELDS if name in extent]
    return torch.stack(rows).view(*shape, n).numpy()


def origin_of(seed: int) -> dict[str, int]:
    """Anywhere in the range of every field."""
    fresh = np.random.default_rng(seed)
    bits = {"seed": 56, "step": 32, "network": 32, "chain": 32}
    return {name: int(fresh.integers(0, 2 ** bits[name] - 2**21)) for name in FIELDS}


def battery(u: np.ndarray, z: np.ndarray):
    return joined({name: test(u) for name, test in UNIFORM.items()} | {name: test(z) for name, test in NORMAL.items()})


def along(field: str, seed: int, **others):
    """The first number of neighbouring keys; for "position", all numbers of one key."""
    origin = origin_of(seed)
    if field == "position":
        return [grid(draw, origin, {}, LENGTH, **others).ravel() for draw in ("uniform", "normal")]
    return [grid(draw, origin, {field: LENGTH}, 1, **others).ravel() for draw in ("uniform", "normal")]


def in_plane(plane: tuple[str, str], seed: int, side: int = SIDE, **others):
    z = grid("normal", origin_of(seed), dict.fromkeys(plane, side), N_EACH, **others)
    return joined({f"neighbours {step}": neighbours(z, step) for step in DIRECTIONS})


@pytest.mark.parametrize("field", ["position", *FIELDS])
def test_numbers_along(field, judge):
    seed = seed_of("along", field)
    judge(battery(*along(field, seed)), N_ITEMS, "streams", f"along {field}", "", seed)


@pytest.mark.parametrize("plane", PLANES, ids=" and ".join)
def test_neighbouring_keys(plane, judge):
    seed = seed_of("plane", plane)
    judge(in_plane(plane, seed), N_ITEMS, "streams", f"neighbours in {' and '.join(plane)}", "", seed)


def added(i: int, j: int):
    """Field j is added to field i and then forgotten: keys on a diagonal are one."""

    def alias(address):
        fields = list(address)
        fields[i], fields[j] = fields[i] + fields[j] % 64, 0
        return tuple(fields)

    return alias


@pytest.mark.parametrize("plane", [("seed", "chain"), ("step", "network"), ("seed", "step")], ids=" and ".join)
def test_keys_that_alias_are_caught(plane):
    """seed + chain, step + network, seed + step in place of two fields."""
    j, i = (FIELDS.index(name) for name in plane)
    assert in_plane(plane, 5, side=60, alias=added(i, j)).p < limit(N_ITEMS)


@pytest.mark.parametrize("field", ["position", "chain"])
def test_two_rounds_of_philox_are_caught(field, monkeypatch):
    monkeypatch.setattr(native, "backend_for", lambda device: "reference")
    monkeypatch.setattr(philox, "range", lambda n: range(2), raising=False)
    assert battery(*along(field, 5)).p < limit(N_ITEMS)


def congruential(n: int) -> np.ndarray:
    """RANDU, x -> 65539 x mod 2^31, two draws to a number."""
    x, numbers = 1, []
    for _ in range(2 * n):
        x = 65539 * x % 2**31
        numbers.append(x)
    high, low = np.array(numbers).reshape(n, 2).T
    return ((high >> 5) * 2.0**26 + (low >> 5) + 0.5) / 2.0**52


def test_congruential_generator_is_caught():
    u = congruential(LENGTH)
    assert battery(u, norm.ppf(u)).p < limit(N_ITEMS)


@pytest.mark.parametrize("name", [*UNIFORM, *NORMAL])
def test_rate_of_false_alarms(name):
    """Of 40 sequences of another generator not more have p < 0.02 than chance allows, at one in 10^4."""
    fresh = np.random.default_rng(12)
    test = UNIFORM.get(name) or NORMAL[name]
    p = [test(fresh.random(LENGTH) if name in UNIFORM else fresh.standard_normal(LENGTH)) for _ in range(40)]
    values = np.concatenate(p)
    # numbers of one sequence may depend on each other: each is held against its own rate
    small = (np.stack(p) < 0.02).sum(0)
    assert (binom.sf(small - 1, 40, 0.02) > 1e-4 / len(small)).all(), (small, values.min())
