"""The figures of the layer field theory, at tiny sizes: drawn, and showing what they say."""

import json

import numpy as np
import pytest
from matplotlib import pyplot as plt
from typer.testing import CliRunner

from mcmc.cli.layers.app import layers
from mcmc.cli.layers.figures import NAMES
from mcmc.compare import layer_study
from mcmc.errors import UsageError
from mcmc.plots.layers.covariance import covariance_figure
from mcmc.plots.layers.sampling import sampling_figure


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(layer_study, "WIDTHS", (16, 32))
    monkeypatch.setattr(layer_study, "NETWORKS", {name: layer_study.NETWORKS[name] for name in ("linear", "tanh")})


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("covariance", "sampling")])
def test_figure_from_the_command(name, tmp_path, monkeypatch):
    monkeypatch.setitem(layer_study.NETWORKS, "relu", (1.8, 0.1))
    words = ["figures", "--out", str(tmp_path), "--only", name, "--networks", "20", "--json"]
    result = CliRunner().invoke(layers, words, catch_exceptions=False)
    (path,) = json.loads(result.stdout)["figures"]
    assert path.endswith(f"layers-{name}.png")
    assert (tmp_path / f"layers-{name}.png").stat().st_size > 20_000


def test_unknown_figure(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'spectrum'"):
        CliRunner().invoke(layers, ["figures", "--out", str(tmp_path), "--only", "spectra"], catch_exceptions=False)


def test_map_has_data_below_the_diagonal_and_theory_above():
    decay = layer_study.decay_of("linear", 16, 50, seed=0)
    collapse = layer_study.collapse_of("tanh", 20, seed=0)
    figure = covariance_figure([decay], [collapse])
    image = np.asarray(figure.axes[0].images[0].get_array())  # rows are l, upwards
    assert image[20, 10] == decay.transient_theory[20, 10]
    assert image[10, 20] == decay.transient[10, 20]
    assert collapse.explicit.stderr[0] > 0
    plt.close(figure)


def test_sampling_figure_has_every_mean():
    sampled = layer_study.sampled_by("hmc", seed=0, n_draws=10, n_exact=5000)
    figure = sampling_figure([sampled])
    assert figure.axes[1].get_title() == f"{len(sampled.checks)} means"
    plt.close(figure)
