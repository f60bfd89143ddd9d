"""``advanced-scheduler openapi``: the description of REST."""

from __future__ import annotations

from typing import Annotated

import typer

from .lazy import alone
from .options import Url
from .outcome import reported
from .output import Format, Printer
from .service import in_memory, remote
from .sources import EnvFile, use_env_file


@reported()
def openapi(
    url: Url = None,
    env_file: EnvFile = None,
    output: Annotated[Format, typer.Option("--output", "-o")] = Format.JSON,
) -> None:
    """Print the OpenAPI description of this version, or of the service at --url."""
    use_env_file(env_file)
    with in_memory() if url is None else remote(url) as client:
        found = client.get("/openapi.json")
    Printer(Format.JSON if output is Format.TABLE else output).show(found)


commands = alone(openapi)
