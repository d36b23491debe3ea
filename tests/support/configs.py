"""A small valid configuration, and what becomes of it with other values."""

import copy

GOOD = {
    "model": {"activation": "tanh", "n_inputs": 8, "width_ratios": [1.0, 0.5], "n_networks": 2},
    "tempering": {"beta_max": 2.0, "n_temperatures": 3, "n_replicas": 2},
    "run": {"n_sweeps": 20},
}


def changed(**sections):
    """GOOD with some keys of some sections replaced; a section that is not a dictionary replaces the whole."""
    data = copy.deepcopy(GOOD)
    for name, values in sections.items():
        data[name] = {**data.get(name, {}), **values} if isinstance(values, dict) else values
    return data
