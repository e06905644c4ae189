"""run_go.py ARGUMENTS: runs the PATH's Go where it is new enough for go.mod, else one that pip installs into .venv."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from environment import ROOT, Environment, digest, locked, run, say

AGAIN = "make setup-light"

Version = tuple[int, ...]


def version(text: str, pattern: str) -> Version:
    found = re.search(pattern, text, re.MULTILINE)
    return tuple(int(number) for number in found[1].split(".")) if found else ()


def version_asked(go_mod: str) -> Version:
    return version(go_mod, r"^go (\d+(?:\.\d+)*)")


def version_said(go_version: str) -> Version:
    return version(go_version, r"\bgo(\d+(?:\.\d+)*)")


def local_toolchain() -> dict[str, str]:
    """Go would otherwise fetch another version of itself, and ask git about a folder that may be no checkout."""
    flags = f"{os.environ.get('GOFLAGS', '')} -buildvcs=false".strip()
    return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": flags}


def new_enough(go: str) -> bool:
    said = subprocess.run([go, "version"], capture_output=True, text=True, env=local_toolchain(), check=False).stdout
    return version_said(said) >= version_asked((ROOT / "go.mod").read_text())


def installed_go() -> Path:
    environment = Environment(ROOT / ".venv", AGAIN)
    wanted = digest(locked("go"))
    if environment.stamp("go") != wanted:
        with environment.alone() as installer:
            say("installing Go into .venv: the PATH has none that is new enough (75 MB download, 270 MB installed)")
            installer.install_locked("go")
            environment.set_stamp("go", wanted)
    return environment.folder / "bin" / "go"


def main() -> None:
    on_path = shutil.which("go")
    go = on_path if on_path and new_enough(on_path) else str(installed_go())
    os.execve(go, [go, *sys.argv[1:]], local_toolchain())


if __name__ == "__main__":
    run(main, AGAIN)
