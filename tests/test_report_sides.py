"""A session of two sides: its ratios are told, its sides are named, and nobody wins."""

from __future__ import annotations

import fake_session
import handmade
import msgspec
import pytest

from harness.stats.summary import LEAST_RUNS
from reports.answer import answers
from reports.cases import cases
from reports.evidence import evidence
from reports.html import page
from reports.identity import session
from reports.pairs import ratios, sides
from reports.session import SessionView
from reports.tables import base_of
from reports.text import table
from results.clean import clean_blocks
from results.export import to_csv, to_json
from results.sessions import list_sessions
from results.store import Store


@pytest.fixture(scope="module")
def gate() -> SessionView:
    return fake_session.gate(10, 1.05)


def test_every_pair_gives_the_ratio_that_was_put_in(gate):
    told = ratios(gate)
    assert [pair.name for pair in told] == [
        "minilm-l6 fp32 on onnxruntime, single stream",
        "minilm-l6 int8-dynamic on openvino, single stream",
    ]
    assert all("latency +" in pair.text and "over 10 blocks" in pair.text for pair in told)
    assert all("; peak memory " in pair.text for pair in told)


def test_equal_sides_differ_by_noise_only():
    told = ratios(fake_session.gate(10, 1.0, kind="calibration"))
    assert all("+5" not in pair.text for pair in told)


def test_a_side_that_failed_is_not_compared(gate):
    rows = [
        msgspec.structs.replace(row, verdict="failed") if row.side == "candidate" else row
        for row in gate.rows
    ]
    told = ratios(msgspec.structs.replace(gate, rows=rows))
    assert {pair.text for pair in told} == {"not compared: the candidate is failed"}


def test_a_noisy_side_is_compared_and_said_to_be_noisy(gate):
    rows = [msgspec.structs.replace(row, verdict="noisy") for row in gate.rows]
    told = ratios(msgspec.structs.replace(gate, rows=rows))
    assert all(
        pair.text.endswith("(the base is noisy and the candidate is noisy)") for pair in told
    )


def test_disturbed_blocks_are_left_out_whole_as_the_gate_does():
    view = fake_session.disturbed(fake_session.gate(12), 23)
    whole = len(clean_blocks(view.plan, view.runs))
    assert LEAST_RUNS <= whole < 12
    assert all(f"over {whole} blocks" in pair.text for pair in ratios(view))


def test_no_winner_is_named(gate):
    (answer,) = answers(gate)
    assert answer.sentence.startswith("A gate session: base and candidate ran in the same blocks.")
    assert answer.choices == ()
    assert " ship " not in " ".join((answer.sentence, *answer.limits))
    assert len(answer.limits) == 2


def test_one_pair_is_the_sentence():
    view = fake_session.gate(6)
    rows = view.rows[:2]
    (answer,) = answers(msgspec.structs.replace(view, rows=rows))
    assert answer.sentence.startswith(
        "Candidate against base: minilm-l6 fp32 on onnxruntime, single stream: latency +"
    )


def test_sides_are_named_in_every_table_and_kind_in_the_facts(gate):
    heads = [row.head for group in cases(gate, "minilm-l6").groups for row in group.rows]
    assert "fp32 · onnxruntime · base" in heads
    assert "fp32 · onnxruntime · candidate" in heads
    assert {row.head for group in evidence(gate, "minilm-l6").groups for row in group.rows} == set(
        heads
    )
    assert dict(session(gate))["Kind"] == "gate"
    assert "Kind" not in dict(session(fake_session.view(1)))
    text = table(gate)
    assert "fp32 candidate" in text
    assert "int8-dynamic base" in text


def test_base_and_candidate_pair_as_they_stand(gate):
    assert [(base.variant, base.side, other.side) for base, other in sides(gate.rows)] == [
        ("fp32", "base", "candidate"),
        ("int8-dynamic", "base", "candidate"),
    ]


def test_what_a_case_is_related_to_is_of_its_own_side(gate):
    candidate = gate.rows[1]
    assert (candidate.variant, candidate.side) == ("fp32", "candidate")
    assert base_of(gate.rows, candidate, "fp32") is candidate


@pytest.mark.parametrize("kind", ["run", "gate", "calibration", "self-test"])
def test_a_listing_tells_the_kind_of_a_session(tmp_path, kind):
    store = Store.create(tmp_path)
    with store.start(handmade.plan(kind=kind)) as journal:
        for run in handmade.runs():
            journal.append(run)
    assert [entry.kind for entry in list_sessions(store).entries] == [kind]
    store.seal(handmade.SESSION_ID)
    assert [entry.kind for entry in list_sessions(store).entries] == [kind]


def test_page_and_exports_work_on_it(gate):
    text = page(gate)
    assert "fp32 · onnxruntime · candidate" in text
    assert "How does the candidate compare with its base" in text
    for part in ("levels", "tradeoff", "claims"):
        assert f'id="{part}"' not in text
        assert f'href="#{part}"' not in text
    assert '"side": "candidate"' in to_json(gate.rows)
    assert "candidate" in to_csv(gate.rows)
