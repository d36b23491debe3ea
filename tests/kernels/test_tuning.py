"""Step sizes adapt by the stated rule, are bounded, averaged, carried to other ladders, and survive a checkpoint."""

import math

import numpy as np
import pytest
import torch

from mcmc.kernels.tuning import StepSizeTuner

BOUND = [10.0, 0.05, 10.0]


def make_tuner() -> StepSizeTuner:
    zeros = torch.zeros(3, dtype=torch.float64)
    return StepSizeTuner(zeros, torch.tensor(BOUND, dtype=torch.float64), target=0.5)


def acceptances(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_rule_by_hand():
    """log eps + (n + 3)^-0.6 (acceptance - target): up where too much is accepted, down where too little; bounded."""
    tuner = make_tuner()
    tuner.update(acceptances(0.9, 0.9, 0.2), counts=False)
    first = [3**-0.6 * 0.4, 0.05, -(3**-0.6) * 0.3]
    assert tuner.log_step.tolist() == pytest.approx(first, rel=1e-15)
    tuner.update(acceptances(0.5, 0.4, 0.2), counts=True)
    second = [first[0], 0.05 - 4**-0.6 * 0.1, first[2] - 4**-0.6 * 0.3]
    assert tuner.step_size.tolist() == pytest.approx([math.exp(value) for value in second], rel=1e-14)
    tuner.update(acceptances(1.0, 0.5, 0.5), counts=True)
    third = [second[0] + 5**-0.6 * 0.5, *second[1:]]
    tuner.finish_round()
    mean = [(a + b) / 2 for a, b in zip(second, third, strict=True)]
    assert tuner.log_step.tolist() == pytest.approx(mean, rel=1e-14)
    tuner.update(acceptances(0.9, 0.0, 0.5), counts=True)
    assert float(tuner.log_step[0]) == pytest.approx(mean[0] + 3**-0.6 * 0.4), "a round counts from its beginning"


def test_round_without_an_average_keeps_its_last_values():
    tuner = make_tuner()
    tuner.update(acceptances(0.9, 0.0, 0.2), counts=False)
    last = tuner.log_step.clone()
    tuner.finish_round()
    assert torch.equal(tuner.log_step, last)


def test_other_ladders():
    """Monotone between the old temperatures, the values at them where they stay, never above the bounds."""
    tuner = make_tuner()
    tuner.log_step.copy_(acceptances(0.04, 0.0, -2.0))
    old = np.array([0.0, 1.0, 2.0])
    tuner.move_to_ladder(old, np.array([0.0, 1.5, 2.0]))
    first, between, last = tuner.log_step.tolist()
    assert (first, last) == pytest.approx((0.04, -2.0), rel=1e-14)
    assert -2.0 < between < 0.0
    tuner.log_step.copy_(acceptances(3.0, 0.0, -2.0))
    tuner.move_to_ladder(old, np.array([0.0, 0.1, 2.5]))
    assert tuner.log_step.tolist() == pytest.approx([3.0, 0.05, -2.0], rel=1e-14)
    pair = StepSizeTuner(acceptances(0.0, -1.0), acceptances(1.0, 1.0), target=0.5)
    pair.move_to_ladder(np.array([0.0, 1.0]), np.array([0.5, 1.0]))
    assert pair.log_step.tolist() == pytest.approx([-0.5, -1.0])
    single = StepSizeTuner(acceptances(0.3), acceptances(1.0), target=0.5)
    single.move_to_ladder(np.array([1.0]), np.array([2.0]))
    assert single.log_step.tolist() == [0.3]


def test_a_checkpoint_goes_on_as_before():
    one, other = make_tuner(), make_tuner()
    one.update(acceptances(0.9, 0.1, 0.2), counts=False)
    other.load_arrays(one.to_arrays())
    for counts in (False, True, True):
        for tuner in (one, other):
            tuner.update(acceptances(0.9, 0.1, 0.7), counts=counts)
        again = make_tuner()
        again.load_arrays(other.to_arrays())
        other = again
    one.finish_round()
    other.finish_round()
    assert torch.equal(one.log_step, other.log_step)
