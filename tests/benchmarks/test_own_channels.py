"""A file larger than the memory that adding it takes."""

from __future__ import annotations

import pytest

from benchmarks import own_channels


@pytest.mark.slow
def test_memory_stays_small(tmp_path):
    """4 GB are added with less than 2, so that they were never in memory at once."""
    found = own_channels.measure(tmp_path, 4.0)
    assert found["file_gb"] > 3.9 and found["samples"] > 100_000
    assert found["peak_memory_gb"] < 2
