"""The study file: an ordinary run configuration, and the axes along which it is repeated.

Needs neither torch nor numpy, so that a wrong study is told within the first second; `docs/studies.md` has its keys.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mcmc.config import RunConfig, apply_overrides, parse_config
from mcmc.config_problems import listed
from mcmc.errors import ConfigError
from mcmc.names import clipped, nearest
from mcmc.study.items import Cell, StudyItem, cut_into_items
from mcmc.study.settings import Settings, flatten, label, with_settings
from mcmc.toml import read_toml

DEFAULT_ITEM_NETWORKS = 16
MAX_CELLS = 10_000  # a grid multiplies: ten axes of ten values would never end
MAX_ITEMS = 100_000  # each is a directory
# decided by the study itself, or about where and how a run is done rather than what it is
NOT_AN_AXIS = ("model.n_inputs", "model.n_networks", "model.first_network", "output.directory", "run.device")

Size = Annotated[int, Field(ge=2, lt=2**31)]
Count = Annotated[int, Field(ge=1, lt=2**31)]


class StudySection(BaseModel):
    """`[study]` as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    name: str | None = None
    n_inputs: Annotated[list[Size], Field(min_length=1)]
    n_networks: Count | Annotated[list[Count], Field(min_length=1)]
    item_networks: Count | Annotated[list[Count], Field(min_length=1)] = DEFAULT_ITEM_NETWORKS
    grid: dict[str, Any] = {}
    cases: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _lists_agree(self) -> "StudySection":
        problems = []
        for key in ("n_networks", "item_networks"):
            value = getattr(self, key)
            if isinstance(value, list) and len(value) != len(self.n_inputs):
                problems.append(
                    f"{key} has {len(value)} numbers for {len(self.n_inputs)} sizes n_inputs = {self.n_inputs}: "
                    "give one number, or one a size"
                )
        if len(set(self.n_inputs)) < len(self.n_inputs):
            problems.append(f"n_inputs has a size twice: {self.n_inputs}")
        axes = flatten(self.grid)
        n_cells = math.prod(len(values) for values in axes.values() if isinstance(values, list))
        n_cells *= len(self.n_inputs) * len(self.cases or [{}])
        if n_cells > MAX_CELLS:
            raise ValueError(f"sizes x cases x grid are {n_cells} cells, expected at most {MAX_CELLS}: cut it up")
        for key, values in axes.items():
            if not isinstance(values, list) or not values:
                problems.append(f"grid: {key} must be a list of values, found {values!r}")
            elif any(value in values[:i] for i, value in enumerate(values)):
                problems.append(f"grid: {key} has a value twice: {values}")
        cases = [flatten(case) for case in self.cases or []]
        for key in sorted({*axes, *(key for case in cases for key in case)}):
            if key in NOT_AN_AXIS:
                problems.append(f"{key} cannot be an axis: it is decided by the study or by the engine")
            if key in axes and any(key in case for case in cases):
                problems.append(f"{key} is in grid and in cases: leave it in one of them")
        if any(case in cases[:i] for i, case in enumerate(cases)):
            problems.append("cases has the same case twice")
        if problems:
            raise ValueError("\n".join(problems))
        return self


@dataclass(frozen=True)
class Study:
    """A study: every cell is one model at one size, cut into items that are ordinary resumable runs.

    Attributes:
        name:       of the file, if it does not give one.
        n_inputs:   sizes N_0, as given.
        n_networks: quenched draws of a cell, one number a size.
        item_networks: networks in one item, one number a size.
        base:       the run configuration as it was read, before any setting.
        combinations: settings of the cells of one size: cases x grid, in order.
    """

    name: str
    n_inputs: tuple[int, ...]
    n_networks: tuple[int, ...]
    item_networks: tuple[int, ...]
    base: dict[str, Any]
    combinations: tuple[Settings, ...]

    def cells(self) -> Iterator[Cell]:
        """Every (settings, size), settings outermost.

        Raises:
            ConfigError: the settings do not make a valid run.
        """
        for settings in self.combinations:
            for i, n_inputs in enumerate(self.n_inputs):
                yield Cell(
                    settings, n_inputs, self._config(settings, n_inputs, self.n_networks[i]), self.item_networks[i]
                )

    def items(self) -> list[StudyItem]:
        """Every item of every cell, in order."""
        return [item for cell in self.cells() for item in cut_into_items(cell)]

    def identity(self) -> dict[str, Any]:
        """The resolved study in plain JSON types."""
        return {
            "name": self.name,
            "n_inputs": list(self.n_inputs),
            "n_networks": list(self.n_networks),
            "item_networks": list(self.item_networks),
            "base": self.base,
            "combinations": list(self.combinations),
        }

    @classmethod
    def from_identity(cls, content: dict[str, Any]) -> "Study":
        """The inverse of `identity`."""
        numbers = {key: tuple(content[key]) for key in ("n_inputs", "n_networks", "item_networks")}
        return cls(content["name"], base=content["base"], combinations=tuple(content["combinations"]), **numbers)

    def _config(self, settings: Settings, n_inputs: int, n_networks: int) -> RunConfig:
        sizes = {"model.n_inputs": n_inputs, "model.n_networks": n_networks}
        data = with_settings(self.base, {**settings, **sizes})
        # every block and every size must sit at the same temperatures, so that their averages can be joined
        tempering = data.get("tempering", {})
        data["tempering"] = {**tempering, "adapt": False} if isinstance(tempering, dict) else tempering
        source = f"study {self.name}, {label(settings) or 'base'}, n_inputs = {n_inputs}"
        config = parse_config(data, source=source)
        seed = _seed_of(config.run.seed, settings, n_inputs)
        return config.model_copy(update={"run": config.run.model_copy(update={"seed": seed})})


def load_study(path: Path | str, assignments: list[str] | None = None) -> Study:
    """Read and check a study file and the run configuration that it names.

    Args:
        assignments: `study.key=value` of the command line, or `section.key=value` of the base.
    Raises:
        ConfigError: not a file, not TOML, not a study, its base is not a run configuration, or a cell is not.
    """
    path = Path(path)
    of_study = [text for text in assignments or [] if _key_of(text).startswith("study.")]
    of_base = [text for text in assignments or [] if text not in of_study]
    data = apply_overrides(read_toml(path, "study"), of_study)
    section = _parse_section(data, path)
    _check_assignments(of_base, section)
    base_path = path.parent / section.base
    base = apply_overrides(read_toml(base_path, "base of the study"), of_base)
    parse_config(base, source=f"{base_path} (base of {path})")
    if base.get("tempering", {}).get("adapt") is True:
        raise ConfigError(
            f"{base_path}: tempering.adapt = true would give every size its own temperatures, and a study joins sizes "
            "at equal ones. Remove it; the ladder is tempering.betas, or equal steps from beta_min to beta_max."
        )
    n_sizes = len(section.n_inputs)
    study = Study(
        section.name or path.stem,
        tuple(section.n_inputs),
        _one_a_size(section.n_networks, n_sizes),
        _one_a_size(section.item_networks, n_sizes),
        _plain(base),
        tuple(_combinations(section)),
    )
    n_items = 0
    for cell in study.cells():
        cell.check()
        n_items += -(-cell.config.model.n_networks // cell.item_networks)
    if n_items > MAX_ITEMS:
        least = -(-max(study.item_networks) * n_items // MAX_ITEMS)
        raise ConfigError(
            f"{path}: the study has {n_items} items, expected at most {MAX_ITEMS}. Set item_networks = {least} or more."
        )
    return study


def _key_of(assignment: str) -> str:
    return assignment.partition("=")[0].strip()


def _check_assignments(assignments: list[str], section: StudySection) -> None:
    """Raises ConfigError for a key of the base that every cell has from the study, so that it would do nothing."""
    axes = {**flatten(section.grid), **{key: None for case in section.cases or [] for key in flatten(case)}}
    for assignment in assignments:
        key = _key_of(assignment)
        if key in axes:
            raise ConfigError(f"--set {clipped(assignment)}: {key} is in grid or cases of the study, which decide it.")
        if key in NOT_AN_AXIS:
            hint = f" Set study.{key.rpartition('.')[2]}." if key in ("model.n_inputs", "model.n_networks") else ""
            raise ConfigError(
                f"--set {clipped(assignment)}: {key} is decided by the study or by the engine, not by its base.{hint}"
            )


def _combinations(section: StudySection) -> Iterator[Settings]:
    axes = flatten(section.grid)
    for case in section.cases or [{}]:
        for values in product(*axes.values()):
            yield _plain({**flatten(case), **dict(zip(axes, values, strict=True))})


def _seed_of(seed: int, settings: Settings, n_inputs: int) -> int:
    """Seed of a cell: 56 bits of SHA-256, so that cells are independent and stay as they are when a study grows."""
    text = json.dumps({"seed": seed, "settings": settings, "n_inputs": n_inputs}, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def _one_a_size(value: int | list[int], n_sizes: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, list) else (value,) * n_sizes


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    """As it will come back from study.json."""
    try:
        return json.loads(json.dumps(data))
    except TypeError as error:
        raise ConfigError(f"a study holds numbers, texts, lists and tables only: {error}.") from None


def _parse_section(data: dict[str, Any], path: Path) -> StudySection:
    if "study" not in data:
        found = ", ".join(f"[{key}]" for key in data) or "nothing"
        hint = " This looks like a run configuration: name it as base in a study." if "model" in data else ""
        raise ConfigError(
            f"{path} is not a study: it has no section [study], found {clipped(found)}.{hint} The smallest study is\n"
            '  [study]\n  base = "run.toml"\n  n_inputs = [32, 64]\n  n_networks = 64'
        )
    unknown = sorted(data.keys() - {"study"})
    if unknown:
        raise ConfigError(f"{path}: a study has one section, [study]; found also {clipped(', '.join(unknown))}.")
    try:
        return StudySection.model_validate(data["study"])
    except ValidationError as error:
        lines = [f"  {line}" for problem in error.errors(include_url=False) for line in _explain(problem)]
        lines = list(dict.fromkeys(lines))
        raise ConfigError(listed(str(path), lines), problems=lines) from None


def _explain(problem: Any) -> list[str]:
    where = ".".join(
        ["study", *(str(part) for part in problem["loc"] if not str(part).startswith(("list[", "constr")))]
    )
    if problem["type"] == "extra_forbidden":
        return [f"{where}: unknown key.{nearest(str(problem['loc'][-1]), StudySection.model_fields)}"]
    if problem["type"] == "missing":
        return [f"{where}: is required and was not given"]
    if problem["type"] == "value_error":
        return [f"{where}: {line}" for line in problem["msg"].removeprefix("Value error, ").split("\n")]
    return [f"{where}: {problem['msg']}, found {problem['input']!r}"]
