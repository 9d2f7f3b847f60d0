"""The shapes of what a search answers: beside the rows of a list, over all nouns, and while one types."""

from typing import Literal

from pydantic import Field

from guildhouse.kernel.shapes import Shape


class Highlight(Shape):
    """A part of a text, and where in it the words stand: from the first sign to behind the last one."""

    text: str = Field(examples=["Registered Nurse"])
    marks: list[tuple[int, int]] = Field(examples=[[[0, 10], [11, 16]]])
    starts_at: int = Field(examples=[0], description="Where in the whole text the part begins.")
    cut: bool = Field(examples=[False], description="Whether the text goes on behind it.")


class SearchHit(Shape):
    """A row that was found. `title` is its name in one line."""

    id: str
    title: str | None = Field(examples=["Registered Nurse"])
    url: str = Field(examples=["/v1/jobs/01a1fee0-dbc6-7453-b6f7-c23b7060a4dc"])
    score: float = Field(examples=[13.7])
    highlights: dict[str, Highlight]


class KindFound(Shape):
    """What was found of one noun: the best rows, how many there are, and the list that has them all."""

    kind: str = Field(examples=["operations"])
    total: int | None = Field(examples=[12], description="null where the database searched in place of the index.")
    more: str = Field(examples=["/v1/jobs?q=nurse"])
    hits: list[SearchHit]


class SearchResults(Shape):
    """What was found, noun by noun, those with the best hit first. Nouns of which nothing was found are left out."""

    data: list[KindFound]
    did_you_mean: str | None = Field(examples=[None])
    engine: str = Field(examples=["index"])
    notice: str | None = Field(examples=[None])


class SuggestedText(Shape):
    """A text that may be about to be typed: a title or a value of `field`, which `count` rows have that you see."""

    kind: str = Field(examples=["operations"])
    field: str = Field(examples=["title"])
    text: str = Field(examples=["Registered Nurse"])
    count: int = Field(examples=[3])


class Suggestions(Shape):
    """What may be about to be typed, the likeliest first."""

    data: list[SuggestedText]


class ListHit(Shape):
    """How well a row of the page fits, and where the words are in it."""

    id: str
    score: float = Field(examples=[13.7])
    highlights: dict[str, Highlight]


class FacetValue(Shape):
    """A value of a column and how many of the rows found have it; of a time, how many are so new; of a number, a band."""

    value: str | None = Field(default=None, examples=["full_time"])
    label: str | None = Field(default=None, description="What the row is called whose id the value is.")
    from_: float | None = Field(default=None, alias="from", description="The band begins here, this number in it.")
    to: float | None = Field(default=None, description="It ends here, this number not in it.")
    count: int = Field(examples=[12])


class ListSearch(Shape):
    """How the rows of a list were found, with `q`; and `facets`, counted over all rows that were found."""

    engine: Literal["index", "database"] | None = Field(default=None, description="What searched.")
    notice: str | None = Field(default=None, description="Why it was the database, and what is missing then.")
    any_word: bool | None = Field(default=None, description="No row has enough of the words: these have any of them.")
    did_you_mean: str | None = Field(default=None, description="The query as others would have written it.")
    hits: list[ListHit] | None = Field(default=None, description="With `highlights=true`, one for each row.")
    facets: dict[str, list[FacetValue]] | None = None
