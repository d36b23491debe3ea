"""Every kernel on every exact target that it can sample, alone and with exchange; and samplers with a fault, caught."""

import pytest

from tests.nightly.conftest import IS_FULL, seed_of
from tests.nightly.pvalues import limit, uniformity
from tests.nightly.targets import CASES, TARGETS, Size
from tests.support.broken import FAULTS, no_flip_on_rejection

pytestmark = pytest.mark.statistical

# every kernel and every target once, exchange on and off in turn
SHORT = [
    ("hmc", "von Mises-Fisher", True),
    ("mala", "circle, sin", False),
    ("langevin", "von Mises-Fisher, L=3", True),
    ("random_walk", "sphere, relu", False),
    ("hmc", "layers, sin, two inputs", True),
    ("block_walk", "layers, relu", False),
    ("block_walk", "students, continuous", True),
    ("spin_flip", "students, binary", False),
]
N_REPLICAS = {"von Mises-Fisher": 1500, "circle": 2500, "sphere": 1500, "layers": 256, "students": 500}


def size_of(target: str) -> Size:
    if not IS_FULL:
        return Size(48 if target.startswith("layers") else 160, n_burn_in=80, n_snapshots=6)
    return Size(N_REPLICAS[target.split(",")[0]])


def found_by(kernel: str, target: str, *, exchange: bool, seed: int, size: Size):
    return uniformity(TARGETS[target].draw(kernel, exchange=exchange, seed=seed, size=size))


def test_short_form_has_every_kernel_and_target():
    for place in (0, 1, 2):
        assert {case[place] for case in SHORT} == {case[place] for case in CASES}


@pytest.mark.parametrize(("kernel", "target", "exchange"), CASES if IS_FULL else SHORT)
def test_kernel(kernel, target, exchange, judge):
    seed = seed_of(kernel, target, exchange)
    found = found_by(kernel, target, exchange=exchange, seed=seed, size=size_of(target))
    judge(found, len(CASES), kernel, target, "on" if exchange else "off", seed)


FAULTY = {name: ("mala", "von Mises-Fisher", plant) for name, plant in FAULTS.items()} | {
    "no_flip_on_rejection": ("langevin", "von Mises-Fisher", no_flip_on_rejection)
}


@pytest.mark.parametrize("fault", FAULTY if IS_FULL else ["accept_everything", "swap_sign"])
def test_fault_is_caught(fault, monkeypatch):
    """The limit is the same, so a fault that a night misses is one that it would miss in the kernels too."""
    kernel, target, plant = FAULTY[fault]
    plant(monkeypatch)
    size = Size(3000 if IS_FULL else 600, n_burn_in=60)
    found = found_by(kernel, target, exchange=True, seed=seed_of(fault), size=size)
    assert found.p < limit(len(CASES)), found
