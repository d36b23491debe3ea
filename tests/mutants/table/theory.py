"""Faults of the saddle-point equations."""

from tests.mutants.table.mutant import OURS, Mutant

LINEAR = "tests/theory/test_linear.py::test_every_order_parameter"
STABILITY = "tests/theory/test_stability.py::test_pivots_are_those_of_the_hessian"
STATIONARY = "tests/theory/test_rs.py::test_stationary_point_of_an_independent_phi"
EQUATIONS, PIVOTS = "mcmc/theory/rs_equations.py", "mcmc/theory/stability.py"

THEORY = (
    Mutant(
        "conjugate of the readout with the wrong factor",
        OURS,
        EQUATIONS,
        "beta**2 / model.alpha(depth)]",
        "beta**2 * model.alpha(depth)]",
        (LINEAR,),
        is_short=True,
    ),
    Mutant(
        "thermal variance of r in the place of r - q",
        OURS,
        "mcmc/theory/layer.py",
        "math.sqrt(weight * max(self_overlap - overlap, 0.0))",
        "math.sqrt(weight * self_overlap)",
        (LINEAR,),
    ),
    Mutant(
        "recursion over layers off by one",
        OURS,
        EQUATIONS,
        "average = result.layers[layer - 1]",
        "average = result.layers[layer - 2]",
        (LINEAR,),
    ),
    Mutant(
        "spherical constraint of the wrong power",
        OURS,
        EQUATIONS,
        "return 2 * field / (2 * field + 1 + math.sqrt(4 * field + 1))",
        "return field / (1 + field)",
        (LINEAR,),
    ),
    Mutant(
        "energetic term without its half",
        OURS,
        EQUATIONS,
        "return total + 0.5 * beta**2",
        "return total + beta**2",
        (LINEAR,),
    ),
    Mutant(
        "Lagrange term without its half",
        OURS,
        EQUATIONS,
        "- 0.5 * (s * (r - q) + d * r))",
        "- (s * (r - q) + d * r))",
        ("tests/theory/test_checked_numbers.py::test_energy_is_minus_the_derivative_of_phi",),
    ),
    Mutant("replicon of a layer with the wrong sign", OURS, PIVOTS, "1 - c * g", "1 + c * g", (STABILITY,)),
    Mutant(
        "replicon of the sphere with the wrong power",
        OURS,
        PIVOTS,
        "1 - (1 - input_overlap) ** 2 * g",
        "1 - (1 - input_overlap**2) * g",
        (STABILITY,),
        is_short=True,
    ),
    Mutant(
        "connected average without its disconnected part",
        OURS,
        "mcmc/theory/neuron.py",
        "self.moments[1, 1] - self.moments[1, 0] * self.moments[0, 1]",
        "self.moments[1, 1]",
        ("tests/theory/test_neuron.py::test_derivative_formulas",),
    ),
    Mutant(
        "fourth cumulant with the third of a symmetric law",
        OURS,
        "mcmc/theory/high_temperature.py",
        "fourth = m4 - 4 * m3 * m1 - 3 * m2**2 + 12 * m2 * m1**2 - 6 * m1**4",
        "fourth = m4 - 3 * m2**2",
        ("tests/theory/test_high_temperature.py",),
    ),
    Mutant(
        "annealed action counts the last layer twice",
        OURS,
        "mcmc/theory/annealed.py",
        "(0.5 * tilt * r if layer < depth else 0.0)",
        "0.5 * tilt * r",
        ("tests/theory/test_annealed.py::test_two_layers_by_a_scan",),
    ),
    Mutant(
        "one-step average without its breaking point",
        OURS,
        "mcmc/theory/rsb/recursion.py",
        "s - x * first[a] * first[b] for s, (a, b) in zip(raw",
        "s - first[a] * first[b] for s, (a, b) in zip(raw",
        ("tests/theory/rsb/test_recursion.py::test_second_derivatives_of_an_outer_level_by_finite_differences",),
    ),
)
