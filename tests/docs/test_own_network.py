"""The page about a network of one's own: its files and commands as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from serving.codec.ue_encoder import UeEncoder
from tests.conftest import ROOT, TINY
from tests.support.serving_harness import running_server
from zoo import files, registry
from zoo.exporting import exporter
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session

PAGE = (ROOT / "docs" / "networks" / "own.md").read_text(encoding="utf-8")
FILES = re.findall(r'```python title="(\w+\.py)"\n(.*?)```', PAGE, re.DOTALL)
COMMANDS = [
    shlex.split(line)[2:]
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", "").splitlines()
]
SMALL = ("dataset", "num_train", "num_validation", "num_test", "epochs", "batch_size")
SMALL += ("warmup_epochs", "cpu_step")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the page's files, in which a user works."""
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def own(folder, name: str) -> dict[str, str]:
    """How a run is made and opened with the network and the quantiser."""
    return {
        "model": f"{folder}/my_net.py:SPEC",
        "quantizer": f"{folder}/my_quantizer.py:{name}",
    }


def test_it_is_a_network_in_30_lines():
    lengths = {name: len(text.splitlines()) for name, text in FILES}
    assert lengths["my_net.py"] <= 30 and "my_quantizer.py" in lengths


def test_network_and_quantiser_from_training_to_bits(folder, tiny_config, capsys):
    named = own(folder, "PowerQuantizer")
    registry.admit(**named)
    args = {"quantizer_args": '{"power": 1.5}', "bits": 3, "codeword_dim": 10}
    config = tiny_config(folder / "run", **named, **args)
    run = session.train(config)
    assert run.load().quantizer.power == 1.5
    row, *_ = evaluation.evaluate(run)
    shown = row["model"], row["quantizer"], row["feedback_bits"], row["csi_shape"]
    assert shown == ("my_net", "my_quantizer_PowerQuantizer", 32, [32, 32, 2])
    codec = exporter.export(run, folder / "export")
    assert codec["model"] == "my_net"
    assert codec["quantizer"]["name"] == "my_quantizer_PowerQuantizer"
    h = np.load(folder / "export" / "golden.npz")["h"][0]
    ue = UeEncoder(folder / "export" / "encoder.tflite")
    assert len(ue.encode_bits(h)) == codec["payload_bytes"] == 4

    capsys.readouterr()
    text = (folder / "my_net.py").read_text()
    (folder / "my_net.py").write_text(f"{text}\n# another thought\n")
    run.load()
    assert f"{named['model']} has changed since {run.path}" in capsys.readouterr().out
    with pytest.raises(ValueError, match="has changed since .*another --run_dir"):
        session.train(config)


def test_another_network_than_the_run_s_is_refused(folder, tiny_run):
    named = own(folder, "PowerQuantizer")["model"]
    registry.admit(named)
    with pytest.raises(ValueError, match="is of network 'crnet'.*is 'my_net'"):
        RunDirectory(tiny_run.path, model=named).load()


def test_a_quantiser_that_is_none_is_refused(folder, tiny_config):
    with (folder / "my_quantizer.py").open("a") as file:
        file.write("\n\nclass Half:\n    def __init__(self, bits, name): pass\n")
    named = own(folder, "Half")
    registry.admit(**named)
    with pytest.raises(ValueError, match="no bits, indices, dequantize.*Uniform"):
        session.train(tiny_config(folder / "run", **named))


@pytest.mark.slow
@pytest.mark.serving
def test_the_page_s_commands_in_processes_of_their_own(folder, data_dir):
    tiny = [f"--{name}={TINY[name]}" for name in SMALL] + [f"--data_dir={data_dir}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    seen = []
    for module, *args in COMMANDS:
        extra = tiny if module == "zoo.train" else []
        command = [sys.executable, "-m", module, *args, *extra]
        seen.append(module)
        if module == "serving.server":
            continue
        if module == "serving.client":
            with running_server(folder / "export/my_net/decoder") as server:
                command.append(f"--endpoint={server.endpoint}")
                done = _run(command, environment)
                assert " 0 invalid" in done.stdout
            continue
        _run(command, environment)
    assert {"zoo.train", "zoo.report", "serving.server", "serving.client"} <= {*seen}
    assert (folder / "runs/my_net/report.html").is_file()
    row = files.read_json(folder / "runs/power/evaluation.json")
    assert row["quantizer"] == "my_quantizer_PowerQuantizer"


def _run(command, environment):
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, (command, done.stderr[-2000:])
    return done
