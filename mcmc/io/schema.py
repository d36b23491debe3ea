"""The name, axes and meaning of every dataset of a results file: the only place where they are written.

Names follow H5MD 1.1 (`observables/<name>/{step,value}`) and the `sample_stats` of ArviZ. `docs/run_file.md` is the
same table for readers; a test compares the two.
"""

from typing import NamedTuple

SCHEMA = "mlp-gibbs/segment"
SCHEMA_VERSION = 1
H5MD_VERSION = (1, 1)


class Dataset(NamedTuple):
    """Axes (names of dimension scales at the root of the file) and meaning of a dataset."""

    axes: tuple[str, ...]
    meaning: str
    dtype: str = "float64"


class Key:
    """Paths inside a segment."""

    BETA = "parameters/beta"
    STEP_SIZE = "parameters/step_size"
    N_LEAPFROG = "parameters/n_leapfrog"
    ENERGY = "observables/energy_density/value"
    OVERLAP = "observables/overlap/value"
    SELF_OVERLAP = "observables/self_overlap/value"
    HISTOGRAM = "overlap_histogram/counts"
    EDGES = "overlap_histogram/edges"
    MOMENT_SUM = "overlap_histogram/moment_sum"
    CROSS_MOMENT_SUM = "cross_temperature/moment_sum"
    IDENTITY_ENERGY = "identity_a/energy"
    IDENTITY_OVERLAP = "identity_a/overlap"
    WEIGHT_EXCESS_SUM = "weight_identity/excess_sum"
    WEIGHT_RESPONSE_SUM = "weight_identity/response_sum"
    ACCEPTANCE = "sample_stats/acceptance_rate"
    ENERGY_ERROR_SUM = "sample_stats/energy_error_sum"
    ENERGY_ERROR_SQUARE_SUM = "sample_stats/energy_error_square_sum"
    METROPOLIS_SUM = "sample_stats/exp_minus_energy_error_sum"
    N_STEPS = "sample_stats/n_steps"
    SWAP_ACCEPTANCE_SUM = "sample_stats/swap_acceptance_sum"
    SWAP_COUNT = "sample_stats/swap_count"
    SWAP_ATTEMPTS = "sample_stats/swap_attempts"
    ROUND_TRIPS = "sample_stats/round_trips"
    REVERSAL = "trajectory_checks/reversal"
    CHECKED_ENERGY_ERROR = "trajectory_checks/energy_error"
    DECISION_ERROR = "trajectory_checks/decision_error"
    IS_REPEATABLE = "trajectory_checks/is_repeatable"
    CHECKED_NETWORK = "trajectory_checks/checked_network"


SCALES: dict[str, str] = {
    "draw": "number of the production sweep after which the state was measured, from 1",
    "network": "number of the quenched draw: its weights are a function of (seed, number)",
    "temperature": "inverse temperature beta, increasing",
    "other_temperature": "the same, of the other replica of a pair",
    "neighbour": "lower temperature index of a pair of neighbours",
    "replica": "real replica, an independent ladder in the same network",
    "slot": "place of a walker in memory; its position stays there while temperatures move",
    "pair": "pair (r, s), r < s, of real replicas: (0,1), (0,2), ..., (1,2), ...",
    "layer": "0: the input x; l: the activations a^l",
    "hidden_layer": "number l of a hidden layer, from 1",
    "bin": "0: below the first edge; last: above the last edge; others between edges",
    "edge": "bin edges",
    "moment": "power 1 to 4",
    "check": "production sweep after which trajectories were checked",
}

DATASETS: dict[str, Dataset] = {
    Key.BETA: Dataset(("temperature",), "inverse temperature"),
    Key.STEP_SIZE: Dataset(("temperature",), "frozen step size of the kernel"),
    Key.N_LEAPFROG: Dataset(("temperature",), "leapfrog steps of a trajectory", "int64"),
    Key.ENERGY: Dataset(("draw", "network", "temperature", "replica"), "e = H/N_0"),
    Key.OVERLAP: Dataset(("draw", "network", "temperature", "pair", "layer"), "q^l = a^l.a'^l/N_l", "float32"),
    Key.SELF_OVERLAP: Dataset(("draw", "network", "temperature", "replica", "layer"), "r^l = a^l.a^l/N_l", "float32"),
    Key.HISTOGRAM: Dataset(
        ("network", "temperature", "layer", "bin"), "pairs and draws of this segment whose q^l is in the bin", "int64"
    ),
    Key.EDGES: Dataset(("layer", "edge"), "edges of the bins, of each layer"),
    Key.MOMENT_SUM: Dataset(
        ("network", "temperature", "layer", "moment"), "sum of (q^l)^m over the pairs and draws of this segment"
    ),
    Key.CROSS_MOMENT_SUM: Dataset(
        ("network", "temperature", "other_temperature", "moment"),
        "sum over pairs and draws of this segment of (x.x'/N_0)^m, x and x' at two temperatures, in different replicas",
    ),
    Key.IDENTITY_ENERGY: Dataset(("network", "temperature"), "left side of identity A: mean of H/N_0"),
    Key.IDENTITY_OVERLAP: Dataset(("network", "temperature"), "right side: -beta (mean r^L - mean q^L)"),
    Key.WEIGHT_EXCESS_SUM: Dataset(
        ("network", "temperature", "hidden_layer"),
        "sum over the draws of this segment of z^l.z^l/N_l - sigma_w^2 r^{l-1}, averaged over replicas",
    ),
    Key.WEIGHT_RESPONSE_SUM: Dataset(
        ("network", "temperature", "hidden_layer"),
        "likewise of (sigma_w^2/N_l) (r^{l-1} z^l.d^l - q^{l-1} z^l.d'^l), z and d of equations.md, section 2",
    ),
    Key.ACCEPTANCE: Dataset(("network", "temperature", "replica"), "mean Metropolis acceptance probability"),
    Key.ENERGY_ERROR_SUM: Dataset(("network", "temperature", "replica"), "sum over steps of dH, the energy error"),
    Key.ENERGY_ERROR_SQUARE_SUM: Dataset(("network", "temperature", "replica"), "sum over steps of dH^2"),
    Key.METROPOLIS_SUM: Dataset(
        ("network", "temperature", "replica"), "sum over steps of exp(-dH), whose mean is 1 in equilibrium"
    ),
    Key.N_STEPS: Dataset((), "kernel steps behind the sums", "int64"),
    Key.SWAP_ACCEPTANCE_SUM: Dataset(
        ("network", "neighbour", "replica"), "sum over attempts of the swap acceptance probability"
    ),
    Key.SWAP_COUNT: Dataset(("network", "neighbour", "replica"), "accepted swaps", "int64"),
    Key.SWAP_ATTEMPTS: Dataset(("neighbour",), "attempted swaps of each ladder", "int64"),
    Key.ROUND_TRIPS: Dataset(
        ("network", "slot", "replica"), "trips of a walker from the hottest end to the coldest and back", "int64"
    ),
    Key.REVERSAL: Dataset(
        ("check", "temperature"),
        "distance of x' from x over sqrt(N_0), x' where a trajectory from x and its way back end",
    ),
    Key.CHECKED_ENERGY_ERROR: Dataset(
        ("check", "temperature"), "difference of H from float64 over abs H + norm x norm dH/dx, in units of 2^-24"
    ),
    Key.DECISION_ERROR: Dataset(
        ("check", "temperature"), "beta times the difference of dH over the trajectory from float64"
    ),
    Key.IS_REPEATABLE: Dataset(
        ("check", "temperature"), "1 if force and energy computed again are the same bits", "int8"
    ),
    Key.CHECKED_NETWORK: Dataset(("check",), "network whose trajectories were checked", "int64"),
}

CHECKS = (Key.REVERSAL, Key.CHECKED_ENERGY_ERROR, Key.DECISION_ERROR, Key.IS_REPEATABLE, Key.CHECKED_NETWORK)
TIME_SERIES = (Key.ENERGY, Key.OVERLAP, Key.SELF_OVERLAP)
