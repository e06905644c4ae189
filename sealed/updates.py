"""Updates: from trained weights to a sealed blob, and from a blob to differences that can be aggregated."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from sealed.aggregate import MOST_THREADS, Update
from sealed.blobs import SealedBlob, seal_plaintext
from sealed.cid import check_address, check_file_address
from sealed.codec import encode_update, read_update
from sealed.fldiff import Place, VerifiedBlob
from sealed.keys import SealingKey, Wrap, unwrap_key
from sealed.records import Record, number_at, record_at, text_at
from sealed.tensors import Tensors

DEFAULT_CODEC = "bf16.1"

__all__ = [
    "DEFAULT_CODEC", "Received", "Update", "check_update", "open_update", "open_updates", "place_of_update",
    "seal_update", "update_place",
]  # fmt: skip


class Received(NamedTuple):
    """What came of one participant: the blob (or where it lies), its manifest from the ledger, its wraps."""

    blob: bytes | Path
    manifest: Record
    wraps: Sequence[Wrap]


def seal_update(
    trained: Tensors, base: Tensors, round_record: Record, participant: str, genesis: str, codec: str = DEFAULT_CODEC
) -> SealedBlob:
    model, base_id = text_at(round_record, "model"), text_at(round_record, "base")
    place = update_place(model, number_at(round_record, "number"), base_id, participant, genesis, codec)
    return seal_plaintext(encode_update(codec, trained, base), place)


def update_place(model: str, number: int, base: str, participant: str, genesis: str, codec: str) -> Place:
    return {
        "base": base,
        "codec": codec,
        "genesis": genesis,
        "kind": "update",
        "model": model,
        "number": number,
        "participant": participant,
    }


def place_of_update(manifest: Record, genesis: str) -> Place:
    model, number, base = text_at(manifest, "model"), number_at(manifest, "round"), text_at(manifest, "base")
    return update_place(
        model, number, base, text_at(manifest, "participant"), genesis, text_at(manifest, "blob", "codec")
    )


def open_update(
    blob: bytes | Path, manifest: Record, wraps: Sequence[Wrap], key: SealingKey, genesis: str, base: Tensors
) -> Update:
    """Address first, then every segment, then the header. A blob in a file stays there, decoded where it is read."""
    anchored = record_at(manifest, "blob")
    if isinstance(blob, Path):
        check_file_address(blob, anchored)
    else:
        check_address(blob, anchored)
    sha256 = text_at(anchored, "sha256")
    verified = VerifiedBlob(blob, place_of_update(manifest, genesis), lambda dek: unwrap_key(wraps, key, dek, sha256))
    return Update(text_at(manifest, "participant"), number_at(manifest, "examples"), read_update(verified, base))


def open_updates(received: Sequence[Received], key: SealingKey, genesis: str, base: Tensors) -> list[Update]:
    """A round's updates side by side: most of the time goes into hashing, which lets go of the interpreter."""
    with ThreadPoolExecutor(MOST_THREADS) as pool:
        return list(pool.map(lambda one: open_update(one.blob, one.manifest, one.wraps, key, genesis, base), received))


def check_update(update: Update) -> None:
    """Decode everything once, so that what could not be aggregated is refused when it is handed in."""
    for name in update.differences:
        for _ in update.blocks(name):
            pass
