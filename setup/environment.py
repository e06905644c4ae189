"""The virtual environment that a checkout runs in, and the one way packages get into it."""

import fcntl
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent

NO_VENV = """\
{python} cannot make virtual environments. One command adds that:
  Debian, Ubuntu:  sudo apt-get install python{version}-venv
  Fedora:          sudo dnf install python3 python3-pip
  Alpine:          sudo apk add python3 py3-pip
Then run `{again}` again."""

PIP_FAILED = """\
pip could not finish; its own words are above. What it downloaded is kept where pip's cache is on.
When the network, or pip's own settings, are mended, run `{again}` again."""

LARGE_WHEEL = re.compile(r"\s*(?:Downloading|Using cached) (\S+?)-\d\S* \(([\d.]+ [MG]B)\)")


class Refused(Exception):
    """Setup cannot go on; the text says what to do."""


def say(text: str) -> None:
    print(text, flush=True)


def locked(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


class Environment:
    """`again` is the command that a person runs to try once more."""

    def __init__(self, folder: Path, again: str) -> None:
        self.folder = folder
        self.again = again
        self.python = folder / "bin" / "python"
        self.stamps = folder / ".custody"

    def stamp(self, name: str) -> str | None:
        file = self.stamps / name
        return file.read_text() if file.exists() and self.python.exists() else None

    def set_stamp(self, name: str, value: str) -> None:
        unfinished = self.stamps / f"{name}.unfinished"
        unfinished.write_text(value)
        unfinished.replace(self.stamps / name)

    def ask(self, code: str) -> str:
        # Packages are installed without bytecode. What an answer imports is compiled here, whatever the caller's own
        # setting; the rest of some ten thousand files never needs to be.
        settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = (self.python, "-W", "error", "-c", code)
        return subprocess.check_output(command, text=True, cwd=self.folder, env=settings).strip()

    @contextmanager
    def alone(self) -> Iterator["Installer"]:
        """pip does not guard an environment against a second pip, so one setup at a time may change it."""
        self.stamps.mkdir(parents=True, exist_ok=True)
        with (self.stamps / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another setup is at work in {self.folder.name}; waiting for it to end")
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._create()
            installer = Installer(self, lock.fileno())
            installer.bring_own_pip()
            yield installer

    def _create(self) -> None:
        if self._has_pip():
            return
        if not (find_spec("venv") and find_spec("ensurepip")):
            version = "{}.{}".format(*sys.version_info)
            raise Refused(NO_VENV.format(python=sys.executable, version=version, again=self.again))
        say(f"making {self.folder.name} with Python {sys.version.split()[0]}")
        subprocess.run((sys.executable, "-m", "venv", self.folder), check=False)
        if not self._has_pip():
            raise Refused(f"{self.folder} has no working pip; run `make distclean`, then `{self.again}` again.")

    def _has_pip(self) -> bool:
        pip = (self.python, "-m", "pip", "--version")
        return self.python.exists() and subprocess.run(pip, capture_output=True, check=False).returncode == 0


class Installer:
    def __init__(self, environment: Environment, lock: int) -> None:
        self.environment = environment
        self.lock = lock

    def install(self, *arguments: str | Path) -> None:
        """Index, proxy and certificates are pip's own settings: nothing here overrides them."""
        quietly = ("--progress-bar", "off", "--no-compile")
        command = [self.environment.python, "-m", "pip", "install", *quietly, *arguments]
        # The lock goes along: should this process be killed, it is held for as long as pip lives.
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=[self.lock]) as pip, heartbeat():
            try:
                report(pip.stdout or ())
            except BaseException:
                pip.terminate()
                raise
        if pip.returncode:
            raise Refused(PIP_FAILED.format(again=self.environment.again))

    def bring_own_pip(self) -> None:
        """The pip that Python brings along may be years old: slow, and unable to resume a download that broke off."""
        wanted = digest(locked("pip"))
        if self.environment.stamp("pip") != wanted:
            self.install_locked("pip")
            self.environment.set_stamp("pip", wanted)

    def install_locked(self, *names: str) -> None:
        self.install("--require-hashes", *(part for name in names for part in ("-r", locked(name))))


def report(lines: Iterable[str]) -> None:
    for line in lines:
        if wheel := LARGE_WHEEL.match(line):
            say("  {} ({})".format(*wheel.groups()))
        elif line.startswith("Installing collected packages"):
            say("  downloaded; installing")


@contextmanager
def heartbeat(every_s: float = 15) -> Iterator[None]:
    done = threading.Event()
    started = time.monotonic()

    def beat() -> None:
        while not done.wait(every_s):
            say(f"  … {time.monotonic() - started:.0f} s")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def run(main: Callable[[], None], again: str) -> NoReturn:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        main()
    except Refused as refused:
        sys.exit(str(refused))
    except KeyboardInterrupt:
        sys.exit(f"\nstopped; run `{again}` to go on")
    sys.exit(os.EX_OK)
