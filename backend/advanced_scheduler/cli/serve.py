"""``advanced-scheduler serve``: the service and the dashboard, without a node."""

from __future__ import annotations

import threading

from .lazy import alone
from .outcome import CommandFailed, Exit, reported
from .service import scheduler_of
from .serving import LOOPBACK, PORT, HostOption, HttpService, PortOption, until_told
from .sources import App, EnvFile, StoreUrl, use_env_file


@reported()
def serve(
    store: StoreUrl = None,
    app: App = None,
    host: HostOption = LOOPBACK,
    port: PortOption = PORT,
    env_file: EnvFile = None,
) -> None:
    """Serve REST, live events, dashboard, probes and metrics of a store until Ctrl-C.

    It fires and runs nothing. Without --app it knows no tasks: runs can be watched, not begun.
    """
    use_env_file(env_file)
    with scheduler_of(store, app) as found:
        if found.fleeting:
            raise CommandFailed(
                "the application keeps everything in memory, where nobody else can see it; "
                "run it with `advanced-scheduler run --role scheduler,worker,api`, or name its "
                "store by --store or --env-file",
                Exit.USAGE,
            )
        service = HttpService(found.scheduler, host, port, node=False)
        with until_told(), service:
            service.announce()
            threading.Event().wait()


commands = alone(serve)
