"""Read the whole store and say what is damaged or lost; change nothing."""

from __future__ import annotations

import msgspec

from harness.errors import StoreError
from results import journal, layout, parts
from results.catalog import Catalog
from results.intent import pending
from results.storage import Entry, MissingError
from results.store import Store
from results.upkeep import audit, leftovers, merging
from results.upkeep.counts import Facts, facts
from results.upkeep.untouched import Untouched

_TRIES = 5


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds, and a sentence for each thing that is wrong with it.

    `damage` is damaged or lost. `notes` are no loss: a torn last line, what an interrupted command
    left and the next one completes. `samples` are durations of timed calls; `journals` are sessions
    that are not sealed.
    """

    sessions: int
    runs: int
    samples: int
    parts: int
    size_bytes: int
    journals: int
    damage: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def verify(store: Store) -> Verified:
    """Check digests, columns, coverage, counts, journals, conflicts and the index of a store.

    It may be in use meanwhile: what changes is looked at again. StoreError where it cannot be read.
    """
    known: dict[Entry, Facts | str] = {}
    for _ in range(_TRIES):
        check = _Check(store, known)
        try:
            found = check.run()
        except MissingError:
            continue
        if check.listing() == check.listed:
            return found
    raise StoreError(
        f"the store {store.label!r} changes faster than it can be verified",
        "wait until whoever merges, compacts or prunes is done",
    )


class _Check:
    """One look at everything; what was read of parts before is in `known`."""

    def __init__(self, store: Store, known: dict[Entry, Facts | str]) -> None:
        self._store = store
        self._storage = Untouched(store.storage)
        self._known = known
        self._damage: list[str] = []
        self._notes: list[str] = []
        self.listed = self.listing()

    def listing(self) -> list[Entry]:
        """Return every file below parts/ and quarantine/."""
        folders = (layout.PARTS, layout.QUARANTINE)
        return [entry for folder in folders for entry in self._storage.walk(folder)]

    def run(self) -> Verified:
        """Return what there is and what is wrong with it."""
        known = self._read_parts()
        catalog = Catalog.of(self._storage)
        journals = self._journals(catalog)
        total = audit.Sum()
        hurt = set()
        for name in catalog.sessions():
            wrong = audit.session(catalog, name, known, total)
            self._damage += wrong
            hurt |= {name} if wrong else set()
        self._damage += (
            f"session {name!r} has two contents and neither is read" for name in catalog.conflicts()
        )
        merged = (
            one for open_ in merging.open_merges(self._storage).values() for one in open_.sessions
        )
        expected = frozenset((*journals, *self._interrupted(), *merged))
        self._judge(audit.strays(catalog, expected))
        self._judge(audit.put_aside(self._storage, catalog, frozenset(hurt)))
        self._left_behind(catalog)
        self._damage += audit.index(self._storage, catalog, known)
        sizes = [entry.size_bytes for entry in self.listed if layout.parse(entry.path)]
        return Verified(
            sessions=len(catalog.sessions()),
            runs=total.runs,
            samples=total.samples,
            parts=len(sizes),
            size_bytes=sum(sizes),
            journals=len(journals),
            damage=tuple(dict.fromkeys(self._damage)),
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _judge(self, found: tuple[list[str], list[str]]) -> None:
        damage, notes = found
        self._damage += damage
        self._notes += notes

    def _read_parts(self) -> dict[str, Facts | str]:
        """Read every part that is not known yet; name those that are damaged."""
        found: dict[str, Facts | str] = {}
        for entry in self.listed:
            if layout.parse(entry.path) is None:
                if entry.path.startswith(layout.PARTS):
                    self._notes.append(f"{entry.path!r} is no part: it is not read")
                continue
            if entry not in self._known:
                self._known[entry] = self._facts(entry.path)
            found[entry.path] = self._known[entry]
            if isinstance(reason := found[entry.path], str):
                self._damage.append(reason)
        return found

    def _facts(self, path: str) -> Facts | str:
        """Return what a part holds, or the sentence about why that cannot be told."""
        try:
            return facts(self._storage, path)
        except parts.CorruptPartError as corrupt:
            return f"{path!r} is damaged: {corrupt}"
        except MissingError:
            raise
        except StoreError as error:
            return str(error)

    def _journals(self, catalog: Catalog) -> tuple[str, ...]:
        """Read every journal; return the sessions that are not sealed."""
        root = self._store.storage.root
        if root is None:
            return ()
        committed = set(catalog.sessions())
        found = []
        for path in sorted((root / layout.SESSIONS).glob(f"*/{journal.JOURNAL}")):
            if path.parent.name in committed:
                continue
            try:
                content = journal.read(path, salvage=True)
            except StoreError as error:
                if path.exists():
                    self._damage.append(str(error))
                continue
            found.append(path.parent.name)
            self._damage += content.damaged
            if content.torn_bytes:
                self._notes.append(
                    f"{str(path)!r} ends in {content.torn_bytes} bytes of a record that was never "
                    "finished: resuming cuts them"
                )
        return tuple(found)

    def _interrupted(self) -> tuple[str, ...]:
        """Return the sessions whose removal was interrupted."""
        return pending(self._storage)

    def _left_behind(self, catalog: Catalog) -> None:
        """Note what the next upkeep removes or completes."""
        if going := self._interrupted():
            self._notes.append(
                f"removing {len(going)} sessions was interrupted: boardmark store reindex "
                "completes it"
            )
        self._notes += merging.notes(self._storage, catalog)
        if files := leftovers.unfinished(self._store):
            self._notes.append(
                f"{len(files)} files were never finished or are being written: boardmark store "
                "reindex removes them"
            )
        if sealed := leftovers.closed_journals(self._store, catalog):
            self._notes.append(
                f"{len(sealed)} journals of sealed sessions are still there: boardmark store "
                "reindex removes them"
            )
