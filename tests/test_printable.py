"""What is stored may hold anything; a terminal gets one plain line."""

from __future__ import annotations

from harness.printable import one_line


def test_control_characters_are_spelled_out() -> None:
    assert one_line("a\x1b[31m\nb") == "a\\x1b[31m\\nb"
    assert one_line("µs – fine") == "µs – fine"
