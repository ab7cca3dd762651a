"""House rules that no linter knows: sizes, the wheel's names, commands the docs show."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import cli
from results.export import COLUMNS
from results.row import Verdict
from suites.variants import VARIANTS

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("harness", "backends", "devices", "suites", "results", "reports")
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def sources() -> list[Path]:
    return [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_holds_one_idea_and_a_function_fits_the_screen(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
    for node in functions(path):
        assert (node.end_lineno or 0) - node.lineno < 50, node.name


def test_the_wheel_pins_every_package_that_exists() -> None:
    listed = set(
        re.findall(
            r'"([a-z_.]+)"',
            (ROOT / "pyproject.toml").read_text().split("packages = [")[1].split("]")[0],
        )
    )
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for name in PACKAGES
        for path in (ROOT / name).rglob("__init__.py")
    }
    assert listed == found


def test_constraints_pin_everything_exactly_and_torch_as_the_readme_says() -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._!]+", line) for line in lines)
    assert "torch==2.13.0" in lines


def shown() -> list[tuple[str, str]]:
    """Return (document, command) of every `$ ...` line in a console block."""
    found = []
    for path in DOCS:
        for block in re.findall(r"```console\n(.*?)```", path.read_text(), re.DOTALL):
            for line in block.splitlines():
                if line.startswith("$ "):
                    found.append((path.name, line[2:].partition("  #")[0].strip()))
    return found


@pytest.mark.parametrize(("document", "command"), shown())
def test_every_command_in_the_docs_exists_with_its_options(document: str, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        target = next(word for word in words[1:] if "=" not in word)
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    assert words[0] == "boardmark", f"{document}: {command}"
    import argparse

    assert words[1] in cli.COMMANDS
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    cli.command(words[1]).prepare(parser)
    parser.parse_args(words[2:])


def test_links_in_the_docs_lead_somewhere() -> None:
    for path in DOCS:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_make_help_lists_every_documented_target() -> None:
    told = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for target in ("bench", "test", "check", "bench-self", "install", "install-tflite-runtime"):
        assert f"make {target} " in told


def test_no_check_hides_its_exit_status_behind_a_pipe() -> None:
    """A shell pipeline ends with the status of its last part: a broken floor once passed."""
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    lines = [line for line in recipe.splitlines() if line.startswith("\t")]
    assert len(lines) >= 5
    assert not [line for line in lines if "|" in line]


def test_only_commands_and_the_cli_print() -> None:
    for path in sources():
        if path.parent.name == "commands" or path.name == "cli.py":
            continue
        calls = [
            node.lineno
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ]
        assert not calls, f"{path}: print in lines {calls}"


def test_the_documented_keys_are_those_of_an_export() -> None:
    table = (ROOT / "docs" / "results.md").read_text().split("| key | meaning |")[1]
    named = [
        key for cell in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE) for key in cell.split()
    ]
    assert set(named) <= set(COLUMNS)
    assert len(named) == len(set(named)) > 20


def test_the_documented_variants_are_those_that_can_be_built() -> None:
    table = (ROOT / "docs" / "models.md").read_text().split("## Variants")[1]
    assert tuple(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) == VARIANTS


def test_the_documented_verdicts_are_those_of_a_row() -> None:
    table = (ROOT / "docs" / "measurement.md").read_text().split("| verdict | meaning |")[1]
    assert tuple(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) == typing.get_args(Verdict)
