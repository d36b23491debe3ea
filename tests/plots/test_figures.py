"""What is drawn is what was measured and predicted, for every shape of run; files are written, or refused plainly."""

import dataclasses

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pytest

from mcmc.compare import comparison as comparison_module
from mcmc.compare.comparison import compare_with_theory
from mcmc.compare.overlaps import overlap_report
from mcmc.errors import StorageError, UsageError
from mcmc.io.reader import read_run
from mcmc.plots.comparison import STEM_HEIGHT, comparison_figure
from mcmc.plots.diagnostics import diagnostics_figure
from mcmc.plots.energy import energy_figure
from mcmc.plots.overlaps import overlaps_figure
from mcmc.plots.style import pick, save, temperature_colours
from mcmc.plots.waterfall import waterfall_figure
from tests.support.broken_phase import FULL, ONE_STEP, run_with_law, with_prediction
from tests.support.runs import finished, small_config
from tests.support.synthetic import BETA, synthetic_run


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def data():
    return synthetic_run(n_networks=10)


def points(axis):
    """(x, y, half-length) of the error bars of an axis."""
    (container,) = axis.containers
    line, _, (bars,) = container.lines
    half = [abs(segment[1, 1] - segment[0, 1]) / 2 for segment in bars.get_segments()]
    return tuple(np.array(numbers, dtype=float) for numbers in (line.get_xdata(), line.get_ydata(), half))


# --- content


def test_comparison_shows_data_and_theory(data):
    comparison = compare_with_theory(data)
    energy, overlap, first, last = comparison_figure(comparison).axes
    rows = comparison.select("energy_density")
    beta, value, error = points(energy)
    assert beta.tolist() == BETA.tolist()
    np.testing.assert_allclose(value, [m.measured.value for m in rows])
    np.testing.assert_allclose(error, [m.measured.stderr for m in rows])
    theory = energy.lines[0]
    assert theory.get_color() == "black"
    np.testing.assert_allclose(theory.get_ydata(), [s.energy_density for s in comparison.curve])
    assert len(overlap.containers) == 2  # layers 0 and 1
    for layer, axis in ((0, first), (1, last)):
        curves = [line for line in axis.lines if line.get_color() == "black"]
        assert len(curves) == 3  # a prediction at each temperature
        for k, curve in enumerate(curves):
            x, density = curve.get_data()
            width = np.diff(x).mean()
            assert (density * width).sum() == pytest.approx(1.0, abs=0.02)
            assert (x * density).sum() * width == pytest.approx(comparison.predictions[k].mean_overlap[layer], abs=0.02)
            style = "-" if comparison.kernels[k].origin == "predicted" else "--"
            assert curve.get_linestyle() == style
    assert "10 networks" in comparison_figure(comparison).get_suptitle()


def stems(axis):
    """(q, height, label) of the triangles that stand for delta functions."""
    tops = [line.get_data() for line in axis.lines if line.get_marker() == "^"]
    labels = {round(text.get_position()[0], 6): text.get_text().strip() for text in axis.texts}
    return [(float(q[0]), float(y[0]), labels.get(round(float(q[0]), 6))) for q, y in tops]


def test_deltas_of_one_step_with_their_weights(monkeypatch):
    with_prediction(monkeypatch, ONE_STEP)
    comparison = compare_with_theory(run_with_law(ONE_STEP))
    figure = comparison_figure(comparison)
    energy, overlap, *panels = figure.axes
    for axis in panels:
        symmetric, cold = stems(axis)[:2], stems(axis)[2:]
        assert [height for _, height, _ in symmetric] == pytest.approx([STEM_HEIGHT] * 2)
        assert [label for *_, label in symmetric] == [None, None]
        for (q, height, label), level, weight in zip(cold, (0.1, 0.7), (0.7, 0.3), strict=True):
            assert (q, height) == (level, pytest.approx(STEM_HEIGHT * weight))
            assert label == f"{weight:.2f}"
        assert "$\\beta$ = 1.00, 1RSB" in axis.get_legend().get_texts()[2].get_text()
        smeared = [line for line in axis.lines if line.get_color() == "black"][-1]
        x, density = smeared.get_data()
        assert (density * np.diff(x).mean()).sum() == pytest.approx(1.0, abs=0.02)
        assert smeared.get_linestyle() == "--"
    grey, black = energy.lines[:2]
    assert (grey.get_linestyle(), black.get_color()) == ("--", "black")
    np.testing.assert_allclose(black.get_ydata(), [p.energy_density for p in comparison.predictions])
    np.testing.assert_allclose(overlap.lines[1].get_ydata(), [p.mean_overlap[0] for p in comparison.predictions])
    assert "RS, 1RSB (black)" in figure.get_suptitle()


def test_continuous_part_is_a_curve(monkeypatch):
    with_prediction(monkeypatch, FULL)
    comparison = compare_with_theory(run_with_law(FULL))
    *_, first, last = comparison_figure(comparison).axes
    for axis in (first, last):
        (curve,) = [line for line in axis.lines if line.get_linestyle() == "-."]
        q, density = curve.get_data()
        assert (q[0], q[-1]) == (0.2, 0.7)
        np.testing.assert_allclose(density, 1.0, rtol=1e-6)
        assert [label for *_, label in stems(axis)[2:]] == ["0.20", "0.30"], "no stems for the steps in between"


def test_energy_figure(data):
    top, bottom = energy_figure(data).axes
    energy = data.energy.mean((0, 3))
    _, value, error = points(top)
    np.testing.assert_allclose(value, energy.mean(0))
    np.testing.assert_allclose(error, energy.std(0, ddof=1) / np.sqrt(10))
    grey = [line for line in top.lines if line.get_color() == "0.75"]
    np.testing.assert_allclose([line.get_ydata() for line in grey], energy)
    _, difference, _ = points(bottom)
    assert np.abs(difference).max() < 0.1


def test_diagnostics_figure(data):
    acceptance, work, swaps, trips = diagnostics_figure(data).axes
    np.testing.assert_allclose(acceptance.lines[0].get_ydata(), 0.8)
    np.testing.assert_allclose(acceptance.lines[1].get_ydata(), [0.5, 0.4, 0.3])
    np.testing.assert_allclose(points(work)[1], 1.0)
    np.testing.assert_allclose(swaps.lines[-1].get_ydata(), 0.5)
    assert r"\Lambda$ = 1.00" in swaps.get_title()
    assert [patch.get_height() for patch in trips.patches] == [5.0] * 10


def test_waterfall_of_laws_of_different_width():
    """Laws are coarsened each by its own width: the panels must still fit together."""
    data = synthetic_run(n_networks=6, n_draws=200)
    counts = data.arrays["overlap_histogram/counts"]
    counts[:, 2] = 0
    counts[:, 2, :, 38:40] = 100  # nearly a delta function
    counts[:, 0, :, 1:-1] = 5  # flat
    figure = waterfall_figure(data)
    assert len(figure.axes) == 2
    for axis in figure.axes:
        assert axis.get_xlim() == pytest.approx((-0.975, 0.975))
        assert [label.get_text() for label in axis.get_yticklabels()] == ["0.00", "0.50", "1.00"]


# --- every shape of run

SHAPES = {
    "one temperature": {"tempering": {"n_temperatures": 1}},
    "no exchange": {"tempering": {"exchange": False}},
    "one network": {"model": {"n_networks": 1}},
    "no overlaps": {"tempering": {"n_replicas": 1}, "output": {"overlaps": False}},
    "deep": {"model": {"width_ratios": [1.0, 0.5, 2.0]}},
    "cold": {"tempering": {"beta_max": 20.0}},
    "many bins": {"output": {"n_bins": 1999}},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_figures_of_every_shape_of_run(tmp_path, monkeypatch, shape):
    """Linear networks, whose theory is cheap."""
    monkeypatch.setattr(comparison_module, "N_CURVE", 5)
    sections = {**SHAPES[shape], "model": {"activation": "linear", **SHAPES[shape].get("model", {})}}
    config = small_config(**sections)
    finished(config, tmp_path / "run")
    data = read_run(tmp_path / "run")
    figures = [energy_figure(data), diagnostics_figure(data)]
    if config.output.overlaps:
        figures.append(waterfall_figure(data))
    if config.output.overlaps and config.model.n_networks > 1:
        figures.append(comparison_figure(compare_with_theory(data)))
    for i, figure in enumerate(figures):
        path = save(figure, tmp_path / f"{i}.png")
        assert_is_a_picture(path)


def assert_is_a_picture(path):
    """A PNG of some size that is neither empty nor of one colour."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[0] > 500
    assert pixels.shape[1] > 500
    inside = pixels[50:-50:3, 50:-50:3, :3]
    assert inside.std() > 0.03
    assert len(np.unique((255 * inside).astype(int) @ [1, 256, 65536])) > 50


def test_a_law_that_lies_outside_of_its_bins():
    """Nothing to see is no reason to fall over."""
    data = synthetic_run(n_networks=4)
    counts = data.arrays["overlap_histogram/counts"].copy()
    counts[..., -1] = counts.sum(-1)
    counts[..., 1:-1] = 0
    data = dataclasses.replace(data, arrays={**data.arrays, "overlap_histogram/counts": counts})
    assert len(waterfall_figure(data).axes) == 2


# --- files


@pytest.mark.parametrize("name", ["a.png", "a.pdf", "b/c/a.svg", "A.PNG"])
def test_save(tmp_path, data, name):
    path = tmp_path / name
    assert save(energy_figure(data), path) == path
    assert path.stat().st_size > 1000
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["figure", "figure.txt", "figure.foo", "figure."])
def test_unknown_format(tmp_path, data, name):
    with pytest.raises(UsageError, match=r"must end with a format of figures: .*\.png") as caught:
        save(energy_figure(data), tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_written(tmp_path, data):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"cannot write .*file.*in the way"):
        save(energy_figure(data), tmp_path / "file" / "a.png")


@pytest.mark.parametrize(("n", "at_most"), [(1, 6), (2, 6), (6, 6), (7, 6), (100, 6)])
def test_pick(n, at_most):
    chosen = pick(n, at_most)
    assert len(chosen) == min(n, at_most)
    assert {0, n - 1} <= set(chosen) <= set(range(n))


def test_colours_differ():
    assert len(np.unique(temperature_colours(np.arange(12.0)), axis=0)) == 12


def test_overlaps_of_a_broken_phase(monkeypatch, tmp_path):
    """Bands hold the averages, single networks are drawn, the share of networks stands beside 1/3."""
    with_prediction(monkeypatch, FULL)
    report = overlap_report(run_with_law(FULL))
    figure = overlaps_figure([report, report], [0, 1])
    assert len(figure.axes) == 6
    laws, networks, share = figure.axes[:3]
    assert [text.get_text().split("$")[1] for text in laws.get_legend().get_texts()] == [r"\beta"] * 2
    assert len(networks.patches) == 9  # eight networks and their average
    symmetric, broken = [line.get_ydata() for line in share.lines if line.get_color() == "black"][:2]
    assert np.isnan([symmetric[-1], *broken[:-1]]).all()
    assert (broken[-1], symmetric[0]) == pytest.approx((1 / 3, 0.0))
    assert_is_a_picture(save(figure, tmp_path / "overlaps.png"))
