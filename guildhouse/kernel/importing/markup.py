"""Markup: a description in HTML, however often it was escaped, as plain text with its paragraphs and lists."""

import re
from html import unescape
from html.parser import HTMLParser

BLOCKS = frozenset(re.findall(r"\w+", "p div br ul ol h1 h2 h3 h4 h5 h6 section article table tr blockquote pre hr"))
SILENT = frozenset(("script", "style", "head", "template"))
ITEM = "\ue000"  # before the dash of an item, until the text is whole: people write dashes, too
TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--")
ESCAPED = re.compile(r"&lt;/?(?:p|div|span|br|ul|ol|li|h[1-6]|strong|em|a|table|section|script)\b", re.IGNORECASE)


class Plain(HTMLParser):
    """Collects the text of a document, one line for each block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        """A block begins a line, an item its own with a dash."""
        if tag in SILENT:
            self.silent += 1
        elif tag == "li":
            self.parts.append(f"\n{ITEM}- ")
        elif tag in BLOCKS and not self.begins_item():
            self.parts.append("\n" if tag == "br" else "\n\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")

    def begins_item(self) -> bool:
        """Whether nothing stands behind the dash of an item yet: `<li><p>` is one line."""
        return bool(self.parts) and "".join(self.parts[-3:]).rstrip(" ").endswith(f"{ITEM}-")

    def handle_endtag(self, tag: str) -> None:
        """A block ends its line."""
        if tag in SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag in BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        """Text, with its white space made single."""
        if not self.silent:
            self.parts.append(re.sub(r"\s+", " ", data))


def plain_text(markup: str | None) -> str | None:
    """The text of HTML, also of HTML that was escaped once more. A text without tags keeps its lines; None for nothing."""
    if not markup:
        return None
    text = unescape(markup) if ESCAPED.search(markup) and not TAG.search(markup) else markup
    if not TAG.search(text):
        return unescape(text).replace("\r\n", "\n").strip() or None
    reader = Plain()
    reader.feed(text)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.parts).split("\n")]
    whole = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).replace(f"\n\n{ITEM}", "\n").replace(ITEM, "")
    return whole.strip() or None
