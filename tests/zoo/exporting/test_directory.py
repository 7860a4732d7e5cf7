"""An export directory appears whole, once, and under its name."""

import os

import pytest

from tfds_builders import locks
from zoo.exporting import directory


def test_what_a_killed_export_has_left_is_no_part_of_the_next(tmp_path):
    left = tmp_path / ".partial-export"
    (left / "decoder").mkdir(parents=True)
    (left / "codec.json").write_text("{}", encoding="utf-8")
    with directory.written(tmp_path / "export") as partial:
        assert partial == left and not list(partial.iterdir())
        (partial / "a").write_text("b", encoding="utf-8")
    assert os.listdir(tmp_path) == ["export"]
    assert set(os.listdir(tmp_path / "export")) == {"a", "checksums.sha256"}


def test_two_exports_to_one_place(tmp_path):
    with locks.alone_for(tmp_path / "export"):
        with pytest.raises(OSError, match=f"in use by process {os.getpid()}"):
            with directory.written(tmp_path / "export"):
                pass
    assert not (tmp_path / "export").exists()


def test_an_export_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="no"):
        with directory.written(tmp_path / "export") as partial:
            (partial / "a").write_text("b", encoding="utf-8")
            raise ValueError("no")
    assert os.listdir(tmp_path) == []
