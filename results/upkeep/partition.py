"""Rewrite the parts of one table that lie in one partition, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from harness.errors import StoreError
from results import migrations, parts
from results.catalog import Catalog, Covered
from results.schema import Footer
from results.storage import MissingError, Storage
from results.upkeep import rewrite
from results.upkeep.rewrite import Piece, Place

if TYPE_CHECKING:
    import pyarrow as pa

# What format 1 had no parts for: the table whose rows it can be worked out from.
WORKED_OUT = {"environments": "sessions", "probes": "runs"}


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of one partition of `table`, and the sessions that it is `lacking` rows of."""

    table: str
    place: Place
    parts: Sequence[Covered]
    lacking: Sequence[str] = ()


class Partition:
    """One task, as long as nobody but us changes the store: its lock has to be held."""

    def __init__(self, storage: Storage, catalog: Catalog, task: Task) -> None:
        """Look at what counts; nothing is read yet."""
        self.problems: list[str] = []
        self._storage = storage
        self._catalog = catalog
        self._task = task
        self._published: set[str] = set()
        self._shadowed = {part.path: self._elsewhere(part) for part in task.parts}

    def steps(self, limit_bytes: int) -> Iterator[None]:
        """Rewrite what is to be; after each step the store holds no row less or more than before.

        Raises rewrite.SpoiltError, and StoreError where the store cannot be written.
        """
        pieces = self._pieces(limit_bytes)
        while pieces:
            try:
                made = rewrite.joined(pieces, limit_bytes)
            except rewrite.MixedError as error:
                self.problems.append(str(error))
                break
            self._published.add(rewrite.publish(self._storage, made))
            old = (piece.path for piece in pieces[: made.pieces] if piece.path is not None)
            self._remove(old)
            pieces = pieces[made.pieces :]
            yield
        self._remove_superfluous()

    def _remove(self, paths: Iterable[str]) -> None:
        """Remove parts, but none that was just published.

        What was made once before an interruption is made again with the same bytes and name.
        """
        self._storage.remove(*(path for path in paths if path not in self._published))

    def _elsewhere(self, part: Covered) -> frozenset[str]:
        """Return the sessions of a part that count elsewhere."""
        owners = {name: self._catalog.owner(part.table, name) for name in part.sessions}
        return frozenset(name for name, one in owners.items() if one and one.path != part.path)

    def _superfluous(self, part: Covered) -> bool:
        return len(self._shadowed[part.path]) == len(part.sessions)

    def _must_change(self, part: Covered) -> bool:
        """Tell whether a part is to be rewritten even if it is the only one."""
        return bool(self._shadowed[part.path]) or rewrite.is_old(part.path)

    def _pieces(self, limit_bytes: int) -> list[Piece]:
        """Return what goes into new parts, in the order of its sessions."""
        wanted = [
            part
            for part in self._task.parts
            if not self._superfluous(part)
            and (2 * part.size_bytes < limit_bytes or self._must_change(part))
        ]
        alone = len(wanted) == 1 and not self._task.lacking
        if alone and not self._must_change(wanted[0]):
            return []
        pieces = [piece for part in wanted for piece in self._piece(part)]
        pieces += [piece for name in self._task.lacking for piece in self._worked_out(name)]
        return sorted(pieces, key=lambda piece: min(piece.footer.sessions))

    def _piece(self, part: Covered) -> list[Piece]:
        """Return what a part gives, nothing where this version cannot read it."""
        sessions = None
        try:
            if rewrite.is_old(part.path) and part.table != "sessions":
                sessions = self._rows("sessions", next(iter(part.sessions)))
            left_out = self._shadowed[part.path]
            return [rewrite.piece(self._storage, part, left_out, self._task.place, sessions)]
        except MissingError:
            raise
        except StoreError as error:
            self.problems.append(str(error))
            return []

    def _worked_out(self, session_id: str) -> list[Piece]:
        """Return rows that format 1 had no part for; nothing where those they are in are lost."""
        table, place = self._task.table, self._task.place
        source = self._catalog.owner(WORKED_OUT[table], session_id)
        content = self._catalog.content(session_id)
        if source is None or content is None:
            return []

        def tables() -> Iterator[pa.Table]:
            if table == "environments":
                yield migrations.environments_of(self._rows("sessions", session_id))
            else:
                yield migrations.probes_of(self._rows("runs", session_id))

        footer = Footer(
            table=table,
            writer=rewrite.writer(),
            sessions={session_id: content},
            device=place.device,
            month=place.month,
        )
        return [rewrite.worked_out(footer, tables)]

    def _rows(self, table: str, session_id: str) -> pa.Table | None:
        """Return the rows of a committed session, None where no part holds them."""
        part = self._catalog.owner(table, session_id)
        return None if part is None else rewrite.rows(self._storage, part, session_id)

    def _remove_superfluous(self) -> None:
        """Remove parts whose sessions all count elsewhere, once they were read there."""
        left = [part for part in self._task.parts if self._superfluous(part)]
        owners = {
            one.path
            for part in left
            for name in part.sessions
            if (one := self._catalog.owner(part.table, name)) is not None
        }
        for path in owners:
            try:
                parts.read_bytes(self._storage, path)
            except MissingError:
                continue  # rewritten just now, so it was read
            except parts.CorruptPartError as corrupt:
                raise rewrite.SpoiltError(path, str(corrupt)) from corrupt
        self._remove(part.path for part in left)
