"""The commands of the documentation: their flags exist, and they run on tiny data."""

from __future__ import annotations

import functools
import re
import shutil

import pytest

from tests.conftest import ROOT, TINY, run_command
from zoo import registry, steps
from zoo.__main__ import COMMANDS, LOOK

PAGES = [
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if path.name != "report.md" and path.parent.name != "networks"  # made by a command
]
COMMAND = re.compile(
    r"(?:python -m ((?:zoo|serving|tfds_builders)[\w.]*)( \w+)?|csizoo ([a-z-]+))"
    r"([^`|#\n]*)"
)
# What the table of commands says, on tiny data: the part in front of `//` is the text,
# what follows makes it small.
WALK = """
zoo list
zoo info crnet
zoo summary crnet --codeword_dim=512
tfds_builders.build cost2100_sim/indoor_tiny --workers=2 // --data_dir={data}
tfds_builders.inspect cost2100_sim/indoor_tiny // --data_dir={data} --num=50 \
--out={folder}/page.html
zoo.train --flagfile=zoo/flagfiles/crnet.cfg // {tiny} --run_dir={run}
zoo.train_stages --flagfile=zoo/flagfiles/dnnnet.cfg // {plain} --lr=1e-3 \
--run_dir={folder}/stages
zoo.convert_weights --model=csinet --source={folder}/csinet.h5 --out={folder}/converted
zoo.baseline --method=fista --codeword_dim=128 // {data_flags} --max_iterations=50
zoo.rate // --codecs=dft --bits=64 {data_flags} --num_train=200 \
--json={folder}/rate.json
zoo.evaluate --run={run} --csi_noise=ls --test_snr_db=5
zoo.evaluate --run={run} --samples={folder}/h.npz
zoo.export --run={run} --out={export}
zoo.export --codec=pursuit --report_bits=128 --dataset=cost2100_sim/indoor_tiny \
--out={pursuit} // --data_dir={data} --oversampling=4
serving.golden --export={export}
serving.deployment --export={export} --out={folder}/deploy
serving.capacity --results=zoo/results/serving.json --ues=20000
zoo.report --run={run}
zoo.report --results=zoo/results --output={folder}/report // --networks=crnet
zoo.report --readme={folder}/README.md
zoo.compare --models=crnet // --dataset=cost2100_sim/indoor_tiny --data_dir={data} \
--codeword_dims=32 --epochs=1 --flags=--num_train=160 --baselines=klt \
--directory={folder}/compare
zoo.report --comparison={folder}/compare/comparison.json --output={folder}/mine
zoo.reproduce --list
zoo.reproduce lora.table4 // --directory={folder}/reproduce
"""
SERVED = """
serving.client --encoder={export}/encoder.tflite --samples={folder}/h.npz // \
--endpoint={endpoint} --limit=5
serving.conformance --endpoint={endpoint} // --codec={export}/codec.json
serving.ue --encoder={export}/encoder.tflite --source={folder}/h.npz --period_ms=20 \
// --endpoint={endpoint} --reports=10
"""
ELSEWHERE = {
    "zoo.quickstart": "tests/zoo/test_quickstart.py",
    "zoo.pretrained": "tests/zoo/importing/test_pretrained.py",
    "zoo.published": "tests/zoo/test_quickstart.py",
    "serving.server": "below",
    "zoo": "tests/zoo/test_command_line.py",
    "tfds_builders.add": "tests/docs/test_own_channels.py",
}


def commands(text: str):
    """(module, subcommand of `zoo` or '', flags) of all commands in a text."""
    modules = {name: module for name, (module, _) in COMMANDS.items()}
    for module, word, name, rest in COMMAND.findall(text.replace("\\\n", " ")):
        look = word.strip() if module == "zoo" else name if name in LOOK else ""
        module = "zoo" if look else module or modules.get(name, name)
        yield module, look, re.findall(r"(?<!\S)--(\w+)", rest.split(" -- ")[0])


@functools.cache
def known_flags(module: str, look: str) -> set[str]:
    done = run_command(module, *filter(None, [look]), "--help")
    assert done.returncode == 0, done.stderr[-2000:]
    return set(re.findall(r"--(?:\[no\])?(\w+)", done.stdout))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_flags_of_a_page_exist(page):
    for module, look, flags in commands(page.read_text(encoding="utf-8")):
        wrong = set(flags) - known_flags(module, look) - {"help"}
        assert not wrong, f"python -m {module} {look}: no --{', --'.join(wrong)}"


def test_every_command_of_the_pages_is_walked_or_tested_elsewhere():
    walked = {line.split()[0] for line in [*lines(WALK), *lines(SERVED)]}
    shown = {
        module for page in PAGES for module, _, _ in commands(page.read_text("utf-8"))
    }
    assert shown - walked <= ELSEWHERE.keys() and walked <= shown
    assert {module for module, _ in COMMANDS.values()} <= walked | ELSEWHERE.keys()
    assert all((ROOT / x).is_file() for x in ELSEWHERE.values() if x != "below")


def test_the_front_page_is_short():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 200
    assert 0 < text.index("![") < text.index("## ")  # a picture on the first screen


def lines(text: str) -> list[str]:
    return [line for line in text.replace("\\\n", "").splitlines() if line]


def walk(text: str, values: dict) -> None:
    """Run commands in order; each must succeed."""
    for line in lines(text):
        module, *args = line.replace(" //", "").format_map(values).split()
        done = run_command(module, *args)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"[-3000:]
        assert "error:" not in done.stderr, line


@pytest.fixture(scope="module")
def places(tmp_path_factory, data_dir):
    """What stands in the braces of the commands."""
    from tests.support.published_files import randomise, save_keras2

    folder = tmp_path_factory.mktemp("walk")
    network = registry.build("csinet", codeword_dim=32)
    randomise(network)
    save_keras2(folder / "csinet.h5", network.parts, first=False)
    shutil.copy(ROOT / "README.md", folder)
    (folder / "zoo").symlink_to(ROOT / "zoo")
    sizes = ("num_train", "num_validation", "num_test", "epochs", "batch_size")
    plain = {k: TINY[k] for k in ("dataset", *sizes, "cpu_step")}
    data = {"dataset": TINY["dataset"], "data_dir": data_dir, "num_test": 20}

    def flags(values) -> str:
        return " ".join(f"--{k}={v}" for k, v in values.items())

    return {
        "folder": folder,
        "run": folder / "run",
        "export": folder / "export",
        "pursuit": folder / "pursuit",
        "data": data_dir,
        "data_flags": flags(data),
        "plain": flags({**plain, "data_dir": data_dir}),
        "tiny": flags({**TINY, "data_dir": data_dir}),
    }


@pytest.mark.slow
@pytest.mark.serving
def test_the_commands_run(places):
    walk(WALK, places)
    with steps.server(places["export"] / "decoder") as running:
        walk(SERVED, places | {"endpoint": running.endpoint})
