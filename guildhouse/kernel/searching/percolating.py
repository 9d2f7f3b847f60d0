"""Percolating: search turned round. Rows that were just written are asked which of many queries find them."""

from collections.abc import Collection, Sequence

from guildhouse.kernel.manifest import Synonyms
from guildhouse.kernel.row import Values
from guildhouse.kernel.searching.index_schema import Noun, SearchSchema
from guildhouse.kernel.searching.query_building import QueryBuilder, no_synonyms
from guildhouse.kernel.searching.search_document import documents_of
from guildhouse.kernel.searching.search_index import READY, SearchIndex, Stand
from guildhouse.kernel.searching.search_query import Asked


class Percolator:
    """Some rows of one noun in an index in memory; their columns are those of `Noun.columns`."""

    def __init__(
        self, schema: SearchSchema, noun: Noun, records: Sequence[Values], synonyms: Synonyms = no_synonyms
    ) -> None:
        self._index = SearchIndex(schema.schemas[noun.name])
        self._synonyms, self._most = synonyms, 4 * len(records) + 4
        self._index.claim()
        self._index.write((), [each for record in records for each in documents_of(noun, record)])
        self._index.commit(Stand("", 0, READY))

    def found_by(self, asked: Asked, scopes: Collection[str]) -> set[str]:
        """The ids of those rows that a query finds for somebody who holds these scopes."""
        builder = QueryBuilder(self._index, self._synonyms, forgiving=False)
        hits, _ = self._index.search(builder.counted(asked, scopes, (), any_word=False), self._most)
        return {hit.row_id for hit in hits}
