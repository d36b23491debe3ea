"""The single-neuron measure against direct integration over xi, one (omega, u) at a time."""

import math

import numpy as np
import pytest
import torch
from scipy.special import log_ndtr, roots_legendre

from mcmc.errors import QuadratureError
from mcmc.systems.mlp.activations import make_activation
from mcmc.theory.neuron import neuron_moments
from mcmc.theory.neuron_piecewise import truncated_moments

HERMITE = [
    lambda x: np.ones_like(x),
    lambda x: x,
    lambda x: x**2 - 1,
    lambda x: x**3 - 3 * x,
    lambda x: x**4 - 6 * x**2 + 3,
]


def direct(activation, omega, u, c, tilt):
    """log Z and D[k, b] by Gauss-Legendre panels in xi that do not cross the kink of phi."""
    kink = -omega / c
    edges = np.unique(np.concatenate([np.linspace(-160, 160, 401), [kink]]))
    nodes, weights = roots_legendre(24)
    half = np.diff(edges)[:, None] / 2
    xi = ((edges[:-1] + edges[1:])[:, None] / 2 + half * nodes).ravel()
    phi = activation.phi(torch.from_numpy(omega + c * xi)).numpy()
    exponent = -(xi**2) / 2 + tilt / 2 * phi**2 + u * phi
    top = exponent.max()
    weight = (half * weights).ravel() * np.exp(exponent - top)
    z = weight.sum()
    moments = {
        (k, b): (weight * HERMITE[k](xi) * phi**b).sum() / z / c**k for k in range(5) for b in range(5) if k + b <= 4
    }
    return math.log(z / math.sqrt(2 * math.pi)) + top, moments


OMEGA = torch.tensor([-2.5, -0.3, 0.0, 0.8, 4.0], dtype=torch.float64)
U = torch.tensor([-30.0, -2.0, 0.0, 0.7, 25.0], dtype=torch.float64)
NAMES = ("tanh", "sin", "erf", "shaped_tanh", "relu", "leaky_relu", "linear")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("c", "tilt"), [(0.9, 0.4), (0.15, -3.0), (1.1, 0.0)])
def test_against_direct_integration(name, c, tilt):
    activation = make_activation(name, depth=2)
    grid = neuron_moments(activation, OMEGA, U, c=c, tilt=tilt, order=4)
    for i, omega in enumerate(OMEGA.tolist()):
        for j, u in enumerate(U.tolist()):
            log_z, moments = direct(activation, omega, u, c, tilt)
            assert float(grid.log_z[i, j]) == pytest.approx(log_z, rel=1e-11, abs=1e-11)
            for key, exact in moments.items():
                # He_k / c^k loses digits to cancellation on both sides
                tolerance = 1e-10 * (1 + abs(omega / c) + abs(u) * c) ** key[0] / c ** key[0]
                assert float(grid.moments[key][i, j]) == pytest.approx(exact, rel=1e-9, abs=tolerance), key


def test_a_steep_tilt_does_not_underflow():
    """beta |y| ~ 480 and omega far on the wrong side of the sigmoid: exp(-960) times a Gaussian at 20 sigma."""
    activation = make_activation("tanh", depth=1)
    omega = torch.linspace(-6, 6, 61, dtype=torch.float64)
    u = torch.tensor([-480.0, -3.0, 480.0], dtype=torch.float64)
    grid = neuron_moments(activation, omega, u, c=0.25, tilt=0.0)
    for i in (0, 7, 30, 60):
        for j in range(3):
            log_z, moments = direct(activation, float(omega[i]), float(u[j]), 0.25, 0.0)
            assert float(grid.log_z[i, j]) == pytest.approx(log_z, rel=1e-11)
            for key in ((0, 1), (0, 2), (1, 0), (1, 1), (2, 0)):
                assert float(grid.moments[key][i, j]) == pytest.approx(moments[key], rel=1e-8, abs=1e-8), key


@pytest.mark.parametrize("name", ["tanh", "sin", "relu", "leaky_relu"])
def test_derivative_formulas(name):
    """d_omega, d_u and the second derivatives of f against central differences of f; a wrong factor c fails."""
    activation = make_activation(name, depth=1)
    c, tilt, h = 0.6, 0.5, 1e-4
    omega = torch.tensor([-0.9, 0.4], dtype=torch.float64)
    u = torch.tensor([-1.3, 2.1], dtype=torch.float64)

    def f(d_omega, d_u):
        return neuron_moments(activation, omega + d_omega, u + d_u, c=c, tilt=tilt).log_z

    grid = neuron_moments(activation, omega, u, c=c, tilt=tilt)
    d_omega = (f(h, 0) - f(-h, 0)) / (2 * h)
    d_u = (f(0, h) - f(0, -h)) / (2 * h)
    d_omega2 = (f(h, 0) - 2 * f(0, 0) + f(-h, 0)) / h**2
    d_u2 = (f(0, h) - 2 * f(0, 0) + f(0, -h)) / h**2
    d_omega_u = (f(h, h) - f(h, -h) - f(-h, h) + f(-h, -h)) / (4 * h**2)
    for computed, numerical, tolerance in (
        (grid.d_omega, d_omega, 1e-7),
        (grid.phi, d_u, 1e-7),
        (grid.d_omega2, d_omega2, 1e-5),
        (grid.d_u2, d_u2, 1e-5),
        (grid.d_omega_u, d_omega_u, 1e-5),
        (grid.xi, c * d_omega, 1e-7),
        (grid.xi_squared, 1 + c**2 * (d_omega2 + d_omega**2), 1e-5),
    ):
        assert torch.allclose(computed, numerical, rtol=0, atol=tolerance)
    assert not torch.allclose(grid.xi, d_omega, rtol=0, atol=1e-3)


def test_small_thermal_width_is_the_noiseless_neuron():
    """c -> 0: f = tilt/2 phi(omega)^2 + u phi(omega), with a correction of order c^2."""
    u = torch.tensor([-2.0, 3.0], dtype=torch.float64)
    omega = torch.tensor([-0.7, 1.1], dtype=torch.float64)
    for name in ("tanh", "relu"):
        activation = make_activation(name, depth=1)
        phi = activation.phi(omega)[:, None]
        limit = 0.4 * phi**2 + u * phi
        for c in (1e-2, 1e-3):
            grid = neuron_moments(activation, omega, u, c=c, tilt=0.8)
            assert torch.allclose(grid.log_z, limit, rtol=0, atol=20 * c**2)
            slope = activation.dphi(omega, activation.phi(omega))[:, None] * (0.8 * phi + u)
            assert torch.allclose(grid.d_omega, slope, rtol=0, atol=200 * c**2)


def test_truncated_moments_in_both_tails():
    """E[x^n | x > 0] of N(z, 1): far left like an exponential law n!/|z|^n, far right like the Gaussian."""
    z = torch.tensor([-200.0, -40.0, -3.0001, -2.9999, 0.0, 5.0, 60.0], dtype=torch.float64)
    moments = truncated_moments(z, torch.special.log_ndtr(z), 4)
    for n in (1, 2, 3, 4):
        assert float(moments[n][0]) == pytest.approx(math.factorial(n) / 200.0**n, rel=2e-3)
        # the recurrence and the continued fraction meet at z = -3
        assert float(moments[n][2]) == pytest.approx(float(moments[n][3]), rel=2e-4)
    assert float(moments[1][4]) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-14)
    assert float(moments[4][6]) == pytest.approx(60**4 + 6 * 60**2 + 3, rel=1e-14)
    nodes, weights = roots_legendre(200)
    for index, upper in ((1, 1.5), (2, 12.0), (3, 12.0), (5, 20.0)):
        x = upper * (nodes + 1) / 2
        z_i = float(z[index])
        weight = weights * np.exp(-((x - z_i) ** 2) / 2 - math.log(math.sqrt(2 * math.pi)) - log_ndtr(z_i)) * upper / 2
        for n in range(5):
            assert float(moments[n][index]) == pytest.approx((weight * x**n).sum(), rel=1e-12)


def test_a_diverging_average_is_refused():
    """1 - (R - S) a^2 c^2 <= 0: the Gaussian loses to the quadratic tilt; also for the steeper side alone."""
    relu = make_activation("relu", depth=1)
    with pytest.raises(QuadratureError, match="does not exist") as caught:
        neuron_moments(relu, OMEGA, U, c=1.0, tilt=1.2)
    assert caught.value.positivity == pytest.approx(-0.2)
    assert neuron_moments(relu, OMEGA, U, c=1.0, tilt=0.999).log_z.isfinite().all()


def test_vanishing_width_of_a_smooth_neuron_is_refused():
    tanh = make_activation("tanh", depth=1)
    with pytest.raises(QuadratureError, match="too close"):
        neuron_moments(tanh, OMEGA, U, c=1e-6, tilt=0.0)
