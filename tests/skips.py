"""In CI a skipped test is a failed one, unless its reason names something that CI cannot have."""

import os

from tests.campaigns import RAN_IN_FULL

NOT_PART_OF_CI = (
    RAN_IN_FULL,
    "needs Fabric's binaries",
    "needs kubo",
    "needs an accelerator",
)


def refused(reason: str) -> bool:
    return os.environ.get("CI") == "true" and not any(allowed in reason for allowed in NOT_PART_OF_CI)
