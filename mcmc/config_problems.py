"""What pydantic found wrong in a file of sections and keys, in lines for the person who wrote it."""

from typing import Any

from pydantic import BaseModel, ValidationError

from mcmc.names import clipped, nearest

MAX_LINES = 20  # what a terminal shows at once


def listed(source: str, lines: list[str]) -> str:
    """The problems of a file, as many as fit on a screen."""
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    rest = [f"  ... and {len(lines) - MAX_LINES} more"] if len(lines) > MAX_LINES else []
    return "\n".join([f"{source}: {count}", *map(clipped, lines[:MAX_LINES]), *rest])


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line a problem: the key as `section.key`, what was expected, what was found.

    Args:
        error: what `model.model_validate` raised.
        model: its fields are sections, whose fields are keys.
    """
    lines = []
    for problem in error.errors(include_url=False):
        loc = problem["loc"]
        if _is_other_branch(problem):
            continue
        path = ".".join(str(part) for i, part in enumerate(loc) if i != 2 or not _is_union_tag(part))
        messages = problem["msg"].removeprefix("Value error, ").split("\n")
        if problem["type"] == "extra_forbidden":
            *sections, key = (str(part) for part in loc)
            messages = [f"unknown key.{nearest(key, _known_keys(model, sections))}"]
        elif problem["type"] == "missing":
            messages = ["is required and was not given"]
        elif problem["type"] != "value_error":
            if problem["type"] == "model_type":
                messages = [f"expected a section of keys, [{path}]"]
            shown = repr(problem["input"])
            messages = [f"{messages[0]}, found {shown if len(shown) < 60 else shown[:56] + ' ...'}"]
        lines += [f"  {path or 'whole file'}: {message}" for message in messages]
    return lines


def valid_sections(data: Any, model: type[BaseModel]) -> dict[str, Any]:
    """The sections of `data` that are valid on their own; an absent one counts with its defaults."""
    if not isinstance(data, dict):
        return {}
    valid = {}
    for name, section in _sections(model).items():
        try:
            valid[name] = section.model_validate(data.get(name, {}))
        except ValidationError:
            continue  # explained already
    return valid


def _sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    kinds = {name: field.annotation for name, field in model.model_fields.items()}
    return {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, BaseModel)}


def _known_keys(model: type[BaseModel], sections: list[str]) -> tuple[str, ...]:
    if not sections:
        return tuple(model.model_fields)
    section = _sections(model).get(sections[0])
    return tuple(section.model_fields) if section else ()


def _is_union_tag(part: Any) -> bool:
    """True for the pieces of a pydantic location that name a branch of a union, not a key."""
    return isinstance(part, str) and (part in ("float", "int") or part.startswith(("constrained-", "list[")))


def _is_other_branch(problem: Any) -> bool:
    """True for what pydantic says of a branch of `number | list` that was clearly not meant."""
    loc = problem["loc"]
    if len(loc) < 3 or not _is_union_tag(loc[2]):
        return False
    return problem["type"] == "list_type" if loc[2].startswith("list[") else isinstance(problem["input"], list)
