"""What the contract in Go wrote is, byte for byte, what the rules restated here would have written."""

from collections import Counter
from pathlib import Path

import pytest

from tests.verifier.packing import pack_of
from tests.verifier.real import RealLedger
from tests.verifier.story import Story, a_long_life
from verifier.__main__ import main
from verifier.blocks import decode_block, decode_transaction
from verifier.log import read_log
from verifier.report import Verdict
from verifier.rules.functions import FUNCTIONS


@pytest.fixture(scope="module")
def lived(real_ledger: RealLedger) -> Story:
    story = Story(real_ledger)
    a_long_life(story)
    return story


def blocks_of(ledger: RealLedger) -> list[bytes]:
    return [raw for _, raw in read_log(ledger.log)]


def test_a_long_life_on_the_real_ledger_is_verified(
    lived: Story, real_ledger: RealLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin = tmp_path / "pin.json"
    assert main(["--log", str(real_ledger.log)]) == Verdict.CONSISTENT
    chain = real_ledger.doors["reader"].chain()
    pin.write_text(
        f'{{"block":{chain.height},"genesis":"{chain.genesis}","hash":"{chain.head}","kind":"{chain.kind}","schema":"pin.1"}}'
    )
    assert main(["--log", str(real_ledger.log), "--trust", str(pin)]) == Verdict.VERIFIED
    lived.auditor.save(tmp_path / "auditor.pem")
    bundle = pack_of(lived, blocks_of(real_ledger)).write(tmp_path / "bundle.zip")
    assert main([str(bundle), "--trust", str(pin), "--keys", str(tmp_path / "auditor.pem")]) == Verdict.VERIFIED
    assert "its erasure is recorded" in capsys.readouterr().out


def test_a_long_life_calls_every_function_there_is(lived: Story, real_ledger: RealLedger) -> None:
    assert lived.versions
    called = Counter(
        decode_transaction(tx).proposal.function
        for raw in blocks_of(real_ledger)[1:]
        for tx in decode_block(raw).transactions
    )
    assert set(called) == set(FUNCTIONS)


def test_blocks_of_the_log_are_those_of_the_door(lived: Story, real_ledger: RealLedger) -> None:
    assert lived.versions
    for number, raw in enumerate(blocks_of(real_ledger)):
        assert real_ledger.doors["reader"].block(number) == raw
