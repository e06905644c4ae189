"""The committed vectors are what the code makes of them today."""

import pytest

from golden.__main__ import FOLDER, VECTORS, rendered


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_come_out_as_committed(name: str) -> None:
    assert rendered(name) == (FOLDER / name).read_bytes()


def test_every_vector_file_has_a_writer() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(VECTORS)
