"""Descriptions in HTML become text that reads as the page did; text without any tags is left as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.jobs.open_jobs import as_html
from guildhouse.kernel.importing.markup import plain_text


@pytest.mark.parametrize(("markup", "text"), [
    ("<p>a<br>b</p><p>c</p>", "a\nb\n\nc"), ("<p>one\n two</p>", "one two"), ("<h2>T</h2>text", "T\n\ntext"),
    ("<ul><li>a<li>b<ul><li>c</li></ul></ul>end", "- a\n- b\n- c\n\nend"), ("<b>x", "x"), ("a<!-- c -->b", "ab"),
    ("<ul><li><p>a</p></li><li><p><b>b</b></p></li></ul><p>c</p>", "- a\n- b\n\nc"), ("<li><div>a</div></li>", "- a"),
    ("<tr><td>a</td><td>b</td></tr><tr><td>c</td></tr>", "a b\n\nc"), ("<p>C&#43;&#43; &amp; Go</p>", "C++ & Go"),
    ("<script>x()</script><style>p{}</style>y", "y"), ("<head><title>t</title></head><p>y</p>", "y"),
    ("<p>a\u00a0b</p>", "a b"),
    ("<p>- a</p><p>-</p><p>b</p>", "- a\n\n-\n\nb"),
])  # fmt: skip
def test_markup_becomes_lines_paragraphs_and_items(markup: str, text: str) -> None:
    assert plain_text(markup) == text


@pytest.mark.parametrize(("markup", "text"), [
    ("&lt;p&gt;a &amp;amp; b&lt;/p&gt;", "a & b"), ("&lt;ul&gt;&lt;li&gt;a&lt;/li&gt;&lt;/ul&gt;", "- a"),
    ("&lt;script&gt;alert(1)&lt;/script&gt;ok", "ok"),
    ("<p>write &lt;p&gt; for a paragraph</p>", "write <p> for a paragraph"),
    ("List&lt;String&gt; and A&lt;B&gt;", "List<String> and A<B>"),
])  # fmt: skip
def test_what_was_escaped_once_more_is_read_as_markup_and_signs_of_a_text_are_not(markup: str, text: str) -> None:
    assert plain_text(markup) == text


@pytest.mark.parametrize(
    "text", ["a\n\nb\n- c", "5 < 6 and 7 > 3", "x <3 y", "1. one\n2. two", "工作內容：\n一、寫程式"]
)
def test_a_text_without_tags_keeps_its_lines(text: str) -> None:
    assert plain_text(text) == text == plain_text(text.replace("\n", "\r\n"))


@pytest.mark.parametrize("markup", [None, "", "<p></p>", "  \n", "<script>x</script>", "&nbsp;"])
def test_nothing_is_no_text(markup: str | None) -> None:
    assert plain_text(markup) is None


@given(
    st.lists(
        st.text(alphabet="ab &<>\"'é職.-", min_size=1, max_size=12).map(str.strip).filter(bool), min_size=1, max_size=5
    )
)
def test_paragraphs_that_were_told_as_html_come_back(paragraphs: list[str]) -> None:
    text = "\n\n".join(" ".join(each.split()) for each in paragraphs)
    assert plain_text(as_html(text)) == text


@given(st.text(alphabet="abp<>/&;! -\nliult", max_size=80))
def test_no_markup_breaks_the_reader_and_no_line_ends_in_white_space(markup: str) -> None:
    found = plain_text(markup)
    assert found is None or (found.strip() == found and found)
