"""What lies on the disk is the diagram that was asked for, whole, or it is said what is wrong with it."""

import json
import math

import numpy as np
import pytest

from mcmc.diagram.axes import Axis
from mcmc.diagram.directory import _HEAD, DiagramDirectory, read_result
from mcmc.diagram.layout import pack
from mcmc.diagram.lines import Line
from mcmc.diagram.point import NOT_SOLVED, Point
from mcmc.diagram.request import DiagramRequest, ModelOptions
from mcmc.diagram.solve import ItemResult
from mcmc.errors import ConfigError, RunDirectoryError, SegmentError, StorageError
from mcmc.io.arrays import write_arrays

REQUEST = DiagramRequest(ModelOptions(), (Axis("depth", (1.0, 2.0)), Axis("beta", (1.0, 2.0))))


def invented(item) -> ItemResult:
    """An item with a point of every shape."""
    depth = item.model.depth
    symmetric = Point(
        1.0, "RS", 0.5, "", 0.1, 1e-9, -0.2, 1e-9, 0.9, (0.9,) * depth, ((0.3,),) * (depth + 1), (), {"a": [1, None]}
    )
    failed = Point(2.0, NOT_SOLVED, 1.5, "ConvergenceError: beta × 2", pivots=(-0.5,) * depth)
    broken = Point(
        2.0, "2RSB", 1.5, "", 0.1, 0.0, 0.0, 0.0, 0.0, (-1.0,) * depth, ((0.1, 0.5, 0.9),) * (depth + 1), (0.2, 0.7)
    )
    lines = (Line("at", 1.5, 1e-6, 2.0), Line("dynamic", math.nan, math.nan, 1.5, "none found up to beta=1.5"))
    return ItemResult(item, (symmetric, failed if depth == 1 else broken), lines)


def same(found: ItemResult, expected: ItemResult) -> bool:
    text = repr(expected).replace("×", "\\\\xd7")  # files are plain ASCII; repr makes NaN equal to NaN
    return repr(found) == text


@pytest.fixture
def directory(tmp_path):
    directory = DiagramDirectory(tmp_path / "diagram")
    directory.open_for(REQUEST)
    return directory


def test_items_come_back(directory):
    for item in REQUEST.items():
        assert directory.read_item(item) is None
        directory.write_item(invented(item))
        assert same(directory.read_item(item), invented(item))


def test_the_whole_diagram_comes_back_from_its_file_alone(directory, tmp_path):
    results = [invented(item) for item in REQUEST.items()]
    directory.write_result(REQUEST, results)
    moved = directory.result.rename(tmp_path / "elsewhere.h5")
    request, found = read_result(moved)
    assert request == REQUEST
    assert all(map(same, found, results))


def test_the_same_request_opens_it_again(directory):
    directory.open_for(REQUEST)
    assert directory.request() == REQUEST


def test_another_request_is_refused_with_what_differs(directory):
    other = DiagramRequest(ModelOptions(sigma_w=1.5), (Axis("depth", (1.0, 3.0)), Axis("beta", (1.0, 2.0))))
    with pytest.raises(RunDirectoryError, match="another phase diagram") as caught:
        directory.open_for(other)
    assert "sigma_w: 1.0 -> 1.5" in str(caught.value)
    assert len(caught.value.differences) == 2


@pytest.mark.parametrize("name", ["notes.txt", "run.json"])
def test_a_foreign_directory_is_refused(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(RunDirectoryError, match="is not a phase diagram"):
        DiagramDirectory(tmp_path).open_for(REQUEST)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_file_in_place_of_the_directory(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match="is not a phase diagram"):
        DiagramDirectory(tmp_path / "file").open_for(REQUEST)
    with pytest.raises(StorageError, match="cannot write"):
        DiagramDirectory(tmp_path / "file" / "below").open_for(REQUEST)


def test_what_was_killed_before_its_request_was_written_is_taken_over(tmp_path):
    (tmp_path / "items").mkdir()
    (tmp_path / "diagram.json.part").write_text("{")
    DiagramDirectory(tmp_path).open_for(REQUEST)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"request": []}', '{"request": {"activation": "sin"}}'])
def test_a_damaged_request(directory, text):
    (directory.path / "diagram.json").write_text(text)
    with pytest.raises(RunDirectoryError, match=r"diagram.json is damaged"):
        directory.request()


def test_a_damaged_request_is_not_quoted(directory):
    """The words of a file that is no text held all of it."""
    path = directory.path / "diagram.json"
    path.write_bytes(b"x" * 20_000 + b"\xff" + b"x" * 20_000)
    with pytest.raises(RunDirectoryError, match="can't decode byte 0xff in position 20000") as caught:
        directory.request()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["null", "[]", "{}", '"x"', '{"scan": [], "scan_order": ["beta"], "beta": 1}'])
def test_a_request_that_is_no_table_is_refused(directory, text):
    """A whole diagram whose checksum was made to fit ended in a traceback."""
    results = [invented(item) for item in REQUEST.items()]
    write_arrays(directory.result, pack(results), {**_HEAD, "request": text})
    with pytest.raises(SegmentError, match="is not a phase diagram that can be read"):
        read_result(directory.result)


def test_a_depth_without_end_is_refused(directory):
    path = directory.path / "diagram.json"
    content = json.loads(path.read_text())
    for depth in (10**9, 10**30):
        content["request"]["scan"]["depth"] = [1, depth]
        path.write_text(json.dumps(content))
        with pytest.raises(ConfigError, match="depth: expected L >= 1 hidden layers, 10000 at most"):
            directory.request()


def test_no_diagram_at_all(tmp_path):
    with pytest.raises(RunDirectoryError, match=r"not a phase diagram: there is no diagram\.json"):
        DiagramDirectory(tmp_path).request()


def test_a_phase_with_an_error_is_refused(directory):
    """Labels and errors exchanged, the checksum made to fit: it ended in an assertion."""
    item = REQUEST.items()[0]
    arrays = pack([invented(item)])
    arrays["points/label"], arrays["points/error"] = arrays["points/error"], arrays["points/label"]
    write_arrays(directory.item_path(item), arrays, _HEAD)
    with pytest.raises(SegmentError, match="with the error 'RS'"):
        directory.read_item(item)


@pytest.mark.parametrize(
    ("name", "array"),
    {
        "points/label": np.zeros((1, 2)),
        "points/evidence": np.zeros((1, 2), np.int8),
        "points/energy_density": np.full((1, 2), b"1.5"),
        "points/pivots": np.zeros((1, 2)),
        "points/overlap": np.zeros((1, 2, 4)),
        "points/replicon": np.zeros((1, 1)),
        "lines/at/note": np.zeros(1),
        "items/digest": np.zeros(1),
    }.items(),
)
def test_numbers_in_the_place_of_texts_are_refused(directory, name, array):
    """They ended in a traceback, where the checksum was made to fit."""
    item = REQUEST.items()[0]
    arrays = pack([invented(item)])
    assert name in arrays
    write_arrays(directory.item_path(item), {**arrays, name: array}, _HEAD)
    with pytest.raises(SegmentError, match=f"{name} holds"):
        directory.read_item(item)


def test_every_damage_of_an_item_is_noticed(directory):
    """Any byte that changes what is read is noticed; the file cut anywhere too."""
    item = REQUEST.items()[0]
    directory.write_item(invented(item))
    path, expected = directory.item_path(item), directory.read_item(item)
    whole = path.read_bytes()
    noticed = 0
    for place in np.random.default_rng(1).integers(0, len(whole), 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            found = directory.read_item(item)
        except SegmentError as error:
            message = str(error)
            noticed += str(path) in message
        else:
            assert repr(found) == repr(expected)  # free space of the file format
    assert noticed > 10
    for n in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n])
        with pytest.raises(SegmentError):
            directory.read_item(item)


def test_an_item_of_another_diagram_is_not_taken(directory):
    first, second = REQUEST.items()
    directory.write_item(invented(first))
    directory.item_path(first).rename(directory.item_path(second))
    with pytest.raises(SegmentError, match="other models"):
        directory.read_item(second)


def test_damaged_files_are_kept_under_names_of_their_own(directory):
    item = REQUEST.items()[0]
    names = []
    for _ in range(2):
        directory.item_path(item).write_text("damaged")
        names.append(directory.set_aside(item).name)
    assert names == ["item-000000.h5.damaged-1", "item-000000.h5.damaged-2"]


def test_another_file_is_no_diagram(directory, tmp_path):
    with pytest.raises(SegmentError, match="cannot read"):
        read_result(tmp_path / "nothing.h5")
    directory.write_item(invented(REQUEST.items()[0]))
    with pytest.raises(SegmentError, match="not a phase diagram that can be read"):
        read_result(directory.item_path(REQUEST.items()[0]))


def test_the_request_is_strict_json(tmp_path):
    request = DiagramRequest(ModelOptions(width_ratio=math.inf), (Axis("beta", (1.0,)),))
    directory = DiagramDirectory(tmp_path / "wide")
    directory.open_for(request)

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    json.loads((directory.path / "diagram.json").read_text(), parse_constant=refuse)
    assert directory.request() == request
