"""Names: one meaning each, found within 30 seconds."""

import inspect
from collections import Counter
from pathlib import Path

from guildhouse.app import HOUSE, KERNEL
from tests.house.source import files, texts


def test_file_names_are_unique_in_the_package() -> None:
    counted = Counter(path.name for path in files() if not path.name.startswith("__"))
    assert [name for name, n in counted.items() if n > 1] == []


def test_a_noun_has_one_name_for_its_table_its_address_and_its_file() -> None:
    for resource in HOUSE.resources.values():
        # A file whose noun Python keeps for itself ends in an underscore: `import_.py`.
        assert Path(inspect.getfile(resource.table)).stem.rstrip("_") == resource.singular
        assert resource.path.replace("-", "_") == resource.name


def test_the_kernel_names_no_resource_of_a_domain() -> None:
    nouns = set(HOUSE.resources) - {each.name for each in KERNEL.resources}
    found = [f"{path.name}:{line}" for path in files("kernel") for line, text in texts(path) if text in nouns]
    assert found == []


def test_domains_are_manifests_without_logic() -> None:
    for path in files():
        if path.name == "__init__.py" and path.parent.name in {domain.name for domain in HOUSE.domains[1:]}:
            text = path.read_text(encoding="utf-8")
            assert "def " not in text, path
            assert "Owns" in text and "not own" in text, path
