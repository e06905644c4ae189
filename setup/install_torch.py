"""Brings torch and torchvision into .venv. Does nothing when they are there; safe to stop and to run again.

By default they come as requirements/torch.txt pins them. TORCH_INDEX names an index that serves CPU-only builds of the
same versions. CUSTODY_TORCH names a Python that has torch already: nothing is downloaded then.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from environment import ROOT, Environment, Installer, Refused, digest, locked, run, say

AGAIN = "make setup"

ONLY_FOR_GPUS = re.compile(r"nvidia-|cuda-|triton\b")
FROM_TORCH_INDEX = re.compile(r"(torch|torchvision)==[^\s;]+")

WHERE_TORCH_IS = """
import json, sys
facts = {"version": ".".join(map(str, sys.version_info[:2]))}
if facts["version"] == "%s":
    import torch, torchvision, pathlib
    facts["folders"] = sorted({str(pathlib.Path(m.__file__).parent.parent) for m in (torch, torchvision)})
print(json.dumps(facts))
"""

# Worth trying rather than asking for versions: torch imports, and shares memory with the numpy that is installed.
TRY_TORCH = "import torch, torchvision; torch.ones(1).numpy(); print(torch.__version__)"

TRY_FAILED = """\
torch is in place, but does not work beside this numpy (its own words are above).
Run `make distclean`, then `{again}` again; with another CUSTODY_TORCH, if you named one."""

NO_MUSL = """\
torch is not published for this C library (musl, as on Alpine). Where a Python of yours has torch, use that one:
  CUSTODY_TORCH=/path/to/python make setup"""


def requirement_blocks(text: str) -> Iterator[str]:
    """Each requirement with the lines of its hashes."""
    return (block for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if block)


def split_for_cpu(text: str) -> tuple[list[str], str]:
    """What to ask of the CPU-only index, by version; and the rest, hashes and all, less what only GPUs need."""
    blocks = list(requirement_blocks(text))
    pinned = [found[0] for block in blocks if (found := FROM_TORCH_INDEX.match(block))]
    rest = [block for block in blocks if not FROM_TORCH_INDEX.match(block) and not ONLY_FOR_GPUS.match(block)]
    return pinned, "".join(rest)


def link_file(environment: Environment) -> Path:
    return Path(environment.ask("import sysconfig; print(sysconfig.get_path('purelib'))")) / "custody-torch.pth"


def install_pinned(environment: Environment, installer: Installer) -> None:
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        raise Refused(NO_MUSL)
    say("installing torch and what it needs: 3.0 GB download, 5.3 GB installed, 2 to 4 minutes on a fast line")
    say("  TORCH_INDEX=url takes a smaller CPU-only build from there; CUSTODY_TORCH=/path/to/python uses one you have")
    link_file(environment).unlink(missing_ok=True)
    installer.install_locked("torch")


def install_from_index(environment: Environment, installer: Installer, index: str) -> None:
    say("installing torch from TORCH_INDEX: the pinned versions, but the hashes of torch.txt do not apply to its files")
    link_file(environment).unlink(missing_ok=True)
    pinned, rest = split_for_cpu(locked("torch").read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(rest)
        requirements.flush()
        installer.install("--require-hashes", "-r", requirements.name)
    installer.install("--no-deps", "--index-url", index, *pinned)


def link_existing(environment: Environment, python: str) -> None:
    link = link_file(environment)
    if (link.parent / "torch").exists():
        raise Refused(f"{environment.folder} has its own torch: unset CUSTODY_TORCH, or run `make distclean` first.")
    folders = folders_with_torch(python, environment.ask("import sys; print('{}.{}'.format(*sys.version_info))"))
    link.write_text("".join(f"{folder}\n" for folder in folders))
    say(f"using the torch of {python}")


def folders_with_torch(python: str, version: str) -> list[str]:
    try:
        asked = subprocess.run([python, "-c", WHERE_TORCH_IS % version], capture_output=True, text=True, check=False)
    except OSError as error:
        raise Refused(f"CUSTODY_TORCH={python} cannot be run: {error.strerror}") from error
    if asked.returncode:
        reason = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Refused(f"CUSTODY_TORCH={python} does not import torch and torchvision: {reason}")
    facts = json.loads(asked.stdout)
    if facts["version"] != version:
        raise Refused(f"CUSTODY_TORCH={python} is Python {facts['version']}; it must be {version}, as .venv has.")
    return list(facts["folders"])


def try_torch(environment: Environment) -> str:
    try:
        return environment.ask(TRY_TORCH)
    except subprocess.CalledProcessError as error:
        raise Refused(TRY_FAILED.format(again=AGAIN)) from error


def source_asked() -> str | None:
    """The source somebody named; None accepts whichever was used before."""
    if python := os.environ.get("CUSTODY_TORCH"):
        return f"python {python}"
    if index := os.environ.get("TORCH_INDEX"):
        return f"index {index}"
    return None


def up_to_date(stamp: str | None, pins: str, source: str | None) -> bool:
    installed_pins, _, installed_source = (stamp or "").partition("\n")
    return installed_pins == pins and source in {None, installed_source}


def main() -> None:
    parser = ArgumentParser(prog="install_torch.py", description=__doc__)
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="the environment to install into")
    environment = Environment(parser.parse_args().venv.absolute(), AGAIN)
    pins, source = digest(locked("torch")), source_asked()
    if up_to_date(environment.stamp("torch"), pins, source):
        return
    with environment.alone() as installer:
        if up_to_date(environment.stamp("torch"), pins, source):
            return
        match (source or "pinned").split(maxsplit=1):
            case ["python", python]:
                link_existing(environment, python)
            case ["index", index]:
                install_from_index(environment, installer, index)
            case _:
                install_pinned(environment, installer)
        say("  trying it")
        version = try_torch(environment)
        environment.set_stamp("torch", f"{pins}\n{source or 'pinned'}")
    say(f"ready: torch {version}")


if __name__ == "__main__":
    run(main, AGAIN)
