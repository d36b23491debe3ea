"""The run configuration: TOML in, one validated frozen object out, all problems reported at once.

Needs neither torch nor numpy, so that a wrong configuration is told within the first second.
`docs/run_file.md` explains every key.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mcmc.config_problems import explain, listed, valid_sections
from mcmc.errors import ConfigError
from mcmc.names import ACTIVATION_NAMES, ACTIVATION_PARAMETERS, KERNEL_NAMES, clipped, nearest
from mcmc.toml import parse_toml, read_toml

PerLayer = float | list[float]
MAX_SEED = 2**56 - 1  # the Philox key holds 56 bits of seed beside 8 bits of purpose
MAX_STEPS = 2**32  # the Philox counter holds 32 bits of kernel step


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


class ModelConfig(_Section):
    """The quenched model: theory.md section 1, `docs/notation.md`."""

    activation: str
    activation_params: dict[str, float] = {}
    n_inputs: Annotated[int, Field(ge=2, lt=2**31)]
    width_ratios: Annotated[list[Annotated[float, Field(gt=0, le=1e6)]], Field(min_length=1)] = [1.0]
    sigma_w: PerLayer = 1.0
    sigma_b: PerLayer = 0.0
    n_networks: Annotated[int, Field(ge=1, lt=2**31)]
    first_network: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @property
    def depth(self) -> int:
        """L, the number of hidden layers."""
        return len(self.width_ratios)

    @property
    def widths(self) -> tuple[int, ...]:
        """(N_0, N_1, ..., N_L); each N_l is the nearest integer to alpha_l N_0."""
        return (self.n_inputs, *(round(ratio * self.n_inputs) for ratio in self.width_ratios))

    @field_validator("activation")
    @classmethod
    def _activation_exists(cls, name: str) -> str:
        if name not in ACTIVATION_NAMES:
            raise ValueError(f"unknown activation '{name}'.{nearest(name, ACTIVATION_NAMES)}")
        return name

    @model_validator(mode="after")
    def _layers_agree(self) -> "ModelConfig":
        problems = []
        for key in ("sigma_w", "sigma_b"):
            value = getattr(self, key)
            values = value if isinstance(value, list) else [value]
            if isinstance(value, list) and len(value) != self.depth:
                problems.append(
                    f"{key} has {len(value)} numbers, expected one number or {self.depth} (one a hidden layer)"
                )
            if any(v < 0 for v in values) or (key == "sigma_w" and any(v == 0 for v in values)):
                sign = "positive" if key == "sigma_w" else "zero or positive"
                problems.append(f"{key} must be {sign}, found {value}")
        if any(width < 1 for width in self.widths):
            problems.append(f"every layer needs at least one unit: width_ratios x n_inputs gives {self.widths}")
        problems += self._activation_problems()
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _activation_problems(self) -> list[str]:
        params = self.activation_params
        unknown = sorted(set(params) - set(ACTIVATION_PARAMETERS[self.activation]))
        if unknown:
            known = ", ".join(ACTIVATION_PARAMETERS[self.activation]) or "none"
            return [f"activation_params of '{self.activation}' are: {known}; found {', '.join(unknown)}"]
        if self.activation == "shaped_tanh" and params.get("shape", 1.0) <= 0:
            return [f"activation_params.shape of 'shaped_tanh' must be positive, found {params['shape']}"]
        zero = -math.sqrt(self.depth)
        if params.get("c_plus") == zero and params.get("c_minus") == zero:
            return [f"'shaped_relu' with c_plus = c_minus = -sqrt(depth) = {zero:.6g} is zero everywhere"]
        return []


class SamplerConfig(_Section):
    """How a chain moves between exchanges."""

    kernel: str = "hmc"
    n_leapfrog: Annotated[int, Field(ge=1, le=10_000)] | list[Annotated[int, Field(ge=1, le=10_000)]] = 10
    steps_per_sweep: Annotated[int, Field(ge=1, le=10_000)] = 1
    step_size: Annotated[float, Field(gt=0)] | None = None
    target_acceptance: Annotated[float, Field(gt=0, lt=1)] | None = None
    jitter: Annotated[float, Field(ge=0, lt=1)] = 0.3
    persistence: Annotated[float, Field(ge=0, lt=1)] = 0.9
    force_dtype: Literal["auto", "float32", "tf32", "bfloat16"] = "auto"

    @field_validator("kernel")
    @classmethod
    def _kernel_exists(cls, name: str) -> str:
        if name not in KERNEL_NAMES:
            raise ValueError(f"unknown kernel '{name}'.{nearest(name, KERNEL_NAMES)}")
        return name


class TemperingConfig(_Section):
    """The ladder of inverse temperatures and the number of real replicas."""

    beta_min: Annotated[float, Field(ge=0)] = 0.0
    beta_max: Annotated[float, Field(gt=0)] = 1.0
    n_temperatures: Annotated[int, Field(ge=1, le=4096)] = 8
    n_replicas: Annotated[int, Field(ge=1, le=4096)] = 2
    betas: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)] | None = None
    adapt: bool = True
    exchange: bool = True

    @model_validator(mode="before")
    @classmethod
    def _betas_say_it_all(cls, values: Any) -> Any:
        betas = values.get("betas") if isinstance(values, dict) else None
        # a list with wrong numbers in it is reported as that, not as the beta_min that it would imply
        if isinstance(betas, list) and betas and all(isinstance(b, (int, float)) and 0 <= b < math.inf for b in betas):
            if max(betas) == 0:
                raise ValueError(f"betas needs a value above 0, found {betas}")
            implied = {"beta_min": min(betas), "beta_max": max(betas), "n_temperatures": len(betas), "adapt": False}
            clash = [k for k, v in implied.items() if k in values and values[k] != v]
            if clash:
                raise ValueError(f"betas fixes the ladder; remove {', '.join(clash)} or make it agree with betas")
            return {**values, **implied}
        return values

    @model_validator(mode="after")
    def _ladder_increases(self) -> "TemperingConfig":
        if self.betas is not None:
            if any(b >= c for b, c in zip(self.betas, self.betas[1:], strict=False)):
                raise ValueError(f"betas must increase strictly, found {self.betas}")
        elif self.beta_min > self.beta_max:
            raise ValueError(f"beta_min = {self.beta_min} is above beta_max = {self.beta_max}")
        elif self.n_temperatures > 1 and self.beta_min == self.beta_max:
            raise ValueError(f"{self.n_temperatures} temperatures need beta_min < beta_max, found both {self.beta_max}")
        return self


class RunSection(_Section):
    """How long, from which seed, on what."""

    n_burn_in: Annotated[int, Field(ge=0, le=MAX_STEPS)] = 500
    n_sweeps: Annotated[int, Field(ge=1, le=MAX_STEPS)] = 1000
    measure_every: Annotated[int, Field(ge=1)] = 1
    checkpoint_every_s: Annotated[float, Field(gt=0)] = 60.0
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    dtype: Literal["float32", "float64"] = "float32"
    device: str = "auto"
    block_networks: Annotated[int, Field(ge=1)] | None = None
    cuda_graphs: Literal["auto", "on", "off"] = "auto"

    @field_validator("device")
    @classmethod
    def _device_form(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", device):
            raise ValueError(f"device is auto, cpu, cuda or cuda:INDEX, found '{device}'")
        return device


class OutputConfig(_Section):
    """What is measured beside the energy, and how results are cut into files."""

    directory: str | None = None
    overlaps: bool = True
    cross_temperature: bool = False
    n_bins: Annotated[int, Field(ge=2, le=100_000)] = 200
    segment_sweeps: Annotated[int, Field(ge=1)] | None = None

    @field_validator("directory")
    @classmethod
    def _directory_can_be(cls, directory: str | None) -> str | None:
        if directory is not None and (not directory or "\0" in directory):
            raise ValueError(f"expected the name of a directory, found {directory!r}")
        return directory


class RunConfig(_Section):
    """A whole run; `load_config` reads it, `config_hash` names it."""

    model: ModelConfig
    sampler: SamplerConfig = SamplerConfig()
    tempering: TemperingConfig = TemperingConfig()
    run: RunSection = RunSection()
    output: OutputConfig = OutputConfig()

    @model_validator(mode="after")
    def _sections_agree(self) -> "RunConfig":
        problems = _disagreements(dict(self))
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def segment_sweeps(self) -> int:
        """Production sweeps in one results file: as configured, else about a tenth of the run."""
        if self.output.segment_sweeps is not None:
            return min(self.output.segment_sweeps, self.run.n_sweeps)
        every = self.run.measure_every
        return max(1, round(self.run.n_sweeps / 10 / every)) * every

    @property
    def n_segments(self) -> int:
        """Results files of the whole run."""
        return -(-self.run.n_sweeps // self.segment_sweeps)

    def physics(self) -> dict[str, Any]:
        """The part of the configuration that decides the numbers; the rest decides where and how fast."""
        data = self.model_dump(mode="json")
        for key in ("checkpoint_every_s", "device", "block_networks", "cuda_graphs"):
            del data["run"][key]
        del data["output"]["directory"]
        if not self.output.cross_temperature:  # runs of versions that did not have it keep their hash
            del data["output"]["cross_temperature"]
        return data

    def physics_hash(self) -> str:
        """SHA-256 of `physics()`: a directory is resumed only by a configuration with the same hash."""
        text = json.dumps(self.physics(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _disagreements(sections: Mapping[str, Any]) -> list[str]:
    """What is wrong between sections that are valid on their own; one that is not is missing here."""
    sampler, tempering, run, output = (sections.get(name) for name in ("sampler", "tempering", "run", "output"))
    problems = []
    if output and tempering and output.overlaps and tempering.n_replicas < 2:
        problems.append(
            "overlaps compare independent replicas of one network: tempering.n_replicas must be at least 2, "
            "found 1 (or set output.overlaps = false)"
        )
    if output and output.cross_temperature and not output.overlaps:
        problems.append(
            "overlaps between temperatures are measured beside those at one temperature: output.cross_temperature = "
            "true needs output.overlaps = true, found false"
        )
    if sampler and tempering and isinstance(sampler.n_leapfrog, list):
        n_given, n_wanted = len(sampler.n_leapfrog), tempering.n_temperatures
        if n_given != n_wanted:
            problems.append(f"sampler.n_leapfrog has {n_given} numbers for {n_wanted} temperatures")
    if sampler and run and sampler.force_dtype != "auto" and run.dtype == "float64":
        problems.append(
            f'sampler.force_dtype = "{sampler.force_dtype}" is for run.dtype = "float32", found "float64": '
            'remove it, or set run.dtype = "float32"'
        )
    if run and run.measure_every > run.n_sweeps:
        problems.append(
            f"run.measure_every = {run.measure_every} exceeds run.n_sweeps = {run.n_sweeps}: nothing would be measured"
        )
    if run and sampler and (run.n_burn_in + run.n_sweeps) * sampler.steps_per_sweep > MAX_STEPS:
        problems.append(
            f"run.n_burn_in + run.n_sweeps sweeps of {sampler.steps_per_sweep} steps are more than {MAX_STEPS} steps, "
            "which is what the random streams can number"
        )
    if run and output and output.segment_sweeps is not None and output.segment_sweeps % run.measure_every:
        problems.append(
            f"output.segment_sweeps = {output.segment_sweeps} must be a multiple of "
            f"run.measure_every = {run.measure_every}"
        )
    return problems


def config_differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Lines `section.key: old -> new` for every key in which two `physics()` dictionaries differ."""
    lines = []
    for section in sorted(old.keys() | new.keys()):
        before, after = old.get(section, {}), new.get(section, {})
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                lines.append(f"{section}.{key}: {before.get(key)!r} -> {after.get(key)!r}")
    return lines


def apply_overrides(data: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """`data` with every `section.key=value` of the command line put in; values are read as TOML, else as text."""
    data = {section: dict(value) if isinstance(value, dict) else value for section, value in data.items()}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        section, dot, key = (part.strip() for part in path.partition("."))
        if not equals or not dot or not key:
            raise ConfigError(f"--set expects section.key=value (as in run.seed=7), found '{clipped(assignment)}'.")
        try:
            value, *more = parse_toml(f"value = {text}").values()
        except ValueError:
            value, more = text.strip(), []
        if more:
            raise ConfigError(f"--set expects one value, found '{clipped(assignment)}'.")
        table = data.setdefault(section, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {clipped(assignment)}: '{section}' is not a section of the configuration.")
        table[key] = value
    return data


def parse_config(data: dict[str, Any], *, source: str = "configuration") -> RunConfig:
    """The validated configuration of a dictionary.

    Raises:
        ConfigError: every problem, one a line, each with its key and what was found.
    """
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        lines = explain(error, RunConfig)
        # pydantic compares sections only when all are valid; what can be compared already is told now
        between = [f"  whole file: {problem}" for problem in _disagreements(valid_sections(data, RunConfig))]
        lines += [line for line in between if line not in lines]
        raise ConfigError(listed(source, lines), problems=error.errors(include_url=False)) from None


def load_config(path: Path | str, assignments: list[str] | None = None) -> RunConfig:
    """Read, override and validate a TOML file.

    Raises:
        ConfigError: no such file, not UTF-8, not TOML, or not a valid configuration.
    """
    data = read_toml(Path(path), "configuration")
    return parse_config(apply_overrides(data, assignments or []), source=str(path))
