"""A participant's own folder: who it is, its keys, the weights it holds, the rounds it took part in.

signing.pem, sealing.pem   its keys, readable by nobody else
worker.json                its name, organisation, model, and the ledger it belongs to
participant.json           what an admin needs to register it: participant.1 and the proof that it holds the key
held/                      the version it runs: weights.safetensors and version.json
blobs/                     sealed versions, as they came
rounds/<id of round.1>/    one round it took part in (rounds.py)
"""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fl_worker.mendable import Mendable
from sealed import tensors
from sealed.files import put_in_place
from sealed.keys import SealingKey, SigningKey
from sealed.records import check, encode, name_ok, signing_text
from sealed.tensors import Tensors, weights_hash


class HomeError(Mendable):
    """The folder is not what a worker needs; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    name: str
    organisation: str
    model: str
    genesis: str


@dataclass(frozen=True, slots=True)
class Held:
    """The version that a site last loaded."""

    version: str
    number: int
    weights: str


@dataclass(frozen=True, slots=True)
class Home:
    path: Path
    identity: Identity
    signing: SigningKey
    sealing: SealingKey

    @property
    def rounds(self) -> Path:
        return self.path / "rounds"

    def hold(self, held: Held, weights: Tensors) -> None:
        """Weights first: a crash between the two leaves weights that nobody claims to hold."""
        folder = self.path / "held"
        folder.mkdir(exist_ok=True)
        (folder / "version.json").unlink(missing_ok=True)
        tensors.save(folder / "weights.safetensors", weights)
        write_whole(folder / "version.json", json.dumps(asdict(held), sort_keys=True).encode())

    def held(self) -> Held | None:
        said = self.path / "held" / "version.json"
        return Held(**json.loads(said.read_text())) if said.exists() else None

    def held_weights(self, held: Held) -> Tensors:
        weights = tensors.load(self.path / "held" / "weights.safetensors")
        if weights_hash(weights) != held.weights:
            raise HomeError(
                f"{self.path / 'held'} does not hold the weights of version {held.number}; remove the folder"
            )
        return weights

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Two workers in one home would hand in two updates for one round."""
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise HomeError(f"another worker is running in {self.path}") from error
            yield


def create(path: Path, identity: Identity) -> Home:
    """Makes keys and the request for registration. Run again it keeps the keys and what they were made for."""
    for field, value in (("name", identity.name), ("model id", identity.model)):
        if not name_ok(value):
            raise HomeError(f"{field} {value!r} must be 1–64 of a–z, 0–9, '.', '_' and '-'")
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    keep_identity(path / "worker.json", identity)
    home = Home(path, identity, signing_key(path), sealing_key(path))
    home.rounds.mkdir(exist_ok=True)
    write_whole(path / "participant.json", json.dumps(registration(home), indent=1).encode() + b"\n")
    return home


def keep_identity(path: Path, identity: Identity) -> None:
    if path.exists() and read_identity(path) != identity:
        raise HomeError(f"{path} is for {read_identity(path)}; take another --home for {identity}")
    write_whole(path, json.dumps(asdict(identity), indent=1, sort_keys=True).encode() + b"\n")


def read_identity(path: Path) -> Identity:
    try:
        return Identity(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise HomeError(f"{path}: {error}; `custody worker init --home {path.parent} …` makes it") from error


def signing_key(path: Path) -> SigningKey:
    if not (path / "signing.pem").exists():
        SigningKey.generate().save(path / "signing.pem")
    return SigningKey.load(path / "signing.pem")


def sealing_key(path: Path) -> SealingKey:
    if not (path / "sealing.pem").exists():
        SealingKey.generate().save(path / "sealing.pem")
    return SealingKey.load(path / "sealing.pem")


def registration(home: Home) -> dict[str, str]:
    """The two arguments of RegisterParticipant."""
    who = home.identity
    record = {
        "schema": "participant.1",
        "model": who.model,
        "participant": who.name,
        "organisation": who.organisation,
        "ed25519": home.signing.public,
        "x25519": home.sealing.public,
    }
    check(record)
    data = encode(record)
    proof = home.signing.sign(signing_text("participant.1", who.genesis, data))
    return {"record": data.decode("ascii"), "signature": proof}


def load(path: Path) -> Home:
    identity = read_identity(path / "worker.json")
    return Home(path, identity, SigningKey.load(path / "signing.pem"), SealingKey.load(path / "sealing.pem"))


def write_whole(path: Path, data: bytes) -> None:
    """All of it or nothing, also after a power cut."""
    with put_in_place(path) as partial:
        partial.write_bytes(data)
