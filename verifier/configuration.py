"""Block 0: whose ledger this is. Its hash, the genesis hash, is what every signature after it is bound to."""

from dataclasses import dataclass

from sealed.records import RecordError, number_at, parse, records_at, text_at
from verifier.blocks import Block
from verifier.certificates import Organisations

FIELDS = {"created_at", "kind", "ledger_key", "organisations", "rules", "schema"}
LIMIT = 1024 * 1024


class BadConfiguration(ValueError):
    """Block 0 does not say whose ledger this is."""


@dataclass(frozen=True)
class Configuration:
    genesis: bytes
    kind: str
    ledger_key: bytes
    organisations: Organisations
    rules: int


def configuration_of(block: Block) -> Configuration:
    if block.number != 0 or any(block.previous) or len(block.transactions) != 1:
        raise BadConfiguration("block 0 holds the configuration alone and follows nothing")
    try:
        return read_configuration(block.transactions[0], block.hash)
    except RecordError as error:
        raise BadConfiguration(str(error)) from error


def read_configuration(raw: bytes, genesis: bytes) -> Configuration:
    record = parse(raw, limit=LIMIT)
    if record.keys() != FIELDS or text_at(record, "schema") != "ledger.1":
        raise BadConfiguration("not a configuration of schema ledger.1")
    number_at(record, "created_at")
    authorities = [(text_at(item, "msp"), unhex(text_at(item, "ca"))) for item in records_at(record, "organisations")]
    if not authorities or len(dict(authorities)) != len(authorities):
        raise BadConfiguration("no organisations, or one twice")
    return Configuration(
        genesis=genesis,
        kind=text_at(record, "kind"),
        ledger_key=unhex(text_at(record, "ledger_key")),
        organisations=Organisations(dict(authorities)),
        rules=number_at(record, "rules"),
    )


def unhex(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError as error:
        raise BadConfiguration("not hex") from error
    if raw.hex() != text:
        raise BadConfiguration("not lower-case hex")
    return raw
