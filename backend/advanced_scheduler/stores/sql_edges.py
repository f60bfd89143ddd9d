"""The edges of blocked executions in the SQL store: what an end makes of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import sqlalchemy as sa

from ..lifecycle import MEETS
from ..models import TaskStatus
from .sql_database import chunks
from .sql_schema import edges, executions

Rows: TypeAlias = Iterable[Any]
Ask: TypeAlias = Callable[[sa.Executable, Mapping[str, Any]], Rows]

_e = executions.c

_MET_BY: Final = (
    sa.select(edges.c.downstream, edges.c.upstream, _e.needs)
    .join(executions, _e.execution_id == edges.c.downstream)
    .where(edges.c.upstream.in_(sa.bindparam("keys", expanding=True)))
    .order_by(edges.c.downstream)  # who locks in one order does not deadlock
    # Two that settle the last two edges of a row at once would each see the edge of the other.
    .with_for_update(of=executions)
)
_DELETE: Final = sa.delete(edges).where(
    edges.c.downstream.in_(sa.bindparam("ids", expanding=True)),
    edges.c.upstream.in_(sa.bindparam("keys", expanding=True)),
)
_FREE: Final = (
    sa.update(executions)
    .where(
        _e.execution_id.in_(sa.bindparam("ids", expanding=True)),
        ~sa.exists().where(edges.c.downstream == _e.execution_id),
    )
    .values(blocked=0, wait_until=None)
)


class Settled(NamedTuple):
    """The ids of rows: those that have lost an edge, and those that somebody has to look at."""

    unblocked: list[str]
    left: list[str]


def settle(ask: Ask, ended: Mapping[str, TaskStatus]) -> Settled:
    """Delete the edges that these ends meet, by ``upstream``, as ``exchange`` says.

    ``ask`` runs a statement, with its parameters, in the transaction of the exchange.
    """
    met: defaultdict[TaskStatus, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    left = set()
    for keys in chunks(ended):
        for down, up, need in ask(_MET_BY, {"keys": keys}):
            if need in MEETS[ended[up]]:
                met[ended[up]][down].add(up)
            else:
                left.add(down)
    unblocked = sorted({down for downs in met.values() for down in downs})
    for downs in met.values():
        for ids in chunks(downs):
            for keys in chunks(set().union(*(downs[one] for one in ids))):
                ask(_DELETE, {"ids": ids, "keys": keys})
    for ids in chunks(unblocked):
        ask(_FREE, {"ids": ids})
    return Settled(unblocked, sorted(left))
