"""Statistical assertions: the bound is computed from the data, never chosen; an idle chain cannot pass."""

import numpy as np
from scipy.stats import norm, t

MIN_ESS = 400.0


def replica_mean(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, standard error and effective sample size of (n_draws, n_replicas) from independent replicas.

    The error comes from the scatter of the replicas' means, so that no autocorrelation time has to be estimated.
    """
    n_replicas = values.shape[1]
    means = values.mean(0)
    stderr = float(means.std(ddof=1) / np.sqrt(n_replicas))
    ess = float(values.var() / stderr**2) if stderr > 0 else 0.0
    return float(means.mean()), stderr, ess


def assert_within_sigma(
    values: np.ndarray, exact: float, *, what: str, n_sigma: float = 4.0, min_ess: float = MIN_ESS
) -> None:
    """The replica mean of (n_draws, n_replicas) agrees with the exact value within n_sigma errors.

    The error is itself estimated from n_replicas means, so the bound is Student's t at the tail of n_sigma.
    """
    mean, stderr, ess = replica_mean(values)
    assert ess >= min_ess, f"{what}: only {ess:.0f} effective samples (wanted {min_ess:.0f})"
    z = (mean - exact) / stderr
    bound = t.isf(norm.sf(n_sigma), values.shape[1] - 1)
    assert abs(z) <= bound, f"{what}: measured {mean:.6g} +- {stderr:.2g}, exact {exact:.6g}: {z:+.1f} sigma"
