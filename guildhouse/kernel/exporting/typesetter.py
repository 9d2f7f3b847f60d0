"""The typesetter: reads what a document says as JSON from its input, and writes the PDF to its output.

A process of its own, with limits that the kernel of the system holds. It reads no network and no files but its own.
"""

import json
import re
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pylopdf_fonts_zh_tw
import typst

TEMPLATE = Path(__file__).with_name("report.typ")
FONTS = Path(pylopdf_fonts_zh_tw.__file__).parent
CPU_SECONDS, MEMORY = 60, 4 << 30
TRIES = 5
NO_GLYPH = re.compile(r'the text `"(.*?)"` could not be displayed')
ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}")
STAND_IN = "\u25a1"
CONTROLS = {sign: STAND_IN for sign in (*range(32), *range(127, 160)) if chr(sign) not in "\t\n\r"}
JOINERS = "\u200b\u200c\u200d\u2060\ufe0e\ufe0f"


def main() -> None:
    """Set one document."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    document = said_with(json.loads(sys.stdin.buffer.read()), CONTROLS)
    for left in reversed(range(TRIES)):
        try:
            sys.stdout.buffer.write(set_document(json.dumps(document)))
        except typst.TypstError as error:
            missing = set("".join(unescaped(each) for each in NO_GLYPH.findall(f"{error.message}\n{error.diagnostic}")))
            if not missing or not left:
                raise
            # No font here has these signs, and a document for everybody may not show what cannot be read out.
            document = said_with(document, {ord(sign): "" if sign in JOINERS else STAND_IN for sign in missing})
        else:
            return


def said_with(value: Any, signs: Mapping[int, str]) -> Any:
    """A document with other signs in the place of some."""
    if isinstance(value, str):
        return value.translate(signs)
    if isinstance(value, list):
        return [said_with(each, signs) for each in value]
    if isinstance(value, dict):
        return {name: said_with(each, signs) for name, each in value.items()}
    return value


def unescaped(text: str) -> str:
    r"""The text of a message of typst: `\u{200d}` is one sign."""
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def set_document(text: str) -> bytes:
    """The PDF of a document."""
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[FONTS])
    with TemporaryDirectory(prefix="guildhouse-document-") as place:
        Path(place, "report.typ").write_bytes(TEMPLATE.read_bytes())
        Path(place, "data.json").write_text(text, encoding="utf-8")
        compiler = typst.Compiler(input=str(Path(place, "report.typ")), root=place, font_paths=fonts)
        made = compiler.compile(format="pdf", pdf_standards=["ua-1"])
    if not isinstance(made, bytes):
        raise TypeError("typst made something else than one document")
    return made


if __name__ == "__main__":
    main()
