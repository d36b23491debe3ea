"""The command itself, in a process of its own: what a file holds ends as a status and words, and commands nothing."""

import hypothesis
import pytest
from hypothesis import given

from mcmc.config import RunConfig, load_config
from mcmc.errors import MlpGibbsError
from tests.fuzz.conftest import examples
from tests.fuzz.judge import MAX_CHARACTERS, MAX_LINES, Wrong
from tests.fuzz.toml_cases import files
from tests.support.runs import command

RUN = '[model]\nactivation = "tanh"\nn_inputs = 8\nn_networks = 2\n'


def answer(*arguments: str) -> str:
    """ "valid" or "refused in words".

    Raises:
        Wrong: a traceback, no words, a page of them, escapes for the terminal, or the end of the process.
    """
    done = command(*arguments)
    words = done.stderr
    if done.returncode == 0:
        return "valid"
    is_plain = words.startswith("mlp-gibbs: ") or "Usage: mlp-gibbs" in words
    if done.returncode not in (1, 2) or not is_plain or "Traceback" in words:
        raise Wrong(f"status {done.returncode}: {words[-1000:]}")
    if len(words) > MAX_CHARACTERS or words.count("\n") > MAX_LINES:
        raise Wrong(f"{len(words)} characters: {words[:300]}")
    if not all(c.isprintable() or c in "\n\t" for c in words):
        raise Wrong(f"not printable: {ascii(words)[:300]}")
    return "refused in words"


def is_refused(path) -> bool:
    try:
        load_config(path)
    except MlpGibbsError:
        return True
    return False


def test_any_file(tally, seed, tmp_path):
    """Those that are refused: a valid one may be as large as the machine is, and is planned in test_config.py."""
    path = tmp_path / "a.toml"

    @hypothesis.seed(seed)
    @examples(2, full=150)
    @given(files(RunConfig))
    def check(data):
        path.write_bytes(data)
        if is_refused(path):
            tally("file of the command", answer, "run", str(path), "--dry-run")

    check()


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (RUN + '"\\u001b]0;owned\\u0007\\u001b[2J" = 1', ()),
        (RUN, ("--set", "model.\x1b[2Jx=1")),
        (RUN, ("--set", "model.sigma_w=" + "[" * 5000)),
    ],
)
def test_nothing_commands_the_terminal(tally, tmp_path, text, more):
    path = tmp_path / "a.toml"
    path.write_text(text)
    assert tally("file of the command", answer, "run", str(path), "--dry-run", *more) == "refused in words"


@pytest.mark.parametrize("xi", ["__import__('os').system('true')", "9**9**9", "q" * 5000])
def test_expression(tally, xi):
    assert tally("--xi of the command", answer, "field", "--xi", xi, "--beta", "1") == "refused in words"
