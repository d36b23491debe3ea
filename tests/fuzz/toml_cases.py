"""Strategies for files of configurations: right and wrong values in right and wrong places, and damaged text."""

import datetime
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import strategies as st
from pydantic import BaseModel

from mcmc.names import ACTIVATION_NAMES, KERNEL_NAMES

ROOT = Path(__file__).parents[2]
SHIPPED = [path.read_bytes() for path in sorted((ROOT / "runs").glob("*.toml"))]
EDGES = [0, 1, 2, 3, 8, 255, 2**31 - 1, 2**31, 2**32, 2**32 + 1, 2**56 - 1, 2**56, 2**63 - 1, 2**63, 10**30]
FLOATS = [0.0, -0.0, 5e-324, 1e-30, 0.5, 1.0, 1e6, 1e38, 3.5e38, 1.7e308, float("inf"), float("nan")]
TEXTS = ["", "auto", "cpu", "cuda", "cuda:0", "cuda:", "cuda:²", "cuda:99999999999999999999", "\0", "a/../b", "é" * 300]

integers = st.one_of(st.sampled_from([sign * n for n in EDGES for sign in (1, -1)]), st.integers(-10, 5000))
floats = st.one_of(st.sampled_from([sign * x for x in FLOATS for sign in (1, -1)]), st.floats(0, 10))
texts = st.one_of(st.sampled_from(TEXTS), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
dates = st.sampled_from([datetime.date(1979, 5, 27), datetime.datetime(1, 1, 1), datetime.time(12)])
scalars = st.one_of(integers, floats, texts, st.booleans(), dates)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=12,
)
KNOWN_TEXTS = {"activation": ACTIVATION_NAMES, "kernel": KERNEL_NAMES, "device": ("auto", "cpu"), "directory": ("x",)}


def of_schema(schema: dict[str, Any], key: str = "") -> st.SearchStrategy:
    """Values that a JSON schema allows, its bounds among them."""
    if "anyOf" in schema:
        return st.one_of([of_schema(option, key) for option in schema["anyOf"] if option.get("type") != "null"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum", 1e9))
    match schema.get("type"):
        case "integer":
            small = st.integers(int(low), int(min(high, low + 12)))
            return st.one_of(*[small] * 9, st.sampled_from([int(low), int(high), int(low) - 1, int(high) + 1]))
        case "number":
            inside = st.floats(low, min(high, low + 4))
            return st.one_of(*[inside] * 9, st.sampled_from([low, high, low - 1.0, high + 1.0]))
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(of_schema(schema["items"], key), min_size=schema.get("minItems", 0), max_size=4)
        case "string":
            return st.sampled_from(KNOWN_TEXTS.get(key, TEXTS))
        case _:
            return st.dictionaries(st.sampled_from(["negative_slope", "shape", "c_plus"]), floats, max_size=2)


def tables(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Files of sections as the model has them: mostly right; keys wrong, missing or too many; sections of any kind."""
    schema = model.model_json_schema()
    sections = {
        name: schema["$defs"][part["$ref"].split("/")[-1]] if "$ref" in part else part
        for name, part in schema["properties"].items()
    }

    def section(part: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        keys = {key: of_schema(value, key) for key, value in part.get("properties", {}).items()}
        wrong = dict.fromkeys(keys, anything)
        right = st.fixed_dictionaries(
            {key: keys[key] for key in part.get("required", [])},
            optional={key: value for key, value in keys.items() if key not in part.get("required", [])},
        )
        some_wrong = st.fixed_dictionaries({}, optional=wrong).map(lambda found: dict(list(found.items())[:2]))
        more = st.dictionaries(texts, anything, max_size=1)
        return st.one_of(right, right, right, st.builds(lambda *parts: _merged(*parts), right, some_wrong, more))

    whole = {name: section(part) if "properties" in part else of_schema(part, name) for name, part in sections.items()}
    required = schema.get("required", [])
    right = st.fixed_dictionaries(
        {name: whole[name] for name in required},
        optional={name: value for name, value in whole.items() if name not in required},
    )
    sections_wrong = st.dictionaries(st.one_of(st.sampled_from(list(sections)), texts), anything, max_size=2)
    return st.one_of(right, right, right, st.builds(_merged, right, sections_wrong))


def _merged(*parts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


@st.composite
def damaged(draw: st.DrawFn, sources: st.SearchStrategy[bytes]) -> bytes:
    """A text with a few pieces cut, doubled, exchanged, or noise put in."""
    data = draw(sources)
    tokens = [b"[", b"]", b"=", b'"', b'"""', b"\n", b".", b"{", b"}", b"#", b"1e999", b"nan", b"-inf", b"0x", b"\xff"]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.integers(0, 40)))
        match draw(st.integers(0, 4)):
            case 0:
                data = data[:at] + data[to:]
            case 1:
                data = data[:at] + data[at:to] * draw(st.sampled_from([2, 3, 500])) + data[to:]
            case 2:
                data = data[:at] + draw(st.sampled_from(tokens)) * draw(st.sampled_from([1, 2, 2000])) + data[at:]
            case 3:
                data = data[:at] + draw(st.binary(max_size=20)) + data[to:]
            case _:
                lines = data.split(b"\n")
                lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(lines)))
                data = b"\n".join(lines)
    return data


def files(model: type[BaseModel], shipped: list[bytes] = SHIPPED) -> st.SearchStrategy[bytes]:
    """Bytes of a file: tables of the model, the same with damage, files of this repository with damage, noise."""
    written = tables(model).map(_dumped)
    return st.one_of(
        written, written, written, damaged(written), damaged(st.sampled_from(shipped)), st.binary(max_size=200)
    )


def _dumped(content: dict[str, Any]) -> bytes:
    return tomli_w.dumps(content).encode()
