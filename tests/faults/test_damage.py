"""Files cut, zeroed, flipped, lost or exchanged: the same results with a warning, or a refusal in words. And fsck."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mcmc.io.segment import read_segment
from tests.faults.harness import Action


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)


def empty(path):
    path.write_bytes(b"")


def lose(path):
    path.unlink()


def exchange(path):
    """With another file of its kind: a checkpoint of the wrong generation, a segment of another number."""
    others = [other for other in sorted(path.parent.glob(f"*{path.suffix}")) if other != path]
    if others:
        shutil.copy(others[0], path)


DAMAGES = (cut, zero, flip, empty, lose, exchange)
RUN_FILES = (
    *("run.json", "burn_in.json", "log.jsonl", "checkpoint/A.npz", "checkpoint/B.npz", "checkpoint/manifest.json"),
    *("segments/segment-000000.h5", "segments/segment-000001.h5"),
)
DIAGRAM_FILES = ("diagram.json", "diagram.h5", "items/item-000000.h5", "items/item-000001.h5")


@pytest.fixture(scope="module")
def stopped(server, tmp_path_factory):
    """A run that was killed right after the checkpoint of its second results file, and how many there are then."""
    whole = server.start("run", server.fresh(), wants_calls=True)
    names = [call.rest.split("/")[-1] if call.kind == "rename" else "" for call in whole.calls]
    number = names.index("manifest.json", names.index("segment-000001.h5"))
    directory = server.fresh()
    server.start("run", directory, fault=(number, Action.KILL_AMID, 0))
    return shutil.copytree(directory, tmp_path_factory.mktemp("stopped") / "d")


@pytest.fixture(scope="module")
def diagram(server, tmp_path_factory):
    directory = server.fresh()
    assert server.start("phase", directory).status == 0
    return shutil.copytree(directory, tmp_path_factory.mktemp("complete") / "d")


def copy(server, source):
    directory = server.fresh()
    return Path(shutil.copytree(source, directory))


def numbers(directory):
    """Every number of the results: a flipped bit in the free space of a file is none."""
    files = sorted((directory / "segments").glob("*.h5"))
    found = [(file.name, array.tobytes()) for file in files for array in read_segment(file)[0].values()]
    return found, (directory / "burn_in.json").read_bytes()


def is_refused(answer, name):
    return answer.is_plain and answer.status == 1 and Path(name).name.split(".")[0] in answer.err


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_run(server, tally, stopped, damage, tmp_path):
    whole = copy(server, stopped)
    assert server.start("run", whole).status == 0
    wanted = numbers(whole)
    for name in RUN_FILES:
        directory = copy(server, stopped)
        damage(directory / name)
        before = (directory / name).read_bytes() if (directory / name).exists() else None
        is_changed = before != (stopped / name).read_bytes()
        report = json.loads(server.ask("fsck", str(directory), "--json").out)
        done = server.start("run", directory)
        where = f"{damage.__name__} {name}: {done.err}"
        assert "Traceback" not in done.err, where
        if done.status:
            assert is_refused(done, name), where
            assert report["verdict"] in ("lost", "repairable"), where
            assert (directory / name).exists() is (before is not None), where
            outcome = "refused in words"
        else:
            assert numbers(directory) == wanted, where
            is_told = "damaged" in done.err or "missing" in done.err
            is_read = not name.endswith((".jsonl", ".h5"))  # a flip in the free space of HDF5 changes no number
            assert is_told or not is_changed or not is_read or damage is exchange, where
            assert report["verdict"] == "resumable", where
            outcome = "same bytes"
        tally(f"file of a run {damage.__name__}", outcome)


@pytest.mark.parametrize("damage", DAMAGES[:5], ids=lambda damage: damage.__name__)
def test_diagram(server, tally, full, diagram, damage):
    for name in DIAGRAM_FILES if full else DIAGRAM_FILES[:3]:
        directory = copy(server, diagram)
        damage(directory / name)
        done = server.start("phase", directory)
        where = f"{damage.__name__} {name}: {done.err}"
        assert "Traceback" not in done.err, where
        if done.status:
            assert is_refused(done, name), where
        else:
            assert server.commands["phase"].result(directory) == server.wanted["phase"], where
        tally(f"file of a diagram {damage.__name__}", "refused in words" if done.status else "same bytes")


@pytest.mark.parametrize("name", [n for n in RUN_FILES if n != "log.jsonl"])
@pytest.mark.parametrize("damage", [cut, lose], ids=lambda damage: damage.__name__)
def test_repair_of_a_run(server, stopped, damage, name):
    """Nothing is deleted; after it the command either goes on to the same results, or fsck had called them lost."""
    directory = copy(server, stopped)
    damage(directory / name)
    files = {p.read_bytes() for p in directory.rglob("*") if p.is_file() and p.name not in ("manifest.json", "lock")}
    first = json.loads(server.ask("fsck", str(directory), "--json").out)
    repaired = server.ask("fsck", str(directory), "--repair", "--json")
    report = json.loads(repaired.out)
    assert files <= {p.read_bytes() for p in directory.rglob("*") if p.is_file()}
    assert (name in report["moved"]) is (damage is cut)
    assert server.resumes("run", directory) is (first["verdict"] != "lost")
    if first["verdict"] != "lost":
        assert server.ask("fsck", str(directory)).status == 0
    else:
        assert repaired.status == 1
        assert any("restore" in sentence.lower() for sentence in report["advice"])


def test_checkpoint_newer_than_its_segment(server, tally, stopped):
    """The last results file is lost, the checkpoint after it is not: refused; repaired, the older one goes on."""
    directory = copy(server, stopped)
    (directory / "segments/segment-000001.h5").unlink()
    done = server.start("run", directory)
    assert is_refused(done, "segment-000001.h5")
    tally("checkpoint newer than its segment", "refused in words")
    assert json.loads(server.ask("fsck", str(directory), "--json").out)["verdict"] == "repairable"
    assert server.ask("fsck", str(directory), "--repair").status == 0
    assert server.resumes("run", directory)


def test_lost_results_are_had_again_from_another_directory(server, stopped, tmp_path):
    """What fsck advises for results that are lost: the same seed gives the same bytes, so the file can be copied."""
    directory = copy(server, stopped)
    zero(directory / "segments/segment-000000.h5")
    told = server.ask("fsck", str(directory)).out
    assert "lost" in told
    assert "with another --out" in told
    elsewhere = server.workplace / "elsewhere"
    assert server.start("run", elsewhere).status == 0
    shutil.copy(elsewhere / "segments/segment-000000.h5", directory / "segments/segment-000000.h5")
    assert server.ask("fsck", str(directory)).status == 0
    assert server.resumes("run", directory)


def test_intact(server, stopped, diagram):
    whole = server.fresh()
    assert server.start("run", whole).status == 0
    for path, kind, verdict in (
        (whole, "run", "intact"),
        (stopped, "run", "resumable"),
        (diagram, "diagram", "intact"),
    ):
        answer = server.ask("fsck", str(path), "--json")
        report = json.loads(answer.out)
        assert (answer.status, report["kind"], report["verdict"]) == (0, kind, verdict)
        assert all(finding["state"] in ("intact", "leftover") for finding in report["findings"])
        before = sorted(p for p in path.rglob("*") if p.name != "lock")
        assert server.ask("fsck", str(path), "--repair").status == 0
        assert sorted(p for p in path.rglob("*") if p.name != "lock") == before


def test_study(server, stopped):
    """A study is a folder of ordinary runs."""
    directory = server.fresh()
    for name in ("one", "two"):
        shutil.copytree(stopped, directory / "items" / name)
    zero(directory / "items/two/checkpoint/A.npz")
    answer = server.ask("fsck", str(directory), "--json")
    report = json.loads(answer.out)
    assert (answer.status, report["kind"], report["verdict"]) == (1, "study", "resumable")
    assert [len(child["findings"]) > 5 for child in report["children"]] == [True, True]
    assert server.ask("fsck", str(directory), "--repair").status == 0
    assert all(server.resumes("run", directory / "items" / name) for name in ("one", "two"))


def test_nothing_to_check(server, tmp_path):
    answer = server.ask("fsck", str(tmp_path))
    assert answer.is_plain
    assert "holds no run" in answer.err


def test_a_directory_in_use_is_not_repaired(server, stopped):
    from mcmc.io.lock import locked

    directory = copy(server, stopped)
    (directory / "lock").unlink(missing_ok=True)
    with locked(directory):
        answer = server.ask("fsck", str(directory), "--repair")
        assert answer.is_plain
        assert "is being written by process" in answer.err
        assert server.ask("fsck", str(directory)).status == 0


def test_flips_of_any_bit_are_never_taken(server, stopped):
    """fsck is the reader: whatever bit of a results file changes, it is named or changes no number."""
    rng = np.random.default_rng(1)
    file = stopped / "segments/segment-000000.h5"
    data, arrays = file.read_bytes(), read_segment(file)[0]
    from mcmc.fsck.check import examine

    directory = copy(server, stopped)
    target = directory / "segments/segment-000000.h5"
    n_seen = 0
    for place in rng.integers(0, len(data), 40):
        target.write_bytes(data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :])
        if examine(directory).has_damage:
            n_seen += 1
        else:
            assert all(np.array_equal(array, arrays[name]) for name, array in read_segment(target)[0].items())
    assert n_seen > 0
