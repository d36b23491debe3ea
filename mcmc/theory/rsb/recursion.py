"""The recursion of one layer over the levels of a broken replica symmetry, and the averages it gives.

    g_k = f,    g_{i-1}(omega, u) = (1/x_i) log E_{z,z'} exp( x_i g_i( omega + w_i z, u + s_i z' ) )
    P_0 = N(0, w_0^2) N(0, s_0^2),    P_i(w') = int P_{i-1}(w) K_i(w, w') exp( x_i [ g_i(w') - g_{i-1}(w) ] )

(equations.md, section 10.) w_i, s_i are the standard deviations of the increments of omega and u; in the last layer u
is fixed by the readout weight, and the recursion is one-dimensional for each of its values. Derivatives of g_i are
not differences on the grid but tilted means:

    d g_{i-1} = E_i[ d g_i ]
    d_a d_b g_{i-1} = E_i[ d_a d_b g_i + x_i d_a g_i d_b g_i ] - x_i d_a g_{i-1} d_b g_{i-1}
"""

from dataclasses import dataclass

from torch import Tensor

from mcmc.systems.mlp.activations import Activation
from mcmc.theory.neuron import neuron_moments
from mcmc.theory.rsb.grids import LayerFields, LayerGrid
from mcmc.theory.rsb.smoothing import Smoother, initial_measure


@dataclass(frozen=True)
class LayerLevels:
    """Averages of one layer under the measures P_0 ... P_k.

    Attributes:
        free_entropy:      (k + 1) E_{P_i} g_i; the first is G_l.
        overlap:           (k + 1) q_l[i] = E_{P_i} (d_u g_i)^2.
        d_omega_squared:   (k + 1) E_{P_i} (d_omega g_i)^2, which makes S_{l-1}[i].
        self_overlap:      r_l = E_{P_k} <phi^2>.
        d_omega2:          E_{P_k} d_omega^2 f, which makes R_{l-1} - S_{l-1}[k].
        readout:           E_{P_k} u <phi>.
        d_omega2_squared:  (k + 1) E_{P_i} (d_omega^2 g_i)^2, None unless asked for.
        d_omega_u_squared: (k + 1) E_{P_i} (d_omega d_u g_i)^2, None unless asked for or in the last layer.
        d_u2_squared:      (k + 1) E_{P_i} (d_u^2 g_i)^2, None unless asked for or in the last layer.
        lost:              |1 - int P_k|, what leaves the grid or is not resolved.
    """

    free_entropy: tuple[float, ...]
    overlap: tuple[float, ...]
    d_omega_squared: tuple[float, ...]
    self_overlap: float
    d_omega2: float
    readout: float
    d_omega2_squared: tuple[float, ...] | None
    d_omega_u_squared: tuple[float, ...] | None
    d_u2_squared: tuple[float, ...] | None
    lost: float

    def breaking_derivatives(self, x: tuple[float, ...]) -> tuple[float, ...]:
        """dG/dx_i = ( E_{P_i} g_i - E_{P_{i-1}} g_{i-1} ) / x_i at fixed order parameters, i = 1 ... k."""
        pairs = zip(self.free_entropy[:-1], self.free_entropy[1:], x, strict=True)
        return tuple((inner - outer) / x_i for outer, inner, x_i in pairs)


@dataclass(frozen=True)
class _Level:
    """g_i with its first and second derivatives on the grid; second: (omega omega), (omega u), (u u)."""

    g: Tensor
    d_omega: Tensor
    d_u: Tensor
    second: tuple[Tensor, ...]


class _Step:
    """One level of the recursion: smoothing in omega, then, in a hidden layer, in u."""

    def __init__(self, grid: LayerGrid, omega_std: float, field_std: float, x: float):
        self.x = x
        self.in_omega = Smoother(grid.omega, omega_std)
        self.in_u = None if grid.u_axis is None else Smoother(grid.u_axis, field_std)

    def up(self, level: _Level) -> _Level:
        """Level i - 1 from level i; keeps what `down` needs."""
        x, first = self.x, (level.d_omega, level.d_u)
        pairs = [(0, 0), (0, 1), (1, 1)][: len(level.second)]
        seconds = [s + x * first[a] * first[b] for s, (a, b) in zip(level.second, pairs, strict=True)]
        self.exponent = x * level.g
        self.middle, fields = self.in_omega.up(self.exponent, [*first, *seconds])
        self.upper = self.middle
        if self.in_u is not None:
            upper, fields = self.in_u.up(self.middle.T, [f.T for f in fields])
            self.upper, fields = upper.T, [f.T for f in fields]
        d_omega, d_u, *raw = fields
        first = (d_omega, d_u)
        second = tuple(s - x * first[a] * first[b] for s, (a, b) in zip(raw, pairs, strict=True))
        return _Level(self.upper / x, d_omega, d_u, second)

    def down(self, measure: Tensor) -> Tensor:
        """P_i from P_{i-1}."""
        if self.in_u is not None:
            measure = self.in_u.down(measure.T, self.upper.T, self.middle.T).T
        return self.in_omega.down(measure, self.middle, self.exponent)


def layer_levels(
    activation: Activation, fields: LayerFields, grid: LayerGrid, *, xi_step: float, second: bool = False
) -> LayerLevels:
    """The averages of one layer at every level.

    Args:
        xi_step: spacing of the innermost average, see `Quadrature`.
        second:  also the second derivatives, which the replicons need.
    Raises:
        QuadratureError: the innermost average does not exist, or the grid is too coarse.
    """
    neuron = neuron_moments(
        activation, grid.omega.nodes, grid.u_nodes, c=fields.c, tilt=fields.tilt, order=2, xi_step=xi_step
    )
    inner = [neuron.log_z, neuron.d_omega, neuron.phi, neuron.d_omega2]
    if second and not fields.is_last:
        inner += [neuron.d_omega_u, neuron.d_u2]
    g, d_omega, d_u, *seconds = [value.T.contiguous() for value in inner]
    level = _Level(g, d_omega, d_u, tuple(seconds) if second else ())
    phi_squared, d_omega2, innermost = neuron.phi_squared.T, seconds[0], level
    steps, levels = [], [level]
    for omega_std, field_std, x in zip(fields.omega_std[:0:-1], fields.field_std[:0:-1], fields.x[::-1], strict=True):
        steps.append(_Step(grid, omega_std, field_std, x))
        levels.append(steps[-1].up(levels[-1]))
    levels.reverse()
    steps.reverse()
    measure = _outermost(grid, fields)
    rows = [_averages(measure, levels[0])]
    for step, level in zip(steps, levels[1:], strict=True):
        measure = step.down(measure)
        rows.append(_averages(measure, level))
    free_entropy, overlap, d_omega_squared, *squares = zip(*rows, strict=True)
    a, b, c = (*squares, None, None, None)[:3]
    return LayerLevels(
        free_entropy=free_entropy,
        overlap=overlap,
        d_omega_squared=d_omega_squared,
        self_overlap=float((measure * phi_squared).sum()),
        d_omega2=float((measure * d_omega2).sum()),
        readout=float((measure * innermost.d_u * grid.u_nodes[:, None]).sum()),
        d_omega2_squared=a,
        d_omega_u_squared=b,
        d_u2_squared=c,
        lost=abs(1 - float(measure.sum())),
    )


def _outermost(grid: LayerGrid, fields: LayerFields) -> Tensor:
    in_omega = initial_measure(grid.omega, fields.omega_std[0])
    in_u = grid.weights if grid.u_axis is None else initial_measure(grid.u_axis, fields.field_std[0])
    return in_u[:, None] * in_omega


def _averages(measure: Tensor, level: _Level) -> tuple[float, ...]:
    squares = [level.d_u, level.d_omega, *level.second]
    return (float((measure * level.g).sum()), *(float((measure * s**2).sum()) for s in squares))
