"""Files of studies: cells and items, or an error of ours on one screen, whatever the file holds."""

import hypothesis
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from mcmc.study.config import Study, StudySection, load_study
from tests.fuzz.conftest import examples
from tests.fuzz.judge import Wrong, judge
from tests.fuzz.toml_cases import ROOT, anything, damaged, files, scalars, tables, texts

RUN = '[model]\nactivation = "tanh"\nn_inputs = 8\nn_networks = 2\n'
SMALL = RUN + "[tempering]\nbetas = [0.5, 1.0]\n[run]\nn_sweeps = 10\n"
SHIPPED = [path.read_bytes() for path in sorted((ROOT / "runs").glob("study-*.toml"))]
KEYS = ["model.sigma_w", "model.activation", "run.seed", "tempering", "tempering.betas", "model", "model.n_inputs", ""]

axes = st.dictionaries(st.one_of(st.sampled_from(KEYS), texts), st.lists(st.one_of(scalars, anything), max_size=3))
cases = st.lists(st.dictionaries(st.sampled_from(KEYS), anything, max_size=2), max_size=3)
counts = st.one_of(st.integers(1, 8), st.sampled_from([2**31 - 1, 2**20]), anything)
studies = st.fixed_dictionaries(
    {
        "base": st.sampled_from(["run.toml"] * 6 + ["nothing.toml", "a\0b", "..", "/dev/zero", "study.toml"]),
        "n_inputs": st.one_of(st.lists(st.integers(2, 40), min_size=1, max_size=3, unique=True), anything),
        "n_networks": counts,
    },
    optional={
        "item_networks": counts,
        "name": st.one_of(texts, anything),
        "grid": st.one_of(axes, axes, anything),
        "cases": st.one_of(cases, cases, anything),
    },
)
right = st.fixed_dictionaries(
    {
        "base": st.just("run.toml"),
        "n_inputs": st.lists(st.integers(2, 40), min_size=1, max_size=3, unique=True),
        "n_networks": st.integers(1, 8),
    },
    optional={
        "grid": st.dictionaries(st.just("model.sigma_w"), st.lists(st.floats(0.5, 3), max_size=3)),
        "name": texts,
    },
)
written = st.one_of(right, studies, studies).map(lambda section: tomli_w.dumps({"study": section}).encode())
everything = st.one_of(written, written, damaged(written), files(StudySection, SHIPPED))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "run.toml").write_text(SMALL)
    return folder / "study.toml"


def items_of(path) -> None:
    study = load_study(path)
    items = study.items()
    names = {item.name for item in items}
    if len(names) != len(items):
        raise Wrong("two items have one name")
    if any("/" in name or name.startswith(".") or "\0" in name or len(name) > 200 for name in names):
        raise Wrong(f"no names of directories: {sorted(names)[:3]}")
    if Study.from_identity(study.identity()).items() != items:
        raise Wrong("what study.json keeps of it is another study")


def test_any_file(place, tally, seed):
    @hypothesis.seed(seed)
    @examples(120)
    @given(everything)
    def check(data):
        place.write_bytes(data)
        tally("study file", judge, lambda: items_of(place))

    check()


def test_any_base(place, tally, seed, tmp_path):
    from mcmc.config import RunConfig

    (tmp_path / "study.toml").write_text('[study]\nbase = "run.toml"\nn_inputs = [6, 8]\nn_networks = 4\n')
    bases = st.one_of(tables(RunConfig).map(lambda content: tomli_w.dumps(content).encode()), files(RunConfig))

    @hypothesis.seed(seed)
    @examples(50, full=3000)
    @given(bases)
    def check(data):
        (tmp_path / "run.toml").write_bytes(data)
        tally("base of a study", judge, lambda: items_of(tmp_path / "study.toml"))

    check()


M = '[study]\nbase = "run.toml"\nn_inputs = [6, 8]\nn_networks = 4\n'
TEN = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
FOUND = {  # each a traceback or a hang before it was found here
    "base with a null character": M.replace("run.toml", "a\\u0000b"),
    "base without end": M.replace("run.toml", "/dev/zero"),
    "long name of a base": M.replace("run.toml", "run-" * 1500 + ".toml"),
    "two thousand million items": M.replace("= 4", "= 2000000000"),
    "twenty axes of ten values": M + "[study.grid]\n" + "\n".join(f'"model.a{i}" = {TEN}' for i in range(20)),
    "long axis": M + '[study.grid]\n"model.sigma_w" = [' + ",".join(map(str, range(1, 100_000))) + "]",
    "dotted key": M + "grid." + ".".join("a" * 5000) + " = [1]",
    "nan in a name": M + '[study.grid]\n"model.sigma_w" = [nan]',
    "inf in a name": M + '[study.grid]\n"model.sigma_w" = [inf]',
    "number for a section": M + "[study.grid]\ntempering = [1]",
    "number for a section in a case": M + "cases = [{tempering = 1}]",
}


@pytest.mark.parametrize("name", FOUND)
def test_found_before(place, tally, name):
    place.write_text(FOUND[name])
    assert tally("study file, found before", judge, lambda: items_of(place)) == "refused in words"
