"""``advanced-scheduler metrics``: the metrics, as Prometheus reads them."""

from __future__ import annotations

import typer

from .lazy import alone
from .options import Url
from .outcome import reported
from .service import client_of
from .sources import App, EnvFile, StoreUrl, use_env_file


@reported()
def metrics(
    url: Url = None, store: StoreUrl = None, app: App = None, env_file: EnvFile = None
) -> None:
    """Print what a scrape would read; of a store, what holds for all nodes."""
    use_env_file(env_file)
    with client_of(url, store, app) as client:
        typer.echo(client.text("/metrics"), nl=False)


commands = alone(metrics)
