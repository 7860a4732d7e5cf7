"""Flagfiles that include others from anywhere, and those found by name."""

from __future__ import annotations

import pytest
from absl import flags

from tests.conftest import ROOT, run_command
from tfds_builders import flagfiles
from zoo import config_flags


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def expand(*arguments) -> list[str]:
    return flagfiles.expand(["program", *map(str, arguments)])[1:]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty current directory."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_flags_stand_where_their_file_stood(tmp_path):
    inner = write(tmp_path / "inner.cfg", "--bits=4", "--seed=1")
    outer = write(tmp_path / "outer.cfg", "--bits=2", f"--flagfile={inner}", "--lr=3")
    wanted = ["--lr=1", "--bits=2", "--bits=4", "--seed=1", "--lr=3", "--seed=7"]
    assert expand("--lr=1", f"--flagfile={outer}", "--seed=7") == wanted
    assert expand("--lr=1", "-flagfile", outer, "--seed=7") == wanted


def test_as_absl_reads_them(tmp_path, monkeypatch):
    """Without includes the flags are those of absl's own reader, in its order."""
    path = write(
        tmp_path / "own.cfg",
        "# comment", "// comment", "", "   ", '--model_args={"a b": "#"}', "--bits  ",
        "--flagfile=", "word",
    )  # fmt: skip
    arguments = ["p", "--x=1", f"--flagfile={path}", "y", "--", "--flagfile=z"]
    monkeypatch.chdir(tmp_path)
    theirs = flags.FlagValues().read_flags_from_files(arguments)
    assert flagfiles.expand(arguments) == theirs and "--flagfile=z" in theirs


def test_included_from_the_including_file_first(tmp_path, elsewhere):
    here = write(tmp_path / "a" / "sub" / "x.cfg", "--flagfile=../y.cfg")
    write(tmp_path / "a" / "y.cfg", "--flagfile=z.cfg")
    write(tmp_path / "a" / "z.cfg", "--beside")
    write(elsewhere / "z.cfg", "--current")
    assert expand(f"--flagfile={here}") == ["--beside"]
    (tmp_path / "a" / "z.cfg").unlink()
    assert expand(f"--flagfile={here}") == ["--current"]  # as absl did


@pytest.mark.parametrize(
    "name",
    ["crnet", "crnet.cfg", "zoo/flagfiles/crnet.cfg", "zoo/flagfiles/crnet"],
)
def test_shipped_by_name_and_by_the_path_of_a_checkout(name, elsewhere):
    assert "--epochs=2500" in expand(f"--flagfile={name}")
    (elsewhere / name).mkdir(parents=True)  # a folder of that name is no flagfile
    assert "--epochs=2500" in expand(f"--flagfile={name}")
    (elsewhere / name).rmdir()
    write(elsewhere / name, "--mine")
    assert expand(f"--flagfile={name}") == ["--mine"]


def test_every_shipped_flagfile_is_found_by_name_from_anywhere(elsewhere):
    paths = sorted((ROOT / "zoo" / "flagfiles").rglob("*.cfg"))
    assert len(paths) > 240
    for path in paths:
        name = path.relative_to(ROOT / "zoo" / "flagfiles").with_suffix("")
        values = flags.FlagValues()
        config_flags.define_flags(values)
        flags.DEFINE_multi_string("stage", [], "of train_stages", flag_values=values)
        values(flagfiles.expand(["train", f"--flagfile={name}"]))
        config_flags.from_flags(values)


def test_a_circle_is_an_error(tmp_path):
    first = write(tmp_path / "a.cfg", "--flagfile=b/b.cfg")
    second = write(tmp_path / "b" / "b.cfg", "--flagfile=../b/../a.cfg")
    message = f"circle: {first} includes {second} includes {first}"
    with pytest.raises(flags.Error, match=message):
        expand(f"--flagfile={first}")
    twice = write(tmp_path / "c.cfg", "--flagfile=d.cfg", "--flagfile=d.cfg")
    write(tmp_path / "d.cfg", "--bits=1")
    assert expand(f"--flagfile={twice}") == ["--bits=1", "--bits=1"]


def test_a_missing_file_is_named_with_its_includer_and_its_like(tmp_path, elsewhere):
    outer = write(tmp_path / "outer.cfg", "--flagfile=iner.cfg")
    write(tmp_path / "inner.cfg", "--bits=1")
    with pytest.raises(flags.Error) as caught:
        expand(f"--flagfile={outer}")
    message = str(caught.value)
    for part in ("--flagfile=iner.cfg (in", str(outer), str(elsewhere), "inner.cfg"):
        assert part in message
    assert "\n" not in message
    for name in (
        "published/crnet_4_indor",
        "zoo/flagfiles/published/crnet_4_indor.cfg",
    ):
        with pytest.raises(flags.Error, match="published/crnet_4_indoor[,;]?"):
            expand(f"--flagfile={name}")
    (tmp_path / "weights.h5").write_bytes(b"\x89HDF\xff\xfe")
    with pytest.raises(flags.Error, match="weights.h5: cannot be read as text"):
        expand(f"--flagfile={tmp_path / 'weights.h5'}")


def test_command_says_it_in_one_line():
    done = run_command("zoo.train", "--flagfile=crnett")
    assert done.returncode == 2
    lines = [x for x in done.stderr.splitlines() if x.startswith("error: ")]
    assert len(lines) == 1 and "crnett" in lines[0] and "crnet" in lines[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", [".", "..", "/", "~nobody_of_that_name/x.cfg"])
def test_names_of_no_file_are_refused(name, elsewhere):
    with pytest.raises(flags.Error, match="--flagfile="):
        flagfiles.expand(["command", f"--flagfile={name}"])
