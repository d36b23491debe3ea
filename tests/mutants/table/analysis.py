"""Faults of errors and of free energies."""

from tests.mutants.table.mutant import OURS, Mutant

BOOTSTRAP, FREE = "tests/analysis/test_bootstrap.py", "tests/analysis/test_free_energy.py"
FREE_FILE, BOOTSTRAP_FILE = "mcmc/analysis/free_energy.py", "mcmc/analysis/bootstrap.py"
ESTIMATORS = f"{FREE}::test_estimators_within_their_errors"

ANALYSIS = (
    Mutant(
        "bootstrap over chains, not networks",
        OURS,
        BOOTSTRAP_FILE,
        "self.weights = counts / n_networks",
        "self.weights = (counts + 3) / (4 * n_networks)",
        (f"{BOOTSTRAP}::test_one_sigma_covers_68_percent_of_means",),
        is_short=True,
    ),
    Mutant(
        "every statistic draws other networks",
        OURS,
        BOOTSTRAP_FILE,
        "(np.tensordot(self.weights, array, 1) for array in values)",
        "(np.tensordot(np.roll(self.weights, i, 0), array, 1) for i, array in enumerate(values))",
        (f"{BOOTSTRAP}::test_one_sigma_covers_68_percent_of_a_nonlinear_function",),
    ),
    Mutant(
        "standard deviation in the place of the standard error",
        OURS,
        "mcmc/analysis/estimate.py",
        "stderr = float(per_network.std(ddof=1) / np.sqrt(len(per_network)))",
        "stderr = float(per_network.std(ddof=1))",
        ("tests/analysis/test_estimate.py::test_average_by_hand",),
    ),
    Mutant(
        "a fitted control costs no degree of freedom",
        OURS,
        "mcmc/analysis/estimate.py",
        "(1 / n + z.mean() ** 2 / spread)",
        "(1 / n)",
        ("tests/analysis/test_estimate.py::test_same_as_least_squares",),
    ),
    Mutant(
        "stepping stones from the wrong end",
        OURS,
        FREE_FILE,
        'found["up_largest"])[..., :-1]',
        'found["up_largest"])[..., 1:]',
        (ESTIMATORS,),
        is_short=True,
    ),
    Mutant(
        "free energy of the reversed path",
        OURS,
        FREE_FILE,
        "backward = -_log_mean(",
        "backward = _log_mean(",
        (ESTIMATORS,),
    ),
    Mutant(
        "end correction of the integration with the wrong sign",
        OURS,
        FREE_FILE,
        "correction = -(step**2) / 12",
        "correction = (step**2) / 12",
        (f"{FREE}::test_cost_of_finite_steps",),
    ),
    Mutant(
        "MBAR gives f, not log Z",
        OURS,
        "mcmc/analysis/mbar.py",
        "return -np.stack(results)",
        "return np.stack(results)",
        (ESTIMATORS,),
    ),
    Mutant(
        "jackknife error of one block",
        OURS,
        FREE_FILE,
        "np.sqrt((N_BLOCKS - 1) * left_out.var(0))",
        "np.sqrt(left_out.var(0))",
        (ESTIMATORS,),
    ),
    Mutant(
        "Binder ratio without its square",
        OURS,
        "mcmc/analysis/observables.py",
        "0.5 * (3 - fourth / second**2)",
        "0.5 * (3 - fourth / second)",
        ("tests/analysis/test_observables.py::test_gaussian_overlaps",),
    ),
)
