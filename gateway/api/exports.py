"""Evidence to take away: one zip, verified elsewhere."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from gateway.api.access import Name, WithSystem, only
from gateway.bundle import Wish, write_bundle

router = APIRouter()
EXPORTS = Depends(only("operator", "auditor"))


class ExportWish(BaseModel):
    model_config = ConfigDict(extra="forbid")
    recipient: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""


@router.post("/models/{model}/exports", dependencies=[EXPORTS], response_class=FileResponse)
def export(model: Name, system: WithSystem, wish: ExportWish | None = None) -> FileResponse:
    """A bundle (docs/verify.md); with a recipient's public key also the sealed updates, and their keys for it."""
    folder = Path(tempfile.mkdtemp(prefix="custody-export-"))
    try:
        bundle = write_bundle(system, Wish(model, wish.recipient if wish else ""), folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    afterwards = BackgroundTask(shutil.rmtree, folder)
    return FileResponse(bundle, media_type="application/zip", filename=f"{model}-evidence.zip", background=afterwards)
