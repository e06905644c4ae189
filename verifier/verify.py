"""Is this evidence whole, and does it follow from what was trusted before? The checks in order, and the verdict."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sealed.keys import SealingKey
from verifier import bundle
from verifier.archive import Archive, NotAnArchive
from verifier.blobs import Blobs
from verifier.bundle import Manifest
from verifier.ledger import CHECKS as LEDGER_CHECKS
from verifier.ledger import Ledger, walk
from verifier.log import read_log
from verifier.recompute import CHECKS as RECOMPUTE_CHECKS
from verifier.recompute import recompute
from verifier.recorded import Recorded
from verifier.report import Broken, CannotDecide, Check, Place, Report, Status, Stop, Tally, Verdict
from verifier.trust import Pin, Trust

AFTER_PIN = "after the pin"
BUNDLE_CHECKS = ("archive", "manifest", "files", "exporter")
CONTENT_CHECKS = ("records", "counts")
TRUST_CHECKS = ("genesis", "pin", AFTER_PIN)
EMBEDDED = "embedded"
MEANING = {
    "archive": "one zip that can be read in one way",
    "manifest": "lists what is inside, and nothing else is",
    "files": "are those that the manifest lists",
    "exporter": "signed by a key that you named",
    "blocks": "decode, in their one encoding",
    "chain": "each follows the one before, and holds the transactions it names",
    "ledger signature": "by the key of block 0",
    "transactions": "for this ledger, none twice",
    "certificates": "of block 0's organisations, valid when it was signed",
    "signatures": "by the creators' keys",
    "reads": "what was written last",
    "rules": "replayed: the same states, byte for byte",
    "events": "announce what was written",
    "genesis": "the ledger that you named",
    "pin": "the head noted down earlier is on this chain",
    "records": "copies say what the blocks say",
    "counts": "of records, as in the blocks",
    "blobs": "are the anchored ones",
    "versions": "open to the weights recorded",
    "recompute": "aggregated again from their updates, bit for bit",
}


def verify_bundle(path: Path, trust: Trust, keys: Sequence[SealingKey]) -> Report:
    tally = Tally((*BUNDLE_CHECKS, *LEDGER_CHECKS, *TRUST_CHECKS, *CONTENT_CHECKS, *RECOMPUTE_CHECKS))
    subject: dict[str, str | int] = {"evidence": str(path)}
    try:
        with Archive(path) as archive, suppress(Stop):
            examine_bundle(archive, trust, keys, tally, subject)
    except NotAnArchive as error:
        raise CannotDecide(str(error)) from error
    return conclude(tally, subject)


def verify_log(path: Path, trust: Trust) -> Report:
    tally = Tally((*LEDGER_CHECKS, *TRUST_CHECKS))
    subject: dict[str, str | int] = {"evidence": str(path)}
    if not path.is_file():
        raise CannotDecide(f"{path} is no file")
    with suppress(Stop), tally.stage(*LEDGER_CHECKS, *TRUST_CHECKS):
        ledger = walk(read_log(path), tally)
        describe_ledger(ledger, subject)
        check_trust(ledger, trust, tally)
    return conclude(tally, subject)


def examine_bundle(
    archive: Archive, trust: Trust, keys: Sequence[SealingKey], tally: Tally, subject: dict[str, str | int]
) -> None:
    with tally.stage(*BUNDLE_CHECKS):
        manifest = examine_files(archive, trust, tally)
    subject["model"] = manifest.text("model")
    recorded = Recorded(manifest.text("model"))
    with tally.stage(*LEDGER_CHECKS):
        ledger = walk(bundle.blocks(archive, manifest), tally, recorded.visit)
        describe_ledger(ledger, subject)
    with tally.stage(*TRUST_CHECKS):
        tally.run("genesis", Place(file=bundle.MANIFEST), check_claims, manifest, ledger)
        check_trust(ledger, trust, tally)
    with tally.stage(*CONTENT_CHECKS):
        check_records(archive, manifest, recorded, tally)
    with tally.stage(*RECOMPUTE_CHECKS):
        recompute(Blobs(archive, ledger, keys), manifest.text("model"), tally)


def examine_files(archive: Archive, trust: Trust, tally: Tally) -> Manifest:
    tally.run("archive", Place(file=archive.path.name), archive.check_form)
    manifest = tally.run("manifest", Place(file=bundle.MANIFEST), bundle.read_manifest, archive)
    if manifest.text("kind") != EMBEDDED:
        raise CannotDecide(f"no verifier for ledgers of kind {manifest.text('kind')!r}")
    tally.run("manifest", Place(file=bundle.MANIFEST), bundle.check_listed, archive, manifest)
    for file in manifest.files:
        tally.run("files", Place(file=file.name), bundle.check_file, archive, file)
    exporter = tally.run("exporter", Place(file=bundle.ENVELOPE), bundle.exporter_of, archive, manifest)
    if exporter not in trust.exporters:
        tally.skip("exporter", f"self-declared: signed by {exporter}, which no --trust exporter:KEY names")
    return manifest


def describe_ledger(ledger: Ledger, subject: dict[str, str | int]) -> None:
    subject |= {
        "ledger": ledger.configuration.kind,
        "genesis": ledger.genesis,
        "blocks": len(ledger.hashes),
        "transactions": len(ledger.txids),
        "head": ledger.head.hash.hex(),
    }


def check_claims(manifest: Manifest, ledger: Ledger) -> None:
    claimed = (manifest.text("kind"), manifest.text("genesis"), manifest.last, manifest.text("head"))
    found = (ledger.configuration.kind, ledger.genesis, ledger.head.number, ledger.head.hash.hex())
    if claimed != found:
        raise Broken("describes another chain than the blocks")
    if ledger.state.get(f"model/{manifest.text('model')}") is None:
        raise Broken(f"model {manifest.text('model')} is not on this ledger")


def check_trust(ledger: Ledger, trust: Trust, tally: Tally) -> None:
    for genesis in sorted(trust.genesis):
        tally.run("genesis", Place(block=0), check_genesis, ledger, genesis)
    if not trust.genesis:
        tally.skip("genesis", "no --trust: this may be the evidence of another ledger")
    within = [pin for pin in trust.pins if pin.block <= ledger.head.number]
    for pin in within:
        tally.run("pin", Place(block=pin.block), check_pin, ledger, pin)
    if len(within) < len(trust.pins):
        latest = max(pin.block for pin in trust.pins)
        tally.cannot("pin", f"the head pinned is block {latest}; the evidence ends before it, at {ledger.head.number}")
    if not trust.pins:
        tally.skip("pin", "no head pinned: whoever runs the ledger could have written all of it anew")
    check_covered(ledger, max((pin.block for pin in within), default=0), tally)


def check_genesis(ledger: Ledger, genesis: str) -> None:
    if ledger.genesis != genesis:
        raise Broken(f"this is ledger {ledger.genesis}, not {genesis}")


def check_pin(ledger: Ledger, pin: Pin) -> None:
    if ledger.hashes[pin.block].hex() != pin.hash:
        raise Broken("is another block than the one pinned: history was rewritten")


def check_covered(ledger: Ledger, pinned: int, tally: Tally) -> None:
    """A pin vouches for what came before it. What came after could still be written anew by who holds the keys."""
    later = ledger.head.number - pinned
    if later and pinned:
        tally.skip(AFTER_PIN, f"blocks {pinned + 1} to {ledger.head.number} are consistent, and pinned by nobody")
    elif pinned:
        tally.hold(AFTER_PIN)
        tally.describe(AFTER_PIN, "the pinned block is the newest one")
    else:
        tally.skip(AFTER_PIN, "no head pinned")


def check_records(archive: Archive, manifest: Manifest, recorded: Recorded, tally: Tally) -> None:
    tally.attempt("records", Place(file="records/"), recorded.check_copies, archive)
    for name in sorted(recorded.copies):
        tally.run("records", Place(file=name), recorded.check_copy, archive, name)
    tally.run("counts", Place(file=bundle.MANIFEST), check_counts, manifest, recorded)
    tally.hold("counts", recorded.counts.total() - 1)


def check_counts(manifest: Manifest, recorded: Recorded) -> None:
    if manifest.counts != dict(recorded.counts):
        wrong = min(schema for schema, _ in manifest.counts.items() ^ recorded.counts.items())
        claimed, found = manifest.counts.get(wrong, 0), recorded.counts[wrong]
        raise Broken(f"counts {claimed} records of {wrong}, the blocks hold {found}")


def conclude(tally: Tally, subject: dict[str, str | int]) -> Report:
    tally.details = {**MEANING, **tally.details}
    checks = tally.checks()
    verdict = verdict_of(checks, tally)
    return Report(subject, checks, verdict, sentence_of(verdict, checks))


def verdict_of(checks: Sequence[Check], tally: Tally) -> Verdict:
    status = {check.name: check.status for check in checks}
    if Status.FAIL in status.values():
        return Verdict.BROKEN
    required = [name for name in (*LEDGER_CHECKS, *CONTENT_CHECKS) if name in status]
    if tally.undecided or any(status[name] != Status.PASS for name in required):
        return Verdict.UNDECIDED
    return Verdict.VERIFIED if status["pin"] == Status.PASS else Verdict.CONSISTENT


def sentence_of(verdict: Verdict, checks: Sequence[Check]) -> str:
    passed = sum(check.status == Status.PASS for check in checks)
    unchecked = [check.name for check in checks if check.status == Status.NOT_CHECKED]
    rest = f"; NOT CHECKED: {', '.join(unchecked)}" if unchecked else ""
    match verdict:
        case Verdict.VERIFIED:
            how_far = " up to the pinned block" if AFTER_PIN in unchecked else ""
            return f"VERIFIED{how_far}: {passed} checks passed{rest}."
        case Verdict.CONSISTENT:
            return f"INTERNALLY CONSISTENT only: {passed} checks passed, but no head was pinned outside of it{rest}."
        case Verdict.UNDECIDED:
            return f"CANNOT DECIDE: {passed} checks passed{rest}."
        case Verdict.BROKEN:
            return f"BROKEN: {first_broken(checks)}."


def first_broken(checks: Sequence[Check]) -> str:
    broken = [check for check in checks if check.status == Status.FAIL]
    first = min(broken, key=lambda check: position_of(check.place))
    return f"{first.name}: {first.place}: {first.detail}"


def position_of(place: Place | None) -> tuple[int, int]:
    """Where the ledger first goes wrong comes first; a file of the bundle before all of it."""
    if place is None or place.block is None:
        return (-1, -1)
    return (place.block, -1 if place.tx is None else place.tx)
