"""Every wrong configuration is told, all problems at once, with the key, what was found and the nearest right name."""

import pytest

from mcmc.config import config_differences, parse_config
from mcmc.errors import ConfigError
from mcmc.names import ACTIVATION_NAMES, KERNEL_NAMES
from tests.support.configs import GOOD, changed


def problems_of(data) -> list[str]:
    """The lines of the message below its headline, which must count them."""
    with pytest.raises(ConfigError) as caught:
        parse_config(data, source="here.toml")
    headline, *lines = str(caught.value).split("\n")
    assert headline == f"here.toml: {len(lines)} problem" + "s" * (len(lines) > 1)
    return [line.strip() for line in lines]


def test_good_configuration():
    config = parse_config(GOOD)
    assert config.model.widths == (8, 8, 4)
    assert config.model.depth == 2
    assert (config.segment_sweeps, config.n_segments) == (2, 10)


# key, what the user wrote, words that the one line about it must hold
SINGLE_FAULTS = {
    "unknown key": ({"model": {"activaton": "tanh"}}, ["model.activaton", "unknown key", "Did you mean 'activation'?"]),
    "unknown key lists all": ({"run": {"zzz": 1}}, ["run.zzz", "n_burn_in", "checkpoint_every_s", "device"]),
    "unknown section": ({"temperature": {"beta_max": 1}}, ["temperature", "Did you mean 'tempering'?"]),
    "section is a number": ({"run": 3}, ["run", "expected a section of keys, [run]", "found 3"]),
    "section is a list": ({"model": [1]}, ["model", "[model]", "found [1]"]),
    "unknown activation": ({"model": {"activation": "Tanhh"}}, ["model.activation", "'Tanhh'", "Did you mean 'tanh'?"]),
    "activation by number": ({"model": {"activation": 3}}, ["model.activation", "found 3"]),
    "activation with a dash": ({"model": {"activation": "leaky-relu"}}, ["Did you mean 'leaky_relu'?"]),
    "unknown kernel": ({"sampler": {"kernel": "HMCC"}}, ["sampler.kernel", "'HMCC'", "Did you mean 'hmc'?"]),
    "one input": ({"model": {"n_inputs": 1}}, ["model.n_inputs", "greater than or equal to 2", "found 1"]),
    "half an input": ({"model": {"n_inputs": 8.5}}, ["model.n_inputs", "found 8.5"]),
    "inputs in words": ({"model": {"n_inputs": "many"}}, ["model.n_inputs", "found 'many'"]),
    "absurd inputs": ({"model": {"n_inputs": 10**400}}, ["model.n_inputs"]),
    "no networks": ({"model": {"n_networks": 0}}, ["model.n_networks", "found 0"]),
    "negative first network": ({"model": {"first_network": -1}}, ["model.first_network", "found -1"]),
    "negative width ratio": ({"model": {"width_ratios": [1.0, -0.5]}}, ["model.width_ratios.1", "found -0.5"]),
    "zero width ratio": ({"model": {"width_ratios": [0.0, 1.0]}}, ["model.width_ratios.0", "found 0"]),
    "infinite width": ({"model": {"width_ratios": [1e308, 1.0]}}, ["model.width_ratios.0", "found 1e+308"]),
    "no layers": ({"model": {"width_ratios": []}}, ["model.width_ratios", "found []"]),
    "layer rounds to nothing": ({"model": {"width_ratios": [1.0, 0.01]}}, ["at least one unit", "(8, 8, 0)"]),
    "negative sigma_w": ({"model": {"sigma_w": -1.5}}, ["sigma_w must be positive", "found -1.5"]),
    "zero sigma_w": ({"model": {"sigma_w": [1.0, 0.0]}}, ["sigma_w must be positive", "found [1.0, 0.0]"]),
    "negative sigma_b": ({"model": {"sigma_b": -0.1}}, ["sigma_b must be zero or positive", "found -0.1"]),
    "sigma_w too long": ({"model": {"sigma_w": [1.0, 1.0, 1.0]}}, ["sigma_w has 3 numbers", "one number or 2"]),
    "sigma_b too short": ({"model": {"sigma_b": [1.0]}}, ["sigma_b has 1 numbers", "one number or 2"]),
    "sigma_w in words": ({"model": {"sigma_w": "big"}}, ["model.sigma_w", "found 'big'"]),
    "word in a list": ({"model": {"sigma_w": [1.0, "big"]}}, ["model.sigma_w.1", "found 'big'"]),
    "NaN": ({"model": {"sigma_w": float("nan")}}, ["model.sigma_w", "finite", "found nan"]),
    "foreign parameter": (
        {"model": {"activation_params": {"negative_slope": 0.1}}},
        ["activation_params of 'tanh' are: none", "found negative_slope"],
    ),
    "misspelt parameter": (
        {"model": {"activation": "leaky_relu", "activation_params": {"slope": 0.1}}},
        ["activation_params of 'leaky_relu' are: negative_slope", "found slope"],
    ),
    "shape not positive": (
        {"model": {"activation": "shaped_tanh", "activation_params": {"shape": 0.0}}},
        ["shape", "must be positive", "found 0.0"],
    ),
    "activation that is zero": (
        {"model": {"activation": "shaped_relu", "activation_params": {"c_plus": -(2**0.5), "c_minus": -(2**0.5)}}},
        ["shaped_relu", "zero everywhere"],
    ),
    "leapfrog zero": ({"sampler": {"n_leapfrog": 0}}, ["sampler.n_leapfrog", "found 0"]),
    "leapfrog list with zero": ({"sampler": {"n_leapfrog": [1, 0, 2]}}, ["sampler.n_leapfrog.1", "found 0"]),
    "leapfrog wrong length": ({"sampler": {"n_leapfrog": [1, 2]}}, ["n_leapfrog has 2 numbers for 3 temperatures"]),
    "negative step size": ({"sampler": {"step_size": -0.1}}, ["sampler.step_size", "found -0.1"]),
    "acceptance of one": ({"sampler": {"target_acceptance": 1.0}}, ["sampler.target_acceptance", "found 1.0"]),
    "persistence of one": ({"sampler": {"persistence": 1.0}}, ["sampler.persistence", "found 1.0"]),
    "hot colder than cold": ({"tempering": {"beta_min": 3.0}}, ["beta_min = 3.0 is above beta_max = 2.0"]),
    "ladder of no length": ({"tempering": {"beta_min": 2.0}}, ["3 temperatures need beta_min < beta_max", "2.0"]),
    "negative beta": ({"tempering": {"beta_min": -1.0}}, ["tempering.beta_min", "found -1.0"]),
    "no temperatures": ({"tempering": {"n_temperatures": 0}}, ["tempering.n_temperatures", "found 0"]),
    "betas decrease": ({"tempering": {"beta_max": 1.0, "betas": [0.0, 1.0, 0.5]}}, ["increase strictly", "[0.0, 1.0,"]),
    "betas empty": ({"tempering": {"betas": []}}, ["tempering.betas", "found []"]),
    "betas negative": ({"tempering": {"betas": [-1.0, 1.0, 2.0]}}, ["tempering.betas.0", "found -1.0"]),
    "betas and another ladder": ({"tempering": {"betas": [0.0, 1.0]}}, ["betas fixes the ladder", "remove beta_max"]),
    "one replica, overlaps": ({"tempering": {"n_replicas": 1}}, ["tempering.n_replicas must be at least 2", "found 1"]),
    "no sweeps": ({"run": {"n_sweeps": 0}}, ["run.n_sweeps", "found 0"]),
    "negative burn-in": ({"run": {"n_burn_in": -1}}, ["run.n_burn_in", "found -1"]),
    "nothing measured": ({"run": {"measure_every": 21}}, ["measure_every = 21 exceeds run.n_sweeps = 20"]),
    "more steps than the streams": (
        {"run": {"n_sweeps": 2**31}, "sampler": {"steps_per_sweep": 3}},
        ["run.n_burn_in + run.n_sweeps", "4294967296 steps"],
    ),
    "negative seed": ({"run": {"seed": -1}}, ["run.seed", "found -1"]),
    "seed too long": ({"run": {"seed": 2**56}}, ["run.seed", "found 72057594037927936"]),
    "half precision": ({"run": {"dtype": "float16"}}, ["run.dtype", "'float32' or 'float64'", "found 'float16'"]),
    "coarse forces of fine positions": (
        {"run": {"dtype": "float64"}, "sampler": {"force_dtype": "bfloat16"}},
        ['sampler.force_dtype = "bfloat16" is for run.dtype = "float32", found "float64"'],
    ),
    "unknown force dtype": (
        {"sampler": {"force_dtype": "float16"}},
        ["sampler.force_dtype", "'auto', 'float32', 'tf32' or 'bfloat16'", "found 'float16'"],
    ),
    "unknown device": ({"run": {"device": "tpu"}}, ["run.device", "auto, cpu, cuda or cuda:INDEX", "found 'tpu'"]),
    "index of the processor": ({"run": {"device": "cpu:1"}}, ["run.device", "found 'cpu:1'"]),
    "device index in words": ({"run": {"device": "cuda:one"}}, ["run.device", "found 'cuda:one'"]),
    "no block": ({"run": {"block_networks": 0}}, ["run.block_networks", "found 0"]),
    "one bin": ({"output": {"n_bins": 1}}, ["output.n_bins", "found 1"]),
    "segment cuts a measurement": (
        {"run": {"measure_every": 4}, "output": {"segment_sweeps": 6}},
        ["output.segment_sweeps = 6 must be a multiple of run.measure_every = 4"],
    ),
}


@pytest.mark.parametrize("fault", SINGLE_FAULTS)
def test_single_fault_is_one_line(fault):
    sections, words = SINGLE_FAULTS[fault]
    lines = problems_of(changed(**sections))
    assert len(lines) == 1, lines
    for word in words:
        assert word in lines[0]


def test_required_keys():
    lines = problems_of({"model": {}})
    assert [line.split(":")[0] for line in lines] == ["model.activation", "model.n_inputs", "model.n_networks"]
    assert all("is required and was not given" in line for line in lines)
    assert problems_of({}) == ["model: is required and was not given"]


@pytest.mark.parametrize("data", [[], None, 3, "model"])
def test_not_even_a_table(data):
    assert "expected a section of keys" in problems_of(data)[0]


def test_all_problems_at_once():
    """Of one section, of several, and between sections that are sound themselves while another is not."""
    lines = problems_of(
        changed(
            model={"n_inputs": 0, "sigma_w": "x", "depth": 3},
            sampler={"jitter": 2.0},
            tempering={"n_replicas": 1},
            run={"n_sweeps": 3, "measure_every": 5},
            output={"segment_sweeps": 7},
            extra={},
        )
    )
    keys = ["model.n_inputs", "model.sigma_w", "model.depth", "sampler.jitter", "extra"]
    assert [line.split(":")[0] for line in lines if not line.startswith("whole file")] == keys
    between = [line for line in lines if line.startswith("whole file")]
    assert len(between) == 3
    assert "n_replicas" in between[0]
    assert "nothing would be measured" in between[1]
    assert "multiple" in between[2]


def test_all_problems_of_the_layers_at_once():
    lines = problems_of(
        changed(model={"sigma_w": [-1.0], "sigma_b": -2.0, "width_ratios": [0.01, 1.0], "activation_params": {"a": 1}})
    )
    words = ("sigma_w has 1", "sigma_w must", "sigma_b must", "every layer needs", "activation_params of 'tanh'")
    assert all(word in line for word, line in zip(words, lines, strict=True)), lines


def test_problems_are_on_the_error():
    with pytest.raises(ConfigError) as caught:
        parse_config(changed(run={"seed": -1}, model={"n_inputs": 1}))
    assert [problem["loc"] for problem in caught.value.problems] == [("model", "n_inputs"), ("run", "seed")]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_every_activation_is_known(name):
    assert parse_config(changed(model={"activation": name})).model.activation == name


@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_every_kernel_is_known(name):
    assert parse_config(changed(sampler={"kernel": name})).sampler.kernel == name


def test_given_betas_are_the_ladder():
    tempering = parse_config(changed(tempering={"beta_max": 3.0, "betas": [0, 1, 3]})).tempering
    assert (tempering.beta_min, tempering.beta_max, tempering.n_temperatures) == (0.0, 3.0, 3)
    assert not tempering.adapt


def test_widths_round_to_the_nearest():
    assert parse_config(changed(model={"n_inputs": 7, "width_ratios": [0.5, 1.57]})).model.widths == (7, 4, 11)


def test_one_replica_without_overlaps_is_allowed():
    config = parse_config(changed(tempering={"n_replicas": 1}, output={"overlaps": False}))
    assert config.tempering.n_replicas == 1


@pytest.mark.parametrize(
    ("n_sweeps", "every", "given", "length", "n_segments"),
    [(1000, 1, None, 100, 10), (25, 10, None, 10, 3), (5, 1, None, 1, 5), (100, 7, 21, 21, 5), (10, 1, 999, 10, 1)],
)
def test_segments(n_sweeps, every, given, length, n_segments):
    run = {"n_sweeps": n_sweeps, "measure_every": every}
    config = parse_config(changed(run=run, output={"segment_sweeps": given}))
    assert (config.segment_sweeps, config.n_segments) == (length, n_segments)


# --- the hash of what decides the numbers


def test_hash_ignores_order_spelling_and_what_changes_no_number():
    hash_ = parse_config(GOOD).physics_hash()
    reordered = {name: dict(reversed(section.items())) for name, section in reversed(GOOD.items())}
    assert parse_config(reordered).physics_hash() == hash_
    assert parse_config(changed(tempering={"beta_max": 2})).physics_hash() == hash_
    same = {"run": {"device": "cpu", "block_networks": 1, "checkpoint_every_s": 5}, "output": {"directory": "there"}}
    assert parse_config(changed(**same)).physics_hash() == hash_


@pytest.mark.parametrize(
    "sections",
    [
        {"model": {"activation": "sin"}},
        {"model": {"n_inputs": 9}},
        {"model": {"sigma_b": 1e-3}},
        {"model": {"first_network": 1}},
        {"sampler": {"jitter": 0.2}},
        {"tempering": {"adapt": False}},
        {"run": {"seed": 1}},
        {"run": {"dtype": "float64"}},
        {"run": {"n_burn_in": 501}},
        {"output": {"n_bins": 100}},
    ],
    ids=str,
)
def test_hash_sees_what_changes_numbers_and_the_difference_is_told(sections):
    old, new = parse_config(GOOD), parse_config(changed(**sections))
    assert old.physics_hash() != new.physics_hash()
    ((section, values),) = sections.items()
    ((key, value),) = values.items()
    (line,) = config_differences(old.physics(), new.physics())
    assert line.startswith(f"{section}.{key}: ")
    assert line.endswith(f"-> {value!r}")


def test_no_difference():
    assert config_differences(parse_config(GOOD).physics(), parse_config(GOOD).physics()) == []


def test_round_trip_through_plain_values():
    config = parse_config(changed(tempering={"beta_max": 3.0, "betas": [0.1, 1, 3]}, sampler={"n_leapfrog": [1, 2, 3]}))
    assert parse_config(config.model_dump(mode="json")) == config
