"""Every error as `application/problem+json`, from one table."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gateway.blobs import BlobDamaged, BlobMissing, BlobTooLarge, WrongAddress
from gateway.handin import HandInWrong, NotYetKnown, RefusedByLedger
from gateway.ledger import CommitUnknown, LedgerUnavailable
from gateway.lineage import Absent
from gateway.projection import IndexBehind
from gateway.provenance.lineage import BrokenLineage
from gateway.trainings import TrainingConflict, TrainingWrong
from gateway.weights import CannotOpen
from gateway.who import NotAllowed, Unauthenticated

PROBLEMS: dict[type[Exception], tuple[int, str]] = {
    Unauthenticated: (401, "UNAUTHENTICATED"),
    NotAllowed: (403, "FORBIDDEN"),
    Absent: (404, "NOT_FOUND"),
    BlobMissing: (404, "NOT_FOUND"),
    RefusedByLedger: (409, "CONFLICT"),
    TrainingConflict: (409, "CONFLICT"),
    BlobTooLarge: (413, "TOO_LARGE"),
    WrongAddress: (422, "WRONG_ADDRESS"),
    HandInWrong: (422, "REFUSED"),
    TrainingWrong: (422, "REFUSED"),
    BlobDamaged: (500, "BLOB_DAMAGED"),
    CannotOpen: (500, "CANNOT_OPEN"),
    BrokenLineage: (500, "BROKEN_LINEAGE"),
    LedgerUnavailable: (503, "UNAVAILABLE"),
    CommitUnknown: (503, "UNAVAILABLE"),
    NotYetKnown: (503, "UNAVAILABLE"),
    IndexBehind: (503, "UNAVAILABLE"),
}
CODES = {400: "BAD_REQUEST", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE", 415: "BAD_REQUEST"}
TITLES = {
    400: "Bad request", 401: "Unauthenticated", 403: "Forbidden", 404: "Not found", 405: "Method not allowed",
    409: "Conflict", 413: "Too large", 422: "Refused", 500: "Damaged", 503: "Unavailable",
}  # fmt: skip


def problem(request: Request, status: int, code: str, detail: str, **more: object) -> JSONResponse:
    body = {
        "type": f"urn:custody:error:{code.lower()}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": code,
        **more,
    }
    headers = {"www-authenticate": "Bearer"} if status == 401 else {"retry-after": "1"} if status == 503 else None
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    for error in PROBLEMS:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)


def _known(request: Request, error: Exception) -> JSONResponse:
    status, code = PROBLEMS[type(error)]
    return problem(request, status, code, str(error))


def _of_http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    return problem(request, status, CODES.get(status, "ERROR"), detail)


def _of_validation(request: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [{"at": ".".join(map(str, item["loc"])), "detail": item["msg"]} for item in found]
    return problem(
        request, 422, "BAD_REQUEST", "the request does not have the form that docs/wire.md describes", errors=errors
    )
