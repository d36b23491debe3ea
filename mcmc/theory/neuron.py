"""The single-neuron measure: free entropy f(omega, u) and its derivatives, on a grid of the two fields.

    f(omega, u) = log E_xi exp( tilt/2 phi(h)^2 + u phi(h) ),   h = omega + c xi,   xi ~ N(0, 1)

(equations.md, section 4: c = sigma_w sqrt(r_{l-1} - q_{l-1}), tilt = R_l - S_l.) Everything else the theory needs is

    D[k, b] = Z^{-1} d^k/domega^k ( Z <phi^b> ) = <He_k(xi) phi^b> / c^k,   Z = exp(f), He_k probabilists' Hermite,

for then  d_u f = D01, d_u^2 f = D02 - D01^2, d_omega f = D10, d_omega^2 f = D20 - D10^2, d_omega d_u f = D11 - D10 D01,
and <xi> = c D10, <xi^2> = 1 + c^2 D20. No derivative of phi enters, so a kink is harmless.
"""

from dataclasses import dataclass

from torch import Tensor

from mcmc.systems.mlp.activations import Activation
from mcmc.theory.neuron_piecewise import piecewise_moments
from mcmc.theory.neuron_smooth import smooth_moments


@dataclass(frozen=True)
class NeuronMoments:
    """Free entropy and moments D[k, b] of one neuron on the grid omega x u.

    Attributes:
        log_z:   (T, Y) float64, f(omega_i, u_j).
        moments: {(k, b): (T, Y) float64} for k + b <= the order asked for; (0, 0) is 1.
        c:       thermal standard deviation of the pre-activation.
    """

    log_z: Tensor
    moments: dict[tuple[int, int], Tensor]
    c: float

    @property
    def phi(self) -> Tensor:
        """<phi> = d_u f."""
        return self.moments[0, 1]

    @property
    def phi_squared(self) -> Tensor:
        """<phi^2>."""
        return self.moments[0, 2]

    @property
    def xi(self) -> Tensor:
        """<xi> = c d_omega f."""
        return self.c * self.moments[1, 0]

    @property
    def xi_squared(self) -> Tensor:
        """<xi^2>."""
        return 1 + self.c**2 * self.moments[2, 0]

    @property
    def d_omega(self) -> Tensor:
        """d_omega f."""
        return self.moments[1, 0]

    @property
    def d_omega2(self) -> Tensor:
        """d_omega^2 f."""
        return self.moments[2, 0] - self.moments[1, 0] ** 2

    @property
    def d_u2(self) -> Tensor:
        """d_u^2 f = Var phi."""
        return self.moments[0, 2] - self.moments[0, 1] ** 2

    @property
    def d_omega_u(self) -> Tensor:
        """d_omega d_u f = Cov(xi, phi) / c."""
        return self.moments[1, 1] - self.moments[1, 0] * self.moments[0, 1]


def neuron_moments(
    activation: Activation, omega: Tensor, u: Tensor, *, c: float, tilt: float, order: int = 2, xi_step: float = 0.5
) -> NeuronMoments:
    """Free entropy and moments D[k, b], k + b <= order, of one neuron: closed for a piecewise linear phi, else a grid.

    Args:
        activation: phi, piecewise linear or bounded.
        omega:      (T,) float64, mean pre-activations.
        u:          (Y,) float64, fields conjugate to phi.
        c:          thermal standard deviation of the pre-activation, > 0.
        tilt:       R - S, of either sign.
        order:      largest k + b; 2 for the saddle point, 4 for its fluctuations.
        xi_step:    see `Quadrature`; unused by the closed forms.
    Raises:
        QuadratureError: the average does not exist (piecewise linear, tilt too large) or c is too small to resolve.
    """
    if activation.slopes is not None:
        log_z, moments = piecewise_moments(activation.slopes, omega, u, c=c, tilt=tilt, order=order)
    else:
        log_z, moments = smooth_moments(activation, omega, u, c=c, tilt=tilt, order=order, xi_step=xi_step)
    return NeuronMoments(log_z, moments, c)
