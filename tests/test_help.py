"""`--help` of commands whose flags are defined in other modules lists them."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "flag"),
    [
        ("zoo.train", "--codeword_dim"),
        ("zoo.train_stages", "--codeword_dim"),
        ("zoo.export", "--precision"),
        ("serving.server", "--model_base_path"),
    ],
)
def test_flags_are_listed(command, flag):
    done = subprocess.run(
        [sys.executable, "-m", command, "--help"], capture_output=True, text=True
    )
    assert f"\n  {flag}:" in done.stdout
