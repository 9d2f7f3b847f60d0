"""Write what the code knows into the documentation: `make docs`. With `--check`, only say what would be written.

docs/api/               every resource, every problem, every boot fault
docs/guides/install.md  the table of settings, between its two markers
"""

import re
import sys
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from guildhouse.app import HOUSE
from guildhouse.commands.describing import variable
from guildhouse.config import Config
from guildhouse.kernel.document.docs_pages import reference
from guildhouse.kernel.embedded import PROGRAMS_SETTING
from guildhouse.kernel.http import doors_of

DOCS = Path(__file__).parent
INSTALL = DOCS / "guides" / "install.md"
TABLE = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- end of settings -->)", re.DOTALL)
# Read where PostgreSQL is looked for, before there are settings.
BEFORE_CONFIG = (
    f"| `{PROGRAMS_SETTING}` | found | Directory of PostgreSQL's programs, for the embedded server and backups. |"
)


def main() -> None:
    """Write, or with `--check` name, the files that are not as they should be; those then end it with 1."""
    stale = {place: text for place, text in generated().items() if not place.exists() or place.read_text() != text}
    if "--check" in sys.argv[1:]:
        sys.exit("\n".join(["Run `make docs`:", *map(str, stale)]) if stale else 0)
    for place, text in stale.items():
        place.write_text(text)


def generated() -> dict[Path, str]:
    """Every generated file, and what is to be in it."""
    pages = {DOCS / "api" / name: text for name, text in reference(HOUSE, doors_of(HOUSE)).items()}
    return {**pages, INSTALL: TABLE.sub(lambda _: settings(), INSTALL.read_text())}


def settings() -> str:
    """The settings as a Markdown table."""
    rows = [f"| `{variable(n, f)}` | {default(f)} | {f.description} |" for n, f in Config.model_fields.items()]
    return "\n".join(["| Setting | Without it | What it is |", "|---|---|---|", *rows, BEFORE_CONFIG]) + "\n"


def default(field: FieldInfo) -> str:
    """A default as one writes it in the environment."""
    value = field.default
    if value is PydanticUndefined:
        return "see below"
    if value is None or value == ():
        return "-"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    main()
