"""Sessions that say they began on no day: they are named, and the others are shown."""

from __future__ import annotations

import handmade
import msgspec
import pytest
import stores

from harness import cli
from harness.errors import StoreError
from results import lines, parts
from results.layout import SESSIONS
from results.store import Store

_GOOD, _ODD = "20261119T141500Z-0001", "20261120T141500Z-0002"
_BEGAN_S = 1795097700.0


def _poisoned(where, tables, value):
    """Return a store of a good session and of one that is said in `tables` to begin at `value`."""
    store = stores.sealed(where, _GOOD, created_unix_s=_BEGAN_S)
    stores.live(store, session_id=_ODD, created_unix_s=_BEGAN_S + 86400)
    store.seal(_ODD)
    for table in tables:
        (path,) = stores.files(store, table, _ODD)
        name = str(path.relative_to(store.root))
        footer = parts.read_footer(store.storage, name)
        rows = parts.read_table(store.storage, name).to_pylist()
        path.unlink()
        rows = [{**row, "created_unix_s": value} for row in rows]
        if table == "sessions":
            plan = msgspec.json.decode(rows[0]["plan_json"]) | {"created_unix_s": value}
            rows[0]["plan_json"] = msgspec.json.encode(plan).decode()
        footer = msgspec.structs.replace(footer, listing=None)
        parts.publish(store.storage, footer, parts.encode(rows, footer))
    return store


@pytest.mark.parametrize("value", [1e13, 1e300, float("nan")])
def test_the_session_is_named_and_the_others_are_shown(tmp_path, capsys, value):
    store = _poisoned(tmp_path / "store", ("sessions", "runs"), value)
    for words in ("list", "history", "history --latest"):
        assert cli.main([*words.split(), "--store", str(store.root)]) == 0
        told = capsys.readouterr()
        assert _GOOD in told.out
        assert _ODD in told.err
        assert _ODD not in told.out
        assert len(told.err.splitlines()) == 1
    assert cli.main(["report", "--store", str(store.root)]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"boardmark: session '{_ODD}' holds a record")


def test_a_store_of_nothing_else_is_told_so(tmp_path, capsys):
    store = _poisoned(tmp_path / "store", ("sessions", "runs"), 1e300)
    for table in ("sessions", "runs"):
        stores.files(store, table, _GOOD)[0].unlink()
    assert cli.main(["history", "--store", str(store.root)]) == 0
    told = capsys.readouterr().err
    assert f"session '{_ODD}' is said to have begun outside of the years 1970 to 9999" in told


def test_a_journal_of_no_day_is_named(tmp_path, capsys):
    store = Store.create(tmp_path / "store")
    with pytest.raises(StoreError, match="would not read back"):
        stores.live(store, session_id=_ODD, created_unix_s=1e13)
    path = store.root / SESSIONS / _ODD / "journal.ndjson"
    path.parent.mkdir()
    path.write_bytes(lines.encode("plan", handmade.plan(_ODD, created_unix_s=1e13)))
    assert cli.main(["list", "--store", str(store.root)]) == 0
    assert str(path) in capsys.readouterr().err
