"""Write the vectors: `python -m golden`. The same bytes come out every time."""

import json
from collections.abc import Callable
from pathlib import Path

from golden import aggregate, blobs, judge, records, refused, signatures

FOLDER = Path(__file__).parent
VECTORS: dict[str, Callable[[], dict[str, object]]] = {
    "records.json": records.vectors,
    "refused.json": refused.vectors,
    "signatures.json": signatures.vectors,
    "judge.json": judge.vectors,
    "aggregate.json": aggregate.vectors,
    "sealed.json": blobs.vectors,
}


def rendered(name: str) -> bytes:
    return (json.dumps(VECTORS[name](), indent=1, sort_keys=True) + "\n").encode("ascii")


def main() -> None:
    for name in VECTORS:
        (FOLDER / name).write_bytes(rendered(name))


if __name__ == "__main__":
    main()
