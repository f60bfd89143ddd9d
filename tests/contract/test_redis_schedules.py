"""What the Redis store keeps about schedules, also beside nodes that know less of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from advanced_scheduler.models import ScheduleFilter, TaskStatus, TickOutcome, Total
from advanced_scheduler.stores.redis import RedisStore

from .redis_keys import Raw, contents, key, names
from .rows import DAY, EVER, MINUTE, NOW, execution, firing, schedule, tick

FAR = datetime(9000, 1, 1, tzinfo=UTC)  # beyond what a float can tell a microsecond apart
OLD = datetime(2, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def test_a_plain_schedule_is_kept_as_older_nodes_do(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.put(schedule(), expected=None)
    assert redis_raw.hkeys(key(redis_store, "s:s")) == redis_raw.hkeys(
        key(redis_store, "version:1:s")
    )
    fields = set(redis_raw.hkeys(key(redis_store, "s:s")))
    assert fields.isdisjoint({b"run_count", b"retry", b"metadata", b"name", b"event"})
    assert redis_store.schedules() == [schedule()]


def test_nothing_but_the_ledger_stays_of_a_removed_schedule(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    before = names(redis_store, redis_raw)
    first = schedule(name="nightly", event="upload")
    redis_store.put(first, expected=None)
    redis_store.put(schedule(version=2, name="daily", event="mail"), expected=first)
    redis_raw.hset(key(redis_store, "totals:s"), "failed count", 1)
    assert redis_store.remove("s")
    assert names(redis_store, redis_raw) == before


def test_a_version_that_is_not_among_the_latest_leaves_nothing(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    seen = schedule()
    redis_store.put(seen, expected=None)
    for version in range(2, 103):
        edited = schedule(version=version)
        redis_store.put(edited, expected=seen)
        seen = edited
    kept = {name for name in names(redis_store, redis_raw) if name.startswith("version:")}
    assert kept == {f"version:{number}:s" for number in range(3, 103)}


def as_an_older_node_removes(store: RedisStore, raw: Raw, schedule_id: str) -> None:
    """Take out what it knows of."""
    raw.delete(key(store, f"s:{schedule_id}"))
    raw.zrem(key(store, "schedules"), schedule_id)
    raw.zrem(key(store, "due"), schedule_id)


def test_what_an_older_node_leaves_of_a_schedule_is_in_nobodys_way(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    first = schedule("a", name="nightly", event="upload")
    redis_store.put(first, expected=None)
    redis_store.put(schedule("a", name="nightly", event="upload", version=2), expected=first)
    as_an_older_node_removes(redis_store, redis_raw, "a")
    assert redis_store.find_schedules(ScheduleFilter(name="nightly")) == []
    assert redis_store.find_schedules(ScheduleFilter(event="upload")) == []
    assert redis_store.versions("a") == []
    assert redis_store.put(schedule("b", name="nightly"), expected=None)
    assert redis_store.put(schedule("a"), expected=None)
    assert redis_store.versions("a") == [schedule("a")]
    (found,) = redis_store.find_schedules(ScheduleFilter(name="nightly"))
    assert found.schedule_id == "b"


def test_a_schedule_of_an_older_node_is_a_version_of_its_own(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.put(schedule(), expected=None)
    redis_raw.delete(key(redis_store, "versions:s"), key(redis_store, "version:1:s"))
    assert redis_store.versions("s") == [schedule()]
    redis_store.put(schedule(version=2), expected=schedule())
    assert redis_store.versions("s") == [schedule(), schedule(version=2)]


def test_the_schedules_of_a_task_are_found_whoever_has_put_them(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.put(schedule("a"), expected=None)
    redis_raw.copy(key(redis_store, "s:a"), key(redis_store, "s:b"))
    redis_raw.zadd(key(redis_store, "schedules"), {"b": 0})
    found = redis_store.find_schedules(ScheduleFilter(task_id="t"))
    assert [one.schedule_id for one in found] == ["a", "b"]


def test_schedules_beyond_a_page_of_the_script_are_found(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.put(schedule("z", task_id="u"), expected=None)
    with redis_raw.pipeline() as batch:
        for number in range(2000):
            batch.zadd(key(redis_store, "schedules"), {f"gone{number:04}": 0})
        batch.execute()
    found = redis_store.find_schedules(ScheduleFilter(task_id="u"))
    assert [one.schedule_id for one in found] == ["z"]


def test_a_damaged_schedule_hides_no_other_and_keeps_its_name(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.put(schedule("a", name="nightly", event="upload"), expected=None)
    redis_store.put(schedule("b", event="upload"), expected=None)
    redis_raw.hset(key(redis_store, "s:a"), "trigger", "{")
    first = ScheduleFilter(event="upload", limit=1)
    assert [one.schedule_id for one in redis_store.find_schedules(first)] == ["b"]
    assert [one.schedule_id for one in redis_store.find_schedules(ScheduleFilter())] == ["b"]
    with pytest.raises(ValueError, match="'nightly' belongs to schedule 'a'"):
        redis_store.put(schedule("c", name="nightly"), expected=None)


def test_a_damaged_version_stops_neither_the_schedule_nor_the_others(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    redis_store.put(schedule(), expected=None)
    redis_store.put(schedule(version=2), expected=schedule())
    redis_raw.hset(key(redis_store, "version:1:s"), "trigger", "{")
    assert redis_store.versions("s") == [schedule(version=2)]
    assert redis_store.due(NOW, 1) == [schedule(version=2)]
    assert redis_store.unreadable() == []


def test_a_schedule_whose_count_is_damaged_is_not_fired(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    for name in ("a", "b"):
        redis_store.put(schedule(name), expected=None)
    redis_raw.hset(key(redis_store, "s:a"), "run_count", "many")
    left = contents(redis_raw, key(redis_store, "s:a"))
    steps = [firing(name, executions=[execution(f"of {name}")]) for name in ("a", "b")]
    assert redis_store.fire(steps) == [False, True]
    assert contents(redis_raw, key(redis_store, "s:a")) == left


@pytest.mark.parametrize("instant", [FAR, OLD])
@pytest.mark.parametrize("apart", [MICROSECOND, -MICROSECOND])
def test_the_later_of_two_fire_times_counts_to_the_microsecond(
    redis_store: RedisStore, instant: datetime, apart: timedelta
) -> None:
    last = instant + apart
    redis_store.put(schedule(next_fire_time=instant, last_fire_time=last), expected=None)
    assert redis_store.fire([firing(expected=instant, last=last)]) == [True]
    assert redis_store.schedules()[0].last_fire_time == max(instant, last)


def test_durations_are_summed_to_the_microsecond(redis_store: RedisStore) -> None:
    redis_store.put(schedule(), expected=None)
    redis_store.add(
        [
            execution(
                name,
                schedule_id="s",
                status=TaskStatus.COMPLETED,
                started_time=begin,
                completed_time=begin + timedelta(days=1, microseconds=micros),
            )
            for name, begin, micros in (("a", FAR, 1), ("b", OLD, 3), ("c", NOW, -2))
        ]
    )
    expected = {TaskStatus.COMPLETED: Total(count=3, seconds=3 * 86_400.000_000 + 0.000_002)}
    assert redis_store.totals("s") == expected
    redis_store.prune(keep=0, before=FAR + DAY + DAY, older_than=OLD, limit=2)
    assert redis_store.totals("s") == expected


def test_totals_go_through_all_pages(redis_store: RedisStore) -> None:
    redis_store.put(schedule(), expected=None)
    ended = {"schedule_id": "s", "status": TaskStatus.FAILED, "completed_time": NOW}
    redis_store.add([execution(f"e{n:05}", **ended) for n in range(10_001)])
    assert redis_store.totals("s") == {TaskStatus.FAILED: Total(count=10_001)}
    redis_store.prune(keep=0, before=EVER, older_than=EVER, limit=5000)
    assert redis_store.totals("s") == {TaskStatus.FAILED: Total(count=10_001)}


def test_outcomes_go_with_their_ticks(redis_store: RedisStore, redis_raw: Raw) -> None:
    redis_store.put(schedule(), expected=None)
    ledger = [tick(outcome=TickOutcome.PAUSED), tick(instant=NOW + MINUTE)]
    redis_store.fire([firing(ticks=ledger)])
    redis_store.prune(keep=0, before=NOW, older_than=NOW + MINUTE, limit=9)
    assert redis_store.tick_counts(NOW, EVER) == {TickOutcome.FIRED: 1}
    redis_store.prune(keep=0, before=NOW, older_than=EVER, limit=9)
    assert redis_store.tick_counts(NOW, EVER) == {}
    assert not {name for name in names(redis_store, redis_raw) if "outcome" in name}


def test_no_script_holds_up_the_server_for_thousands_of_rows(
    redis_store: RedisStore, redis_raw: Raw
) -> None:
    """Whoever asks for health meanwhile waits for the script that runs, and no longer."""

    def scripts(call: Callable[[], object]) -> int:
        call()  # the server knows the script from here on
        redis_raw.config_resetstat()
        call()
        return int(redis_raw.info("commandstats")["cmdstat_evalsha"]["calls"])

    ids = [f"{n:04}" for n in range(1200)]
    assert scripts(lambda: redis_store.schedules(ids)) == 3
    assert scripts(lambda: redis_store.get(ids)) == 3
    assert scripts(lambda: redis_store.extend("n", dict.fromkeys(ids, 1), NOW)) == 3
    assert scripts(lambda: redis_store.fire([firing()] * 300)) == 3
