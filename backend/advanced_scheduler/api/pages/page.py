"""What a page is, and what it is told of the visit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

from ..auth import Principal, Scope
from ..problems import Problem
from ..service import Service

API: Final = "../api/v1/scheduler/"
"""REST, from the root of the dashboard."""

Context: TypeAlias = dict[str, Any]
"""The names that a template needs."""

Query: TypeAlias = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request for a page: by whom, for what, and when.

    ``root`` leads from this page to the root of the dashboard: ``./`` or ``../``. ``path`` and
    ``query`` are what the address says; a query parameter may be there more than once.
    """

    service: Service
    principal: Principal
    root: str
    now: datetime
    path: Mapping[str, str]
    query: Query

    @property
    def api(self) -> str:
        """Where REST is, from this page; ends with a slash."""
        return self.root + API

    def may(self, scope: str) -> bool:
        """Whether the visitor has the scope: ``read``, ``run``, ``write`` or ``admin``."""
        return self.principal.may(Scope(scope))

    def first(self, name: str) -> str | None:
        """A query parameter; None where it is absent or empty."""
        return next((one for one in self.query.get(name, ()) if one), None)

    def instant(self, name: str) -> datetime | None:
        """A time of the query as ISO text, in UTC unless it says otherwise; raises ``Problem``."""
        if (text := self.first(name)) is None:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise Problem(422, "invalid-value", f"{name}={text!r} is no time") from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def link(self, *steps: str, **query: Any) -> str:
        """The address of another page, relative to this one."""
        path = "/".join(quote(one, safe="") for one in steps)
        return self.root + path + _query(query)

    def export(self, form: str, query: Mapping[str, Any]) -> str:
        """Where REST has the executions of this query as a file: ``csv`` or ``json``."""
        return f"{self.api}executions/export{_query({**query, 'format': form})}"

    def again(self, **changes: Any) -> str:
        """The address of this page with some of its query changed; None takes one away."""
        return _query({**self.query, **changes}) or "?"


def _query(query: Mapping[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value not in (None, "", [], [""])}
    return "?" + urlencode(given, doseq=True) if given else ""


@dataclass(frozen=True, slots=True)
class Nav:
    """A place in the navigation: its word, its icon in ``icons.html``, the lower ``rank`` first."""

    label: str
    icon: str
    rank: int


@dataclass(frozen=True, slots=True)
class Page:
    """An address below the dashboard's root, such as ``executions/{execution_id}``.

    ``within`` is the path of the page that the navigation marks, if this one has no place.
    """

    path: str
    template: str
    title: str
    context: Callable[[Visit], Context]
    nav: Nav | None = None
    within: str | None = None
