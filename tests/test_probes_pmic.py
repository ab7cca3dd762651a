"""The Raspberry Pi 5's power chip, asked through a program that plays vcgencmd."""

import contextlib

import boards
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent import probes
from harness.agent.probes import pmic
from harness.agent.tree import Unreadable

TOLD = """\
     3V7_WL_SW_A current(0)=0.10000000A
       3V3_SYS_A current(1)=0.05000000A
      VDD_CORE_A current(7)=2.00000000A
          HDMI_A current(22)=0.02000000A
     3V7_WL_SW_V volt(8)=3.70000000V
       3V3_SYS_V volt(9)=3.30000000V
      VDD_CORE_V volt(15)=0.90000000V
          HDMI_V volt(23)=5.00000000V
         EXT5V_V volt(24)=5.10000000V
          BATT_V volt(25)=0.00976562V
"""
TOTAL_W = 0.37 + 0.165 + 1.8 + 0.1


@pytest.fixture
def board(tmp_path):
    """A Pi 5 with a program in vcgencmd's place; the file `told` holds what it says."""
    root = boards.copy("pi5", tmp_path)
    (tmp_path / "told").write_text(TOLD)
    program = root / "usr/bin/vcgencmd"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\n[ "$1" = pmic_read_adc ] && exec cat {tmp_path}/told\nexit 3\n')
    program.chmod(0o755)
    return root


def test_only_rails_with_both_current_and_voltage_count(board):
    probe, _ = probes.choose(str(board))
    facts = probes.describe(probe)
    assert (facts["name"], facts["method"], facts["scope"]) == ("pmic", "sampled", "module")
    assert "EXT5V" in facts["note"]
    assert facts["window_s_needed"] == pytest.approx(3.0)
    assert probe.moment() == pytest.approx(TOTAL_W)
    assert not probe.cheap


def test_it_is_sampled_and_integrated(board):
    probe, _ = probes.choose(str(board))
    probe.start()
    for _ in range(9):
        probe.sample()
    result = probe.stop()
    assert result["n"] == 11
    assert result["power_w"] == pytest.approx(TOTAL_W)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("", "tells of no rail"),
        ("error=1 error_msg=\"Command not registered\"\n", "tells of no rail"),
        ("VDD_CORE_A current(7)=1.0A\nEXT5V_V volt(24)=5.1V\n", "tells of no rail"),
        ("VDD_CORE_A current(7)=1.0.0A\nVDD_CORE_V volt(8)=1V\n", "says '1.0.0'"),
        ("VDD_CORE_A current(7)=0.0A\nVDD_CORE_V volt(8)=1V\n", "no power of a running board"),
        ("VDD_CORE_A current(7)=99999A\nVDD_CORE_V volt(8)=99V\n", "no power of a running board"),
    ],
)  # fmt: skip
def test_an_answer_of_no_use_is_a_gap(board, tmp_path, told, reason):
    probe, _ = probes.choose(str(board))
    (tmp_path / "told").write_text(told)
    with pytest.raises(Unreadable, match=reason):
        probe.moment()


def test_a_program_that_fails_is_the_reason(board):
    (board / "usr/bin/vcgencmd").write_text(
        "#!/bin/sh\necho Can\\'t open device file: /dev/vcio\nexit 1\n"
    )
    _, reasons = probes.choose(str(board))
    assert "pmic: vcgencmd pmic_read_adc: Can't open device file: /dev/vcio" in reasons


def test_a_program_that_hangs_is_ended(board, monkeypatch):
    monkeypatch.setattr(pmic, "_TIMEOUT_S", 0.1)
    (board / "usr/bin/vcgencmd").write_text("#!/bin/sh\nexec sleep 30\n")
    with pytest.raises(Unreadable, match="timed out"):
        pmic.find(str(board))


def test_a_file_that_is_no_program_is_the_reason(board):
    (board / "usr/bin/vcgencmd").chmod(0o644)
    with pytest.raises(Unreadable, match=r"cannot be asked: .*Permission denied"):
        pmic.find(str(board))


def test_without_the_program_and_on_other_boards_nothing_is_asked():
    with pytest.raises(Unreadable, match="/usr/bin/vcgencmd does not exist"):
        pmic.find(boards.root("pi5"))
    for name in ("pi4", "nano", "vm-x86"):
        with pytest.raises(Unreadable, match="no Raspberry Pi 5"):
            pmic.find(boards.root(name))


_LINES = st.from_regex(r"\A *[XY]_[AV] (current|volt)\([0-9]\)=[0-9.]{1,6}[AV]\Z")


@given(st.lists(_LINES | st.text(max_size=20), max_size=6))
def test_any_answer_is_a_sum_or_a_reason(lines):
    with contextlib.suppress(Unreadable):
        assert pmic.total_w("\n".join(lines)) >= 0
