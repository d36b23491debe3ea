"""Three free energies against ladders whose log Z is known, and against faults that they must tell."""

import sys

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from mcmc.analysis import free_energy
from mcmc.analysis.free_energy import BACKWARD, FORWARD, MBAR, TI, free_energies, ladder_free_energies
from mcmc.analysis.mbar import mbar_log_z
from mcmc.config import parse_config
from mcmc.errors import DisagreementError, InsufficientDataError, UsageError
from mcmc.io.reader import read_run
from mcmc.run.build import build_system
from mcmc.systems.mlp.exact import linear_field, von_mises_fisher
from tests.support.runs import finished, small_config
from tests.support.synthetic import synthetic_run

BETA = np.array([0.0, 0.2, 0.45, 0.75, 1.1])
N_INPUTS = 16


def gaussian_ladder(*, seed=0, n_draws=500, n_networks=6, beta=BETA, rho=0.0):
    """Energies (n, D, K, 2) of a Gaussian density of states, mean m_d and variance s_d^2, and log Z (D, K).

    H ~ N(m - beta s^2, s^2),    log Z = -beta m + beta^2 s^2/2
    """
    rng = np.random.default_rng(seed)
    m, s = rng.normal(0.5, 1.0, (n_networks, 1)), rng.uniform(1.5, 3.0, (n_networks, 1))
    noise = lfilter(
        [np.sqrt(1 - rho**2)], [1.0, -rho], rng.standard_normal((n_draws + 200, n_networks, len(beta), 2)), axis=0
    )[200:]
    energy = (m - beta * s**2)[..., None] + s[..., None] * noise
    return energy, -beta * m + beta**2 * s**2 / 2


def gamma_ladder(*, n_draws=500, n_networks=6, beta=BETA):
    """H = -a + Gamma(a, 1) at beta = 0: lopsided, <H> bends; log Z = a beta - a log(1 + beta)."""
    shape = 8.0
    draws = np.random.default_rng(1).gamma(shape, 1.0, (n_draws, n_networks, len(beta), 2))
    energy = draws / (1 + beta)[:, None] - shape
    return energy, np.tile(shape * (beta - np.log1p(beta)), (n_networks, 1))


def solve(energy, beta=BETA):
    return ladder_free_energies(beta, energy, N_INPUTS, 100 + np.arange(energy.shape[1]))


def deviations(result, exact, name):
    """(D, K-1) (estimate - exact)/error, with the discretisation of the integral taken off."""
    error = result.stderr[name] + (result.systematic if name == TI else 0)
    return ((result.log_z[name] - exact) / np.where(error > 0, error, 1))[:, 1:]


@pytest.mark.parametrize("ladder", [gaussian_ladder, gamma_ladder])
@pytest.mark.parametrize("name", [TI, FORWARD, BACKWARD, MBAR])
def test_estimators_within_their_errors(ladder, name):
    energy, exact = ladder()
    z = deviations(solve(energy), exact, name)
    assert np.abs(z).max() < 4.5  # 24 correlated numbers, errors known to 16 %


@pytest.mark.statistical
@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_quoted_errors_are_the_scatter(rho):
    """Over 60 networks the deviations have unit variance: errors know of autocorrelation (rho = 0.8: 9 fold)."""
    energy, exact = gaussian_ladder(n_networks=60, n_draws=1000, rho=rho)
    result = solve(energy)
    for name in (TI, FORWARD, BACKWARD, MBAR):
        z = deviations(result, exact, name)[:, -1]
        assert 0.75 < z.std() < 1.3, name
    assert result.disagreements() == []


def test_forward_is_below_and_backward_above_in_expectation():
    """Few draws of many networks: Jensen's bias shows, with both signs."""
    beta = np.array([0.0, 0.4, 0.8])
    energy, exact = gaussian_ladder(n_draws=40, n_networks=3000, beta=beta)
    forward, backward = ((values[0] - exact)[:, -1] for values in free_energy.stepping_stones(beta, energy))
    assert forward.mean() < -5 * forward.std() / np.sqrt(3000)
    assert backward.mean() > 5 * backward.std() / np.sqrt(3000)


def test_agreement_passes_in_equilibrium():
    for ladder in (gaussian_ladder, gamma_ladder):
        solve(ladder()[0]).require_agreement()


@pytest.mark.statistical
def test_false_alarms_are_rare():
    """About one of 300 autocorrelated ladders alarmed when we measured; 2 of 40 would be a wonder of 1 %."""
    alarms = [
        bool(solve(gaussian_ladder(seed=s, n_networks=4, n_draws=400, rho=0.5)[0]).disagreements()) for s in range(40)
    ]
    assert sum(alarms) <= 1


def test_a_temperature_out_of_equilibrium_is_told():
    """One network, one temperature whose chains still sit at a higher energy."""
    energy, _ = gaussian_ladder()
    energy[:, 2, 3] += 2.0
    with pytest.raises(DisagreementError, match=r"network 102 at beta") as caught:
        solve(energy).require_agreement()
    assert "mlp-gibbs health" in str(caught.value)


def test_a_small_shift_of_every_network_is_told():
    energy, _ = gaussian_ladder(n_networks=80, n_draws=250)
    energy[:, :, 3] += 0.5
    found = solve(energy).disagreements()
    assert any("on average over networks" in text for text in found), found


def test_integration_with_the_wrong_sign_of_the_spacing_is_told(monkeypatch):
    true = free_energy.integrate
    monkeypatch.setattr(free_energy, "integrate", lambda *arguments: tuple(-values for values in true(*arguments)))
    energy, _ = gaussian_ladder()
    with pytest.raises(DisagreementError, match=TI):
        solve(energy).require_agreement()


def test_cost_of_finite_steps():
    """<H> = -tanh beta: log Z = log cosh beta; the error falls 16 fold with half the steps, and is what is quoted."""
    errors = []
    for n in (9, 17, 33):
        beta = np.linspace(0, 2, n)
        log_z, systematic = free_energy.integrate(beta, -np.tanh(beta), 1 / np.cosh(beta) ** 2)
        error = np.abs(log_z - np.log(np.cosh(beta)))
        assert (error <= 2 * systematic + 1e-15).all()
        assert error.max() > 0.2 * systematic.max()
        errors.append(error.max())
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(16, rel=0.05)


def test_cost_of_a_single_step():
    beta = np.array([0.0, 0.8])
    log_z, systematic = free_energy.integrate(beta, -np.tanh(beta), 1 / np.cosh(beta) ** 2)
    assert abs(log_z[1] - np.log(np.cosh(0.8))) < systematic[1]


def test_mbar_without_a_block_is_a_new_solution():
    """The Newton step against `pymbar` on the draws that are left."""
    energy, _ = gaussian_ladder(n_networks=1, n_draws=400)
    blocks = np.arange(400) * 20 // 400
    nowhere = np.zeros(len(BETA))
    stepped = mbar_log_z(BETA, energy[:, 0], blocks, nowhere)
    for block in (0, 7):
        kept = blocks != block
        again = mbar_log_z(BETA, energy[kept, 0], (blocks[kept] > 10).astype(int), nowhere)[0]
        moved = np.abs(again - stepped[0]).max()
        assert np.abs(again - stepped[1 + block]).max() < 0.05 * moved


def test_where_mbar_starts_decides_nothing():
    energy, _ = gaussian_ladder(n_networks=1, n_draws=200)
    blocks = np.arange(200) * 20 // 200
    from_zero, from_far = (
        mbar_log_z(BETA, energy[:, 0], blocks, start) for start in (np.zeros(len(BETA)), 3 * np.arange(len(BETA)))
    )
    assert np.abs(from_zero - from_far).max() < 1e-8


# --- a run whose log Z is known


@pytest.fixture(scope="module")
def linear_run(tmp_path_factory):
    config = small_config(
        model={"activation": "linear", "n_inputs": 12, "n_networks": 8},
        tempering={"beta_max": 2.0, "n_temperatures": 6},
        run={"n_burn_in": 200, "n_sweeps": 600, "measure_every": 1},
        output={"segment_sweeps": 600},
    )
    path = tmp_path_factory.mktemp("linear") / "run"
    finished(config, path)
    return read_run(path)


def test_linear_networks_have_the_von_mises_fisher_log_z(linear_run):
    result = free_energies(linear_run)
    result.require_agreement()
    sections = linear_run.config.model_dump()
    config = parse_config({**sections, "run": {**sections["run"], "dtype": "float64"}})
    field = torch.linalg.vector_norm(linear_field(build_system(config, torch.device("cpu")).networks), dim=1)
    exact = np.array([[von_mises_fisher(float(g), 12, b, n_nodes=200).log_z for b in linear_run.beta] for g in field])
    for name in (TI, FORWARD, BACKWARD, MBAR):
        assert np.abs(deviations(result, exact, name)).max() < 4.5, name
        assert exact[:, -1].min() > 10 * result.stderr[name][:, -1].max()  # it is not agreement within huge errors


# --- bad input


def test_one_temperature():
    with pytest.raises(InsufficientDataError, match="found the single beta = 1"):
        solve(gaussian_ladder(beta=np.array([1.0]))[0], np.array([1.0]))


def test_ladder_that_does_not_start_at_zero():
    with pytest.raises(InsufficientDataError, match=r"found beta_min = 0\.5"):
        solve(gaussian_ladder(beta=BETA + 0.5)[0], BETA + 0.5)


def test_ladder_that_does_not_overlap():
    beta = np.array([0.0, 0.3, 4.0])
    with pytest.raises(InsufficientDataError, match=r"does not overlap between beta = 0\.3 and 4"):
        solve(gaussian_ladder(beta=beta)[0], beta)


def test_too_few_draws():
    with pytest.raises(InsufficientDataError, match="at least 40 draws"):
        free_energies(synthetic_run(n_draws=39))


def test_without_pymbar(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymbar", None)
    with pytest.raises(UsageError, match=r"pip install 'mlp-gibbs\[free-energy\]'"):
        solve(gaussian_ladder()[0])
