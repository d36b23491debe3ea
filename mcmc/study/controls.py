"""Control variates of a study: functions of each network whose means are zero (equations.md, section 14)."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mcmc.config import ModelConfig
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.networks import Networks

NETWORKS_A_SLOPE = 10  # of the other sizes, for each control that is used


def weight_controls(model: ModelConfig, seed: int, networks: np.ndarray) -> np.ndarray:
    """Functions of the frozen weights with mean zero over the ensemble, at every width and depth.

        sum v^2, sum v^4, |W^l|^2,    |h|^2, |W^1 h|^2,    sum u^2 |w|^2, |W^1 W^1T|^2
        sum u |w|,    sum u |w| (w.h/|w|)^2,    h.Q^3 h,    sum u, sum u^3

    of standard normal weights divided by the roots of widths, less their means, with u = W^2T ... W^LT v, h = W^1T u,
    rows w of W^1, Q = sum_i u_i w_i w_i^T/|w_i|. Those of the last line are odd in v. An odd network without biases has
    the same averages at v and -v, which they therefore say nothing about; they are left out.

    Args:
        networks: (D,) numbers of the quenched draws.
    Returns:
        (D, C), the most useful first.
    """
    activation = make_activation(model.activation, depth=model.depth, **model.activation_params)
    h = torch.linspace(0, 20, 401, dtype=torch.float64)
    is_odd = torch.equal(activation.phi(-h), -activation.phi(h)) and not np.any(model.sigma_b)
    rows = []
    for network in networks:  # one at a time: wide ones are large
        ids = torch.tensor([network], dtype=torch.int64)
        drawn = Networks.draw(model.widths, activation, ids=ids, seed=seed)
        even, odd = _controls([w[0] for w in drawn.weights], drawn.readout[0])
        rows.append(torch.stack(even if is_odd else even[:3] + odd[:3] + even[3:] + odd[3:]))
    return torch.stack(rows).numpy()


def _controls(weights: list[Tensor], readout: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Even and odd controls of one network: (N_l, N_{l-1}) of variance 1/N_{l-1}, (N_L,) of variance N_0/N_L."""
    n_inputs, n_first = weights[0].shape[1], weights[0].shape[0]
    v = readout * math.sqrt(len(readout) / n_inputs)
    u = v
    for w in reversed(weights[1:]):
        u = w.T @ u * math.sqrt(w.shape[1] / w.shape[0])
    first = weights[0]
    h = first.T @ u * math.sqrt(n_inputs / n_first)
    length = first.square().sum(1).sqrt()
    rows = first / length[:, None]
    a = u * length

    def q_times(x: Tensor) -> Tensor:
        return rows.T @ (a * (rows @ x))

    # E (W W^T)^2 = (N_0 + N_1 + 1)/N_0 for N_1 rows of variance 1/N_0
    fourth = (n_inputs + n_first + 1) / n_first
    q_h = q_times(h)
    even = [
        v.square().mean() - 1,
        h.square().mean() - 1,
        (first @ h).square().mean() - fourth,
        *(w.square().sum(1).mean() - 1 for w in weights),
        (u.square() * length.square()).mean() - 1,
        v.pow(4).mean() - 3,
        (first @ first.T).square().sum() * n_inputs / n_first**2 - fourth,
    ]
    odd = [a.mean(), (a * (rows @ h).square()).mean(), q_times(q_h) @ q_h / n_first**1.5, u.mean(), u.pow(3).mean()]
    return even, odd


def controlled_by_other_sizes(
    values: Sequence[np.ndarray], controls: Sequence[np.ndarray], sizes: Sequence[int]
) -> list[np.ndarray]:
    """Values of every network less slopes times controls; the slopes of each size are fitted to all other sizes.

    Whatever the slopes are, controls of mean zero move no expectation; and since they come from other networks, the
    scatter of what is left is the whole error, with no correction for what was fitted. Weights of the fit are N_0, the
    inverse variance of a self-averaging quantity.

    Args:
        values:   (D, K) of each size, one function of a network at K temperatures.
        controls: (D, K, C), the most useful first: one for every NETWORKS_A_SLOPE networks of the other sizes is used.
        sizes:    N_0.
    """
    found = []
    for here, (value, control) in enumerate(zip(values, controls, strict=True)):
        others = [s for s in range(len(sizes)) if s != here]
        n_used = sum(len(values[s]) for s in others) // NETWORKS_A_SLOPE
        reduced = value.copy()
        for k in range(value.shape[1]):
            y, z = ([_centred(part[s][:, k], sizes[s]) for s in others] for part in (values, controls))
            if n_used and others:
                design = np.concatenate(z)[:, :n_used]
                scale = np.sqrt((design**2).mean(0))
                scale[scale == 0] = 1.0
                slope = np.linalg.lstsq(design / scale, np.concatenate(y), rcond=None)[0] / scale
                reduced[:, k] -= control[:, k, :n_used] @ slope
        found.append(reduced)
    return found


def _centred(values: np.ndarray, size: int) -> np.ndarray:
    return math.sqrt(size) * (values - values.mean(0))
