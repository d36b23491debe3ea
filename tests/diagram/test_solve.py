"""The phases and transitions that are known, and that a solver that fails is never taken for a phase."""

import math

import pytest
from scipy.optimize import brentq

from mcmc.diagram import solve
from mcmc.diagram.axes import Axis
from mcmc.diagram.point import NOT_SOLVED
from mcmc.diagram.request import DiagramRequest, ModelOptions
from mcmc.diagram.solve import solve_item
from mcmc.errors import ConvergenceError
from mcmc.theory.gaussian_field import transitions as field_transitions


def solved(model: ModelOptions, *betas: float):
    (item,) = DiagramRequest(model, (Axis("beta", betas),)).items()
    return solve_item(item)


def labels(result):
    return [point.label for point in result.points]


def lines(result):
    return {line.kind: line for line in result.lines}


def test_sin_breaks_continuously_at_the_at_line():
    result = solved(ModelOptions("sin"), 4.5, 6.0)
    assert labels(result) == ["RS", "full RSB"]
    at = lines(result)["at"]
    assert at.beta == pytest.approx(4.87765, abs=5e-6)
    assert 0 < at.beta_error < 1e-4
    for kind in ("dynamic", "static"):
        assert math.isnan(lines(result)[kind].beta)
        assert "none found up to beta=4.87" in lines(result)[kind].note
    cold = result.points[1]
    assert cold.pivots[0] < 0
    assert 0 < cold.free_entropy_error < 1e-6
    assert len(cold.overlap) == 2
    assert len(cold.overlap[0]) == len(cold.breaking_points) + 1 >= 8
    assert len(cold.evidence["steps"]) == 3


def test_wide_sin_jumps_even_if_no_point_lies_where_it_does():
    """Between the points at 1 and 3 come the dynamic, the static and the AT temperature."""
    result = solved(ModelOptions("sin", sigma_w=2.0, width_ratio=8.0), 1.0, 3.0)
    assert labels(result) == ["RS", "1RSB"]
    found = lines(result)
    assert found["dynamic"].beta == pytest.approx(2.2795, abs=2e-4)
    assert found["static"].beta == pytest.approx(2.31851, abs=1e-5)
    assert found["at"].beta == pytest.approx(2.54426, abs=1e-5)
    assert all(0 < line.beta_error < 1e-3 for line in result.lines)
    assert result.points[1].breaking_points == pytest.approx((0.6817,), abs=1e-4)


def test_tanh_is_replica_symmetric():
    result = solved(ModelOptions("tanh"), 1.0, 8.0)
    assert labels(result) == ["RS", "RS"]
    assert all(line.note == "none found up to beta=8" and math.isnan(line.beta) for line in result.lines)


def test_a_diagram_that_starts_cold_has_its_at_line():
    """The first point is beyond it: it is looked for towards high temperature."""
    result = solved(ModelOptions("sin", sigma_w=2.0, width_ratio=8.0), 3.0)
    assert lines(result)["at"].beta == pytest.approx(2.54426, abs=1e-5)


def test_infinite_width_has_the_closed_at_line():
    """xi = exp(-s^2) sinh(s^2 q): q xi'' = xi' is z tanh z = 1 with z = s^2 q."""
    result = solved(ModelOptions("sin", sigma_w=2.0, width_ratio=math.inf), 1.0, 4.0)
    assert labels(result) == ["RS", "1RSB"]
    q = brentq(lambda z: z * math.tanh(z) - 1, 0.5, 2) / 4
    beta = math.sqrt(q / (4 * math.exp(-4) * math.cosh(4 * q))) / (1 - q)
    found = lines(result)
    assert found["at"].beta == pytest.approx(beta, rel=1e-9)
    assert found["dynamic"].beta < found["static"].beta < beta
    assert len(result.points[1].overlap) == 2  # the layer overlap too


def test_a_failed_point_is_not_a_phase_and_the_next_one_is_solved(monkeypatch):
    true = solve.classify

    def classify(model, beta, **kwargs):
        if beta == 1.5:
            raise ConvergenceError("residual 1.0e-02 after 400 iterations", residual=1e-2)
        return true(model, beta, **kwargs)

    monkeypatch.setattr(solve, "classify", classify)
    result = solved(ModelOptions("tanh"), 1.0, 1.5, 2.0)
    assert labels(result) == ["RS", NOT_SOLVED, "RS"]
    failed = result.points[1]
    assert failed.error == "ConvergenceError: residual 1.0e-02 after 400 iterations"
    assert math.isnan(failed.free_entropy_density)
    assert failed.seconds > 0


def test_a_mistake_in_the_program_is_no_failed_point(monkeypatch):
    def classify(*args, **kwargs):
        raise NameError("name 'bta' is not defined")

    monkeypatch.setattr(solve, "classify", classify)
    with pytest.raises(NameError, match="bta"):
        solved(ModelOptions("tanh"), 1.0)


def test_a_pivot_below_its_error_decides_nothing(monkeypatch):
    found = solve.classify(ModelOptions("tanh").build(), 1.0)
    assert solve.network_point(found).label == "RS"
    blurred = solve.replace(found, symmetric=solve.replace(found.symmetric, pivot_error=0.6))
    point = solve.network_point(blurred)
    assert point.label == NOT_SOLVED
    assert "not known well enough" in point.error


def test_an_uncertain_structure_at_infinite_width_is_not_solved(monkeypatch):
    true = solve.classify_field

    def classify(*args, **kwargs):
        return solve.replace(true(*args, **kwargs), is_certain=False)

    monkeypatch.setattr(solve, "classify_field", classify)
    (point,) = solved(ModelOptions("sin", width_ratio=math.inf), 1.0).points
    assert point.label == NOT_SOLVED
    assert "no structure" in point.error


def test_a_failed_line_says_so(monkeypatch):
    def find(*args):
        raise ConvergenceError("residual 0.1")

    monkeypatch.setattr("mcmc.diagram.lines.find_transitions", find)
    assert field_transitions.find_transitions is not find
    result = solved(ModelOptions("sin", width_ratio=math.inf), 1.0)
    assert [line.note for line in result.lines] == ["not solved: residual 0.1"] * 3


def test_a_search_for_jumps_that_fails_leaves_the_at_line(monkeypatch):
    """It ended the whole diagram (relu, alpha = 1/4, beta = 8: an average that is not resolved)."""

    def search(*args, **kwargs):
        raise ConvergenceError("underflow")

    monkeypatch.setattr("mcmc.diagram.lines.inner_solution_at_one", search)
    result = solved(ModelOptions("tanh"), 0.5)
    assert labels(result) == ["RS"]
    found = lines(result)
    assert found["at"].note == "none found up to beta=0.5"
    assert found["dynamic"].note == found["static"].note == "not solved: underflow"
