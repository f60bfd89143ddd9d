"""A plug-in for APScheduler 3: priorities, dependencies, locks, retries, durable state, health."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .public import *  # noqa: F403
    from .public import __all__ as __all__
else:

    def __getattr__(name: str) -> Any:
        """Load the public names at the first use of one: what needs none does not wait for them."""
        if find_spec(f"{__name__}.{name}") is not None:
            return import_module(f"{__name__}.{name}")
        if not name.startswith("__") or name == "__all__":
            public = import_module(f"{__name__}.public")
            globals().update({one: getattr(public, one) for one in ("__all__", *public.__all__)})
        try:
            return globals()[name]
        except KeyError:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message) from None

    def __dir__() -> list[str]:
        return sorted({*globals(), *import_module(f"{__name__}.public").__all__})
