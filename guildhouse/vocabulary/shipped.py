"""What is shipped: the facts that `tools/onet.py` took from O*NET's tables, and the supplement that is written by hand.

Neither is read before somebody asks.
"""

import lzma
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import orjson


@cache
def supplement() -> dict[str, Any]:
    """The supplement, as its file says it."""
    found: dict[str, Any] = tomllib.loads(files(__package__).joinpath("supplement.toml").read_text(encoding="utf-8"))
    return found


def tables() -> dict[str, Any]:
    """The facts of O*NET. Who reads them keeps what is needed, and lets go of the rest."""
    found: dict[str, Any] = orjson.loads(lzma.decompress(files(__package__).joinpath("onet.json.xz").read_bytes()))
    return found
