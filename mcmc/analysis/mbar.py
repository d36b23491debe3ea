"""The multistate Bennett acceptance ratio, by `pymbar` (an optional extra), with errors that know of autocorrelation.

[Shirts and Chodera, J. Chem. Phys. 129, 124105 (2008)]; equations.md, section 8
"""

import logging
from typing import Any

import numpy as np
from scipy.special import softmax

from mcmc.errors import ConvergenceError, UsageError

MAX_DRAWS = 1000  # of a temperature, all replicas; more are thinned evenly: cost is K^2 times the draws


def thinning(n_draws: int, n_replicas: int) -> slice:
    """The draws of a run that `mbar_log_z` is given."""
    return slice(None, None, -(-n_draws * n_replicas // MAX_DRAWS))


def mbar_log_z(beta: np.ndarray, energy: np.ndarray, blocks: np.ndarray, start: np.ndarray) -> np.ndarray:
    """log Z(beta_k)/Z(beta_0) of one network, from all the draws given and without each block of them.

    The estimate maximises sum_k N_k f_k - sum_n log sum_k N_k exp(f_k - beta_k H_n); without a block it moves by one
    Newton step from the full solution, exact to first order in 1/blocks. `pymbar`'s own error counts draws as
    independent, also across temperatures, which exchange makes untrue.

    Args:
        energy: (n, K, R) extensive energies.
        blocks: (n,) number of the block of each draw, from 0.
        start:  (K,) log Z from elsewhere, which saves most of the steps of the solver and decides nothing.
    Returns:
        (B+1, K), all draws first.
    Raises:
        UsageError: `pymbar` is not installed.   ConvergenceError: its solver failed.
    """
    pymbar = _pymbar()
    blocks = np.tile(blocks.repeat(energy.shape[2]), len(beta))
    samples = energy.transpose(1, 0, 2).reshape(len(beta), -1)
    n_each = np.full(len(beta), samples.shape[1])
    reduced = beta[:, None] * samples.ravel()
    try:
        solution = pymbar.MBAR(reduced, n_each, solver_protocol="robust", initial_f_k=-start)
    except Exception as error:  # the solvers of pymbar raise what scipy or numpy raise
        raise ConvergenceError(
            f"MBAR did not converge ({error}): too little overlap. Set tempering.n_temperatures higher."
        ) from error
    f = np.asarray(solution.f_k) - solution.f_k[0]
    probability = softmax(f[:, None] - reduced, axis=0)
    origin = np.repeat(np.arange(len(beta)), samples.shape[1])
    results = [f]
    for block in range(int(blocks.max()) + 1):
        kept = blocks != block
        p = probability[:, kept]
        gradient = np.bincount(origin[kept], minlength=len(beta)) - p.sum(1)
        hessian = np.diag(p.sum(1)) - p @ p.T
        results.append(f + np.concatenate([[0.0], np.linalg.solve(hessian[1:, 1:], gradient[1:])]))
    return -np.stack(results)


def _pymbar() -> Any:
    for name in ("pymbar", "pymbar.timeseries", "pymbar.mbar_solvers"):
        logging.getLogger(name).setLevel(logging.ERROR)  # it announces at import that it found no JAX
    try:
        import pymbar
    except ImportError as error:
        raise UsageError(
            "free energies by MBAR need the package pymbar, which is not installed: "
            "pip install 'mlp-gibbs[free-energy]'."
        ) from error
    return pymbar
