"""The logarithm, sine, cosine and exponential made of IEEE operations: accurate, and the same in C++ and torch."""

import importlib.util
import math
import random
from pathlib import Path

import mpmath
import pytest
import torch

from mcmc import native, philox
from mcmc.exchange import ops
from mcmc.exchange.state import initial_exchange_state
from tests.exchange.cases import assert_same_bits

EPS = 2.0**-52


def worst_relative_error(fn, exact, points) -> float:
    values = fn(torch.tensor(points, dtype=torch.float64)).tolist()
    with mpmath.workdps(40):
        pairs = [(mpmath.mpf(value), exact(mpmath.mpf(x))) for value, x in zip(values, points, strict=True)]
        return float(max(abs((value - true) / true) for value, true in pairs))


@pytest.fixture
def rng():
    return random.Random(5)


def test_logarithm_is_accurate(rng):
    halves = [math.sqrt(0.5), math.nextafter(math.sqrt(0.5), 0), math.nextafter(math.sqrt(0.5), 1)]
    edges = [2.0**-k for k in range(1, 34)] + [1 - 2.0**-k for k in range(2, 34)] + halves
    points = [(rng.getrandbits(32) + 0.5) * 2.0**-32 for _ in range(3000)] + edges
    assert worst_relative_error(philox.log_unit, mpmath.log, points) < EPS


def test_sine_and_cosine_are_accurate(rng):
    points = [(rng.random() - 0.5) / 4 for _ in range(3000)] + [0.125, -0.125, 2.0**-33, -(2.0**-33)]
    assert worst_relative_error(philox.sin_turn, lambda r: mpmath.sin(2 * mpmath.pi * r), points) < EPS
    assert worst_relative_error(philox.cos_turn, lambda r: mpmath.cos(2 * mpmath.pi * r), points) < EPS


def exponents(rng) -> list[float]:
    spread = [-(10 ** rng.uniform(-18, 2.84)) for _ in range(4000)]
    halfway = [-(n + 0.5) * math.log(2) for n in range(1000)]
    return [x for x in spread + halfway if x >= -708] + [-708.0, -0.0, -5e-324]


def test_exponential_is_accurate(rng):
    assert worst_relative_error(philox.exp_nonpositive, mpmath.exp, exponents(rng)) < EPS


def test_exponential_at_its_ends():
    x = torch.tensor([0.0, -0.0, 1e-300, 5.0, math.inf, -708.1, -745.0, -math.inf, math.nan], dtype=torch.float64)
    expected = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, math.nan], dtype=torch.float64)
    assert_same_bits(philox.exp_nonpositive(x), expected, "exp")


@pytest.mark.skipif(native.BACKEND == "reference", reason=f"no extension: {native.extension_error}")
def test_compiled_exponential_equals_the_twin(rng):
    """One pair with beta = (0, 1): log r = H_1 - H_0, and accept_sum is exp(min(0, log r)) itself."""
    special = [0.0, 1e-9, 3.0, math.inf, -math.inf, math.nan, -708.0, math.nextafter(-708.0, -math.inf), -745.2, -1e9]
    points = exponents(rng) + special
    n = len(points)
    energy = torch.zeros((n, 2, 1), dtype=torch.float64)
    energy[:, 1, 0] = torch.tensor(points, dtype=torch.float64)
    state = initial_exchange_state(n, 2, 1)
    u = torch.full((n, 1, 1), 0.5, dtype=torch.float64)
    ops.exchange(u, energy, torch.tensor([0.0, 1.0], dtype=torch.float64), state, 0, backend="extension")
    expected = philox.exp_nonpositive(torch.tensor(points, dtype=torch.float64))
    assert_same_bits(state.accept_sum[:, 0, 0], expected, "exp")


def load_coefficients():
    path = Path(__file__).parents[2] / "cpp_ext" / "coefficients.py"
    spec = importlib.util.spec_from_file_location("coefficients", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["log", "sin", "cos", "exp"])
def test_coefficients_are_the_derived_ones(name):
    """In the twin and, to the last hexadecimal digit, in the header."""
    digits = mpmath.mp.dps
    try:
        coefficients = load_coefficients()
        function, low, high, n, weight = coefficients.FITS[name]
        derived = coefficients.fit(function, low, high, n)
        error = coefficients.error(derived, function, low, high, weight)
    finally:
        mpmath.mp.dps = digits
    in_twin = [float.fromhex(c) for c in getattr(philox, f"_{name.upper()}").split()]
    assert in_twin == derived
    assert error < 3e-17
    header = (Path(__file__).parents[2] / "cpp_ext" / "core" / "ieee_math.h").read_text()
    for c in getattr(philox, f"_{name.upper()}").split():
        assert c in header
