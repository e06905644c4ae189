"""Addresses: the CIDs that kubo gives, computed here."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given
from hypothesis import strategies as st

from sealed import cid
from sealed.cid import LEAF, Address, AddressMismatch, CidHasher, address_of, check_address, cid_of
from tests.campaigns import Campaign

# Published by kubo for the profile unixfs-v1-2025 (test/cli/cid_profiles_test.go): so many bytes of ChaCha20 keystream
# under the SHA-256 of the seed.
ONE_LEAF = ("chunk-v1-seed", LEAF, "bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta")
TWO_LEAVES = ("chunk-v1-seed", LEAF + 1, "bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64")
ONE_NODE = ("v1-2025-seed", 1024 * LEAF, "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm")
TWO_LEVELS = ("v1-2025-seed", 1024 * LEAF + 1, "bafybeibdsi225ugbkmpbdohnxioyab6jsqrmkts3twhpvfnzp77xtzpyhe")
SIZES = [0, 1, LEAF - 1, LEAF, LEAF + 1, 2 * LEAF, 2 * LEAF + 5]


def address_of_keystream(seed: str, size: int) -> Address:
    hasher = CidHasher()
    key = hashlib.sha256(seed.encode()).digest()
    keystream = Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor()
    for start in range(0, size, LEAF):
        hasher.update(keystream.update(bytes(min(LEAF, size - start))))
    return hasher.address()


def test_a_text_has_the_cid_that_kubo_gives_it() -> None:
    assert cid_of(b"hello world") == "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"


@pytest.mark.parametrize(("seed", "size", "expected"), [ONE_LEAF, TWO_LEAVES])
def test_files_have_the_cids_that_kubo_gives_them(seed: str, size: int, expected: str) -> None:
    assert address_of_keystream(seed, size)["cid"] == expected


@pytest.mark.timeout(1800)
def test_large_files_have_the_cids_that_kubo_gives_them(campaign: Campaign) -> None:
    vectors = [ONE_NODE, TWO_LEVELS]
    for seed, size, expected in vectors[: campaign("gigabyte CIDs", sampled=0, full=len(vectors))]:
        assert address_of_keystream(seed, size)["cid"] == expected


@pytest.mark.parametrize("size", SIZES)
def test_every_way_to_an_address_gives_the_same(size: int, tmp_path: Path) -> None:
    data = hashlib.shake_128(b"data").digest(size)
    (tmp_path / "blob").write_bytes(data)
    hasher = CidHasher()
    for start in range(0, size, 333_333):
        hasher.update(data[start : start + 333_333])
    whole = address_of(data)
    assert hasher.address() == whole == cid.address_of_file(tmp_path / "blob")
    assert whole == {"cid": cid_of(data), "sha256": hashlib.sha256(data).hexdigest(), "size": size}
    check_address(data, whole)
    cid.check_file_address(tmp_path / "blob", whole)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_pieces_do_not_matter(pieces: list[bytes]) -> None:
    hasher = CidHasher()
    for piece in pieces:
        hasher.update(piece)
    assert hasher.address() == address_of(b"".join(pieces))


@pytest.mark.parametrize("part", ["cid", "sha256", "size"])
def test_another_address_is_refused(part: str, tmp_path: Path) -> None:
    data = b"hello world"
    expected = {**address_of(data), part: address_of(b"something else")[part]}  # type: ignore[literal-required]
    (tmp_path / "blob").write_bytes(data)
    with pytest.raises(AddressMismatch, match=part):
        check_address(data, expected)
    with pytest.raises(AddressMismatch, match=part):
        cid.check_file_address(tmp_path / "blob", expected)


def test_an_address_without_its_parts_fits_nothing() -> None:
    with pytest.raises(AddressMismatch):
        check_address(b"", {})
    with pytest.raises(AddressMismatch):
        check_address(b"", {"size": 0})


def test_a_single_leaf_has_its_sha256_inside_its_cid() -> None:
    """Two anchors of a small blob check each other."""
    import base64

    address = address_of(b"x" * LEAF)
    decoded = base64.b32decode(address["cid"][1:].upper() + "=" * (-len(address["cid"][1:]) % 8))
    assert decoded[4:].hex() == address["sha256"]
