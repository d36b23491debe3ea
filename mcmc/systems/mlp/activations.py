"""The activations phi of the networks, with their derivatives, shared by the simulator and by the theory.

    linear, tanh, sin, erf                      smooth
    relu, leaky_relu, shaped_relu               piecewise linear: closed forms exist for their Gaussian averages
    shaped_tanh                                 phi(z) = s tanh(z/s),  s = shape sqrt(L)
    shaped_relu                                 phi(z) = c (s_+ max(z,0) + s_- min(z,0)),  s_± = 1 + c_±/sqrt(L),
                                                c^2 = 2/(s_+^2 + s_-^2), so that E phi(xi)^2 = 1 for xi ~ N(0,1)

Shaped activations weaken with depth so that L -> infinity has a limit (Li, Nica and Roy 2022).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mcmc.errors import ConfigError
from mcmc.names import ACTIVATION_NAMES, ACTIVATION_PARAMETERS, nearest

TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)


@dataclass(frozen=True)
class Activation:
    """A scalar non-linearity and what the rest of the code needs to know about it.

    Attributes:
        name:   as written in a configuration.
        params: its parameters after defaults, e.g. {"negative_slope": 0.01}.
        phi:    phi(h), elementwise.
        dphi:   (h, phi(h)) -> phi'(h), elementwise; at a kink, the derivative from the left.
        slopes: (slope for h < 0, slope for h > 0) if phi is piecewise linear with its kink at 0, else None.
        bound:  sup |phi|, math.inf if unbounded.
        in_place: (h, slope): phi(h) over h and phi'(h) over slope, without memory of its own; None if nobody wrote it.
    """

    name: str
    phi: Callable[[Tensor], Tensor]
    dphi: Callable[[Tensor, Tensor], Tensor]
    params: dict[str, float] = field(default_factory=dict)
    slopes: tuple[float, float] | None = None
    bound: float = math.inf
    in_place: Callable[[Tensor, Tensor], None] | None = None

    def apply_(self, h: Tensor, slope: Tensor) -> None:
        """Write phi(h) over h and phi'(h) over slope."""
        if self.in_place is not None:
            self.in_place(h, slope)
            return
        a = self.phi(h)
        slope.copy_(self.dphi(h, a))
        h.copy_(a)


def _linear(depth: int) -> Activation:
    return Activation("linear", lambda h: h, lambda h, a: torch.ones_like(h), slopes=(1.0, 1.0))


def _tanh(depth: int) -> Activation:
    def in_place(h: Tensor, slope: Tensor) -> None:
        torch.addcmul(h.new_ones(()), h.tanh_(), h, value=-1, out=slope)

    return Activation("tanh", torch.tanh, lambda h, a: 1 - a * a, bound=1.0, in_place=in_place)


def _sin(depth: int) -> Activation:
    def in_place(h: Tensor, slope: Tensor) -> None:
        torch.cos(h, out=slope)
        h.sin_()

    return Activation("sin", torch.sin, lambda h, a: torch.cos(h), bound=1.0, in_place=in_place)


def _erf(depth: int) -> Activation:
    def in_place(h: Tensor, slope: Tensor) -> None:
        torch.mul(h, h, out=slope).neg_().exp_().mul_(TWO_OVER_SQRT_PI)
        h.erf_()

    return Activation("erf", torch.erf, lambda h, a: TWO_OVER_SQRT_PI * torch.exp(-h * h), bound=1.0, in_place=in_place)


def _piecewise_linear(name: str, negative: float, positive: float, params: dict[str, float]) -> Activation:
    def phi(h: Tensor) -> Tensor:
        return torch.where(h > 0, positive * h, negative * h)

    def dphi(h: Tensor, a: Tensor) -> Tensor:
        # tensors of h's own dtype: with two Python numbers `where` would round both to float32
        return torch.where(h > 0, h.new_full((), positive), h.new_full((), negative))

    def in_place(h: Tensor, slope: Tensor) -> None:
        torch.gt(h, 0, out=slope).mul_(positive - negative).add_(negative)  # `where` takes ten times longer
        h.mul_(slope)

    return Activation(name, phi, dphi, params, slopes=(negative, positive), in_place=in_place)


def _relu(depth: int) -> Activation:
    return _piecewise_linear("relu", 0.0, 1.0, {})


def _leaky_relu(depth: int, negative_slope: float = 0.01) -> Activation:
    return _piecewise_linear("leaky_relu", negative_slope, 1.0, {"negative_slope": negative_slope})


def _shaped_relu(depth: int, c_plus: float = 0.0, c_minus: float = -1.0) -> Activation:
    positive, negative = 1 + c_plus / math.sqrt(depth), 1 + c_minus / math.sqrt(depth)
    if positive == negative == 0:
        raise ConfigError(
            f"shaped_relu with c_plus={c_plus}, c_minus={c_minus} at depth {depth} is identically zero. "
            "Choose c_plus or c_minus different from -sqrt(depth)."
        )
    scale = math.sqrt(2 / (positive**2 + negative**2))
    params = {"c_plus": c_plus, "c_minus": c_minus}
    return _piecewise_linear("shaped_relu", scale * negative, scale * positive, params)


def _shaped_tanh(depth: int, shape: float = 1.0) -> Activation:
    if shape <= 0:
        raise ConfigError(f"shaped_tanh needs shape > 0, found {shape}: phi(z) = s tanh(z/s), s = shape sqrt(depth).")
    s = shape * math.sqrt(depth)

    def in_place(h: Tensor, slope: Tensor) -> None:
        torch.addcmul(h.new_ones(()), h.div_(s).tanh_(), h, value=-1, out=slope)
        h.mul_(s)

    return Activation(
        "shaped_tanh",
        lambda h: s * torch.tanh(h / s),
        lambda h, a: 1 - (a / s) ** 2,
        {"shape": shape},
        bound=s,
        in_place=in_place,
    )


_FACTORIES: dict[str, Callable[..., Activation]] = {
    "linear": _linear,
    "tanh": _tanh,
    "sin": _sin,
    "erf": _erf,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "shaped_tanh": _shaped_tanh,
    "shaped_relu": _shaped_relu,
}
assert tuple(_FACTORIES) == ACTIVATION_NAMES  # the names that a configuration is checked against


def make_activation(name: str, *, depth: int, **params: float) -> Activation:
    """The activation of that name, shaped for a network of that depth.

    Args:
        name:   one of `mcmc.names.ACTIVATION_NAMES`.
        depth:  L >= 1; only the shaped activations depend on it.
        params: leaky_relu: negative_slope; shaped_tanh: shape; shaped_relu: c_plus, c_minus.
    Raises:
        ConfigError: unknown name (the nearest is suggested) or a parameter that the activation does not have.
    """
    if name not in _FACTORIES:
        raise ConfigError(f"unknown activation '{name}'.{nearest(name, ACTIVATION_NAMES)}")
    unknown = set(params) - set(ACTIVATION_PARAMETERS[name])
    if unknown:
        known = ", ".join(ACTIVATION_PARAMETERS[name]) or "no parameters"
        raise ConfigError(f"activation '{name}' takes {known}, found {', '.join(sorted(unknown))}.")
    return _FACTORIES[name](depth, **params)
