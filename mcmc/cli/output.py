"""How commands print: one JSON object for machines, aligned columns for people."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one machine-readable object on standard output.")]


def print_json(content: Any) -> None:
    """One valid JSON document on standard output; NaN and infinities become null."""
    typer.echo(json.dumps(_finite(content), indent=1, allow_nan=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns, right-aligned but for the first."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        typer.echo("  ".join(cells).rstrip())


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def check_archive_name(path: Path | None) -> None:
    """Raises UsageError for a name that no archive has; to be asked before a long computation."""
    from mcmc.errors import UsageError

    if path is not None and path.suffix != ".npz":
        raise UsageError(f"--resamples writes NumPy archives: give a name that ends with .npz, found {path}.")


def write_archive(path: Path, arrays: dict[str, Any]) -> None:
    """A compressed NumPy archive, whole or not at all."""
    import io

    import numpy as np

    from mcmc.io.atomic import write_bytes_atomically

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes_atomically(path, buffer.getvalue())
