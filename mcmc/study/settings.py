"""Settings of a cell: configuration keys as dotted names with their values, and a short name for them."""

import hashlib
import json
import re
from typing import Any

Settings = dict[str, Any]  # "model.activation" -> "sin", "tempering.betas" -> [0.0, 1.0], ...
LONGEST_LABEL = 60


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
    """A name for settings that a path can hold, the same for the same settings: activation-sin_beta_max-8."""
    parts = [f"{key.rpartition('.')[2]}-{_text(value)}" for key, value in sorted(settings.items())]
    text = "_".join(parts)
    safe = re.sub(r"[^A-Za-z0-9.+_-]", "", text)
    if safe == text and len(text) <= LONGEST_LABEL:
        return text
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    return f"{safe[:LONGEST_LABEL]}-{digest}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
