"""Small studies on disk."""

import copy
from pathlib import Path
from typing import Any

import tomli_w

from tests.support.runs import SMALL


def write_study(
    folder: Path, *, base: dict[str, Any] | str | None = None, drop: list[str] | None = None, **section: Any
) -> Path:
    """`study.toml` with `run.toml` beside it: two sizes of SMALL, four networks each, unless changed.

    Args:
        base: changes of SMALL, or a path that is named as base and not written.
        drop: dotted keys of the base that are left out.
    """
    run = copy.deepcopy(SMALL)
    changes = base if isinstance(base, dict) else {}
    for name, values in changes.items():
        run.setdefault(name, {}).update(values)
    for key in drop or []:
        name, _, key = key.partition(".")
        del run[name][key]
    (folder / "run.toml").write_text(tomli_w.dumps(run))
    content = {
        "base": base if isinstance(base, str) else "run.toml",
        "n_inputs": [6, 8],
        "n_networks": 4,
        "item_networks": 2,
    }
    path = folder / "study.toml"
    path.write_text(tomli_w.dumps({"study": content | section}))
    return path
