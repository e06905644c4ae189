"""The wire to the gateway (docs/wire.md): what participants and validators ask of it, and what they do not believe.

Our exceptions:

    WireError
      Unreachable     nobody answered for as long as we were willing to wait
      NotAdmitted     the gateway does not know us, or no longer
      Refused         the ledger said no, and why
      Rejected        what we asked is wrong; asking again would change nothing
      Untrustworthy   an answer that contradicts what we know: another ledger, other bytes, a wrong signature
"""

import hashlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import httpx2

from sealed.keys import Signer, Wrap, verify
from sealed.records import Record, RecordError, number_at, parse, record_id, signing_text, text_at

LONG_POLL_S = 25
TIMEOUT = httpx2.Timeout(90.0, connect=5.0)  # a hand-in waits up to a minute for its block
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
RENEW_BEFORE_S = 30
TRANSIENT = {429, 500, 502, 503, 504}


class WireError(Exception):
    """The gateway did not do what was asked; the text says why."""


class Unreachable(WireError):
    """Nobody answered for as long as we were willing to wait."""


class NotAdmitted(WireError):
    """The gateway does not know us, or no longer."""


class Refused(WireError):
    """The ledger said no: late, foreign, replayed, excluded."""


class Rejected(WireError):
    """What we asked is wrong; asking again would change nothing."""


class Untrustworthy(WireError):
    """An answer that contradicts what we know."""


@dataclass(frozen=True, slots=True)
class Task:
    id: str
    type: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Receipt:
    record: Record
    signature: str


class Credential(Protocol):
    def token(self) -> str: ...
    def forget(self) -> bool:
        """The gateway no longer takes the token: can there be another?"""


class Connection:
    """HTTP to one server, tried again until it answers. A pause doubles from a fifth of a second to ten, and is drawn
    at random below that, so that sites do not come back all at once."""

    def __init__(
        self,
        url: str,
        http: httpx2.Client | None = None,
        give_up_s: float | None = None,
        tell: Callable[[str], None] = print,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise Rejected(f"{url!r} is not an address: it must start with http:// or https://")
        self.url = url.rstrip("/")
        self._http = http or httpx2.Client(timeout=TIMEOUT)
        self._give_up_s = give_up_s
        self._tell = tell

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(
        self, method: str, path: str, token: str = "", more: Mapping[str, str] | None = None, **body: Any
    ) -> httpx2.Response:
        headers = {**(more or {}), **({"authorization": f"Bearer {token}"} if token else {})}
        began, pause = time.monotonic(), FIRST_PAUSE_S
        while True:
            problem = self._try(method, path, headers, body)
            if isinstance(problem, httpx2.Response):
                return problem
            waited = time.monotonic() - began
            if self._give_up_s is not None and waited + pause > self._give_up_s:
                raise Unreachable(f"{self.url} {problem}, for {waited:.0f} s now")
            if pause >= 1:
                self._tell(f"{self.url} {problem}; trying again within {pause:.0f} s")
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _try(self, method: str, path: str, headers: dict[str, str], body: Any) -> httpx2.Response | str:
        try:
            response = self._http.request(method, f"{self.url}/api/v1{path}", headers=headers, **body)
        except httpx2.TransportError as error:
            return f"does not answer ({error})"
        return f"answers {response.status_code}" if response.status_code in TRANSIENT else response


def detail(response: httpx2.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.text[:200]}"


def check(response: httpx2.Response) -> httpx2.Response:
    if response.is_success:
        return response
    if response.status_code in (401, 403):
        raise NotAdmitted(detail(response))
    if response.status_code == 409:
        raise Refused(detail(response))
    raise Rejected(detail(response))


def said(response: httpx2.Response, *names: str) -> list[Any]:
    """These parts of a JSON answer."""
    try:
        body = check(response).json()
        return [body[name] for name in names]
    except (ValueError, KeyError, TypeError) as error:
        raise Untrustworthy(f"{response.url} answers otherwise than docs/wire.md says ({error!r})") from error


class ApiKey:
    """How a validator shows who it is."""

    def __init__(self, key: str) -> None:
        self._key = key

    def token(self) -> str:
        return self._key

    def forget(self) -> bool:
        return False


@dataclass(slots=True)
class Membership:
    """How a participant shows who it is: it signs a challenge with its registered key, and gets a token for a while."""

    connection: Connection
    model: str
    participant: str
    genesis: str
    key: Signer
    now: Callable[[], float] = time.time
    _token: str = ""
    _expires_at: float = 0.0

    def token(self) -> str:
        if not self._token or self.now() > self._expires_at - RENEW_BEFORE_S:
            self.join()
        return self._token

    def forget(self) -> bool:
        self._token = ""
        return True

    def join(self) -> None:
        who = {"model": self.model, "participant": self.participant}
        (challenge,) = said(self.connection.ask("POST", "/join", json=who), "challenge")
        self.check_challenge(challenge)
        signature = self.key.sign(signing_text("join.1", self.genesis, challenge.encode("ascii")))
        proof = {"challenge": challenge, "signature": signature}
        token, expires_at = said(self.connection.ask("POST", "/join", json=proof), "token", "expires_at")
        self._token, self._expires_at = str(token), float(expires_at)

    def check_challenge(self, challenge: str) -> None:
        """A key that also signs manifests must not sign whatever a server sends."""
        try:
            asked = parse(challenge)
            ours = (text_at(asked, "schema"), text_at(asked, "model"), text_at(asked, "participant"))
        except RecordError as error:
            raise Untrustworthy(f"the gateway asks to sign what is not a challenge: {error}") from error
        if ours != ("join.1", self.model, self.participant):
            raise Untrustworthy(f"the gateway asks to sign a challenge for {ours}; nothing was signed")


class Gateway:
    def __init__(self, connection: Connection, credential: Credential, genesis: str = "") -> None:
        self.connection = connection
        self.credential = credential
        self.genesis = genesis

    def next_task(self, wait_s: int = LONG_POLL_S) -> Task | None:
        response = self._ask("GET", f"/tasks?wait={wait_s}")
        if response.status_code == 204:
            return None
        task_id, task_type, payload = said(response, "task_id", "task_type", "payload")
        return Task(str(task_id), str(task_type), payload)

    def put_blob(self, sha256: str, blob: bytes) -> None:
        self._ask("PUT", f"/blobs/{sha256}", content=blob)

    def blob(self, sha256: str) -> bytes:
        blob = self._ask("GET", f"/blobs/{sha256}").content
        if hashlib.sha256(blob).hexdigest() != sha256:
            raise Untrustworthy(f"the gateway sent other bytes than those of blob {sha256}")
        return blob

    def wraps(self, sha256: str) -> list[Wrap]:
        (wraps,) = said(self._ask("GET", f"/blobs/{sha256}/wraps"), "wraps")
        return [Wrap(kid=wrap["kid"], wrap=wrap["wrap"]) for wrap in wraps]

    def hand_in(self, manifest: bytes, signature: str, wraps: Sequence[Wrap]) -> Receipt:
        record = parse(manifest)
        body = {"manifest": manifest.decode("ascii"), "signature": signature, "wraps": list(wraps)}
        path = f"/rounds/{text_at(record, 'model')}/{number_at(record, 'round')}/updates"
        receipt, of_gateway = said(self._ask("POST", path, json=body), "receipt", "signature")
        return receipt_for(manifest, str(receipt), str(of_gateway), self.genesis)

    def acknowledge(self, ack: bytes, signature: str) -> None:
        self._ask("POST", "/acks", json={"ack": ack.decode("ascii"), "signature": signature})

    def _ask(self, method: str, path: str, **body: Any) -> httpx2.Response:
        response = self.connection.ask(method, path, self.credential.token(), **body)
        if response.status_code == 401 and self.credential.forget():
            response = self.connection.ask(method, path, self.credential.token(), **body)
        return self._of_our_ledger(check(response))

    def _of_our_ledger(self, response: httpx2.Response) -> httpx2.Response:
        spoken = ledger_of(response)
        if self.genesis and spoken.get("genesis", self.genesis) != self.genesis:
            raise Untrustworthy(f"this gateway speaks for ledger {spoken['genesis']}, not for {self.genesis}")
        return response


def ledger_of(response: httpx2.Response) -> Mapping[str, str]:
    if not response.headers.get("content-type", "").startswith("application/json"):
        return {}
    body = response.json()
    spoken = body.get("ledger", {}) if isinstance(body, dict) else {}
    return spoken if isinstance(spoken, dict) else {}


def receipt_for(manifest: bytes, receipt: str, signature: str, genesis: str) -> Receipt:
    """The gateway's signed word that the ledger took our update: about this manifest, and right."""
    record = parse(receipt)
    if text_at(record, "manifest") != record_id(manifest):
        raise Untrustworthy("the gateway's receipt is for another update")
    text = signing_text("receipt.1", genesis, receipt.encode("ascii"))
    if not verify(text_at(record, "gateway"), text, signature):
        raise Untrustworthy("the signature of the gateway's receipt is not right")
    return Receipt(record, signature)
