from __future__ import annotations

import json
from pathlib import Path

import pytest
import stores
import upkeep_stores as many

from harness import cli
from harness.errors import StoreError, UsageError
from results.upkeep.compact import compact
from results.upkeep.merge import merge
from results.upkeep.remove import remove
from results.upkeep.verify import verify

FIXTURES = Path(__file__).parent / "fixtures" / "imports"
_A, _B, _C, _D = many.IDS[:4]


@pytest.fixture
def store(tmp_path):
    store = many.of(tmp_path / "store", _A, _B)
    compact(store)
    many.add(store, _C)
    return store


def test_named_sessions_go_and_the_others_stay(store):
    expected = many.seen(store)
    told = remove(store, [_C, _A, _C])
    assert (told.removed, told.kept, told.problems, told.notes) == ((_C, _A), 1, (), ())
    assert told.size_bytes > 0
    assert many.seen(store) == {_B: expected[_B]}
    assert verify(store).damage == verify(store).notes == ()


def test_again_is_a_note(store):
    remove(store, [_C])
    before = stores.contents(store.root / "parts")
    told = remove(store, [_C])
    assert (told.removed, told.kept) == ((), 2)
    assert told.notes == (f"session {_C!r} is not there",)
    assert stores.contents(store.root / "parts") == before


def test_a_dry_run_changes_nothing(store):
    before = stores.contents(store.root)
    told = remove(store, [_A, _D], dry_run=True)
    assert (told.removed, told.kept, told.dry_run, len(told.notes)) == ((_A,), 2, True, 1)
    assert stores.contents(store.root) == before


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (_C[:9], f"stands for session {_C!r}; name it in full"),
        ("latest", f"stands for session {_D!r}; name it in full"),
        ("nothing", "unknown session 'nothing'"),
        (_D, f"session {_D!r} is not sealed"),
    ],
)
def test_what_is_no_sealed_session_is_refused_before_anything_goes(store, word, told):
    stores.live(store, session_id=_D)
    before = stores.contents(store.root / "parts")
    with pytest.raises(UsageError, match="session") as refused:
        remove(store, [_A, word])
    assert told in str(refused.value)
    assert stores.contents(store.root / "parts") == before


def test_a_session_with_two_contents_is_for_a_person_to_settle(tmp_path, store):
    merge(store, many.of(tmp_path / "other", _C, factor=2.0))
    with pytest.raises(StoreError, match="decide which is right"):
        remove(store, [_C])


def test_an_import_under_a_wrong_name_is_taken_back(tmp_path, capsys):
    def said(*words):
        code = cli.main([*words, "--store", str(tmp_path / "store")])
        return code, capsys.readouterr()

    file = FIXTURES / "trtexec" / "times.json"
    one = ("import", str(file), "--json", "--device")
    wrong = json.loads(said(*one, "orin")[1].out)[0]["session"]
    assert json.loads(said(*one, "nano")[1].out)[0]["device"] == "orin"
    code, told = said("store", "remove", wrong, "--dry-run")
    assert (code, told.out.splitlines()[1]) == (0, "1 session would be removed, 0 sessions kept")
    code, told = said("store", "remove", wrong)
    assert (code, told.out.splitlines()[0], told.err) == (0, wrong, "")
    assert json.loads(said(*one, "nano")[1].out)[0]["device"] == "nano"
    code, told = said("store", "remove", wrong)
    assert (code, told.err) == (0, f"boardmark: session {wrong!r} is not there\n")
    code, told = said("store", "remove", wrong, "--json")
    assert (code, json.loads(told.out)["kept"]) == (0, 1)
