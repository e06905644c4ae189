"""What sealing makes: the bytes to store, where they will be found, and the key to wrap for those who may open them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sealed import fldiff
from sealed.cid import Address, address_of
from sealed.fldiff import Place
from sealed.keys import Wrap, wrap_key
from sealed.records import Record


@dataclass(frozen=True, slots=True)
class SealedBlob:
    blob: bytes = field(repr=False)
    address: Address
    codec: str
    key: bytes = field(repr=False)
    dek: str

    @property
    def record(self) -> Record:
        """The `blob` of a manifest or of a version record."""
        return {
            "cid": self.address["cid"],
            "codec": self.codec,
            "sha256": self.address["sha256"],
            "size": len(self.blob),
        }

    def wraps_for(self, publics: Iterable[str]) -> list[Wrap]:
        return [wrap_key(self.key, public, self.dek, self.address["sha256"]) for public in publics]


def seal_plaintext(plaintext: bytes, place: Place) -> SealedBlob:
    """Under a key of its own, which nothing but its wraps will remember."""
    key, dek = fldiff.new_key(), fldiff.new_dek()
    blob = fldiff.seal(plaintext, {**place, "dek": dek}, key)
    return SealedBlob(blob, address_of(blob), place["codec"], key, dek)
