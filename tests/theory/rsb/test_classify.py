"""The verdicts that are known in these conventions, with their evidence."""

import math

import pytest

from mcmc.theory.model import TheoryModel
from mcmc.theory.rsb import at_beta, classify, dynamic_beta, find_transitions, static_beta

JUMP = TheoryModel.build("sin", sigma_w=2.0, width_ratios=8.0)
RELU = TheoryModel.build("relu", sigma_w=math.sqrt(2))


def test_a_large_jump_with_a_stable_replicon_is_one_step():
    verdict = classify(JUMP, 3.0)
    assert verdict.label == "1RSB"
    assert verdict.solution is not None
    assert verdict.solution.stable
    assert verdict.evidence["steps"][0]["smallest_gap"] > 0.5


def test_a_discontinuous_one_step_is_found_where_replica_symmetry_is_still_stable():
    verdict = classify(JUMP, 2.4)
    assert verdict.symmetric.stable
    assert verdict.evidence["far_level"]
    assert verdict.label == "1RSB"
    assert verdict.solution.breaking_points[0] > 0.8
    assert verdict.solution.free_entropy_density < verdict.symmetric.free_entropy_density


def test_between_the_dynamic_and_the_static_temperature_replica_symmetry_holds():
    verdict = classify(JUMP, 2.30)
    assert verdict.label == "RS"
    assert verdict.evidence["far_level"]
    assert "dynamic" in verdict.evidence["reason"]


def test_continuous_breaking_is_full():
    verdict = classify(TheoryModel.build("sin"), 8.0, n_steps=8)
    assert verdict.label == "full RSB"
    worst = [min(step["level_pivots"]) for step in verdict.evidence["steps"]]
    assert len(worst) == 3
    assert worst[0] < worst[1] < worst[2] < 0
    assert verdict.solution.evidence["marginal"]


@pytest.mark.parametrize(("model", "beta"), [(TheoryModel.build("tanh"), 16.0), (RELU, 12.0)], ids=["tanh", "relu"])
def test_shallow_tanh_and_relu_are_replica_symmetric(model, beta):
    verdict = classify(model, beta)
    assert verdict.label == "RS"
    assert min(verdict.symmetric.pivots) > 0.1
    assert verdict.evidence["far_level"] is False


def test_the_three_temperatures_of_a_discontinuous_transition_are_in_order():
    dynamic, static, instability = dynamic_beta(JUMP, 2.5), static_beta(JUMP, 2.3, 2.4), at_beta(JUMP, 2.4, 2.7)
    assert dynamic == pytest.approx(2.2795, abs=2e-4)
    assert static == pytest.approx(2.31851, abs=2e-5)
    assert instability == pytest.approx(2.54426, abs=2e-5)


def test_replica_symmetry_of_relu_ends_between_beta_13_and_14():
    assert at_beta(RELU, 13.0, 14.0, rtol=1e-4) == pytest.approx(13.75, abs=0.01)


def test_all_transitions_of_a_discontinuous_breaking_without_a_bracket():
    found = find_transitions(JUMP)
    assert (found.dynamic.beta, found.static.beta, found.at.beta) == pytest.approx((2.2795, 2.31851, 2.54426), abs=2e-4)
    assert found.first is found.static
    assert 0.62 < found.dynamic.top < found.static.top == pytest.approx(0.7173, abs=1e-3)
    assert found.static.overlap == pytest.approx(0.24663, abs=1e-5)


def test_a_continuous_breaking_has_an_at_temperature_alone():
    found = find_transitions(TheoryModel.build("sin"))
    assert found.first is found.at
    assert found.at.beta == pytest.approx(4.8777, abs=1e-3)
    assert found.static is found.dynamic is None
