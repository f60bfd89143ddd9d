"""``advanced-scheduler version``: which version this is, and which one a service is."""

from __future__ import annotations

import platform

from .. import __version__
from .lazy import alone
from .options import NoColor, Output, Url
from .outcome import reported
from .output import Format, Printer
from .service import client_of
from .sources import App, EnvFile, StoreUrl, use_env_file


@reported()
def version(
    *,
    url: Url = None,
    store: StoreUrl = None,
    app: App = None,
    env_file: EnvFile = None,
    output: Output = Format.TABLE,
    no_color: NoColor = False,
) -> None:
    """Say which version this is; with an address, which one is there."""
    use_env_file(env_file)
    found = {"version": __version__, "python": platform.python_version()}
    if (url, store, app) != (None, None, None):
        with client_of(url, store, app) as client:
            found = client.get("/version")
    Printer(output, plain=no_color).show(found, found)


commands = alone(version)
