"""TOML that anybody may have written: what is read of it is bounded before anything looks at it."""

import tomllib
from pathlib import Path
from typing import Any

from mcmc.errors import ConfigError
from mcmc.names import clipped

MAX_BYTES = 2**20
MAX_DEPTH = 32  # of tables and lists within each other; configurations need 4
MAX_INTEGER = 2**63  # TOML itself promises no more


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The content of a file.

    Args:
        what: the file for messages, as "configuration".
    Raises:
        ConfigError: no such file, too long, not UTF-8, not TOML, nested too deeply, or an integer beyond 64 bits.
    """
    shown = clipped(str(path))
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the {what} {shown}: {error.strerror}.") from None
    except ValueError:  # a null character, which no system call takes
        raise ConfigError(f"cannot read the {what} {shown!r}: this is no name of a file.") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"the {what} {shown} is longer than {MAX_BYTES} bytes: this is another file.")
    try:
        return parse_toml(data.decode())
    except UnicodeDecodeError:
        raise ConfigError(f"the {what} {shown} is not a UTF-8 text file; expected TOML.") from None
    except ValueError as error:
        raise ConfigError(f"the {what} {shown} is not valid TOML: {error}.") from None


def parse_toml(text: str) -> dict[str, Any]:
    """The content of a text.

    Raises:
        ValueError: not TOML, nested too deeply, or an integer beyond 64 bits.
    """
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"tables or lists are nested more than {MAX_DEPTH} deep") from None
    _check(content)
    return content


def _check(content: dict[str, Any]) -> None:
    level: list[Any] = [content]
    for _ in range(MAX_DEPTH):
        if any(isinstance(value, int) and not -MAX_INTEGER <= value < MAX_INTEGER for value in level):
            raise ValueError("an integer does not fit into 64 bits")
        tables = [child for value in level if isinstance(value, dict) for child in value.values()]
        level = tables + [child for value in level if isinstance(value, list) for child in value]
        if not level:
            return
    raise ValueError(f"tables or lists are nested more than {MAX_DEPTH} deep")
