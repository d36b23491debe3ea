"""Faults of what is measured."""

from tests.mutants.table.mutant import OURS, Mutant

OBSERVERS_TESTS, MEASURED = "tests/observers/test_observers.py", "tests/analysis/test_measured.py"
PRODUCTION, OVERLAPS = "tests/run/test_production.py", "tests/systems/test_energy.py::test_overlaps_by_definition"
IDENTITY = '        add_in_turn(self.tensors["overlap"], -draws.beta * (within - between))'

OBSERVERS = (
    Mutant(
        "histogram off by one bin",
        OURS,
        "mcmc/exchange/reference.py",
        ".clamp(max=n_bins - 1) + 1",
        ".clamp(max=n_bins - 1)",
        ("tests/cpp_ext/test_overlap_op.py",),
        is_short=True,
    ),
    Mutant(
        "law of the overlap off by one bin",
        OURS,
        "mcmc/analysis/measured.py",
        "counts[:, 1:-1] / counts.sum",
        "counts[:, :-2] / counts.sum",
        (f"{MEASURED}::test_law_is_the_average_of_the_histograms",),
    ),
    Mutant(
        "overlap of a replica with itself",
        OURS,
        "mcmc/types.py",
        "[(r, s) for r in range(n_replicas) for s in range(r + 1, n_replicas)]",
        "[(r, r) for r in range(n_replicas) for s in range(r + 1, n_replicas)]",
        (OVERLAPS,),
        is_short=True,
    ),
    Mutant(
        "overlap of hidden layers per input",
        OURS,
        "mcmc/systems/mlp/energy.py",
        "n_units = a.shape[-1]",
        "n_units = layers[0].shape[-1]",
        (OVERLAPS,),
    ),
    Mutant(
        "identity A with the wrong sign",
        OURS,
        "mcmc/observers/identity.py",
        IDENTITY,
        IDENTITY.replace("-draws", "draws"),
        (f"{OBSERVERS_TESTS}::test_identity",),
        is_short=True,
    ),
    Mutant(
        "identity A of the input",
        OURS,
        "mcmc/analysis/measured.py",
        "self.beta * (self.self_overlap[..., -1] - self.overlap[..., -1])",
        "self.beta * (self.self_overlap[..., 0] - self.overlap[..., 0])",
        (f"{MEASURED}::test_identity_difference_uses_the_last_layer",),
    ),
    Mutant(
        "identity of the weights counts pairs twice",
        OURS,
        "mcmc/systems/mlp/weight_identity.py",
        "- 0.5 * (between[..., layer] * crossed).mean(-1)",
        "- (between[..., layer] * crossed).mean(-1)",
        ("tests/systems/test_weight_identity.py",),
    ),
    Mutant(
        "overlaps of slots, not of temperatures",
        OURS,
        "mcmc/run/simulation.py",
        "in_order = to_temperature_order(x, self.exchange, slice(block.start, block.stop))",
        "in_order = x",
        (f"{PRODUCTION}::test_last_draw_is_the_state_at_the_end",),
    ),
    Mutant(
        "energies of slots, not of temperatures",
        OURS,
        "mcmc/run/simulation.py",
        "energy = to_temperature_order(self.energy_by_slot(), self.exchange)",
        "energy = self.energy_by_slot()",
        (f"{PRODUCTION}::test_last_draw_is_the_state_at_the_end",),
    ),
    Mutant(
        "burn-in counted in the results",
        OURS,
        "mcmc/run/production.py",
        "        reset_statistics(self.simulation.exchange)\n",
        "",
        (f"{PRODUCTION}::test_steps_and_attempts_are_counted",),
    ),
    Mutant(
        "second moment in the place of the fourth",
        OURS,
        "mcmc/exchange/reference.py",
        "torch.stack((q, q2, q2 * q, q2 * q2), dim=-1)",
        "torch.stack((q, q2, q2 * q, q2), dim=-1)",
        ("tests/cpp_ext/test_overlap_op.py",),
    ),
    Mutant(
        "halves of a run merged without their count",
        OURS,
        "mcmc/observers/series.py",
        '        self.tensors["n"] += more\n',
        "",
        (f"{OBSERVERS_TESTS}::test_two_halves_merged_are_the_whole",),
    ),
)
