"""Settings of a cell: configuration keys as dotted names with their values, and a short name for them."""

import hashlib
import json
import re
from typing import Any

Settings = dict[str, Any]  # "model.activation" -> "sin", "tempering.betas" -> [0.0, 1.0], ...
LONGEST_LABEL = 60
LONGEST_LIST = 4


def flatten(tables: dict[str, Any], prefix: str = "") -> Settings:
    """Nested tables as dotted keys: {"model": {"sigma_w": 2}} and {"model.sigma_w": 2} are both model.sigma_w."""
    flat: Settings = {}
    for key, value in tables.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def with_settings(data: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The configuration with every setting put in; `data` is left as it is."""
    data = dict(data)
    for key, value in settings.items():
        head, _, rest = key.partition(".")
        table = data.get(head, {})
        data[head] = with_settings(table if isinstance(table, dict) else {}, {rest: value}) if rest else value
    return data


def label(settings: Settings) -> str:
    """A name for settings that a path can hold, the same for the same settings: activation-sin_beta_max-8.

    What it cannot say in full (long lists, many digits) it shortens, and ends with a digest of everything.
    """
    parts = {key.rpartition(".")[2]: value for key, value in sorted(settings.items())}
    full = "_".join(f"{key}-{_full(value)}" for key, value in parts.items())
    short = "_".join(f"{key}-{_short(value)}" for key, value in parts.items())
    if len(full) <= LONGEST_LABEL and re.fullmatch(r"[A-Za-z0-9.+_-]*", full):
        return full
    safe = re.sub(r"[^A-Za-z0-9.+_-]", "", short)[:LONGEST_LABEL]
    return f"{safe}-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]}"


def _full(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(_full, value))
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return _full(value) if len(value) <= LONGEST_LIST else f"{len(value)}values"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
