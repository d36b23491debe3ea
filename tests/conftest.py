"""Settings of the whole test run."""

import os

import pytest
import torch

torch.set_num_threads(int(os.environ.get("MLP_GIBBS_TEST_THREADS", "1")))  # small arrays: threads only wait


def pytest_collection_modifyitems(items):
    """Tests marked cuda run where there is a device and are reported as skipped elsewhere."""
    if not torch.cuda.is_available():
        for item in items:
            if "cuda" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))
