"""The command `mlp-gibbs` within the test process: exit status, standard output and standard error."""

import json
from typing import Any, NamedTuple

import pytest

from mcmc.cli import main


class Answer(NamedTuple):
    status: int
    out: str
    err: str


def invoke(capsys, *arguments: str) -> Answer:
    """`mlp-gibbs ARGUMENTS` through `main`, error handling included."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.argv", ["mlp-gibbs", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
    return Answer(int(left.value.code or 0), *capsys.readouterr())


def answer_of(capsys, *arguments: str) -> str:
    """Standard output of a command that succeeds quietly."""
    answer = invoke(capsys, *arguments)
    assert answer.status == 0, answer.err
    return answer.out


def json_of(capsys, *arguments: str) -> Any:
    return json.loads(answer_of(capsys, *arguments, "--json"))
