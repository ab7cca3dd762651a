from __future__ import annotations

import json
import shutil

import pytest
import stores
import upkeep_stores as many

from harness import cli

_A, _B, _C = many.IDS[:3]


@pytest.fixture
def here(tmp_path):
    return many.of(tmp_path / "here", _A, _B)


@pytest.fixture
def said(capsys):
    def run(*words):
        code = cli.main(["store", *(str(word) for word in words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_a_night_of_a_lab(tmp_path, here, said):
    central = tmp_path / "central"
    code, out, err = said(
        "merge", here.root, stores.golden(tmp_path / "old").root, "--store", central
    )
    assert (code, err.count("\n")) == (0, 1)
    assert "2 new sessions of 2, 10 parts copied" in out
    assert "not sealed, left where it is: 20261120T203221Z-bc4b" in err
    code, out, err = said("compact", "--store", central)
    assert (code, err) == (0, "")
    assert out.startswith("16 parts (")
    assert " -> 10 parts (" in out
    code, out, err = said("prune", "--keep", "1", "--dry-run", "--store", central)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "2 sessions would be removed, 2 sessions kept"
    code, out, err = said("prune", "--keep", "1", "--store", central)
    assert out.splitlines()[0] == _A
    assert (code, err) == (0, "")
    assert said("reindex", "--store", central)[1] == "2 sessions in 10 parts, 0 leftovers removed\n"
    code, out, err = said("verify", "--store", central)
    assert (code, err) == (0, "")
    assert out.endswith("nothing is damaged\n")


@pytest.mark.parametrize("word", ["verify", "compact", "reindex", "prune --keep 1"])
def test_json_holds_the_same(here, said, word):
    code, out, err = said(*word.split(), "--json", "--store", here.root)
    assert (code, err) == (0, "")
    assert json.loads(out)


def test_merge_tells_one_object_per_source(tmp_path, here, said):
    other = many.of(tmp_path / "other", _B, factor=2.0)
    code, out, _ = said("merge", here.root, other.root, "--json", "--store", tmp_path / "central")
    first, second = json.loads(out)
    assert code == 1
    assert (first["added"], first["conflicts"]) == (2, [])
    assert (second["added"], second["conflicts"]) == (0, [_B])


def test_damage_ends_in_exit_code_1_with_its_name(here, said):
    (rotten,) = stores.files(here, "samples", _A)
    rotten.write_bytes(rotten.read_bytes()[:-1])
    code, out, err = said("verify", "--store", here.root)
    assert code == 1
    assert rotten.name in err
    assert "2 problems found" in out
    assert said("verify", "--json", "--store", here.root)[0] == 1
    assert said("compact", "--store", here.root)[0] == 1
    assert said("reindex", "--store", here.root)[0] == 1


@pytest.mark.parametrize(
    "words",
    [
        "merge missing",
        "merge here missing",
        "merge here",
        "merge newer",
        "verify --store missing",
        "verify --store newer",
        "compact --store newer",
        "reindex --store newer",
        "prune --keep 1 --store newer",
        "prune --keep 1 --store missing",
        "prune --keep soon",
        "prune --keep 0",
        "merge ftp://host/x",
        "compact --store notes.txt",
    ],
)
def test_bad_requests_are_one_sentence_and_change_nothing(tmp_path, here, said, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(here.root, tmp_path / "newer")
    (tmp_path / "newer" / "store.json").write_text('{"boardmark_store": 3}\n')
    (tmp_path / "notes.txt").write_text("no store")
    before = stores.contents(tmp_path)
    words = words.split()
    code, out, err = said(*words, *([] if "--store" in words else ["--store", "here"]))
    assert (code, out) == (2, "")
    assert err.startswith("boardmark: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert stores.contents(tmp_path) == before


def test_a_word_that_is_none_is_refused_by_its_usage(said, capsys):
    for words in ([], ["mend"], ["prune"], ["merge"]):
        with pytest.raises(SystemExit) as ended:
            said(*words)
        assert ended.value.code == 2
        assert "boardmark store" in capsys.readouterr().err


@pytest.mark.parametrize("inside", ["parts", "parts/sessions", "parts/runs", "sessions", "index"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_folder_inside_a_store_is_no_store(tmp_path, here, said, inside, declared):
    folder = here.root / inside
    folder.mkdir(exist_ok=True)
    if not declared:
        (here.root / "store.json").unlink()
    before = stores.contents(tmp_path)
    for words in ("merge", folder, "--store", tmp_path / "central"), ("verify", "--store", folder):
        code, out, err = said(*words)
        assert (code, out) == (2, "")
        assert f"{str(folder)!r} is a folder inside the store {str(here.root)!r}; name the" in err
    assert said("merge", many.of(tmp_path / "b", _C).root, "--store", folder)[0] == 2
    assert before.items() <= stores.contents(tmp_path).items()
    assert not (folder / "store.json").exists()


def test_a_store_may_lie_in_a_folder_of_that_name(tmp_path, said):
    (tmp_path / "sessions").mkdir()
    assert said("verify", "--store", many.of(tmp_path / "parts", _A).root)[0] == 0


@pytest.mark.parametrize("harm", ["empty", "unreadable", "rotten"])
def test_a_store_is_made_only_where_there_is_something_to_merge(tmp_path, here, said, harm):
    commits = stores.files(here, "sessions")
    for path in commits:
        path.unlink() if harm == "empty" else path.write_bytes(b"junk")
    if harm == "unreadable":
        shutil.rmtree(here.root / "parts" / "sessions")
        (here.root / "parts" / "sessions").write_text("no folder")
    code, out, err = said("merge", here.root, "--store", tmp_path / "central")
    assert code == {"empty": 0, "unreadable": 2, "rotten": 1}[harm]
    assert "new session" in out or harm == "unreadable"
    assert bool(err) == (harm != "empty")
    assert not (tmp_path / "central").exists()
