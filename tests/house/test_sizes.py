"""Sizes: short functions, short files. The list of exceptions may only shrink."""

from statistics import median, quantiles

from tests.house.source import ROOT, files, functions, length

MOST_LINES = {"kernel": 500, "": 400}


def test_functions_are_short() -> None:
    lengths = [length(function) for path in files() for function in functions(path)]
    assert median(lengths) <= 9
    assert quantiles(lengths, n=10)[8] <= 30
    assert max(lengths) <= 60


def test_files_are_short() -> None:
    found = {}
    for path in files():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES["kernel" if path.is_relative_to(ROOT / "kernel") else ""]:
            found[path.name] = lines
    assert found == {}


def test_files_are_short_on_the_whole() -> None:
    """Lines with something on them: the blank ones between functions are what makes short functions readable."""
    written = [[line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()] for path in files()]
    assert median(map(len, written)) <= 120
