"""Sides trained apart from a tiny run."""

from __future__ import annotations

import pytest

from zoo.data import exchange
from zoo.exporting import hand_over
from zoo.training import session


@pytest.fixture(scope="session")
def handed(tiny_run, tmp_path_factory):
    """File of the tiny run."""
    path = tmp_path_factory.mktemp("exchange") / "x.npz"
    hand_over.hand_over(tiny_run, path)
    return path


@pytest.fixture(scope="session")
def settings(tiny_config, handed):
    """Function that makes the configuration of the second side."""

    def make(run_dir, **changes):
        whole = tiny_config(run_dir, exchange=str(handed), **changes)
        return exchange.filled(whole)

    return make


@pytest.fixture(scope="session")
def trained(settings, tmp_path_factory):
    """Second sides by who was first, with another backbone."""
    folder = tmp_path_factory.mktemp("second")
    short = {"model": "csinet", "num_train": 60, "epochs": 1, "image_every": 0}
    return {
        kind: session.train(settings(folder / kind, collaboration=kind, **short))
        for kind in ("nw_first", "ue_first")
    }
