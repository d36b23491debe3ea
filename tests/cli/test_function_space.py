"""`mlp-gibbs function-space`: the machine-readable forms, tables, errors."""

import json

import pytest
from typer.testing import CliRunner

from mcmc.cli.function_space import function_space
from mcmc.errors import DeviceError, UsageError


def run(*words):
    result = CliRunner().invoke(function_space, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def record(line):
    return json.loads(run(*line.split(), "--json"))


def test_overlap():
    found = record("overlap --weights continuous --depth 4 --perturbation 0.3")
    assert found["overlap"] == pytest.approx([0.806027, 0.558392, 0.357624, 0.221634], abs=5.1e-7)
    assert found["error"] == pytest.approx((1 - 0.221634) / 2, abs=5.1e-7)


def test_overlap_of_layers_perturbed_differently():
    found = record("overlap --weights binary --depth 2 --perturbation 0 --perturbation 0.1")
    assert found["overlap"] == pytest.approx([1.0, 0.590334], abs=5.1e-7)


def test_simulated_overlap():
    found = record("overlap --weights binary --perturbation 0.05 --simulate --width 301 --networks 8 --inputs 16")
    assert set(found) >= {"overlap", "error", "measured", "stderr", "z"}
    for key in ("measured", "stderr", "z", "wrong_units"):
        assert len(found[key]) == 4
    assert all(abs(z) < 4 for z in found["z"])
    assert found["stderr_is_derived"] is True


def test_simulated_variants():
    thermal = record("overlap --perturbation 0.3 --unit thermal --beta 2 --depth 2 --simulate --width 101 --inputs 8")
    assert thermal["overlap"] == pytest.approx([0.5909, 0.31256], abs=5.1e-5)
    relu = record("overlap --perturbation 0.3 --unit relu --row-correlation=-0.8 --simulate --width 101 --inputs 8")
    assert relu["stderr_is_derived"] is False
    ring = record("overlap --perturbation 0.3 --window 3 --places 8 --simulate --width 11 --inputs 4")
    assert len(ring["measured"]) == 4


def test_max_entropy():
    found = record("max-entropy --weights binary --depth 4 --error 0.3 --alignment")
    assert found["perturbation"] == pytest.approx([0, 0, 0, 0.20611], abs=5.1e-6)
    assert found["entropy_density"] == pytest.approx(0.127188, abs=5.1e-7)
    assert found["overlap"] == pytest.approx([1, 1, 1, 0.4], abs=1e-9)
    assert found["alignment_errors"] == pytest.approx([0.46562, 0.41741, 0.30153], abs=5.1e-6)


def test_simulated_max_entropy_prints_a_valid_document():
    """Layers without a flip have no z: null, not NaN."""
    found = record("max-entropy --weights binary --error 0.2 --simulate --width 101 --inputs 8")
    assert found["z"][:3] == [None, None, None]
    assert abs(found["z"][3]) < 4


def test_generalization():
    found = record("generalization --depth 4 --load 10")
    assert found["error"] == pytest.approx(0.26529, abs=5.1e-6)
    assert found["jump_load"] == pytest.approx(5.5327, abs=5.1e-5)


def test_sparse():
    found = record("sparse --k 3 --flip 0.05")
    assert found["magnetization"] == found["overlap"] == pytest.approx(0.979908, abs=5.1e-7)
    assert found["error"] == pytest.approx((1 - 0.979908) / 2, abs=5.1e-7)
    assert found["critical_flip"] == pytest.approx(1 / 6)


def test_simulated_layers():
    found = record("sparse --k 3 --flip 0.05 --layers 6 --simulate --width 20001")
    assert found["transient"]["error"][4] == pytest.approx(0.19294, abs=5.1e-6)
    assert len(found["measured"]["overlap"]) == len(found["z"]["overlap"]) == 7
    assert all(abs(z) < 4 for z in found["z"]["overlap"][1:])


def test_tables():
    text = run("overlap", "--perturbation", "0.3", "--depth", "2").splitlines()
    assert text[0] == "error = 0.220804"
    assert text[1].split() == ["layer", "overlap", "n_times_variance"]
    assert text[3].split()[:2] == ["2", "0.558392"]
    text = run("sparse", "--layers", "3", "--simulate", "--width", "1001")
    assert "magnetization = 0.979908" in text
    assert "critical_flip = 0.166667" in text


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("overlap --perturbation 0.3 --perturbation 0.2 --depth 4", "one number or 4"),
        ("overlap --perturbation 1.3", "expected 0 to 1"),
        ("overlap --perturbation nan", "found nan"),
        ("overlap --perturbation 0.3 --depth 0", "1 to 10000"),
        ("overlap --perturbation 0.3 --weights binay", "Did you mean 'binary'"),
        ("overlap --perturbation 0.3 --unit thermal", "they need it"),
        ("overlap --perturbation 0.1 --weights binary --simulate --width 1000", "Use a width of 1001"),
        ("overlap --perturbation 0.1 --simulate --width 100 --networks 0", "at least one network"),
        ("max-entropy --error 0.5", "less than 0.5"),
        ("max-entropy --error 0.2 --alignment", "--alignment is for binary"),
        ("max-entropy --error 0.2 --weights ternary", "unknown weights"),
        ("generalization --load 0", "above 0"),
        ("generalization --load 5 --depth 40", "1 to 12"),
        ("sparse --k 4", "odd number"),
        ("sparse --flip 0.7", "0 to 0.5"),
        ("sparse --simulate", "--simulate needs --layers"),
    ],
)
def test_errors(line, why):
    with pytest.raises(UsageError, match=why):
        run(*line.split())


def test_missing_device_is_told():
    with pytest.raises(DeviceError, match="cuda:99"):
        run("overlap", "--perturbation", "0.1", "--simulate", "--device", "cuda:99")


def test_gibbs_measure_and_figures(tmp_path):
    """A short ladder, its document, and every figure at a tiny size."""
    line = "gibbs --lowest 2 --highest 6 --width 5 --temperatures 3 --teachers 2 --burn-in 20 --sweeps 20"
    document = record(line)
    assert [point["inverse_temperature"] for point in document["points"]] == [2, 4, 6]
    for point in document["points"]:
        assert 0 <= point["error"]["value"] <= 0.5
        assert len(point["overlap"]) == len(point["theory_overlap"]) == 2
    assert run(*line.split()).splitlines()[0].split()[:2] == ["alpha", "error"]
    stored = tmp_path / "learning.json"
    stored.write_text(json.dumps(document))
    small = ["--width", "101", "--majority-width", "501", "--networks", "4", "--inputs", "8"]
    found = json.loads(run("figures", "--out", str(tmp_path), "--learning", str(stored), *small, "--json"))
    assert len(found["figures"]) == 3
    assert all((tmp_path / name).stat().st_size > 20_000 for name in map(str, tmp_path.glob("*.png")))
    assert set(found["z"]) == {"a", "b", "c", "d", "e, f", "overlaps"}


def test_binary_students():
    document = record(
        "gibbs --weights binary --lowest 0 --highest 2 --width 3 --temperatures 3 --teachers 2 --burn-in 5 --sweeps 20"
    )
    assert document["points"][0]["theory_error"] == 0.5
    assert document["points"][-1]["theory_error"] == 0.0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("gibbs --lowest 2 --highest 1", "beta_min < beta_max"),
        ("gibbs --lowest 1 --highest 2 --teachers 1", "at least 2"),
        ("gibbs --lowest 1 --highest 2 --width 4", "odd number"),
        ("gibbs --lowest 1 --highest 2 --width 21", "--examples"),
        ("gibbs --lowest 1 --highest 2 --width 3 --sweeps 0", "at least two measurements"),
        ("figures --out x --learning nowhere.json", "expected a document"),
    ],
)
def test_errors_of_the_gibbs_measure(line, why):
    with pytest.raises(UsageError, match=why):
        run(*line.split())
