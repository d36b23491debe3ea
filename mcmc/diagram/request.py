"""What a phase diagram is asked to show: the model, the axes, and the items that the work is cut into."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

from mcmc.diagram.axes import Axis
from mcmc.errors import UsageError
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.model import TheoryModel

PerLayer = float | tuple[float, ...]


@dataclass(frozen=True)
class ModelOptions:
    """A network as `TheoryModel.build` takes it; a number stands for every layer, a width ratio may be infinite."""

    activation: str = "sin"
    depth: int = 1
    width_ratio: PerLayer = 1.0
    sigma_w: PerLayer = 1.0
    sigma_b: PerLayer = 0.0
    activation_params: dict[str, float] = field(default_factory=dict)

    def build(self) -> TheoryModel | NetworkCovariance:
        """The model at finite width ratios, or the covariance of the infinitely wide one.

        Raises:
            ConfigError: every problem at once.   UsageError: only some of the width ratios are infinite.
            QuadratureError: the covariance cannot be resolved.
        """
        model = self._finite()
        return NetworkCovariance(model) if self.is_infinitely_wide else model

    def check(self) -> None:
        """Raises what `build` raises, but does no quadrature."""
        self._finite()

    @property
    def is_infinitely_wide(self) -> bool:
        """Every width ratio is infinite."""
        return all(math.isinf(ratio) for ratio in self._ratios())

    def replaced(self, key: str, value: float) -> "ModelOptions":
        """With one key of a scan changed."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        if key in content:
            content[key] = int(value) if key == "depth" else value
        else:
            content["activation_params"] = {**self.activation_params, key: value}
        return ModelOptions(**content)

    def _ratios(self) -> tuple[float, ...]:
        return self.width_ratio if isinstance(self.width_ratio, tuple) else (self.width_ratio,)

    def _finite(self) -> TheoryModel:
        infinite = [math.isinf(ratio) for ratio in self._ratios()]
        if any(infinite) and not all(infinite):
            raise UsageError(f"width_ratio: expected all finite or all infinite, found {self.width_ratio}.")
        return TheoryModel.build(
            self.activation,
            depth=self.depth,
            width_ratios=1.0 if any(infinite) else self.width_ratio,
            sigma_w=self.sigma_w,
            sigma_b=self.sigma_b,
            activation_params=self.activation_params,
        )


@dataclass(frozen=True)
class Item:
    """One piece of work: a model, the temperatures that are solved in turn, and where it lies in the diagram.

    Attributes:
        index:       number of the item.
        coordinates: value of every scanned key but beta.
        model:       the network.
        betas:       increasing.
        has_lines:   beta is scanned: the transitions are looked for up to the largest one.
    """

    index: int
    coordinates: dict[str, float]
    model: ModelOptions
    betas: tuple[float, ...]
    has_lines: bool

    def identity(self) -> dict[str, Any]:
        """What determines the result, as plain numbers."""
        return {"model": _plain(asdict(self.model)), "betas": list(self.betas), "has_lines": self.has_lines}

    def digest(self) -> str:
        """SHA-256 of the identity."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class DiagramRequest:
    """A phase diagram.

    Attributes:
        model: what does not change along the axes.
        axes:  one or two.
        beta:  inverse temperature, if none of the axes is beta.
    Raises:
        UsageError:  no or too many axes, the same twice, beta given twice or not at all or <= 0.
        ConfigError: a model of the diagram cannot be built.
    """

    model: ModelOptions
    axes: tuple[Axis, ...]
    beta: float | None = None

    def __post_init__(self) -> None:
        keys = [axis.key for axis in self.axes]
        if not 1 <= len(keys) <= 2 or len(set(keys)) < len(keys):
            raise UsageError(
                f"a phase diagram has one or two different --scan axes, found {len(keys)}: {', '.join(keys) or 'none'}."
            )
        if "beta" in keys and self.beta is not None:
            raise UsageError("beta is scanned and given too: leave out --beta, or --scan beta=....", beta=self.beta)
        if "beta" not in keys:
            if self.beta is None:
                raise UsageError("no temperature: add --scan beta=0.5:8:16, or --beta for one temperature.")
            if not (self.beta > 0 and math.isfinite(self.beta)):
                raise UsageError(f"--beta: expected a finite beta > 0, found {self.beta:g}.", beta=self.beta)
        for item in self.items():
            item.model.check()

    @property
    def betas(self) -> tuple[float, ...]:
        """Temperatures of every item."""
        scanned = [axis.values for axis in self.axes if axis.key == "beta"]
        if scanned:
            return scanned[0]
        assert self.beta is not None
        return (self.beta,)

    @property
    def other_axes(self) -> tuple[Axis, ...]:
        """The axes that are not beta."""
        return tuple(axis for axis in self.axes if axis.key != "beta")

    def items(self) -> list[Item]:
        """The pieces of work: one for each value of the other axis (each pair of values, if neither is beta)."""
        items: list[Item] = []
        for values in product(*(axis.values for axis in self.other_axes)):
            coordinates = dict(zip((axis.key for axis in self.other_axes), values, strict=True))
            model = self.model
            for key, value in coordinates.items():
                model = model.replaced(key, value)
            has_lines = len(self.other_axes) < len(self.axes)
            items.append(Item(len(items), coordinates, model, self.betas, has_lines))
        return items

    def identity(self) -> dict[str, Any]:
        """What determines the diagram, in plain JSON types."""
        scans = {axis.key: list(axis.values) for axis in self.axes}
        model = {k: v for k, v in asdict(self.model).items() if k not in scans}
        content = {**model, "beta": self.beta, "scan": scans, "scan_order": list(scans)}
        return {key: _plain(value) for key, value in content.items()}

    @classmethod
    def from_identity(cls, content: dict[str, Any]) -> "DiagramRequest":
        """The inverse of `identity`.

        Raises:
            KeyError, TypeError, AttributeError: it is not what `identity` gives.
        """
        if not isinstance(content, dict):
            raise TypeError(f"expected a table, found {type(content).__name__}")
        model = {k: _number(v) for k, v in content.items() if k in _MODEL_FIELDS}
        axes = tuple(Axis(key, _number(content["scan"][key])) for key in content["scan_order"])
        return cls(ModelOptions(**model), axes, content["beta"])


def _plain(value: Any) -> Any:
    """In types that strict JSON has: lists, and "inf" for an infinite width ratio."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return "inf" if value == math.inf else value


def _number(value: Any) -> Any:
    """The inverse of `_plain`."""
    if isinstance(value, list):
        return tuple(_number(v) for v in value)
    return math.inf if value == "inf" else value


_MODEL_FIELDS = frozenset(ModelOptions.__dataclass_fields__)
