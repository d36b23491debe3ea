"""Faults of replica exchange and of its bookkeeping."""

from tests.mutants.table.mutant import OURS, STATISTICAL, Mutant

REFERENCE, SIMULATION = "mcmc/exchange/reference.py", "mcmc/run/simulation.py"
OPS, BARRIER = "tests/exchange/test_ops.py", "tests/exchange/test_barrier.py"
HMC = f"{STATISTICAL}/test_exact_laws.py::test_von_mises_fisher[hmc-exchange]"
JOINT_LAW = "tests/exchange/test_stationarity.py::test_exchange_leaves_the_joint_law_invariant"
PARTS = "tests/exchange/test_count_and_swap.py::test_the_operator_is_its_parts"
SWEEP = """        sums = self.explore(number)
        return self.count_and_swap(sums, number, parity if self._exchanges else None)
"""
LATE_SWEEP = """        before = list(self.chains)
        sums = self.explore(number)
        now, self.chains = self.chains, before
        statistics = self.count_and_swap(sums, number, parity if self._exchanges else None)
        self.chains = now
        return statistics
"""

EXCHANGE = (
    Mutant(
        "swaps counted and not applied",
        "openmmtools #449",
        SIMULATION,
        "beta = beta_of_slot(self.beta, self.exchange).view(n_networks, -1)",
        "beta = self.beta.repeat_interleave(self.shape[2]).expand(n_networks, -1).contiguous()",
        (HMC,),
        is_short=True,
    ),
    Mutant(
        "half of a swap applied",
        "openmmtools #449",
        REFERENCE,
        "    slot_of_temp[:, i + 1] = now_j\n",
        "",
        (f"{OPS}::test_any_sequence_of_swaps_keeps_the_invariants",),
    ),
    Mutant(
        "swap with the wrong sign",
        OURS,
        REFERENCE,
        "(beta[i] - beta[i + 1])",
        "(beta[i + 1] - beta[i])",
        (f"{OPS}::test_sign_cold_takes_the_lower_energy[reference]", JOINT_LAW),
        engine="torch",
        is_short=True,
    ),
    Mutant(
        "swap without one of the temperatures",
        OURS,
        REFERENCE,
        "(beta[i] - beta[i + 1])",
        "(-beta[i + 1])",
        (JOINT_LAW,),
        engine="torch",
    ),
    Mutant(
        "swap compares the energies of slots",
        OURS,
        REFERENCE,
        "energy.gather(1, slot_i), energy.gather(1, slot_j)",
        "energy[:, i], energy[:, i + 1]",
        (JOINT_LAW,),
        engine="torch",
        is_short=True,
    ),
    Mutant("energies one sweep late in the swap", "flowMC #90", SIMULATION, SWEEP, LATE_SWEEP, (HMC,)),
    Mutant(
        "pairs of one parity only",
        OURS,
        SIMULATION,
        "return self._sweep(number, number % 2)",
        "return self._sweep(number, 0)",
        ("tests/run/test_graph.py::test_replayed_sweeps_are_the_sweeps",),
    ),
    Mutant(
        "neighbours of the wrong parity",
        OURS,
        "mcmc/exchange/pairs.py",
        "range(parity, n_temperatures - 1, 2)",
        "range(1 - parity, n_temperatures - 1, 2)",
        ("tests/exchange/test_pairs.py",),
        is_short=True,
    ),
    Mutant(
        "attempts of the other parity counted",
        OURS,
        "mcmc/exchange/state.py",
        "state.n_attempts[parity::2] += times",
        "state.n_attempts[1 - parity :: 2] += times",
        (f"{OPS}::test_never_accepted_leaves_everything",),
    ),
    Mutant(
        "round trips counted at both ends",
        OURS,
        REFERENCE,
        "    if end > 0:\n",
        "    if end:\n",
        (f"{OPS}::test_round_trips_and_directions_follow_the_walkers", OPS),
    ),
    Mutant(
        "half of the round trips counted",
        OURS,
        REFERENCE,
        "(is_accepted & (before < 0)).to(torch.int64)",
        "(is_accepted & (before < 0) & (round_trips.gather(1, slot) % 2 == 0)).to(torch.int64)",
        (f"{OPS}::test_round_trips_and_directions_follow_the_walkers",),
    ),
    Mutant(
        "acceptance rates of slots, not of temperatures",
        OURS,
        "mcmc/exchange/ops.py",
        "to_temperature_order(statistics.view(*energy.shape, 4), state).movedim(-1, 0)",
        "statistics.view(*energy.shape, 4).movedim(-1, 0)",
        (PARTS,),
    ),
    Mutant(
        "one uniform for all pairs",
        OURS,
        "mcmc/exchange/ops.py",
        "u = streams.uniform(Purpose.SWAP, number, n_pairs).transpose(1, 2).contiguous()",
        "u = streams.uniform(Purpose.SWAP, number, 1).expand(-1, -1, n_pairs).transpose(1, 2).contiguous()",
        (PARTS,),
    ),
    Mutant(
        "step sizes of slots, not of temperatures",
        OURS,
        SIMULATION,
        "temperature = self.exchange.temp_of_slot.view(n_networks, -1)",
        "temperature = torch.arange(self.shape[1]).repeat_interleave(self.shape[2]).expand(n_networks, -1)",
        ("tests/run/test_stretch.py::test_grouping_changes_no_bit",),
    ),
    Mutant(
        "barrier counted twice",
        OURS,
        "mcmc/exchange/barrier.py",
        "np.cumsum(np.maximum(r, REJECTION_FLOOR))",
        "2 * np.cumsum(np.maximum(r, REJECTION_FLOOR))",
        (BARRIER,),
        is_short=True,
    ),
    Mutant(
        "barrier of a dense ladder from the rejections of a sparse one",
        OURS,
        "mcmc/exchange/barrier.py",
        "erfinv(np.minimum(rejection, SATURATION)).sum()",
        "np.minimum(rejection, SATURATION).sum()",
        (BARRIER,),
    ),
    Mutant(
        "round trips of a reversible walk",
        OURS,
        "mcmc/exchange/barrier.py",
        "(self.rejection / (1.0 - self.rejection)).sum()",
        "(1.0 / (1.0 - self.rejection)).sum()",
        (f"{BARRIER}::test_round_trip_rate",),
    ),
    Mutant(
        "rejections of the half that was accepted",
        OURS,
        "mcmc/exchange/barrier.py",
        "np.clip(1.0 - (total / state.n_attempts[:, None]).mean(axis=2), 0.0, 1.0)",
        "np.clip((total / state.n_attempts[:, None]).mean(axis=2), 0.0, 1.0)",
        ("tests/exchange/test_stationarity.py::test_acceptance_is_the_overlap_integral",),
    ),
)
