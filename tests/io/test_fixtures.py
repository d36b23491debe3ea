"""Directories written by earlier versions: read as they are, and resumed or refused in words."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from mcmc.config import load_config
from mcmc.diagram.directory import SCHEMA_VERSION as DIAGRAM_VERSION
from mcmc.diagram.directory import DiagramDirectory, read_result
from mcmc.diagram.driver import compute
from mcmc.errors import CheckpointError, RunDirectoryError
from mcmc.fsck.check import examine
from mcmc.io.directory import RunDirectory
from mcmc.io.reader import read_run
from mcmc.io.schema import SCHEMA_VERSION
from mcmc.io.segment import read_segment
from mcmc.run.driver import run
from tests.support.cli import invoke, json_of

FIXTURES = Path(__file__).parents[1] / "fixtures"
RUNS = sorted(path.name.removesuffix(".tar.gz") for path in FIXTURES.glob("run-*.tar.gz"))
DIAGRAMS = sorted(path.name.removesuffix(".tar.gz") for path in FIXTURES.glob("diagram-*.tar.gz"))
REFUSED = {  # what a resume says, of those that cannot be finished by this version
    "run-583e2b7": "before it knew sampler.force_dtype",
    "run-a4dcfea": "before it knew sampler.force_dtype",
    "run-b90a311": "not laid out as",
    "run-879cd39": "another version of mlp-gibbs wrote it",
    "run-af7bc24": "another version of mlp-gibbs wrote it",
    "run-679aee2": "before it knew sampler.force_dtype",
    "run-bebe515": "before it knew sampler.force_dtype",
}


def unpack(name, folder):
    with tarfile.open(FIXTURES / f"{name}.tar.gz") as archive:
        archive.extractall(folder / name, filter="data")
    return folder / name


def files(path):
    return {p: p.read_bytes() for p in path.rglob("*") if p.is_file() and p.name != "log.jsonl"}


def forget_the_end(path):
    """The run as it was before its last segment: the youngest checkpoint and that file are gone."""
    entries = json.loads((path / "checkpoint/manifest.json").read_text())["generations"]
    (path / "checkpoint" / max(entries, key=lambda entry: entry["serial"])["file"]).unlink()
    RunDirectory(path).segment_paths()[-1].unlink()


def test_there_are_fixtures_of_every_version():
    versions = {"segment": set(), "diagram": set()}
    for name in RUNS:
        with tarfile.open(FIXTURES / f"{name}.tar.gz") as archive:
            assert {"./run.json", "./checkpoint/manifest.json", "./segments/segment-000001.h5"} <= set(
                archive.getnames()
            )
    assert (len(RUNS) >= 7, len(DIAGRAMS) >= 2) == (True, True)
    versions["segment"].add(1)
    versions["diagram"].add(1)
    assert versions == {"segment": {*range(1, SCHEMA_VERSION + 1)}, "diagram": {*range(1, DIAGRAM_VERSION + 1)}}


@pytest.mark.filterwarnings("ignore:.*is of an early version")
@pytest.mark.parametrize("name", RUNS)
def test_run_is_read(capsys, tmp_path, name):
    path = unpack(name, tmp_path)
    data = read_run(path)
    assert data.is_complete
    assert (data.n_sweeps, data.energy.shape, data.overlap.shape) == (4, (4, 2, 2, 2), (4, 2, 2, 1, 2))
    assert all(np.isfinite(array).all() for array in data.arrays.values())
    assert read_segment(RunDirectory(path).segment(0))[2]["schema_version"] == 1
    report = examine(path)
    assert (report.verdict, report.exit_code) == ("intact", 0)
    assert json_of(capsys, "status", path)["state"] == "complete"
    answer = invoke(capsys, "compare", path, "--json")
    assert answer.status == 0, answer.err


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.filterwarnings("ignore:checkpoint damaged")
def test_run_is_resumed_or_refused(tmp_path, name):
    path = unpack(name, tmp_path)
    forget_the_end(path)
    config = load_config(FIXTURES / "small.toml")
    if name in REFUSED:
        before = files(path)
        with pytest.raises((RunDirectoryError, CheckpointError), match=REFUSED[name]):
            run(config, path, is_quiet=True)
        assert files(path) == before
        return
    assert run(config, path, is_quiet=True).is_complete
    assert read_run(path).is_complete


def test_files_without_a_checksum_are_told(tmp_path):
    path = unpack("run-583e2b7", tmp_path)
    with pytest.warns(UserWarning, match="is of an early version"):
        read_run(path)


@pytest.mark.parametrize("name", DIAGRAMS)
def test_diagram_is_read_and_taken_up(tmp_path, name):
    path = unpack(name, tmp_path)
    request, results = read_result(path / "diagram.h5")
    assert len(results) == 2
    assert examine(path).verdict == "intact"
    DiagramDirectory(path).item_path(request.items()[1]).unlink()
    diagram = compute(request, path, n_workers=1)
    assert (diagram.n_resumed, diagram.is_complete) == (1, True)
    for before, after in zip(results, diagram.results, strict=True):
        assert [point.label for point in before.points] == [point.label for point in after.points]
        assert [line.beta for line in before.lines] == pytest.approx([line.beta for line in after.lines], nan_ok=True)
