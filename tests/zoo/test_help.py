"""`--help` of commands whose flags are defined in other modules lists them."""

import pytest

from tests.conftest import run_command


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
    done = run_command(command, "--help")
    assert done.returncode == 0 and f"\n  {flag} " in done.stdout
