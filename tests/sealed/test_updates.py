"""Updates: sealed by a site, opened by who holds a wrap, in the round that they were made for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealed.aggregate import UnusableUpdate
from sealed.blobs import SealedBlob, seal_plaintext
from sealed.cid import AddressMismatch
from sealed.codec import CodecError, encode_update
from sealed.fldiff import ContextMismatch
from sealed.keys import NoWrap, WrongKey
from sealed.manifest import ManifestError, build_manifest, sign_manifest, verify_manifest
from sealed.records import Record, RecordError, encode, parse
from sealed.tensors import Tensors
from sealed.updates import Received, check_update, open_update, open_updates, place_of_update, seal_update
from tests.sealed.models import GENESIS, PLACE, RECIPIENT, ROUND, SIGNER, STRANGER, moved, small

BASE = small()
CODECS = ["bf16.1", "int8.1", "xor.1"]


def sealed_of(participant: str = "a", codec: str = "bf16.1") -> SealedBlob:
    return seal_update(moved(BASE, 1), BASE, ROUND, participant, GENESIS, codec)


def manifest_of(sealed: SealedBlob, participant: str = "a") -> bytes:
    return build_manifest(ROUND, participant, 120, sealed.record, "5" * 64, {"accuracy_bp": 9000})


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("in_file", [False, True])
def test_an_update_is_opened_by_its_recipient(codec: str, in_file: bool, tmp_path: Path) -> None:
    sealed = sealed_of(codec=codec)
    (tmp_path / "blob").write_bytes(sealed.blob)
    blob = tmp_path / "blob" if in_file else sealed.blob
    manifest = parse(manifest_of(sealed))
    update = open_update(blob, manifest, sealed.wraps_for([RECIPIENT.public]), RECIPIENT, GENESIS, BASE)
    assert (update.participant, update.examples) == ("a", 120)
    check_update(update)
    exact = moved(BASE, 1)["fc.weight"] - BASE["fc.weight"]
    np.testing.assert_allclose(update.differences["fc.weight"], exact, atol=2e-5)
    assert place_of_update(manifest, GENESIS) == {**PLACE, "codec": codec}


def test_a_round_is_opened_side_by_side() -> None:
    names = [f"site-{n}" for n in range(9)]
    blobs = [sealed_of(name) for name in names]
    received = [
        Received(sealed.blob, parse(manifest_of(sealed, name)), sealed.wraps_for([STRANGER.public, RECIPIENT.public]))
        for name, sealed in zip(names, blobs, strict=True)
    ]
    assert [one.participant for one in open_updates(received, RECIPIENT, GENESIS, BASE)] == names


def test_an_update_does_not_open_elsewhere() -> None:
    sealed = sealed_of()
    wraps = sealed.wraps_for([RECIPIENT.public])
    manifest = parse(manifest_of(sealed))
    others: list[Record] = [
        {**manifest, "round": 4}, {**manifest, "base": "c" * 64}, {**manifest, "participant": "b"},
        {**manifest, "model": "n"}, {**manifest, "blob": {**sealed.record, "codec": "int8.1"}},
    ]  # fmt: skip
    for other in others:
        with pytest.raises(ContextMismatch):
            open_update(sealed.blob, other, wraps, RECIPIENT, GENESIS, BASE)
    with pytest.raises(ContextMismatch):
        open_update(sealed.blob, manifest, wraps, RECIPIENT, "8" * 64, BASE)


def test_a_version_does_not_pass_as_an_update() -> None:
    place: Any = {**PLACE, "kind": "version", "participant": ""}
    sealed = seal_plaintext(encode_update("bf16.1", moved(BASE, 1), BASE), place)
    with pytest.raises(ContextMismatch):
        open_update(
            sealed.blob, parse(manifest_of(sealed)), sealed.wraps_for([RECIPIENT.public]), RECIPIENT, GENESIS, BASE
        )


def test_another_sites_blob_is_refused_before_it_is_decrypted(tmp_path: Path) -> None:
    mine, other = sealed_of(), sealed_of("b")
    (tmp_path / "blob").write_bytes(other.blob)
    for blob in (other.blob, tmp_path / "blob", mine.blob[:-1], b""):
        with pytest.raises(AddressMismatch):
            open_update(blob, parse(manifest_of(mine)), [], RECIPIENT, GENESIS, BASE)


def test_who_holds_no_wrap_opens_nothing() -> None:
    sealed, other = sealed_of(), sealed_of("b")
    manifest = parse(manifest_of(sealed))
    with pytest.raises(NoWrap):
        open_update(sealed.blob, manifest, sealed.wraps_for([STRANGER.public]), RECIPIENT, GENESIS, BASE)
    with pytest.raises(WrongKey):
        open_update(sealed.blob, manifest, other.wraps_for([RECIPIENT.public]), RECIPIENT, GENESIS, BASE)


def test_an_update_of_another_base_is_refused_when_it_is_opened() -> None:
    sealed = sealed_of()
    grown: Tensors = {**BASE, "more": np.zeros(3, np.float32)}
    with pytest.raises(CodecError, match="more"):
        open_update(
            sealed.blob, parse(manifest_of(sealed)), sealed.wraps_for([RECIPIENT.public]), RECIPIENT, GENESIS, grown
        )


def test_an_update_that_would_not_aggregate_is_found_when_it_is_checked() -> None:
    """A lossless update may hold any weights; as a difference it is out of bounds."""
    far = {**BASE, "fc.weight": BASE["fc.weight"] + np.float32(2000)}
    sealed = seal_update(far, BASE, ROUND, "a", GENESIS, "xor.1")
    update = open_update(
        sealed.blob, parse(manifest_of(sealed)), sealed.wraps_for([RECIPIENT.public]), RECIPIENT, GENESIS, BASE
    )
    with pytest.raises(UnusableUpdate, match="a: ") as refused:
        check_update(update)
    assert refused.value.participant == "a"


def test_a_manifest_is_signed_by_its_participant_for_its_ledger() -> None:
    manifest = manifest_of(sealed_of())
    signature = sign_manifest(manifest, GENESIS, SIGNER)
    assert verify_manifest(manifest, signature, GENESIS, SIGNER.public) == parse(manifest)
    for wrong in (
        (manifest.replace(b"120", b"121"), signature, GENESIS, SIGNER.public),
        (manifest, signature, "8" * 64, SIGNER.public),
        (manifest, "00" * 64, GENESIS, SIGNER.public),
        (manifest, signature, GENESIS, "5" * 64),
        (manifest + b" ", signature, GENESIS, SIGNER.public),
        (encode({**parse(manifest), "schema": "ack.1"}), signature, GENESIS, SIGNER.public),
        (b"", signature, GENESIS, SIGNER.public),
    ):
        with pytest.raises(ManifestError):
            verify_manifest(*wrong)


def test_another_record_is_no_manifest() -> None:
    ack = encode({"schema": "ack.1", "model": "m", "seq": 1, "participant": "a", "weights": "a" * 64})
    with pytest.raises(ManifestError, match="no manifest"):
        verify_manifest(ack, sign_manifest(ack, GENESIS, SIGNER), GENESIS, SIGNER.public)


def test_a_manifest_that_no_ledger_takes_is_not_built() -> None:
    blob = sealed_of().record
    for examples, shard, reported in ((0, "5" * 64, {}), (1, "5", {}), (1, "5" * 64, {"accuracy": 0.9})):
        with pytest.raises(RecordError):
            build_manifest(ROUND, "a", examples, blob, shard, reported)  # type: ignore[arg-type]
