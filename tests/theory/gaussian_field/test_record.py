"""The record of a broken solution: the keys of the replica-symmetric one and more, valid JSON, consistent numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mcmc.theory import saddle
from mcmc.theory.broken import to_json_record
from mcmc.theory.linear import solve_linear
from mcmc.theory.model import TheoryModel
from tests.theory.gaussian_field.cases import PHASES, solved

NEW = {"breaking_points", "replicon", "free_entropy_error", "energy_error", "evidence"}
ONLY_RS = {"energy_density_readout", "quadrature_error", "pivot_error", "resolved", "n_iter"}


@pytest.mark.parametrize("name", PHASES)
def test_keys_and_json(name):
    beta = PHASES[name][1]
    record = to_json_record(solved(name))
    rs = saddle.to_json_record(solve_linear(TheoryModel.build("linear"), beta))
    assert set(record) == (set(rs) - ONLY_RS) | NEW
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert len(record["overlap"]) == len(record["self_overlap"])
    assert all(len(levels) == len(record["breaking_points"]) + 1 for levels in record["overlap"])
    assert record["entropy_density"] == pytest.approx(record["free_entropy_density"] + beta * record["energy_density"])


def test_moments_and_weights():
    solution = solved("discontinuous 1RSB")
    (q0, q1), (x,) = solution.overlap[0], solution.breaking_points
    assert solution.weights == pytest.approx((x, 1 - x))
    assert solution.overlap_moment(2) == pytest.approx(x * q0**2 + (1 - x) * q1**2)
    assert solution.n_steps == 1


def test_numpy_in_the_evidence_is_made_plain():
    solution = replace(solved("RS in a field"), evidence={"a": np.float64(1.5), "b": [np.arange(2)], 3: np.bool_(True)})
    assert json.dumps(to_json_record(solution)["evidence"]) == '{"a": 1.5, "b": [[0, 1]], "3": true}'


def test_levels_and_breaking_points_must_fit():
    with pytest.raises(AssertionError):
        replace(solved("RS in a field"), breaking_points=(0.5,))


def test_errors_grow_with_that_of_the_covariance():
    xi, beta, _ = PHASES["RS of a network"]
    solution = solved("RS of a network")
    assert 0 < beta**2 * xi.error <= solution.free_entropy_error < 1e-9
    assert 0 < solution.energy_error < 1e-9
