"""A gate's policy: strict, and every complaint names file, line and key."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.gate.policy import BLOCKING, LARGEST_FILE_BYTES, Limit, Policy, load
from harness.toml_lines import line_of

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "gate.md"


def read(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "gate.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_the_default_policy():
    policy = Policy()
    assert policy.alpha == 0.01
    assert policy.block == ("regressed", "over-budget", "inconclusive")
    assert policy.margin("latency_p50") == 0.03
    assert policy.margin("latency_p99") == 0.10
    assert policy.margin("throughput") == 0.03
    assert policy.margin("peak_memory") == 0.01
    assert policy.margin("energy") == 0.05
    assert policy.margin("quality") == 0.01


def test_an_empty_file_is_the_default_policy(tmp_path):
    assert read(tmp_path, "") == Policy()


def test_a_whole_policy(tmp_path):
    policy = read(
        tmp_path,
        """
        alpha = "5%"
        block = ["inconclusive", "regressed"]
        margins = { latency_p50 = "2%", peak_memory = "off", energy = 0.1 }
        [budgets]
        latency_p99 = "200 ms"
        peak_memory = "70%"
        size = "30 MB"
        energy = "12 mJ"
        quality_loss = "1.2%"
        """,
    )
    assert policy.alpha == 0.05
    assert policy.block == ("regressed", "inconclusive")
    assert policy.margins == {"latency_p50": 0.02, "peak_memory": None, "energy": 0.1}
    assert policy.margin("peak_memory") is None
    assert policy.budgets == {
        "latency_p99": Limit(value=0.2),
        "peak_memory": Limit(value=0.7, of_ram=True),
        "size": Limit(value=30e6),
        "energy": Limit(value=0.012),
        "quality_loss": Limit(value=0.012),
    }


def test_a_policy_survives_being_stored_in_a_plan(tmp_path):
    policy = read(tmp_path, '[margins]\nenergy = "off"\n[budgets]\npeak_memory = "70%"\n')
    stored = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(policy)))
    assert msgspec.convert(stored, Policy) == policy


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("speed = 1", 1, "speed", "unknown key"),
        ('alpha = 0.01\n\n[margins]\n#\nlatncy_p50 = "3%"', 5, "margins.latncy_p50", "latency_p50"),
        ('[margins]\nsize = "3%"', 2, "margins.size", "unknown key"),
        ("[limits]", 1, "limits", "unknown key"),
        ('\n[budgets]\nthroughput = "3 /s"', 3, "budgets.throughput", "unknown key"),
        ("alpha = 2", 1, "alpha", "not a fraction: 2"),
        ("alpha = 0", 1, "alpha", "not a fraction: 0"),
        ("alpha = 0.00001", 1, "alpha", "from 0.01%"),
        ("alpha = 0.5", 1, "alpha", "to 20%"),
        ("alpha = nan", 1, "alpha", "not a fraction: nan"),
        ("alpha = true", 1, "alpha", "not a fraction: True"),
        ('block = "regressed"', 1, "block", "not a list"),
        ('block = [\n "regressed",\n "failed",\n]', 1, "block", "unknown outcome 'failed'"),
        ("block = [1]", 1, "block", "not a list"),
        ("margins = 3", 1, "margins", "not a table"),
        ("x = 1\nbudgets = []", 1, "x", "unknown key"),
        ('[margins]\nlatency_p50 = "3"', 2, "margins.latency_p50", "not a fraction"),
        ("[margins]\nlatency_p50 = true", 2, "margins.latency_p50", "not a fraction"),
        ('[margins]\nquality = "-1%"', 2, "margins.quality", "not a fraction"),
        ("[budgets]\nlatency_p99 = 200", 2, "budgets.latency_p99", "not a number with a unit: 200"),
        ('[budgets]\nlatency_p99 = "200"', 2, "budgets.latency_p99", "with a unit: '200'"),
        ('[budgets]\nlatency_p99 = "200 MB"', 2, "budgets.latency_p99", "not a duration"),
        ('[budgets]\nsize = "70%"', 2, "budgets.size", "not a number with a unit"),
        ('[budgets]\npeak_memory = "170%"', 2, "budgets.peak_memory", "not a fraction"),
        ('[budgets]\nenergy = ""', 2, "budgets.energy", "not a number with a unit"),
        ('budgets.size = "1 mb"', 1, "budgets.size", "not an amount of memory"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_line_and_key(tmp_path, text, line, key, says):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert f"gate.toml' line {line}: key '{key}': " in message
    assert says in message
    assert "; " in message, "no next step"


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\na = 2", 2), ("a = 1\na = 2\nb = 3", 2), ("a = 1\n\n[x", 3), ('a = "', 1), ("=", 1)],
)
def test_a_syntax_error_names_its_line(tmp_path, text, line):
    with pytest.raises(UsageError, match=rf"gate.toml' line {line}: not TOML"):
        read(tmp_path, text)


def test_a_file_that_cannot_be_a_policy_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the policy .*no such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="larger than 32 kB"):
        read(tmp_path, "#" * (LARGEST_FILE_BYTES + 1))
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# ok\n# \xe4\n")
    with pytest.raises(UsageError, match="line 2: not UTF-8"):
        load(path)


def test_a_warning_only_night_may_block_nothing(tmp_path):
    assert read(tmp_path, "block = []").block == ()


@given(
    before=st.lists(
        st.sampled_from(["", "# alpha = 1", "[margins]", "x = '''", "z = [", "]"]), max_size=3
    ),
    blank=st.integers(0, 3),
)
def test_the_line_is_the_one_the_parser_saw(before, blank):
    """Whatever stands above, as long as the whole is TOML, the key is found on its own line."""
    from harness.toml_lines import tomllib

    text = "\n".join([*before, *[""] * blank, "wanted = 1", "after = 2"])
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    path = next((p for p in (("wanted",), ("margins", "wanted")) if _at(content, p)), None)
    if path is not None:
        assert line_of(text, path) == len(before) + blank + 1


def _at(content, path):
    for key in path:
        content = content.get(key, {}) if isinstance(content, dict) else {}
    return content == 1


def test_the_line_of_a_value_over_several_lines_is_its_first():
    assert line_of('a = 1\nb = [\n  2,\n]\nc = """\nb = 3\n"""\n', ("b",)) == 2
    assert line_of('c = """\nb = 3\n"""\nb = 1', ("b",)) == 4
    assert line_of("a = 1", ("b",)) is None


def test_the_documented_policy_is_one(tmp_path):
    text = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert text is not None
    policy = read(tmp_path, text.group(1))
    assert policy.block == BLOCKING
    assert policy.budgets["latency_p99"] == Limit(value=0.2)
    assert policy.budgets["peak_memory"] == Limit(value=0.7, of_ram=True)
    assert policy.budgets["quality_loss"] == Limit(value=0.012)


def test_the_documented_keys_are_those_that_are_read():
    from harness.gate.metrics import BUDGETS, METRICS, QUALITY

    document = DOCUMENT.read_text("utf-8")
    margins = document.split("| margin | ")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `([^`]+)`", margins, re.MULTILINE)) == {*METRICS, QUALITY}
    budgets = document.split("| budget | ")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `([^`]+)`", budgets, re.MULTILINE)) == set(BUDGETS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 5000 + "]" * 5000 + "\n", "nested too deeply"),
        ("alpha = " + "9" * 5000 + "\n", "a number of thousands of digits"),
        ("[margins]\nlatency_p50 = '" + "x" * 20_000 + "'\n", "not a fraction: 'xxx"),
        ("x" * 20_000 + " = 1\n", "line 1: key 'xxx"),
        ("\n" * 30_000 + "x = 1\n", "more than 1000 lines"),
        ('"\\u001b[31mred\\nline" = 1\n', "key '\\x1b[31mred\\nline': unknown key"),
    ],
)
def test_a_hostile_file_is_one_short_printable_line(tmp_path, text, said):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_a_byte_order_mark_is_no_content(tmp_path):
    assert read(tmp_path, "\ufeffalpha = 0.02\n").alpha == 0.02
