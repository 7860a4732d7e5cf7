"""Nothing draws from a generator of the whole process, which libraries use as well."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

PROCESS_WIDE = re.compile(
    r"(np|numpy)\.random\.(?!default_rng|Generator|SeedSequence)\w+"
    r"|(?<![\w.])random\.(random|uniform|choices?|shuffle|sample|rand\w+|gauss|seed)\("
    r"|tf\.random\.(normal|uniform|shuffle|truncated_normal|gamma|poisson|set_seed)\("
)
ALLOWED = {"serving/ue_side/daemon.py"}  # how long it waits before it tries again


@pytest.mark.parametrize("package", ["zoo", "tfds_builders", "serving"])
def test_generators_are_our_own(package):
    found = {
        f"{path.relative_to(ROOT)}": match.group()
        for path in sorted((ROOT / package).rglob("*.py"))
        for match in PROCESS_WIDE.finditer(path.read_text(encoding="utf-8"))
        if str(path.relative_to(ROOT)) not in ALLOWED
    }
    assert not found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("np.random.normal(size=3)", True), ("random.shuffle(x)", True),
        ("np.random.seed(0)", True), ("tf.random.uniform([3])", True),
        ("np.random.default_rng(0)", False), ("rng.random(3)", False),
        ("tf.random.stateless_uniform([3], s)", False), ("np.random.Generator", False),
    ],
)  # fmt: skip
def test_draws_of_the_process_are_found(source, found):
    assert bool(PROCESS_WIDE.search(source)) == found
