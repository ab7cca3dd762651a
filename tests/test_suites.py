"""The shipped suites load; a wrong file is refused with its name and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

import suites
from harness.errors import UsageError
from suites.variants import VARIANTS

MINIMAL = """
title = "t"
question = "q?"
models = ["m"]
[[groups]]
variants = ["fp32", "int8-dynamic"]
backends = ["null"]
[[tables]]
id = "levels"
title = "t"
rows = ["fp32"]
columns = [{ metric = "speed", title = "Speed", relative_to = "fp32" }]
"""

CLAIM = """
[[claims]]
source = "S1"
table = "levels"
level = "int8-dynamic"
metric = "speed"
kind = "equal"
value = 1.8
text = "1.8x"
"""


def read(tmp_path: Path, text: str) -> suites.Suite:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return suites.read(path)


@pytest.mark.parametrize("name", suites.names())
def test_every_shipped_suite_loads_and_names_only_variants_that_exist(name):
    suite = suites.load(name)
    assert suite.name == name
    assert {v for group in suite.groups for v in group.variants} <= set(VARIANTS)
    assert suite.question.endswith("?")


def test_the_default_suite_covers_the_documented_levels_and_sources():
    suite = suites.load("quantization")
    assert {claim.source for claim in suite.claims} == {"S1", "E2", "G3", "A1", "A8"}
    single, offline = suite.groups
    assert (single.scenario, single.batch) == ("single-stream", 1)
    assert (offline.scenario, offline.batch) == ("offline", 8)


def test_a_minimal_file_takes_the_defaults(tmp_path):
    suite = read(tmp_path, MINIMAL)
    assert suite.name == "mine"
    assert suite.sampling.blocks == 5
    assert suite.groups[0].scenario == "single-stream"
    assert suite.groups[0].blocks is None


def test_an_unknown_suite_suggests_the_nearest():
    with pytest.raises(UsageError, match="unknown suite 'quantisation'; did you mean quantization"):
        suites.load("quantisation")


@pytest.mark.parametrize("name", ["../pyproject", "/etc/passwd", "", "quick.toml"])
def test_a_path_is_not_a_suite(name):
    with pytest.raises(UsageError, match="unknown suite"):
        suites.load(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1\n" + MINIMAL, r"mine\.toml: .*unknown field 'colour'"),
        (MINIMAL.replace("rows =", "row ="), r"mine\.toml: .*\$\.tables\[0\]"),
        (MINIMAL.replace('"null"]', '"null"]\nscenario = "x"'), r"'x'.*\$\.groups\[0\]\.scenario"),
        (MINIMAL.replace('"null"]', '"null"]\nbatch = 0'), r"mine\.toml: groups\[0\] needs"),
        (MINIMAL.replace('models = ["m"]', "models = []"), r"mine\.toml: key 'models' is empty"),
        (
            MINIMAL.replace('rows = ["fp32"]', 'rows = ["fp64"]'),
            "row of table 'levels' in mine.toml 'fp64'; did you",
        ),
        ('name = "x"\n' + MINIMAL, r"mine\.toml: key 'name' is not allowed"),
        (
            MINIMAL + CLAIM.replace('table = "levels"', 'table = "lvl"'),
            "unknown table of a claim of S1 in mine.toml 'lvl'",
        ),
        (MINIMAL + CLAIM.replace("value = 1.8\n", ""), "a claim of S1 has no value"),
        (
            MINIMAL + CLAIM.replace("int8-dynamic", "int8-dyn"),
            "level of a claim of S1 in mine.toml 'int8-dyn'; did",
        ),
        ("title = ", r"mine\.toml: not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_key(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        read(tmp_path, text)


def test_a_claim_that_fits_is_kept(tmp_path):
    assert read(tmp_path, MINIMAL + CLAIM).claims[0].value == 1.8


def test_a_huge_file_and_a_missing_one_are_refused(tmp_path):
    with pytest.raises(UsageError, match="larger than 1 MB"):
        read(tmp_path, "#" * 1_000_001)
    with pytest.raises(UsageError, match=r"cannot read gone\.toml"):
        suites.read(tmp_path / "gone.toml")
