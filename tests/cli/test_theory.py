"""`mlp-gibbs theory` of every model and ansatz: documented keys, numbers, words."""

import math

import pytest

from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.linear import solve_linear
from mcmc.theory.model import TheoryModel
from tests.support.cli import answer_of, json_of

THEORY_KEYS = [
    "beta",
    "ansatz",
    "free_entropy_density",
    "energy_density",
    "entropy_density",
    "overlap",
    "self_overlap",
    "pivots",
    "stable",
    "residual",
]


def test_theory(capsys):
    betas = [1.0, 0.5]
    arguments = ["theory", "--activation", "tanh", "--depth", "2", "--sigma-w", "1.5"]
    records = json_of(capsys, *arguments, *(part for beta in betas for part in ("--beta", str(beta))))
    wanted = solve_rs_curve(TheoryModel.build("tanh", depth=2, sigma_w=1.5), betas)
    assert [record["beta"] for record in records] == betas
    for record, saddle in zip(records, wanted, strict=True):
        assert list(record)[: len(THEORY_KEYS)] == THEORY_KEYS
        assert record["ansatz"] == "rs"
        assert record["energy_density"] == saddle.energy_density
        assert record["overlap"] == list(saddle.overlap)
        assert record["self_overlap"] == list(saddle.self_overlap)
        assert (len(record["overlap"]), len(record["pivots"])) == (3, 2)
        assert record["stable"] is True
        assert record["residual"] < 1e-8
        assert record["entropy_density"] == pytest.approx(
            record["free_entropy_density"] + record["beta"] * record["energy_density"]
        )


def test_theory_of_everything_by_layer(capsys):
    arguments = ["theory", "--beta", "1", "--activation", "leaky_relu", "--activation-param", "negative_slope=0.2"]
    arguments += ["--depth", "2", "--width-ratio", "2", "--width-ratio", "0.5", "--sigma-w", "1", "--sigma-w", "1.2"]
    (record,) = json_of(capsys, *arguments, "--sigma-b", "0.1", "--sigma-b", "0")
    model = TheoryModel.build(
        "leaky_relu",
        depth=2,
        width_ratios=[2.0, 0.5],
        sigma_w=[1.0, 1.2],
        sigma_b=[0.1, 0.0],
        activation_params={"negative_slope": 0.2},
    )
    assert record["energy_density"] == pytest.approx(solve_rs_curve(model, [1.0])[0].energy_density, rel=1e-12)


def test_theory_in_words(capsys):
    """The table of the linear network: golden ratio at beta = 1."""
    header, row = answer_of(capsys, "theory", "--activation", "linear", "--beta", "1").splitlines()
    exact = solve_linear(TheoryModel.build("linear"), 1.0)
    assert exact.overlap[0] == pytest.approx((3 - 5**0.5) / 2)
    for name in ("beta", "Phi", "e", "s", "q_0", "lambda", "stable"):
        assert name in header.split()
    for number in (exact.free_entropy_density, exact.energy_density, exact.entropy_density, exact.overlap[0]):
        assert f"{number:.6g}" in row.split()
    assert row.endswith("yes")


def test_theory_of_everything_at_finite_width_ratios(capsys):
    """linear, s = 1: every answer in closed form, beside the records."""
    arguments = ["theory", "--activation", "linear", "--beta", "1", "--energy=-0.5", "--high-temperature"]
    content = json_of(capsys, *arguments, "--ground-state", "--transitions")
    assert list(content) == ["model", "records", "high_temperature", "energies", "transitions", "ground_state"]
    (record,), (expansion,), (point,) = (content[key] for key in ("records", "high_temperature", "energies"))
    assert record["overlap_law"][0]["atoms"] == [[record["overlap"][0], 1.0]]
    assert record["annealed_free_entropy_density"] is None  # E Z diverges from beta = 1 on
    assert expansion["coefficients"] == pytest.approx([0.5, -0.25])
    assert point["entropy_density"] == pytest.approx(0.5 * math.log(0.75), abs=1e-8)
    assert point["phase"] == "RS"
    ground = content["ground_state"]
    assert abs(ground["energy_density"] + 1) <= ground["energy_error"] < 1e-3
    assert content["transitions"] == {"at": None, "static": None, "dynamic": None, "first": None}


def test_theory_of_everything_in_words(capsys):
    arguments = ["theory", "--activation", "linear", "--beta", "1", "--energy=-0.5", "--high-temperature"]
    text = answer_of(capsys, *arguments, "--ground-state")
    for piece in ("to order beta^4 at beta = 1: Phi = 0.25", "e = -0.5: s = -0.143841", "e_0 = -1.0000", "(RS)"):
        assert piece in text


def test_verdict_is_the_ansatz_under_auto(capsys):
    (finite,) = json_of(capsys, "theory", "--activation", "tanh", "--beta", "1", "--ansatz", "auto")
    assert finite["ansatz"] == finite["phase"] == "RS"
    assert finite["annealed_free_entropy_density"] > finite["free_entropy_density"]
    (field,) = json_of(capsys, "theory", "--xi", "0.5*q**3", "--beta", "1.8", "--ansatz", "auto")
    assert field["ansatz"] == field["phase"] == "1RSB"
    assert field["annealed_free_entropy_density"] == pytest.approx(0.5 * 1.8**2 / 2)
    (explicit,) = json_of(capsys, "theory", "--xi", "0.5*q**3", "--beta", "1.8", "--ansatz", "1rsb")
    assert explicit["ansatz"] == "1rsb"
