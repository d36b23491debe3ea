"""Gaussian fluctuations of the overlaps around the replica-symmetric saddle point: lim N_0 Var(q^l) at every layer.

The replicated action of equations.md, section 3, is expanded to second order in all order parameters: off-diagonal
Q^l_ab (l = 0..L) and Qhat^l_ab (l = 1..L), diagonal Q^l_aa and Qhat^l_aa (l = 1..L; Q^0_aa = 1). N_0 times the
covariance of Q^l_12 and Q^m_12 is the (12),(12) element of -(Hessian)^{-1} at n -> 0.

Single neurons. Write a "leg" phi for each replica index of Qhat^l and a leg d = sigma_w d/dh for each index of Q^{l-1}.
Replicas factorise at given (t, y), so that the Hessian needs only mu_{ij...} = <He_k phi^b> sigma_w^k / c^k, with k
legs d and b legs phi on one replica (o: the product of the two averages):

    same pair     M1_ij = E mu_ij^2 - o           K1_ij = 1/2 [E mu_ijj mu_i - o]    P1_ij = 1/4 [E mu_iijj - o]
    one shared    M2_ij = E mu_ij mu_i mu_j - o
    none shared   M3_ij = E mu_i^2 mu_j^2 - o     K2_ij = 1/2 [E mu_i^2 mu_jj - o]   P2_ij = 1/4 [E mu_ii mu_jj - o]

Replica permutations split the Hessian into sectors (x: off-diagonal, z: diagonal; n -> 0)

    replicon      M1 - 2 M2 + M3
    anomalous     xx: M1 - 4 M2 + 3 M3    xz: K1 - K2    zx: -2 (K1 - K2)^T    zz: P1 - P2
    longitudinal  anomalous + n E,   E = xx: M2 - 3/2 M3   xz: K2/2   zx: (K1 - 2 K2)^T   zz: P2

and with G = -(sector)^{-1} the average of the trace over pairs gives, without any extrapolation in n,

    N_0 Var(q_12)           = G_(12)(12) = 3 G_R - 2 G_A - 2 G_A E G_A          over networks and replicas
    N_0 Var_network E(q_12) = G_(12)(34) =   G_R -   G_A - 2 G_A E G_A          of the network's mean overlap
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mcmc.errors import ConvergenceError
from mcmc.theory.layer import LayerGrid, layer_grids
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature
from mcmc.theory.saddle import SaddlePoint

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class OverlapFluctuations:
    """N_0 times variances of the overlaps q^0 ... q^L of two replicas, in the limit N_0 -> infinity.

    Attributes:
        total:            over replicas and networks, the squared width of the measured overlap law P(q^l).
        thermal:          over replicas in one network, then averaged over networks.
        disorder:         over networks, of the network's mean overlap; total = thermal + disorder.
        quadrature_error: largest change of any of them, relative to 1 + itself, when every step is halved.
    """

    total: tuple[float, ...]
    thermal: tuple[float, ...]
    disorder: tuple[float, ...]
    quadrature_error: float


@dataclass(frozen=True)
class _Hessian:
    """Second derivatives of the action by shared replica indices; x = (Q^0..Q^L, Qhat^1..), z = (Q^1.., Qhat^1..)."""

    m1: Matrix
    m2: Matrix
    m3: Matrix
    k1: Matrix
    k2: Matrix
    p1: Matrix
    p2: Matrix

    @property
    def replicon(self) -> Matrix:
        return self.m1 - 2 * self.m2 + self.m3

    @property
    def anomalous(self) -> Matrix:
        k = self.k1 - self.k2
        return np.block([[self.m1 - 4 * self.m2 + 3 * self.m3, k], [-2 * k.T, self.p1 - self.p2]])

    @property
    def longitudinal_minus_anomalous(self) -> Matrix:
        """Their difference divided by n, at n -> 0."""
        return np.block([[self.m2 - 1.5 * self.m3, self.k2 / 2], [(self.k1 - 2 * self.k2).T, self.p2]])


Leg = tuple[int, int]  # (legs d, legs phi)
Groups = tuple[tuple[Leg, ...], ...]  # the legs on each of the replicas
_PHI: Leg = (0, 1)
_D: Leg = (1, 0)


def _correlators(i: Leg, j: Leg) -> dict[str, Groups]:
    """The averages E prod_replicas mu that a block of the Hessian between legs i and j is made of."""
    return {
        "same": ((i, j), (i, j)),
        "one": ((i, j), (i,), (j,)),
        "none": ((i,), (i,), (j,), (j,)),
        "square_i": ((i,), (i,)),
        "square_j": ((j,), (j,)),
        "mean_ii": ((i, i),),
        "mean_jj": ((j, j),),
        "k1": ((i, j, j), (i,)),
        "k2": ((i,), (i,), (j, j)),
        "p1": ((i, i, j, j),),
        "p2": ((i, i), (j, j)),
    }


def _leg_averages(grids: Iterable[LayerGrid], sigma_w: float, wanted: set[Groups]) -> dict[Groups, float]:
    """E over (t, y) of prod_replicas mu, for each of the wanted groups of legs."""
    averages = dict.fromkeys(wanted, 0.0)
    for grid in grids:
        for groups in wanted:
            product: Tensor | float = 1.0
            for legs in groups:
                k, b = sum(leg[0] for leg in legs), sum(leg[1] for leg in legs)
                product = product * (grid.neuron.moments[k, b] * sigma_w**k)
            assert isinstance(product, Tensor)
            averages[groups] += grid.mean(product)
    return averages


def _hessian(model: TheoryModel, saddle: SaddlePoint, quadrature: Quadrature) -> _Hessian:
    depth = model.depth
    n_x, n_z = 2 * depth + 1, 2 * depth
    m1, m2, m3 = (np.zeros((n_x, n_x)) for _ in range(3))
    k1, k2 = (np.zeros((n_x, n_z)) for _ in range(2))
    p1, p2 = (np.zeros((n_z, n_z)) for _ in range(2))
    q0 = saddle.overlap[0]
    diagonal, off = 1 / (1 - q0) - q0 / (1 - q0) ** 2, -q0 / (1 - q0) ** 2  # (Q^0)^{-1} at n -> 0
    m1[0, 0] = -(diagonal**2 + off**2)
    m2[0, 0] = -(diagonal * off + off**2)
    m3[0, 0] = -2 * off**2
    for layer in range(1, depth + 1):
        alpha = model.alpha(layer)
        # leg, index in x, index in z (the input has no diagonal order parameter)
        legs = [(_PHI, depth + layer, depth + layer - 1), (_D, layer - 1, layer - 2 if layer > 1 else None)]
        blocks = [(x_i, z_i, x_j, z_j, _correlators(i, j)) for i, x_i, z_i in legs for j, x_j, z_j in legs]
        wanted = {groups for *_, correlators in blocks for groups in correlators.values()}
        averages = _leg_averages(_grids(model, saddle, layer, quadrature), model.sigma_w[layer - 1], wanted)
        for x_i, z_i, x_j, z_j, correlators in blocks:
            e = {name: averages[groups] for name, groups in correlators.items()}
            m1[x_i, x_j] += alpha * (e["same"] - e["square_i"] * e["square_j"])
            m2[x_i, x_j] += alpha * (e["one"] - e["square_i"] * e["square_j"])
            m3[x_i, x_j] += alpha * (e["none"] - e["square_i"] * e["square_j"])
            if z_j is not None:
                k1[x_i, z_j] += alpha / 2 * (e["k1"] - e["square_i"] * e["mean_jj"])
                k2[x_i, z_j] += alpha / 2 * (e["k2"] - e["square_i"] * e["mean_jj"])
            if z_i is not None and z_j is not None:
                p1[z_i, z_j] += alpha / 4 * (e["p1"] - e["mean_ii"] * e["mean_jj"])
                p2[z_i, z_j] += alpha / 4 * (e["p2"] - e["mean_ii"] * e["mean_jj"])
        # the pairing -alpha_l/2 tr(Qhat^l Q^l) couples each order parameter to its conjugate, same indices only
        for matrix, x, x_hat, weight in (
            (m1, layer, depth + layer, alpha),
            (p1, layer - 1, depth + layer - 1, alpha / 2),
        ):
            matrix[x, x_hat] -= weight
            matrix[x_hat, x] -= weight
    return _Hessian(m1, m2, m3, k1, k2, p1, p2)


def _grids(model: TheoryModel, saddle: SaddlePoint, layer: int, quadrature: Quadrature) -> Iterable[LayerGrid]:
    s, r = saddle.conjugate_overlap[layer - 1], saddle.conjugate_self_overlap[layer - 1]
    return layer_grids(
        model,
        layer,
        overlap=saddle.overlap[layer - 1],
        self_overlap=saddle.self_overlap[layer - 1],
        conjugate_overlap=s,
        tilt=r - s,
        quadrature=quadrature,
        order=4,
    )


def _propagators(model: TheoryModel, saddle: SaddlePoint, quadrature: Quadrature) -> tuple[Matrix, Matrix]:
    """Diagonals of G_(12)(12) and G_(12)(34) for q^0 ... q^L."""
    hessian = _hessian(model, saddle, quadrature)
    replicon = -np.linalg.inv(hessian.replicon)
    anomalous = -np.linalg.inv(hessian.anomalous)
    shift = anomalous @ hessian.longitudinal_minus_anomalous @ anomalous
    q = np.arange(model.depth + 1)
    g_r, g_a, e = replicon[q, q], anomalous[q, q], shift[q, q]
    return 3 * g_r - 2 * g_a - 2 * e, g_r - g_a - 2 * e


def overlap_fluctuations(
    model: TheoryModel, saddle: SaddlePoint, *, quadrature: Quadrature | None = None
) -> OverlapFluctuations:
    """N_0 Var(q^l) of the overlap law of two replicas at a stable replica-symmetric saddle point.

    The law itself is Gaussian of this width and mean saddle.overlap[l], up to a relative O(1/sqrt(N_0)).

    Args:
        saddle:     solution of `solve_rs` for this model.
        quadrature: rules of the averages; those of the solution if not given.
    Raises:
        ConvergenceError: a pivot is not positive (pivots as an attribute): the expansion is about an unstable point.
    """
    if not saddle.stable:
        raise ConvergenceError(
            f"overlap fluctuations: the replica-symmetric saddle point at beta={saddle.beta:g} is unstable (pivots "
            f"{', '.join(f'{p:.4g}' for p in saddle.pivots)}, wanted all > 0). Use a smaller beta.",
            pivots=saddle.pivots,
            beta=saddle.beta,
        )
    rule = quadrature or saddle.quadrature
    total, disorder = _propagators(model, saddle, rule)
    fine_total, fine_disorder = _propagators(model, saddle, rule.refined())
    changes = [
        np.abs(fine - coarse) / (1 + np.abs(fine)) for fine, coarse in ((fine_total, total), (fine_disorder, disorder))
    ]
    return OverlapFluctuations(
        total=tuple(fine_total.tolist()),
        thermal=tuple((fine_total - fine_disorder).tolist()),
        disorder=tuple(fine_disorder.tolist()),
        quadrature_error=float(np.max(changes)) if math.isfinite(float(np.max(changes))) else math.inf,
    )
