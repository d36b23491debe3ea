"""Operations on rows against their definitions in float64, for ragged lengths, strides, threads and wrong arguments."""

import math

import pytest
import torch

from mcmc import native
from mcmc.kernels.accept import metropolis
from mcmc.kernels.base import ChainState
from mcmc.kernels.leapfrog import energy_error

pytestmark = pytest.mark.skipif(native.BACKEND == "reference", reason="no extension")
ops = torch.ops.mlp_gibbs
LENGTHS = [1, 2, 15, 16, 17, 100, 257]


def rows(n: int, d: int = 3, c: int = 5) -> torch.Tensor:
    return torch.randn(d, c, n, generator=torch.Generator().manual_seed(n))


@pytest.mark.parametrize("n", LENGTHS)
def test_kinetic_energy(n):
    p = rows(n)
    expected = 0.5 * p.double().square().sum(-1)
    assert torch.allclose(ops.kinetic_energy(p), expected, rtol=1e-14, atol=0)
    strided = rows(n).transpose(0, 1)
    assert torch.equal(ops.kinetic_energy(strided), ops.kinetic_energy(p).T)


@pytest.mark.parametrize("n", LENGTHS)
def test_project_tangent(n):
    x, v = rows(n), rows(n).flip(0)
    exact = v.double() - x.double() * (x.double() * v.double()).sum(-1, keepdim=True) / n
    found = ops.project_tangent(x, v)
    assert (found - exact).abs().max() < 4 * 2.0**-24 * (v.abs() + 2 * x.abs() * x.norm(dim=-1).amax()).max()
    assert torch.equal(ops.project_tangent(x[1:], v[1:]), found[1:])
    assert (ops.project_tangent(x, v + 0.01) - exact).abs().max() > 1e-4 or n == 1


@pytest.mark.parametrize("n", LENGTHS)
def test_keep_rows(n):
    proposal, present = rows(n), rows(n).flip(0)
    is_taken = torch.arange(15).view(3, 5) % 3 == 0
    expected = torch.where(is_taken.unsqueeze(-1), proposal, present)
    ops.keep_rows_(proposal, present, is_taken)
    assert torch.equal(proposal, expected)


def chain_numbers() -> tuple[torch.Tensor, ...]:
    """Uniforms, energy errors (NaN and infinities among them), inverse temperatures (0 among them), energies."""
    g = torch.Generator().manual_seed(3)
    u, error, energy, proposed, kinetic = (torch.randn(5, 3, 40, generator=g, dtype=torch.float64)).unbind(0)
    error = 3 * error
    error[0, :5] = torch.tensor([0.0, math.inf, -math.inf, math.nan, -1e-300])
    beta = torch.arange(120.0, dtype=torch.float64).view(3, 40) % 7
    return torch.sigmoid(u), error, beta, energy, proposed, kinetic


def test_metropolis_is_its_twin(monkeypatch):
    u, error, *_ = chain_numbers()
    found = metropolis(u, error)
    strided = metropolis(u.T.contiguous().T, error.T.contiguous().T)
    monkeypatch.setattr(native, "serves_numbers", lambda t: False)
    for info in (found, strided):
        twin = metropolis(u, error)
        assert torch.allclose(info.statistics, twin.statistics, rtol=1e-15, atol=0, equal_nan=True)
        assert torch.equal(info.is_accepted, twin.is_accepted)
        assert torch.equal(info.is_nonfinite, twin.is_nonfinite)
    assert found.is_nonfinite.sum() == 3
    assert found.statistics[0, :3, 0].tolist() == [1.0, 0.0, 1.0]
    assert not found.is_accepted[0, 3]


def test_energy_error_is_its_twin(monkeypatch):
    _, _, beta, energy, proposed, kinetic = chain_numbers()
    proposed[0, 0] = math.nan  # at beta = 0 too
    start, end = (ChainState(energy, e, energy, energy, kinetic) for e in (energy, proposed))
    found = energy_error(start, end, beta)
    monkeypatch.setattr(native, "serves_numbers", lambda t: False)
    twin = energy_error(start, end, beta)
    assert torch.equal(found.nan_to_num(7.0), twin.nan_to_num(7.0))
    assert found[0, 0].isnan()
    assert beta[0, 0] == 0
    assert found[0, 7] == 0


def test_threads_and_emptiness_do_not_matter():
    p, x = rows(1000, 40, 16), rows(1000, 40, 16).flip(0)
    before = torch.get_num_threads()
    try:
        found = []
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            found.append((ops.kinetic_energy(p), ops.project_tangent(x, p)))
    finally:
        torch.set_num_threads(before)
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)
    assert ops.kinetic_energy(p[:0]).shape == (0, 16)
    assert ops.project_tangent(x[:, :0], p[:, :0]).shape == (40, 0, 1000)


def test_registered_properly():
    p, x = rows(7), rows(7).flip(0)
    is_taken = torch.ones(3, 5, dtype=torch.bool)
    u, error, beta, energy, proposed, kinetic = chain_numbers()
    torch.library.opcheck(ops.metropolis.default, (u, error.nan_to_num(1.0, 2.0, 3.0)))
    torch.library.opcheck(ops.energy_error.default, (beta, energy, proposed, kinetic))
    torch.library.opcheck(ops.kinetic_energy.default, (p,))
    torch.library.opcheck(ops.project_tangent.default, (x, p))
    torch.library.opcheck(ops.keep_rows_.default, (p.clone(), x, is_taken))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, m: ops.kinetic_energy(p.double()), "p must be Float, found Double"),
        (lambda p, m: ops.kinetic_energy(p[0]), r"p must have shape \(D, C, n\), found \[5, 7\]"),
        (lambda p, m: ops.project_tangent(p, p[:, :4]), r"v must have shape \[3, 5, 7\], found \[3, 4, 7\]"),
        (lambda p, m: ops.project_tangent(p[..., :0], p[..., :0]), "n >= 1"),
        (lambda p, m: ops.metropolis(p, p), "u must be Double, found Float"),
        (lambda p, m: ops.metropolis(p.double(), p.double()), r"u must have shape \(D, C\), found \[3, 5, 7\]"),
        (lambda p, m: ops.energy_error(*[p.double()] * 3, p), "kinetic_change must be Double, found Float"),
        (lambda p, m: ops.energy_error(*[p.double()] * 3, p[0].double()), r"kinetic_change must have shape"),
        (lambda p, m: ops.keep_rows_(p, p.double(), m), "present must be Float, found Double"),
        (lambda p, m: ops.keep_rows_(p, p[:2], m), r"present must have shape \[3, 5, 7\]"),
        (lambda p, m: ops.keep_rows_(p, p, m[:2]), r"shape of is_taken \[2, 5\]"),
        (lambda p, m: ops.keep_rows_(p, p, m.int()), "is_taken must be Bool, found Int"),
        (lambda p, m: ops.keep_rows_(p.transpose(0, 1), p, m.T), "proposal is written in place and must be contiguous"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(rows(7), torch.ones(3, 5, dtype=torch.bool))
