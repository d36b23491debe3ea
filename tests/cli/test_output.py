"""How commands print."""

import json
import math

import pytest

from mcmc.cli.output import print_json, print_table


def test_json_has_no_nan(capsys):
    print_json({"a": [1.5, math.nan, (math.inf, -math.inf)], "b": {"c": math.nan, "d": None}, "e": True, "f": "x"})
    assert json.loads(capsys.readouterr().out) == {
        "a": [1.5, None, [None, None]],
        "b": {"c": None, "d": None},
        "e": True,
        "f": "x",
    }


def test_numbers_keep_their_digits(capsys):
    print_json([0.1, 1 / 3, 5e-324])
    assert json.loads(capsys.readouterr().out) == [0.1, 1 / 3, 5e-324]


def test_table(capsys):
    print_table(["check", "value", ""], [["a", "1", "ok"], ["longer", "12.5", ""]])
    assert capsys.readouterr().out == "check   value\na           1  ok\nlonger   12.5\n"


def test_ragged_table_is_our_bug():
    with pytest.raises((IndexError, ValueError)):
        print_table(["a", "b"], [["1"]])
