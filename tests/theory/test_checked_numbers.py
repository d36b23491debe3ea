"""The table of docs/equations.md, section 9, to the digits shown, and the identities every solution must satisfy."""

import math

import numpy as np
import pytest

from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.linear import solve_linear
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs

ROOT2 = math.sqrt(2)
# activation, sigma_w, L, beta, q_0, Phi, e, lambda
TABLE = [
    ("linear", 1, 1, 1, "0.381966", "0.377428", "-0.618034", "1"),
    ("linear", 1, 3, 1, "0.381966", "0.377428", "-0.618034", "1"),
    ("tanh", 1, 1, 1, "0.19270", "0.16284", "-0.28228", "0.97598"),
    ("tanh", 1, 1, 4, "0.58207", "1.37523", "-0.46691", "0.86478"),
    ("sin", 1, 1, 1, "0.19079", "0.17933", "-0.31214", "0.95193"),
    ("sin", 1, 1, 4, "0.58161", "1.54074", "-0.52888", "0.28085"),
    ("relu", ROOT2, 1, 4, "0.77185", "2.60476", "-0.85387", "0.6716"),
    ("tanh", 1, 2, 2, "0.26453", "0.319164", "-0.251493", "0.9374"),
    ("sin", 1, 2, 2, "0.27149", "0.382674", "-0.299818", "0.8816"),
]


def assert_digits(value: float, shown: str, what: str) -> None:
    """Equal to the digits shown: off by at most half a unit of the last."""
    digits = len(shown.split(".")[1]) if "." in shown else 6
    assert abs(value - float(shown)) <= 0.5000001 * 10**-digits, f"{what}: {value}, table {shown}"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-L{row[2]}-beta{row[3]}")
def test_table(row):
    name, sigma_w, depth, beta, q0, phi, e, replicon = row
    saddle = solve_rs(TheoryModel.build(name, depth=depth, sigma_w=sigma_w), beta)
    assert_digits(saddle.overlap[0], q0, "q_0")
    assert_digits(saddle.free_entropy_density, phi, "Phi")
    assert_digits(saddle.energy_density, e, "e")
    assert_digits(saddle.pivots[-1], replicon, "lambda")
    assert saddle.residual <= 1e-10
    assert saddle.resolved


def test_hidden_overlaps_of_the_table():
    for name, expected in (("tanh", ("0.17797", "0.14808")), ("sin", ("0.20707", "0.19722"))):
        saddle = solve_rs(TheoryModel.build(name, depth=2), 2.0)
        for value, shown in zip(saddle.overlap[1:], expected, strict=True):
            assert_digits(value, shown, "q_l")


def brute_force_relu(beta: float, sigma_w: float) -> tuple[float, float, float]:
    """(q_0, Phi, e) of L = 1 by equal steps in every variable and plain iteration; shares no code with the solver."""
    t, y, xi = np.linspace(-7, 7, 61), np.linspace(-7, 7, 201), np.linspace(-30, 30, 4001)
    weight = np.exp(-(t[:, None] ** 2) / 2 - y**2 / 2)
    weight /= weight.sum()
    q = 0.7
    for _ in range(60):
        c = sigma_w * math.sqrt(1 - q)
        drift, mean, square, log_z = (np.empty_like(weight) for _ in range(4))
        for i, omega in enumerate(sigma_w * math.sqrt(q) * t):
            phi = np.maximum(omega + c * xi, 0)
            exponent = -(xi**2) / 2 + beta * y[:, None] * phi
            peak = exponent.max(1, keepdims=True)
            w = np.exp(exponent - peak)
            z = w.sum(1)
            drift[i], mean[i], square[i] = w @ xi / z / c, w @ phi / z, w @ phi**2 / z
            log_z[i] = np.log(z * (xi[1] - xi[0]) / math.sqrt(2 * math.pi)) + peak[:, 0]
        field = sigma_w**2 * (weight * drift**2).sum()  # q/(1-q)^2
        new = (2 * field + 1 - math.sqrt(4 * field + 1)) / (2 * field)
        if abs(new - q) < 1e-8:
            break
        q = 0.5 * (q + new)
    gap = (weight * square).sum() - (weight * mean**2).sum()
    phi_rs = 0.5 * (math.log(1 - q) + q / (1 - q)) + (weight * log_z).sum()
    return q, phi_rs, -beta * gap


def test_relu_against_brute_force():
    saddle = solve_rs(TheoryModel.build("relu", sigma_w=ROOT2), 4.0)
    q, phi, e = brute_force_relu(4.0, ROOT2)
    assert saddle.overlap[0] == pytest.approx(q, abs=1e-6)
    assert saddle.free_entropy_density == pytest.approx(phi, abs=1e-6)
    assert saddle.energy_density == pytest.approx(e, abs=1e-6)


MODELS = [
    TheoryModel.build("sin", depth=1, sigma_w=1.4),
    TheoryModel.build("relu", depth=1, sigma_w=ROOT2, width_ratios=0.7),
    TheoryModel.build("tanh", depth=2, width_ratios=(1.5, 0.6), sigma_w=(1.2, 0.9)),
    TheoryModel.build("erf", depth=2, sigma_b=0.3),
    TheoryModel.build("shaped_relu", depth=3),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.activation.name}-L{len(m.width_ratios)}")
def test_energy_is_minus_the_derivative_of_phi(model):
    """dPhi/dbeta = -e by central differences, and e by the readout route; an energy off by one part in 10^4 fails."""
    beta, h = 2.0, 1e-3
    below, here, above = solve_rs_curve(model, [beta - h, beta, beta + h])
    slope = (above.free_entropy_density - below.free_entropy_density) / (2 * h)
    assert slope == pytest.approx(-here.energy_density, rel=1e-6)
    assert slope != pytest.approx(-here.energy_density * 1.0001, rel=1e-6)
    assert here.energy_density_readout == pytest.approx(here.energy_density, rel=1e-7)
    assert here.entropy_density == pytest.approx(here.free_entropy_density + beta * here.energy_density, rel=1e-12)


@pytest.mark.parametrize("ratios", [(1.0,), (0.5, 2.0), (2.0, 0.7, 1.3)], ids=str)
def test_linear_in_closed_form(ratios):
    """The generic solver on phi(h) = h against the von Mises-Fisher limit, with unequal sigma_w."""
    sigma_w = tuple(0.8 + 0.3 * i for i in range(len(ratios)))
    model = TheoryModel.build("linear", depth=len(ratios), width_ratios=ratios, sigma_w=sigma_w)
    for beta in (0.5, 3.0):
        closed, generic = solve_linear(model, beta), solve_rs(model, beta)
        s = beta * math.prod(sigma_w)
        m = (math.sqrt(1 + 4 * s * s) - 1) / (2 * s)  # m/(1 - m^2) = s
        assert generic.overlap[0] == pytest.approx(m * m, rel=1e-8)
        assert closed.overlap[0] == pytest.approx(m * m, rel=1e-12)
        assert generic.free_entropy_density == pytest.approx(closed.free_entropy_density, rel=1e-8)
        assert generic.energy_density == pytest.approx(-m * math.prod(sigma_w), rel=1e-8)
        assert generic.pivots[-1] == pytest.approx(1, abs=1e-8)
