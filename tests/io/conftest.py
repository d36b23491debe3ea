"""What several tests of files need."""

import pytest

from mcmc.io.segment import segment_name


@pytest.fixture
def path(tmp_path):
    """Where a first results file would lie."""
    return tmp_path / segment_name(0)
