"""Chatter of toolchains: swallowed when all is well, shown when it is not."""

from __future__ import annotations

import logging
import os
import sys
import warnings

import pytest

from suites.variants.quiet import first_line, quietly


def test_descriptors_and_warnings_are_silent_inside(capfd: pytest.CaptureFixture[str]) -> None:
    with quietly():
        os.write(1, b"from C++\n")
        sys.stdout.write("from Python\n")
        logging.getLogger("toolchain").warning("from logging")
        warnings.warn("from warnings", stacklevel=1)
    sys.stdout.write("after\n")
    assert capfd.readouterr() == ("after\n", "")


def test_an_exception_brings_the_chatter_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), quietly():
        os.write(1, b"the reason is here\n")
        raise ValueError("no")
    assert capfd.readouterr() == ("", "the reason is here\n")
    assert logging.root.manager.disable == 0


def test_first_line_is_the_first_that_says_something() -> None:
    assert first_line(ValueError("\n\n  so it is \n more")) == "so it is"
    assert first_line(ValueError()) == "ValueError"
    assert first_line(ValueError("x" * 300)) == "x" * 199 + "…"
