"""custody verify: check an evidence bundle, or a ledger's own log, with the network cable out."""

import argparse
import sys
from collections.abc import Sequence
from os import environ
from pathlib import Path

from sealed.keys import KeyFileError, SealingKey
from verifier.report import CannotDecide, Report, Verdict
from verifier.trust import TrustError, parse_trust
from verifier.verify import verify_bundle, verify_log

EPILOG = """exit codes: 0 verified, 1 broken (the first broken thing is named), 2 cannot decide,
3 internally consistent only (no head pinned outside of the evidence). What each proves: docs/verify.md"""


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser("custody verify", description=__doc__, epilog=EPILOG)
    what = found.add_mutually_exclusive_group(required=True)
    what.add_argument("bundle", nargs="?", type=Path, metavar="BUNDLE.zip")
    what.add_argument("--log", type=Path, metavar="blocks.log", help="an embedded ledger's own file, not a bundle")
    found.add_argument("--keys", nargs="+", default=[], type=Path, metavar="FILE",
                       help="X25519 keys that open blobs: versions are recomputed from their updates")  # fmt: skip
    found.add_argument("--trust", action="append", default=[], metavar="PIN|genesis:HASH|exporter:KEY",
                       help="what you know from elsewhere; a pin is made by `custody export --pin FILE`")  # fmt: skip
    found.add_argument("--json", action="store_true", help="print the report as JSON")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    options = parser().parse_args(argv)
    try:
        report = verify(options)
    except (CannotDecide, TrustError, KeyFileError, OSError) as error:
        print(f"custody verify: {error}", file=sys.stderr)
        return Verdict.UNDECIDED
    print(report.json() if options.json else report.text())
    return report.verdict


def verify(options: argparse.Namespace) -> Report:
    trust = parse_trust(options.trust)
    keys = [load_key(file) for file in options.keys]
    if options.log:
        return verify_log(options.log, trust)
    return verify_bundle(options.bundle, trust, keys)


def load_key(file: Path) -> SealingKey:
    return SealingKey.load(file, environ.get("CUSTODY_PASSPHRASE"))


if __name__ == "__main__":
    sys.exit(main())
