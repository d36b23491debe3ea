"""The command `mlp-gibbs`. Nothing heavy is imported before a sub-command runs: `--help` stays under half a second."""

import os
import sys
from io import TextIOWrapper

from mcmc.errors import MlpGibbsError


def main() -> None:
    """Entry point: every error of ours is one screen on standard error and a documented exit status."""
    _prepare_streams()
    from mcmc.cli.app import app

    try:
        app(prog_name="mlp-gibbs")  # however it was started
    except MlpGibbsError as error:
        if "--json" in sys.argv:
            import json

            print(json.dumps({"error": {"type": type(error).__name__, "message": str(error)}}))
        print(f"mlp-gibbs: {_visible(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # what no command expected: a folder that may not be read, a directory in place of a file
        where = f"{error.filename}: " if error.filename else ""
        print(f"mlp-gibbs: {_visible(where)}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("mlp-gibbs: interrupted", file=sys.stderr)
        sys.exit(130)
    except MemoryError:
        print("mlp-gibbs: out of memory. Use fewer networks, or a smaller run.block_networks.", file=sys.stderr)
        sys.exit(1)


def _visible(text: str) -> str:
    """With escapes for what would command the terminal: a key of a configuration may hold anything."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def _prepare_streams() -> None:
    """Streams that were closed go nowhere, not into the first file that gets their number; any path can be printed."""
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files are bytes
