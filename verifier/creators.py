"""Who signed a transaction: Fabric's SerializedIdentity {1: MSP id, 2: certificate PEM}, in its shortest encoding."""

from dataclasses import dataclass

from verifier.fields import Malformed, Truncated

MSP_TAG, CERTIFICATE_TAG = 0x0A, 0x12


class BadCreator(Malformed):
    """Not a SerializedIdentity, or one that could be written shorter."""


@dataclass(frozen=True, slots=True)
class Creator:
    msp: str
    certificate: bytes  # PEM

    def encode(self) -> bytes:
        return _field(MSP_TAG, self.msp.encode()) + _field(CERTIFICATE_TAG, self.certificate)


def decode_creator(raw: bytes) -> Creator:
    msp, at = _take(raw, 0, MSP_TAG)
    certificate, at = _take(raw, at, CERTIFICATE_TAG)
    if at != len(raw):
        raise BadCreator(f"{len(raw) - at} bytes after the certificate")
    if not msp.isascii() or not certificate.isascii():
        raise BadCreator("not ASCII")
    creator = Creator(msp.decode(), certificate)
    if creator.encode() != raw:
        raise BadCreator("a length could be written shorter")
    return creator


def _take(raw: bytes, at: int, tag: int) -> tuple[bytes, int]:
    if at >= len(raw):
        raise Truncated("creator is cut off")
    if raw[at] != tag:
        raise BadCreator(f"tag {raw[at]:#04x}, not {tag:#04x}")
    size, start = _read_varint(raw, at + 1)
    if start + size > len(raw):
        raise Truncated("creator is cut off")
    return raw[start : start + size], start + size


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(raw[at : at + 5]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise BadCreator("a length without an end")


def _field(tag: int, value: bytes) -> bytes:
    return bytes((tag,)) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes((low,)) if not rest else bytes((low | 0x80,)) + _varint(rest)
