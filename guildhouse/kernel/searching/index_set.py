"""The indexes of a node: one for each noun that has text, made and given up together."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeAlias

from guildhouse.kernel.row import Values
from guildhouse.kernel.searching.index_schema import Noun, SearchSchema
from guildhouse.kernel.searching.search_document import documents_of
from guildhouse.kernel.searching.search_index import SearchIndex, Stand, remove_files

# Of one noun: the ids of what changed, and what is there of them now.
Rows: TypeAlias = tuple[Noun, Collection[str], Sequence[Values]]


class IndexSet:
    """The indexes below one directory. Raises what tantivy raises: ValueError, OSError."""

    def __init__(self, schema: SearchSchema, path: Path) -> None:
        self.path = path
        self.indexes = {name: SearchIndex(each, path / name) for name, each in schema.schemas.items()}

    @property
    def is_ready(self) -> bool:
        """Whether all rows are in all of them."""
        return all(each.is_ready for each in self.indexes.values())

    @property
    def stand(self) -> Stand | None:
        """Where they stand together: whatever one of them has, the others have, too, as far as it is theirs."""
        stands = [each.stand for each in self.indexes.values() if each.stand]
        return max(stands, key=lambda each: each.pos, default=None)

    def reload(self) -> None:
        """See what was committed last."""
        for each in self.indexes.values():
            each.reload()

    def claim(self) -> bool:
        """Become the one that writes all of them, if nobody else does."""
        return all(each.claim() for each in self.indexes.values())

    def take_in(self, rows: Sequence[Rows], before: Stand, stand: Stand) -> None:
        """Write these rows in place of what the indexes had of them. Only the last one says that all are in."""
        for n, (noun, ids, records) in enumerate(rows, 1):
            index = self.indexes[noun.name]
            index.write(ids, [document for record in records for document in documents_of(noun, record)])
            index.commit(stand if n == len(rows) else before)

    def close(self) -> None:
        """Let go of the writers."""
        for each in self.indexes.values():
            each.close()

    def remove(self) -> None:
        """Let go of the writers without waiting for anything, and delete the files."""
        for each in self.indexes.values():
            each.let_go()
        remove_files(self.path)
