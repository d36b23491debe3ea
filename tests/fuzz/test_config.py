"""Configurations of runs: a plan, or an error of ours on one screen, whatever the file holds."""

import resource
import tomllib
from pathlib import Path

import hypothesis
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from mcmc.config import RunConfig, load_config, parse_config
from mcmc.run import build, driver
from mcmc.run import plan as planning
from tests.fuzz.conftest import examples
from tests.fuzz.judge import Wrong, judge
from tests.fuzz.toml_cases import files, scalars, tables

FREE_BYTES = 64 * 2**20  # told to be free
MOST_BYTES = 2 * FREE_BYTES  # that a plan takes of them, the estimate being for the large arrays
CHEAP = 3e6  # operations of a sweep, the forces of which are then really computed


@pytest.fixture(autouse=True)
def little_memory(monkeypatch):
    for module in (build, driver, planning):
        monkeypatch.setattr(module, "available_memory_bytes", lambda device: FREE_BYTES)
    monkeypatch.setattr(planning, "PILOT_S", 0.0)


def plan_of(path: Path, load=load_config, assignments: list[str] | None = None) -> None:
    """As `mlp-gibbs run --dry-run` does; the pilot only where it is cheap."""
    config = load(path, assignments or [])
    again = parse_config(config.model_dump(mode="json"))
    if again.physics_hash() != config.physics_hash():
        raise Wrong("what run.json keeps of it is another configuration")
    before, resident = peak_bytes(), resident_bytes()
    device = build.resolve_device(config.run.device)
    driver.refuse_if_too_large(build.with_blocks(config, build.choose_blocks(config, device).used), device)
    n_chains = config.tempering.n_temperatures * config.tempering.n_replicas * config.model.n_networks
    if planning.flops_per_sweep(config) < CHEAP and n_chains < 500:
        planning.plan(config).text()
    taken = peak_bytes() - resident
    if taken > MOST_BYTES and peak_bytes() > before:
        raise Wrong(f"took {taken / 2**20:.0f} MiB, and {FREE_BYTES / 2**20:.0f} MiB were free")


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("toml") / "a.toml"


def test_any_file(place, tally, seed):
    @hypothesis.seed(seed)
    @examples(250)
    @given(files(RunConfig))
    def check(data):
        place.write_bytes(data)
        tally("run configuration", judge, lambda: plan_of(place))

    check()


def test_any_assignment(place, tally, seed):
    place.write_text('[model]\nactivation = "tanh"\nn_inputs = 8\nn_networks = 2\n')
    keys = [f"{name}.{key}" for name, part in RunConfig.model_fields.items() for key in part.annotation.model_fields]
    numbers = st.sampled_from(["1", "2", "3", "0.5", "[1.0, 2.0]", "true", "8"])
    values = st.one_of(numbers, numbers, scalars.map(str), scalars.map(repr), st.text(max_size=30))
    typed = st.builds("{}={}".format, st.one_of(st.sampled_from(keys), st.text(max_size=20)), values)

    @hypothesis.seed(seed)
    @examples(100)
    @given(st.lists(st.one_of(typed, st.text(max_size=40)), min_size=1, max_size=3))
    def check(assignments):
        tally("--set", judge, lambda: plan_of(place, assignments=assignments))

    check()


def unchecked(path: Path, _assignments: list[str]) -> RunConfig:
    """A loader without validation."""
    return RunConfig.model_construct(**tomllib.loads(path.read_text()))


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_loader_that_checks_nothing_is_caught(place, tally):
    found = []

    @examples(20, full=100)
    @given(tables(RunConfig))
    def check(content):
        place.write_text(tomli_w.dumps(content))
        try:
            judge(lambda: plan_of(place, unchecked))
        except Wrong as wrong:
            found.append(wrong)

    check()
    assert found
    tally("loader without validation", lambda: "caught")


M = '[model]\nactivation = "tanh"\nn_inputs = 8\nn_networks = 2\n'
FOUND = {  # each a traceback, a hang or a flood before it was found here
    "integer of 5000 digits": M + "sigma_w = " + "9" * 5000,
    "hexadecimal integer of 5000 digits": M + "first_network = 0x" + "f" * 5000,
    "lists in lists": M + "sigma_w = " + "[" * 5000 + "]" * 5000,
    "tables in tables": "a = " + "{a=" * 3000 + "1" + "}" * 3000,
    "dotted key": M + "sigma_w." + ".".join("a" * 3000) + " = 1",
    "twenty thousand problems": M + "width_ratios = [" + "-1," * 20000 + "]",
    "five thousand unknown keys": M + "\n".join(f"k{i} = 1" for i in range(5000)),
    "long name": '[model]\nactivation = "' + "tanh" * 100_000 + '"\nn_inputs = 8\nn_networks = 2\n',
    "long key": M + "t" * 200_000 + " = 1",
    "device without number": M + '[run]\ndevice = "cuda:"',
    "device with a digit that is none": M + '[run]\ndevice = "cuda:²"',
    "device number of 20 digits": M + '[run]\ndevice = "cuda:99999999999999999999"',
    "directory with a null character": M + '[output]\ndirectory = "a\\u0000b"',
    "file without end": None,
}


@pytest.mark.parametrize("name", FOUND)
def test_found_before(place, tally, name):
    if FOUND[name] is not None:
        place.write_text(FOUND[name])
    path = place if FOUND[name] is not None else Path("/dev/zero")
    assert tally("run configuration, found before", judge, lambda: plan_of(path)) == "refused in words"


@pytest.mark.parametrize(
    "assignment", ["model.sigma_w=1\n[x]", "model.sigma_w=" + "[" * 5000, "model.sigma_w=" + "9" * 5000, "a" * 9000]
)
def test_assignment_found_before(place, tally, assignment):
    place.write_text(M)
    assert tally("--set", judge, lambda: plan_of(place, assignments=[assignment])) == "refused in words"
