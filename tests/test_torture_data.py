"""Faults below and inside the files of a store, in small; `make torture` tries them all."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torture import bad_agents, crowd, damage, disk_model, exhibits, poison, power_cuts, recording
from torture.disk_model import Names, Sync, Write
from torture.exhibits import Exhibit
from torture.records import Campaign

SLOW = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize(
    "campaign",
    [one.CAMPAIGN for one in (power_cuts, damage, crowd, poison, bad_agents)],
    ids=lambda campaign: campaign.name,
)
def test_nothing_is_lost_doubled_or_promised_in_vain(campaign: Campaign) -> None:
    rows = campaign.play("reduced")
    assert [(row.fault, row.broken[:3]) for row in rows if not row.holds] == []
    assert sum(row.cases for row in rows) >= 5


@pytest.fixture(scope="module", params=[exhibits.singles, exhibits.compacted])
def exhibit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exhibit:
    made: Exhibit = request.param(tmp_path_factory.mktemp("exhibit") / "store")
    return made


@SLOW
@given(data=st.data())
def test_bytes_damaged_at_random_are_found(exhibit: Exhibit, data: st.DataObject) -> None:
    target = data.draw(st.sampled_from(exhibit.targets))
    content = bytearray(exhibit.pristine[target.path][0])
    for _ in range(data.draw(st.integers(1, 4))):
        offset = data.draw(st.integers(0, len(content)))
        junk = data.draw(st.binary(min_size=1, max_size=40))
        content[offset : offset + data.draw(st.sampled_from([0, 1, len(junk)]))] = junk
    exhibit.restore(keep_index=data.draw(st.booleans()))
    exhibit.damage(target, bytes(content))
    assert damage.looked_at(exhibit, target, target.kind).broken == ()


@SLOW
@given(data=st.data())
def test_files_spliced_together_are_found(exhibit: Exhibit, data: st.DataObject) -> None:
    target = data.draw(st.sampled_from(exhibit.targets))
    content = exhibit.pristine[target.path][0]
    other = exhibit.pristine[data.draw(st.sampled_from(exhibit.targets)).path][0]
    head = data.draw(st.integers(0, len(content)))
    spliced = content[:head] + other[data.draw(st.integers(0, len(other))) :]
    exhibit.restore(keep_index=data.draw(st.booleans()))
    exhibit.damage(target, spliced)
    assert damage.looked_at(exhibit, target, target.kind).broken == ()


def test_the_disk_forgets_what_was_not_synced_and_only_that() -> None:
    ops: list[disk_model.Op] = [
        Names(((disk_model.ROOT, "a", 1),)),
        Write(1, 0, b"one"),
        Sync(1),
        Names(((disk_model.ROOT, "b", 1),)),
    ]
    found = {tuple(cut.tree.items()) for cut in disk_model.cuts(ops, 3, 9, seed=1)}
    assert found == {(), (("a", b"one"),), (("b", b"one"),), (("a", b"one"), ("b", b"one"))}
    synced = [*ops, Sync(disk_model.ROOT)]
    (last,) = [cut.tree for cut in disk_model.cuts(synced, len(synced), 9, seed=1)]
    assert last == {"a": b"one", "b": b"one"}


def test_content_that_was_not_synced_may_be_missing_cut_or_zeros() -> None:
    named = Names(((disk_model.ROOT, "a", 1),))
    ops: list[disk_model.Op] = [named, Sync(disk_model.ROOT), Write(1, 0, b"four")]
    trees = [
        disk_model.grown(ops, {2: how}, random.Random(seed))["a"]
        for how in ("lost", "done", "cut", "zeros")
        for seed in range(20)
    ]
    whole = {b"four"[:length] for length in range(5)}
    zeros = {bytes(length) + b"four"[length:] for length in range(5)}
    assert set(trees) == whole | zeros


def test_what_is_recorded_is_what_the_disk_holds(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "old").mkdir(parents=True)
    (root / "old" / "file").write_bytes(b"there before")
    with recording.recorded(root) as recorded:
        (root / "new").mkdir()
        descriptor = os.open(root / "new" / "x", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"0123456789")
        os.pwrite(descriptor, b"AB", 2)
        os.ftruncate(descriptor, 6)
        os.fsync(descriptor)
        os.close(descriptor)
        (root / "new" / "x").rename(root / "old" / "y")
        os.link(root / "old" / "y", root / "z")
        (root / "old" / "file").unlink()
        (root / "new").rmdir()
    tree = disk_model.grown(recorded.ops, {}, random.Random(0))
    assert tree == {"old": None, "old/y": b"01AB45", "z": b"01AB45"}
    with pytest.raises(recording.IncompleteLogError), recording.recorded(root):
        (root / "z").write_bytes(b"past the functions that are watched")
