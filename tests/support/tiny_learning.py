"""Students of three inputs and two layers, solved exactly: the independent answers to the sampler of weights."""

import math
from itertools import product

import numpy as np
import torch

from mcmc.systems.function_space.learning import LearningSystem, all_patterns

WIDTH, DEPTH = 3, 2
N_SITES = DEPTH * WIDTH**2


def row_functions() -> tuple[np.ndarray, np.ndarray]:
    """Signs (14, 4) that a row of three weights can give to the four patterns, and the shares of the sphere that do.

    The planes w.x = 0 cut the sphere into 6 regions where one weight decides, |w_1| > |w_2| + |w_3|, and 8 where two
    of three do. The first are cones over squares with corners (1, +-1, 0), (1, 0, +-1): two spherical triangles each
    [Van Oosterom and Strackee 1983].
    """
    patterns = all_patterns(WIDTH).double().numpy()
    dictators = [s * np.eye(3)[i] for i in range(3) for s in (1, -1)]
    majorities = [np.array(s, dtype=float) for s in product((1, -1), repeat=3)]
    a, b, c, d = (np.array(v) / math.sqrt(2) for v in ((1, 1, 0), (1, 0, 1), (1, -1, 0), (1, 0, -1)))
    share = (_solid_angle(a, b, c) + _solid_angle(a, c, d)) / (4 * math.pi)
    signs = np.array([np.sign(patterns @ w) for w in dictators + majorities])
    return signs, np.array([share] * 6 + [(1 - 6 * share) / 8] * 8)


def _solid_angle(a, b, c):
    top = abs(np.dot(a, np.cross(b, c)))
    return 2 * math.atan2(top, 1 + a @ b + b @ c + c @ a)


def continuous_moments(system: LearningSystem, network: int, alpha: float) -> tuple[float, float]:
    """<eps> and Var eps of continuous weights: a sum over functions of the hidden rows, output rows on their own."""
    signs, share = row_functions()
    labels = system.labels[network].double().numpy()  # (3, 4)
    index = {tuple(pattern): i for i, pattern in enumerate(all_patterns(WIDTH).tolist())}
    moments = np.zeros(3)
    for hidden in product(range(14), repeat=3):
        states = signs[list(hidden)].T  # (4, 3): a pattern up to its sign
        values = np.array([[f[index[tuple((s * s[0]).astype(int))]] * s[0] for s in states] for f in signs])
        factor = np.array([1.0, 0.0, 0.0])  # Z, <eps>, <eps^2> of the units so far
        for label in labels:
            error = (values != label).mean(1) / WIDTH
            weight = share * np.exp(-alpha * N_SITES * error)
            own = np.array([weight.sum(), weight @ error, weight @ error**2])
            factor = np.array(
                [
                    factor[0] * own[0],
                    factor[0] * own[1] + factor[1] * own[0],
                    factor[0] * own[2] + 2 * factor[1] * own[1] + factor[2] * own[0],
                ]
            )
        moments += np.prod(share[list(hidden)]) * factor
    mean = moments[1] / moments[0]
    return mean, moments[2] / moments[0] - mean**2


def binary_moments(system: LearningSystem, network: int, alpha: float) -> tuple[float, float, np.ndarray]:
    """<eps>, Var eps and the plain overlaps <R_l> of binary weights, over all 2^18 of them."""
    bits = (torch.arange(2**N_SITES).unsqueeze(1) >> torch.arange(N_SITES)) & 1
    x = (1.0 - 2.0 * bits).to(system.dtype).unsqueeze(0)
    one = system.narrow(network, network + 1)
    error = one.energy(x)[0].numpy() / N_SITES
    weight = np.exp(-alpha * N_SITES * error)
    weight /= weight.sum()
    mean = float(weight @ error)
    return mean, float(weight @ error**2) - mean**2, weight @ one.teacher_overlap(x)[0].numpy()
