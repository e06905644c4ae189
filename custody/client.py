"""The gateway's API, typed as far as the commands need it (docs/wire.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx2

from sealed.keys import Wrap

TIMEOUT = httpx2.Timeout(60.0, connect=5.0)
EXPORT_TIMEOUT = httpx2.Timeout(3600.0, connect=5.0)


class GatewayError(Exception):
    """The gateway refused or failed; the text is its own sentence."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class GatewayUnreachable(GatewayError):
    """Nobody answered at that address."""


class Gateway:
    def __init__(self, url: str, api_key: str = "") -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx2.Client(base_url=f"{url}/api/v1", headers=headers, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def put_blob(self, sha256: str, blob: bytes) -> None:
        self._ask("PUT", f"/blobs/{sha256}", content=blob)

    def put_wraps(self, sha256: str, wraps: Sequence[Wrap]) -> None:
        self._ask("PUT", f"/blobs/{sha256}/wraps", json={"wraps": list(wraps)})

    def start_training(
        self, model: str, rounds: int, hyperparameters: Mapping[str, int | str], round_seconds: int
    ) -> None:
        wish = {"rounds": rounds, "hyperparameters": dict(hyperparameters), "round_seconds": round_seconds}
        self._ask("POST", f"/models/{model}/training", json=wish)

    def training(self, model: str) -> dict[str, Any]:
        return self._json(f"/models/{model}/training")

    def stop_training(self, model: str) -> None:
        self._ask("DELETE", f"/models/{model}/training")

    def model(self, model: str) -> dict[str, Any]:
        return self._json(f"/models/{model}")

    def versions(self, model: str) -> dict[str, Any]:
        return self._json(f"/models/{model}/versions")

    def pointer(self, model: str) -> dict[str, Any]:
        return self._json(f"/models/{model}/pointer")

    def version(self, version: str) -> dict[str, Any]:
        return self._json(f"/versions/{version}")

    def export(self, model: str, destination: Path, **wish: object) -> None:
        """Evidence may be larger than memory, and its making take longer than any other answer."""
        path = f"/models/{model}/exports"
        try:
            with self._http.stream("POST", path, json=wish, timeout=EXPORT_TIMEOUT) as response:
                _raise_for(response)
                with destination.open("wb") as file:
                    file.writelines(response.iter_bytes())
        except httpx2.TransportError as error:
            raise GatewayUnreachable(0, f"the gateway at {self._http.base_url} does not answer ({error})") from error

    def _json(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask("GET", path).json()
        return answer

    def _ask(self, method: str, path: str, **body: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, path, **body)
        except httpx2.TransportError as error:
            raise GatewayUnreachable(0, f"the gateway at {self._http.base_url} does not answer ({error})") from error
        _raise_for(response)
        return response


def _raise_for(response: httpx2.Response) -> None:
    if not response.is_success:
        response.read()
        raise GatewayError(response.status_code, _detail(response))


def _detail(response: httpx2.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError):
        return f"the gateway answered {response.status_code}: {response.text[:200]}"
