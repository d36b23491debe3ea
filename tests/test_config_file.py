"""Configurations from files and from --set; whatever the input, nothing but RunConfig or ConfigError comes out."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcmc.config import RunConfig, apply_overrides, load_config, parse_config
from mcmc.errors import ConfigError
from mcmc.names import ACTIVATION_NAMES, KERNEL_NAMES
from tests.support.configs import GOOD, changed

TEXT = '[model]\nactivation = "tanh"\nn_inputs = 8\nn_networks = 2\n'


def test_load(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(TEXT)
    config = load_config(path, ["run.seed=7", "model.activation=sin", "model.width_ratios = [1, 2]"])
    assert (config.run.seed, config.model.activation, config.model.widths) == (7, "sin", (8, 8, 16))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[model\nactivation = 3", "is not valid TOML"),
        (b"model: {activation: tanh}", "is not valid TOML"),
        (b'[model]\nactivation = "t\xe4nh"', "is not a UTF-8 text file"),
        (b"\x89HDF\r\n\x1a\n\x00", "is not a UTF-8 text file"),
        (b"", "model: is required"),
    ],
)
def test_file_that_is_no_configuration(tmp_path, content, words):
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.toml: No such file"):
        load_config(tmp_path / "nothing.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path)


@pytest.mark.parametrize("assignment", ["seed=7", "run.seed", "run.seed 7", "=7", "run.=7", "", "run"])
def test_set_syntax(assignment):
    with pytest.raises(ConfigError, match=r"expects section\.key=value") as caught:
        apply_overrides(GOOD, [assignment])
    assert f"'{assignment}'" in str(caught.value)


def test_set_on_something_that_is_no_section():
    with pytest.raises(ConfigError, match="'model' is not a section"):
        apply_overrides({"model": 3}, ["model.n_inputs=4"])


def test_set_values_and_leaves_the_original_alone():
    before = copy.deepcopy(GOOD)
    data = apply_overrides(
        GOOD, ["run.seed=7", "sampler.kernel=mala", "sampler . jitter = 0.1", "tempering.betas=[0, 1e-1, 2.0]"]
    )
    assert before == GOOD
    assert data["run"] == {"n_sweeps": 20, "seed": 7}
    assert data["sampler"] == {"kernel": "mala", "jitter": 0.1}
    assert data["tempering"]["betas"] == [0, 0.1, 2.0]


def test_set_of_unknown_key_is_told_like_any_other():
    with pytest.raises(ConfigError, match=r"run\.sede: unknown key\. Did you mean 'seed'"):
        parse_config(apply_overrides(GOOD, ["run.sede=7"]))


# --- nothing but RunConfig or ConfigError ever comes out

NUMBERS = st.integers() | st.integers(1, 9) | st.floats() | st.sampled_from([10**400, -1, 0])
WORDS = st.text(max_size=5) | st.sampled_from([*ACTIVATION_NAMES, *KERNEL_NAMES, "cuda:0", "float32", "float"])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = {name: list(field.annotation.model_fields) for name, field in RunConfig.model_fields.items()}
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        name: st.fixed_dictionaries({}, optional=dict.fromkeys(keys, VALUES)) | VALUES for name, keys in KEYS.items()
    },
)


def _run_config_or_config_error(data):
    try:
        config = parse_config(data)
    except ConfigError:
        return  # the other of the two outcomes that are allowed
    assert isinstance(config, RunConfig)
    assert config.n_segments >= 1  # the derived numbers exist too
    assert len(config.physics_hash()) == 64
    assert parse_config(config.model_dump(mode="json")) == config


@settings(max_examples=300, deadline=None)
@given(NEARLY)
def test_any_dictionary(data):
    _run_config_or_config_error(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([(name, key) for name, keys in KEYS.items() for key in keys]), VALUES)
def test_any_value_at_any_key(where, value):
    section, key = where
    _run_config_or_config_error(changed(**{section: {key: value}}))


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_file(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "a.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):  # no text of this length is a whole configuration
        load_config(path)
