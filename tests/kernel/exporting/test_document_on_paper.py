"""The document: tagged, in its language, with every script that can be set and nothing of it read as markup."""

import asyncio
import json
import time
from typing import Any

import pypdfium2
import pytest

from guildhouse.app import HOUSE
from guildhouse.kernel.errors import Unavailable
from guildhouse.kernel.exporting import typeset
from guildhouse.kernel.exporting.typeset import telling_fields
from guildhouse.kernel.exporting.typesetter import unescaped
from tests.cast import Cast

pytestmark = pytest.mark.anyio


def told(**values: Any) -> bytes:
    plain = {"title": "Jobs", "house": "G", "lang": "en", "region": None, "about": ["All of it"], "page": "{n}/{of}",
             "chart": None, "headings": ["Title"], "widths": [1], "rows": [["x"]]}  # fmt: skip
    return json.dumps({**plain, **values}).encode()


def text_of(content: bytes) -> str:
    document = pypdfium2.PdfDocument(content)
    try:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


async def test_it_is_tagged_says_its_language_and_carries_its_fonts() -> None:
    content = await typeset.typeset(told(lang="zh", region="TW", title="職缺"))
    for mark in (b"pdfuaid:part>1", b"/Lang(zh-TW)", b"/StructTreeRoot", b"/Marked true", b"/TH", b"/FontFile"):
        assert mark in content, mark
    assert "職缺" in text_of(content)
    assert len(content) < 200_000  # the fonts have 13 MB: only what is used of them is in it


async def test_every_script_is_set_and_what_has_no_sign_is_stood_in_for() -> None:
    words = ["臺北市", "Ελληνικά", "Привет", "שלום", "مرحبا", "#eval(1) *bold* $x$ \\ @ref <label>", "👩\u200d💻 ไทย"]
    content = await typeset.typeset(told(rows=[[word] for word in words]))
    text = text_of(content)
    for word in ("臺北市", "Ελληνικά", "Привет", "#eval(1) *bold* $x$ \\ @ref <label>", "□"):
        assert word in text, word
    assert any(each in text for each in ("שלום", "םולש"))  # readers differ in which way round they give it


async def test_signs_that_control_a_terminal_are_stood_in_for_wherever_they_are() -> None:
    controls = "".join(map(chr, (*range(1, 32), *range(127, 160))))
    content = await typeset.typeset(told(title="a\x1fb", about=["source < \x1f"], rows=[[rf"{controls} \u001f"]]))
    text = text_of(content)
    assert "a□b" in text and "source < □" in text and r"\u001f" in text


async def test_a_chart_has_words_for_those_who_do_not_see_it() -> None:
    bars = [{"name": "open", "rows": 30}, {"name": "draft", "rows": 7}]
    content = await typeset.typeset(
        told(chart={"caption": "Rows by status", "alt": "open: 30; draft: 7", "bars": bars})
    )
    assert "Rows by status" in text_of(content)
    assert b"/Figure" in content and b"/Alt" in content


async def test_what_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typeset, "SECONDS", 0.01)
    before = time.monotonic()
    with pytest.raises(Unavailable):
        await typeset.typeset(told())
    assert time.monotonic() - before < 5


async def test_other_requests_go_on_meanwhile() -> None:
    setting = asyncio.create_task(typeset.typeset(told(rows=[["x"]] * 500)))
    turns = 0
    while not setting.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert turns > 3 and setting.result().startswith(b"%PDF")


async def test_a_document_that_cannot_be_set_says_why() -> None:
    with pytest.raises(RuntimeError, match="does not contain key"):
        await typeset.typeset(b"{}")


def test_signs_that_typst_names_are_read() -> None:
    assert unescaped(r"a\u{200d}b") == "a\u200db"


def test_every_resource_has_something_for_paper() -> None:
    for resource in HOUSE.resources.values():
        fields = telling_fields(resource)
        assert 1 <= len(fields) <= 8 and set(fields) <= set(resource.readable)


async def test_a_list_on_paper_says_what_was_asked_for(cast: Cast) -> None:
    await cast.ada.made("/v1/jobs", {"title": "Baker", "city": "臺北"})
    other = await cast.ada.made("/v1/jobs", {"title": "Miller", "city": "臺北"})
    await cast.ada.made(f"/v1/jobs/{other['id']}/close", {})
    address = "/v1/jobs:export?format=pdf&city[in]=臺北,高雄&fields=title,city,skills,closes_on"
    chinese, english = await asyncio.gather(cast.ada.get(address, accept_language="zh-TW"), cast.ada.get(address))
    assert chinese.status_code == english.status_code == 200, english.text
    text = text_of(chinese.content)
    for words in (
        "職缺",
        "職稱",
        "城市是其中之一：臺北, 高雄",
        "共 2 列",
        "依狀態統計的列數",
        "Baker",
        "第 1 頁，共 1 頁",
    ):
        assert words in text, (words, text)
    assert "City is one of 臺北, 高雄" in text_of(english.content)


async def test_more_columns_than_a_page_has_room_for_are_refused(cast: Cast) -> None:
    names = ",".join(HOUSE.resources["jobs"].readable)
    refused = await cast.ada.get(f"/v1/jobs:export?format=pdf&fields={names}")
    assert (refused.status_code, refused.json()["code"]) == (400, "too-many-columns")
    assert (await cast.ada.get("/v1/jobs:export?format=pdf")).status_code == 200
