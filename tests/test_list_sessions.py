from __future__ import annotations

import json

import handmade
import stores

from harness import cli


def test_counts_are_numbers_for_programs_and_words_for_people(tmp_path, capsys):
    store = stores.sealed(tmp_path / "store")
    one = [handmade.run(0, handmade.FP32, 0)]
    stores.live(store, one, "20261121T141500Z-3f2a", cases=(handmade.FP32,), order=())
    assert cli.main(["list", "--json", "--store", str(store.root)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["cases"], row["runs"]) for row in rows] == [(3, 15), (1, 1)]
    assert cli.main(["list", "--store", str(store.root)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "  3 cases  15 runs  sealed" in first
    assert "  1 case   1 run    unfinished" in second
