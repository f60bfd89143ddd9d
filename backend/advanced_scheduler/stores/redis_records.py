"""The records of the Redis store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from ..models import Record, RecordKind
from .redis_client import RedisClient
from .redis_rows import listed
from .rows import RECORD, Fetched, Reader, micros

_CHUNK: Final = 1000  # ids in one step, which is short for all others on the server


class RedisRecords(RedisClient):
    """``RecordStore`` on a Redis server."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._records = Reader("record", RECORD, self._clock)

    def save_record(
        self, record: Record, *, new: bool = False, expected: datetime | None = None
    ) -> bool:
        """Insert or replace; False if it must be new or as ``expected``, and is not."""
        row = RECORD.dump(record)
        args = [row["kind"], row["record_id"], row["written_time"], int(new), _time(expected)]
        return bool(self._call("save_record", [*args, row["data"] or ""]))

    def records(
        self,
        kind: RecordKind,
        *,
        ids: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 1000,
    ) -> list[Record]:
        """Records of a kind, by id downwards."""
        if ids is None:
            reply = self._call("records", [kind, cursor or "", limit])
            pairs = list(zip(reply[::2], reply[1::2], strict=True))
        else:
            wanted = sorted(one for one in set(ids) if cursor is None or one < cursor)
            wanted = wanted[: -limit - 1 : -1]
            key = f"{self._root}records:{kind}"
            values = self._run(lambda client: client.hmget(key, wanted)) if wanted else []
            pairs = list(zip(map(str.encode, wanted), values, strict=True))
        return self._records.decode([_fetched(kind, one, value) for one, value in pairs if value])

    def drop_records(
        self, kind: RecordKind, ids: Collection[str], *, expected: datetime | None = None
    ) -> int:
        """Delete them."""
        wanted = sorted(set(ids))
        parts = (wanted[at : at + _CHUNK] for at in range(0, len(wanted), _CHUNK))
        asked = [kind, "", _time(expected), 0]
        return sum(self._call("drop_records", [*asked, *listed(part)]) for part in parts)

    def drop_records_before(self, kind: RecordKind, before: datetime, limit: int) -> int:
        """Delete what is older, the oldest first."""
        dropped = 0
        while dropped < limit:
            step = min(_CHUNK, limit - dropped)
            gone = self._call("drop_records", [kind, micros(before), "", step, *listed([])])
            dropped += gone
            if gone < step:
                break
        return dropped


def _time(instant: datetime | None) -> int | str:
    return "" if instant is None else micros(instant)


def _fetched(kind: RecordKind, record_id: bytes, stored: bytes) -> Fetched:
    written, _, data = stored.partition(b" ")
    text = data.decode(errors="replace") or None
    number = int(written) if written.lstrip(b"-").isdigit() else written
    return [record_id.decode(errors="replace"), str(kind), number, text], {}
