"""Reading a large workbook: how long the reading process takes, and how much memory.

    python -m bench.workbooks [--rows 300000]

The aim: never more than 300 MB. Once with the texts in the rows, once with all of them kept apart, as Excel does it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import xlsxwriter

AIM = 300  # MB


def make(path: Path, rows: int, *, apart: bool) -> None:
    """A workbook of jobs with 12 columns; a third of the texts are different in every row."""
    book = xlsxwriter.Workbook(str(path), {"constant_memory": not apart})
    sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
    names = "title external_id source city country salary_min salary_max currency period closes_on description url"
    sheet.write_row(0, 0, names.split())
    for n in range(1, rows + 1):
        where = ["load", "Taipei", "TW", 50_000 + n % 1000, 60_000 + n % 1000, "TWD", "month"]
        sheet.write_row(n, 0, [f"Engineer number {n}", str(n), *where])
        sheet.write_number(n, 9, 47_484 + n % 28, day)
        sheet.write_string(n, 10, f"A short description of job {n}, with words that differ and some that do not. " * 2)
        sheet.write_string(n, 11, f"https://jobs.example.org/{n}")
    book.close()


def read(path: Path) -> tuple[float, float]:
    """Seconds of CPU, and the most megabytes of memory, that reading takes."""
    command = [sys.executable, "-m", "guildhouse.kernel.importing.converting", str(path), path.name]
    process = subprocess.Popen([*command, '{"said": {}, "shapes": []}'], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, status
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Make both workbooks, and read them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="guildhouse-bench-") as place:
        for apart in (False, True):
            path, start = Path(place) / "many.xlsx", time.perf_counter()
            # In a process of its own: the memory of who starts another one counts as the other's.
            maker = get_context("fork").Process(target=make, args=(path, rows), kwargs={"apart": apart})
            maker.start()
            maker.join()
            print(f"texts {'apart' if apart else 'in the rows'}: made in {time.perf_counter() - start:.0f} s, "
                  f"{path.stat().st_size / 1e6:.0f} MB", flush=True)  # fmt: skip
            seconds, memory = read(path)
            print(f"  read in {seconds:.1f} s of CPU with {memory:.0f} MB (aim {AIM})", flush=True)


if __name__ == "__main__":
    main()
