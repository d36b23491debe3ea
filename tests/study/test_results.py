"""From run directories to limits: the numbers are those of the analysis of each size, and the verdicts come along."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mcmc.analysis.bootstrap import SEED, NetworkBootstrap, Resampled
from mcmc.analysis.measured import network_means
from mcmc.compare.prediction import Prediction
from mcmc.plots.study import collapse_figure
from mcmc.plots.style import save
from mcmc.study.extrapolate import extrapolate
from mcmc.study.measured import read_cell
from mcmc.study.predicted import predicted_value
from mcmc.study.results import combine, scale, study_results
from tests.support.broken_phase import ONE_STEP
from tests.support.cli import invoke
from tests.support.studies import SIZES, finished_study, small_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def directory(folder):
    return finished_study(folder, small_study(folder))


@pytest.fixture(scope="module")
def results(directory):
    return study_results(directory)


def test_a_limit_is_that_of_the_network_averages(results, directory):
    """With 16 networks at the other sizes, one control is used: identity A, its slope from those sizes."""
    (found,) = results.combinations
    means = [network_means(read_cell(directory, cell.cell).data) for cell in found.cells]
    y = [of.energy[:, -1] for of in means]
    z = [of.identity_difference()[:, -1] for of in means]
    covariance = np.array([n * 8 * np.cov(a, b, bias=True)[0, 1] for n, a, b in zip(SIZES, y, z, strict=True)])
    variance = np.array([n * 8 * b.var() for n, b in zip(SIZES, z, strict=True)])
    slopes = (covariance.sum() - covariance) / (variance.sum() - variance)
    averages = [
        NetworkBootstrap(8, seed=SEED + n).mean(a - slope * b)
        for n, a, b, slope in zip(SIZES, y, z, slopes, strict=True)
    ]
    values = np.array([average.value for average in averages])
    resamples = np.stack([average.value + average.deviations for average in averages], axis=1)
    expected = extrapolate(np.array(SIZES), values, resamples)
    limit = found.select("energy_density")[-1]
    assert limit.extrapolation.value == pytest.approx(expected.value, rel=1e-10)
    assert limit.extrapolation.stderr == pytest.approx(expected.stderr, rel=1e-8)
    assert limit.predicted == found.predictions[-1].energy_density


def test_errors_of_sizes_are_not_tied_to_each_other(results):
    """Networks of two sizes are different draws; with one seed for both, resamples would correlate them."""
    (found,) = results.combinations
    rows = [cell.observables["energy_density"].deviations[:, -1] for cell in found.cells]
    correlations = np.corrcoef(rows)[np.triu_indices(len(SIZES), 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(len(rows[0]))


def test_errors_of_observables_are_tied(results):
    """Rows of resamples belong together: two moments of the same networks move together."""
    (found,) = results.combinations
    rows = [found.select(f"overlap_moment_{m}_0")[-1].extrapolation.resamples for m in (2, 4)]
    assert np.corrcoef(rows)[0, 1] > 0.8


def test_verdicts_name_cells_and_their_items(results):
    content = results.to_json()["equilibrated"]
    assert content["verdict"] in ("yes", "no", "unknown")
    assert [cell["n_inputs"] for cell in content["cells"]] == list(SIZES)
    assert all(len(cell["items"]) == 2 and cell["n_missing"] == 0 for cell in content["cells"])
    verdicts = [cell["verdict"] for cell in content["cells"]]
    assert content["verdict"] == ("no" if "no" in verdicts else "unknown" if "unknown" in verdicts else "yes")


def test_a_cell_out_of_equilibrium_keeps_its_networks(results):
    """A hard network is listed under its own number, and the averages are over all networks all the same."""
    (found,) = results.combinations
    cell = found.cells[0]
    worse = replace(cell.equilibrium, verdict="no")
    changed = replace(found, cells=[replace(cell, equilibrium=worse), *found.cells[1:]])
    content = replace(results, combinations=[changed]).to_json()
    assert content["equilibrated"]["verdict"] == "no"
    assert cell.equilibrium.networks.tolist() == cell.networks.tolist() == list(range(8))
    assert cell.observables["energy_density"].n_networks == 8


def test_report_in_json(results, directory, folder, capsys):
    status, out, err = invoke(capsys, "study", "report", directory.path, "--json")
    assert (status, err) == (0, "")
    content = json.loads(out)
    keys = {"beta", "observable", "value", "stderr", "predicted", "n_sigma", "exponent", "n_points", "settings"}
    assert all(row.keys() >= keys for row in content["extrapolations"])
    by_place = {(row["observable"], row["beta"]): row for row in content["extrapolations"]}
    row = by_place["energy_density", 2.0]
    assert row["n_points"] == len(SIZES)
    assert row["n_sigma"] == pytest.approx((row["value"] - row["predicted"]) / row["stderr"])
    assert abs(row["n_sigma"]) < 4
    assert (directory.path / "report.html").stat().st_size > 1e5
    # the study file finds the same directory
    arguments = ("--out", directory.path, "--json", "--no-free-energy")
    again = json.loads(invoke(capsys, "study", "report", folder / "study.toml", *arguments).out)
    assert again["extrapolations"] == [row for row in content["extrapolations"] if "entropy" not in row["observable"]]


def test_resamples_of_the_limits_are_written(results, directory, tmp_path, capsys):
    arguments = ("--page", tmp_path / "a.html", "--no-free-energy", "--json", "--resamples")
    content = json.loads(invoke(capsys, "study", "report", directory.path, *arguments, tmp_path / "r.npz").out)
    archive = np.load(tmp_path / "r.npz")
    assert set(archive.files) >= {"base/binder_0", "base/binder_0/beta"}
    for row in content["extrapolations"]:
        k = archive[f"base/{row['observable']}/beta"].tolist().index(row["beta"])
        rows = archive[f"base/{row['observable']}"]
        assert rows.shape[0] == 1000
        (limit,) = (one for one in results.combinations[0].select(row["observable"]) if one.beta == row["beta"])
        assert np.array_equal(rows[:, k], limit.extrapolation.resamples)
    answer = invoke(capsys, "study", "report", directory.path, "--resamples", tmp_path / "r.csv")
    assert answer.status == 2
    assert ".npz" in answer.err


def test_report_in_words(directory, tmp_path, capsys):
    answer = invoke(capsys, "study", "report", directory.path, "--page", tmp_path / "a.html", "--no-free-energy")
    assert answer.status == 0
    assert "energy_density" in answer.out
    assert "equilibrated:" in answer.out
    assert (tmp_path / "a.html").exists()


def test_missing_items_are_an_error_unless_asked_for(tmp_path, capsys):
    study = small_study(
        tmp_path, run={"n_burn_in": 20, "n_sweeps": 40, "measure_every": 1}, output={"segment_sweeps": 40}
    )
    names = [item.name for item in study.items()]
    directory = finished_study(tmp_path, study, skip=(names[-1],))
    answer = invoke(capsys, "study", "report", directory.path, "--json")
    assert answer.status == 1
    assert names[-1] in answer.err
    assert "--partial" in answer.err
    assert not (directory.path / "report.html").exists()
    answer = invoke(capsys, "study", "report", directory.path, "--json", "--partial", "--no-free-energy")
    content = json.loads(answer.out)
    assert content["missing"] == [names[-1]]
    assert content["equilibrated"]["cells"][-1]["n_missing"] == 1


def test_too_few_networks_for_an_error(tmp_path, capsys):
    quick = {"n_burn_in": 10, "n_sweeps": 20, "measure_every": 1}
    study = small_study(tmp_path, n_networks=3, run=quick, output={"segment_sweeps": 20})
    answer = invoke(capsys, "study", "report", finished_study(tmp_path, study).path)
    assert answer.status == 1
    assert "at least 4 of them, found 3" in answer.err
    assert "Traceback" not in answer.err


def test_what_is_no_study(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "absent"):
        answer = invoke(capsys, "study", "report", path)
        assert answer.status in (1, 2)
        assert answer.err.startswith("mlp-gibbs")
    answer = invoke(capsys, "study", "report", tmp_path, "--ansatz", "rsb")
    assert answer.status == 2


def test_one_size_has_no_limit_and_says_so(results):
    (found,) = results.combinations
    alone = combine(found.cells[:1])
    assert alone.limits == []
    assert len(alone.refused) == 1
    assert "at least 2 sizes" in alone.refused[0]
    assert "energy_density at beta = 0," in alone.refused[0]


def test_predictions_are_those_of_the_law(results):
    """A law of two levels, 0.1 with weight 0.7 and 0.7 with weight 0.3, by hand."""
    (found,) = results.combinations
    prediction = Prediction(found.predictions[-1].symmetric, ONE_STEP)
    second, fourth = 0.7 * 0.1**2 + 0.3 * 0.7**2, 0.7 * 0.1**4 + 0.3 * 0.7**4
    expected = {
        "overlap_0": 0.28,
        "overlap_moment_2_0": second,
        "overlap_moment_4_0": fourth,
        "overlap_width_0": np.sqrt(second - 0.28**2),
        "binder_0": (3 - fourth / second**2) / 2,
        "overlap_peak_0": 0.7,
        "overlap_disorder_0": (second - 0.28**2) / 3,
        "overlap_disorder_share_0": 1 / 3,
        "energy_density": ONE_STEP.energy_density,
        "free_entropy_density": ONE_STEP.free_entropy_density,
    }
    for name, value in expected.items():
        assert predicted_value(prediction, name) == pytest.approx(value), name


def test_a_ratio_without_a_limit_has_no_prediction(results):
    hottest = results.combinations[0].predictions[0]
    assert hottest.beta == 0
    assert predicted_value(hottest, "binder_0") is None
    assert predicted_value(hottest, "overlap_peak_0") == 0


def test_a_collapse_with_its_figure(results, tmp_path):
    """Binder ratios of a known law in place of the measured ones."""
    rng = np.random.default_rng(0)
    beta = np.linspace(0.5, 1.5, 15)
    cells = []
    for cell in results.combinations[0].cells:
        value = 1 / (1 + np.exp(-3 * (beta - 1.1) * cell.n_inputs**0.4)) + 0.01 * rng.normal(size=15)
        binder = Resampled(value, value + 0.01 * rng.normal(size=(100, 15)), 8)
        cells.append(replace(cell, beta=beta, observables={"binder_0": binder}))
    found = scale(replace(results.combinations[0], cells=cells), "binder_0", 1.0)
    assert found.scaling.collapse.b == 0
    assert abs(found.scaling.collapse.beta_c - 1.1) < 4 * found.scaling.collapse.stderr[0]
    assert abs(found.scaling.collapse.a - 0.4) < 4 * found.scaling.collapse.stderr[1]
    (row,) = replace(results, combinations=[found]).to_json()["collapses"]
    assert row["observable"] == "binder_0"
    assert row["a"]["value"] == found.scaling.collapse.a
    assert save(collapse_figure(found.scaling), tmp_path / "a.png").stat().st_size > 1e4


def test_an_observable_that_cannot_be_scaled(directory, capsys):
    arguments = ("study", "report", directory.path, "--no-free-energy", "--json")
    answer = invoke(capsys, *arguments, "--collapse", "overlaps", "--beta-c", "1.0")
    assert answer.status == 2
    assert "Did you mean 'overlap_" in answer.err
    answer = invoke(capsys, *arguments, "--collapse", "overlap_0")
    assert answer.status == 2
    assert "--beta-c" in answer.err
