from __future__ import annotations

import time

import pytest
import stores
import upkeep_stores as many

from harness.errors import StoreError, UsageError
from results.intent import INTENT
from results.layout import SESSIONS
from results.lock import rewriting
from results.sessions import list_sessions
from results.store import Store
from results.upkeep import removal, rewrite
from results.upkeep.compact import compact
from results.upkeep.merge import merge
from results.upkeep.prune import Keep, parse, prune
from results.upkeep.reindex import reindex
from results.upkeep.verify import verify

_A, _B, _C, _D = many.IDS[:4]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Return A, B, C of one board in one part each table, D of another board beside it."""
    store = many.of(tmp_path_factory.mktemp("template") / "store", _A, _B, _C)
    compact(store)
    many.add(store, _D, device="other")
    return store


@pytest.fixture(autouse=True)
def december(monkeypatch):
    """Let it be after all of these sessions, whatever the clock says."""
    monkeypatch.setattr(time, "time", lambda: 1796083200.0)


@pytest.fixture
def store(tmp_path, template):
    return many.copy(template, tmp_path / "store")


@pytest.mark.parametrize(
    ("text", "keep"),
    [("90d", Keep(days=90)), ("200", Keep(sessions=200)), (" 1 ", Keep(sessions=1))],
)
def test_what_stays_is_told_in_days_or_sessions(text, keep):
    assert parse(text) == keep


@pytest.mark.parametrize(
    "text", ["", "0", "0d", "-1", "d", "90 d", "1.5d", "90w", "1e3", "٣", "all"]
)
def test_nonsense_is_refused(text):
    with pytest.raises(UsageError, match="not a number of days or sessions"):
        parse(text)


def test_the_newest_of_each_device_stay(store):
    expected = many.seen(store)
    told = prune(store, Keep(sessions=2))
    assert (told.removed, told.kept, told.problems) == ((_A,), 3, ())
    assert told.size_bytes > 0
    assert many.seen(store) == {name: expected[name] for name in (_B, _C, _D)}
    assert many.once(store)
    assert verify(store).damage == verify(store).notes == ()
    before = stores.contents(store.root / "parts")
    assert prune(store, Keep(sessions=2)).removed == ()
    assert stores.contents(store.root / "parts") == before


def test_days_count_back_from_the_newest_session_or_from_an_earlier_now(store, monkeypatch):
    newest = 1793801700.0  # 4 November 2026, 14:15 UTC
    monkeypatch.setattr(time, "time", lambda: newest)
    assert prune(store, Keep(days=2), dry_run=True).removed == (_A,)
    monkeypatch.setattr(time, "time", lambda: newest - 86400 - 1)
    assert prune(store, Keep(days=1), dry_run=True).removed == (_A,)
    monkeypatch.setattr(time, "time", lambda: newest + 9e9)
    assert prune(store, Keep(days=1), dry_run=True).removed == (_A, _B)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert prune(store, Keep(days=1), dry_run=True).removed == ()


@pytest.mark.parametrize("count", [1, 2])
def test_sessions_from_the_future_take_the_place_of_none(store, count):
    future = [f"20991231T2359{n:02}Z-3f2a" for n in range(count)]
    for name in (*future, "20261299T000000Z-3f2a"):  # no such day
        many.add(store, name)
    told = prune(store, Keep(sessions=2))
    assert told.removed == (_A,)
    assert set(store.sessions()) == {_B, _C, _D, *future, "20261299T000000Z-3f2a"}
    (note,) = told.notes
    assert "future" in note
    assert repr("20261299T000000Z-3f2a") in note
    assert prune(store, Keep(days=1), dry_run=True).removed == (_B,)


def test_others_get_the_lock_between_two_parts(store, monkeypatch):
    def pause(_):
        free.append(not rewriting(store.root)[1])

    free = []
    monkeypatch.setattr(removal, "_TURN_S", 0.0)
    monkeypatch.setattr(time, "sleep", pause)
    assert prune(store, Keep(sessions=2)).removed == (_A,)
    assert free == [True] * 5
    assert verify(store).damage == verify(store).notes == ()


def test_a_dry_run_changes_nothing(store):
    before = stores.contents(store.root)
    told = prune(store, Keep(sessions=1), dry_run=True)
    assert (told.removed, told.kept, told.dry_run) == ((_A, _B), 2, True)
    assert stores.contents(store.root) == before


def test_live_sessions_and_the_last_one_stay(store):
    stores.live(store, session_id="20200101T000000Z-0000")
    prune(store, Keep(sessions=1))
    assert store.sessions() == ("20200101T000000Z-0000", _C, _D)


def test_format_1_is_pruned_too(tmp_path):
    store = stores.golden(tmp_path / "store")
    assert prune(store, Keep(sessions=1)).removed == ("20261120T203204Z-321a",)
    assert many.seen(store).keys() == {"20261120T203215Z-f721"}
    assert len(many.names(store)) == 3


def test_shadowed_rows_go_as_well(store):
    many.part_of(store, "runs", [_A, _B])
    many.part_of(store, "sessions", [_A])
    prune(store, Keep(sessions=1))
    assert many.seen(store).keys() == {_C, _D}
    assert _A not in str(
        [part.sessions for t in ("runs", "sessions") for part in store.catalog().parts(t)]
    )


def test_a_pruned_session_does_not_come_back_as_a_live_one(tmp_path):
    store = Store.create(tmp_path / "store")
    stores.live(store, session_id=_A)
    journal = (store.root / SESSIONS / _A / "journal.ndjson").read_bytes()
    store.seal(_A)
    many.add(store, _B)
    # as a seal leaves it that is killed before it takes the journal away
    (store.root / SESSIONS / _A).mkdir()
    (store.root / SESSIONS / _A / "journal.ndjson").write_bytes(journal)
    assert "journals of sealed sessions" in str(verify(store).notes)
    prune(store, Keep(sessions=1))
    assert store.sessions() == (_B,)


@pytest.mark.parametrize(
    "upkeep", [compact, reindex, lambda store: merge(store, store_of_none(store))]
)
def test_any_upkeep_completes_an_interrupted_prune(store, upkeep):
    (store.root / INTENT).write_text(f'{{"sessions": ["{_A}", "{_D}"]}}')
    assert "interrupted" in str(verify(store).notes)
    upkeep(store)
    assert many.seen(store).keys() == {_B, _C}
    assert not (store.root / INTENT).exists()
    assert verify(store).notes == verify(store).damage == ()


@pytest.mark.parametrize("intent", [f'{{"sessions": ["{_A}", "{_D}"]}}', "{"])
def test_a_session_that_comes_back_stays(store, intent):
    prune(store, Keep(sessions=1))
    assert _A not in store.sessions()
    (store.root / INTENT).write_text(intent)  # as a prune leaves it that is killed at its end
    many.add(store, _A)
    if intent == "{":
        (store.root / INTENT).unlink()
    reindex(store)
    assert _A in store.sessions()
    assert verify(store).damage == ()


def store_of_none(store):
    return Store.create(store.root.with_name("none"))


def test_an_intent_that_cannot_be_read_stops_before_anything_goes(store):
    (store.root / INTENT).write_text("{")
    before = stores.contents(store.root / "parts")
    with pytest.raises(StoreError, match="delete it and remove them again"):
        prune(store, Keep(sessions=1))
    assert stores.contents(store.root / "parts") == before


def test_a_corrupt_compact_part_goes_to_quarantine_not_to_nowhere(store):
    (rotten,) = [path for path in stores.files(store, "probes") if "compact" in path.name]
    data = rotten.read_bytes()
    rotten.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
    told = prune(store, Keep(sessions=2))
    assert "quarantine" in str(told.problems)
    assert [entry.session_id for entry in list_sessions(store).entries] == [_B, _C, _D]
    assert (store.root / "quarantine" / rotten.name).exists()


def test_what_resists_stays_whole_and_goes_with_the_next_prune(store, monkeypatch):
    def resist(_storage, part, *_):
        if part.table == "sessions":
            raise StoreError("it resists")
        return piece(_storage, part, *_)

    before, piece = many.seen(store), rewrite.piece
    with monkeypatch.context() as patched:
        patched.setattr(rewrite, "piece", resist)
        told = prune(store, Keep(sessions=2))
        assert (told.removed, told.kept) == ((), 4)
        assert "it resists" in told.problems
        assert many.seen(store) == before
        assert verify(store).damage == ()
        prune(store, Keep(sessions=1))
    assert prune(store, Keep(sessions=1)).problems == ()
    assert many.seen(store).keys() == {_C, _D}
    assert verify(store).notes == verify(store).damage == ()


def test_what_resists_is_tried_again_after_all_else_went(store, monkeypatch):
    def resist(_storage, part, *_):
        if part.path not in seen and part.table in ("sessions", "samples"):
            seen.append(part.path)
            raise StoreError("there is no room for it")
        return piece(_storage, part, *_)

    seen, piece = [], rewrite.piece
    monkeypatch.setattr(rewrite, "piece", resist)
    told = prune(store, Keep(sessions=2))
    assert (told.removed, told.problems, len(seen)) == ((_A,), (), 2)
    assert verify(store).damage == verify(store).notes == ()
