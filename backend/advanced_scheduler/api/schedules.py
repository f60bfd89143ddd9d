"""What operators ask of schedules: to see, to make, to edit, to run, to explain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ..errors import InvalidCronExpression, InvalidTrigger
from ..models import DEFINITION, Explanation, Schedule, ScheduleFilter
from ..scheduler import AdvancedTaskScheduler
from ..triggers import (
    CronTrigger,
    NextRun,
    Trigger,
    describe,
    lint,
    next_runs,
    trigger_from_json,
)
from .planning import Plan, unplanned
from .problems import Fault, Problem
from .schedule_schemas import (
    BackfillAsked,
    BackfillOut,
    LedgerOut,
    PreviewAsked,
    PreviewOut,
    RunOut,
    RunScheduleAsked,
    ScheduleAsked,
    ScheduleDetail,
    ScheduleFields,
    ScheduleOut,
    SchedulePage,
    StateName,
    TickOut,
    VersionOut,
    VersionPage,
)
from .views import priority_name, priority_of, redacted

NEXT: Final = 5
"""Runs to come that a schedule shows."""

KINDS: Final = frozenset(
    {"cron", "interval", "once", "daily", "weekly", "monthly", "event", "timestamps"}
)
"""Triggers that a request may name: plain ones, which state themselves."""

_POLICIES: Final = (
    *("queue", "timeout", "tags", "metadata", "misfire", "max_catch_up", "grace_seconds"),
    *("overlap", "max_runs", "pause_on_failure"),
)
_MOST: Final = 10_000  # instants of one question to the ledger


class ScheduleService:
    """Over the schedules of a store; the same from any node."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler

    def page(
        self,
        limit: int = 100,
        cursor: str | None = None,
        *,
        name: str | None = None,
        task_id: str | None = None,
        status: StateName | None = None,
        tag: str | None = None,
    ) -> SchedulePage:
        """Schedules by id; status and tag are looked for among the next thousand."""
        wanted = ScheduleFilter(name=name, task_id=task_id, cursor=cursor, limit=1000)
        found = self._scheduler.store.find_schedules(wanted)
        fitting = [
            one for one in found if status in (None, one.state) and (tag is None or tag in one.tags)
        ]
        page = fitting[:limit]
        cursor = None
        if len(fitting) > limit:
            cursor = page[-1].schedule_id
        elif len(found) == wanted.limit:
            cursor = found[-1].schedule_id
        return SchedulePage(items=[schedule_out(one) for one in page], next_cursor=cursor)

    def get(self, schedule_id: str) -> ScheduleDetail:
        """One schedule; raises ``ScheduleNotFound``."""
        found = self._scheduler.get_schedule(schedule_id)
        status = self._scheduler.schedule_status(schedule_id)
        return ScheduleDetail(
            **_fields(found),
            next_runs=[_run(one) for one in self._scheduler.next_runs(schedule_id, NEXT)],
            lint=self._scheduler.lint_schedule(schedule_id),
            last_result=status.last_result,
            success_count=status.success_count,
            error_count=status.error_count,
            average_duration=status.average_duration,
        )

    def create(self, asked: ScheduleAsked) -> ScheduleOut:
        """Make one of a registered task; raises ``ValueError``."""
        trigger = _trigger(asked.trigger, asked.cron, asked.timezone)
        if trigger is None:
            raise Problem(
                422, "invalid-value", "give a trigger, or a cron text", faults=[_NO_TRIGGER]
            )
        self._scheduler.task_registry.get(asked.task_id)  # a text is an id, never a path
        made = self._scheduler.create_schedule(
            asked.task_id,
            trigger,
            args=asked.args or (),
            kwargs=asked.kwargs,
            name=asked.name,
            schedule_id=asked.id,
            changelog=asked.changelog,
            **_policies(asked),
        )
        return schedule_out(self._scheduler.get_schedule(made))

    def edit(self, schedule_id: str, asked: ScheduleFields, version: int | None) -> ScheduleOut:
        """Change what is given; raises ``VersionConflict`` where another version is stored."""
        stored = self._scheduler.get_schedule(schedule_id).trigger
        whole = asked.trigger is not None or (asked.cron is not None and stored["type"] != "cron")
        trigger = _trigger(asked.trigger, asked.cron, asked.timezone)
        changed = self._scheduler.update_schedule(
            schedule_id,
            trigger=trigger if whole else None,
            cron_expression=None if whole else asked.cron,
            timezone=None if whole else asked.timezone,
            args=asked.args,
            kwargs=asked.kwargs,
            name=asked.name,
            version=version,
            changelog=asked.changelog,
            **_policies(asked),
        )
        return schedule_out(changed)

    def remove(self, schedule_id: str) -> None:
        """Delete it; its ledger stays. Raises ``ScheduleNotFound``."""
        self._scheduler.get_schedule(schedule_id)
        self._scheduler.remove_schedule(schedule_id)

    def pause(self, schedule_id: str, plan: Plan = unplanned) -> ScheduleOut:
        """Fire nothing more on any node; raises ``ScheduleNotFound``."""
        return self._changed(
            schedule_id,
            lambda: self._scheduler.pause_schedule(schedule_id),
            lambda one: one.paused,
            plan,
        )

    def resume(self, schedule_id: str, *, catch_up: bool, plan: Plan = unplanned) -> ScheduleOut:
        """Go on; raises ``ScheduleNotFound``."""
        return self._changed(
            schedule_id,
            lambda: self._scheduler.resume_schedule(schedule_id, catch_up=catch_up),
            lambda one: not one.paused,
            plan,
        )

    def run(self, schedule_id: str, asked: RunScheduleAsked, new_id: str | None = None) -> str:
        """Run it once, now; answers the execution id. Raises ``ScheduleNotFound``."""
        return self._scheduler.run_schedule_now(
            schedule_id, args=asked.args, kwargs=asked.kwargs, execution_id=new_id
        )

    def rollback(self, schedule_id: str, version: int, plan: Plan = unplanned) -> ScheduleOut:
        """Make an earlier version the next one; raises ``ScheduleNotFound``."""
        why = f"rolled back to version {version}"
        return self._changed(
            schedule_id,
            lambda: self._scheduler.rollback_schedule(schedule_id, version, changelog=why),
            lambda one: one.changelog == why,
            plan,
        )

    def preview(self, asked: PreviewAsked) -> PreviewOut:
        """What a trigger means, and when it would run; stores nothing. Raises ``ValueError``."""
        trigger = _trigger(asked.trigger, asked.cron, asked.timezone)
        if trigger is None:
            raise Problem(
                422, "invalid-value", "give a trigger, or a cron text", faults=[_NO_TRIGGER]
            )
        start = asked.start or self._scheduler.clock.now()
        return PreviewOut(
            words=describe(trigger),
            runs=[_run(one) for one in next_runs(trigger, asked.count, start)],
            lint=lint(trigger, start),
        )

    def history(self, schedule_id: str) -> VersionPage:
        """Its versions with what each has changed; raises ``ScheduleNotFound``."""
        versions = self._scheduler.schedule_versions(schedule_id)
        before: list[Schedule | None] = [None, *versions]
        pairs = zip(before, versions, strict=False)
        return VersionPage(items=[_version(old, new) for old, new in pairs][::-1])

    def ledger(self, schedule_id: str, start: datetime, end: datetime) -> LedgerOut:
        """Every instant of a stretch; raises ``ScheduleNotFound`` and ``ValueError``."""
        found = self._scheduler.audit(schedule_id, start, end)
        return LedgerOut(
            schedule_id=schedule_id,
            start=found.start,
            end=found.end,
            ticks=[tick_out(one) for one in found.ticks],
            missing=list(found.missing),
        )

    def explain(self, schedule_id: str, instant: datetime) -> TickOut:
        """What became of one instant; raises ``ScheduleNotFound``."""
        return tick_out(self._scheduler.explain(schedule_id, instant))

    def backfill(
        self, schedule_id: str, asked: BackfillAsked, plan: Plan = unplanned
    ) -> BackfillOut:
        """Run it for instants of the past; raises ``ScheduleNotFound`` and ``Problem``."""
        if not asked.start < asked.end:
            raise Problem(
                422, "invalid-value", "start must come before end", faults=[Fault("/end", "")]
            )
        schedule = self._scheduler.get_schedule(schedule_id)
        instants = [
            one.instant.astimezone(UTC)
            for one in next_runs(trigger_from_json(schedule.trigger), asked.limit + 1, asked.start)
            if one.instant < asked.end
        ]
        if len(instants) > asked.limit:
            raise Problem(
                422,
                "too-many",
                f"there are more than limit={asked.limit} instants; take a shorter stretch",
                faults=[Fault("/limit", "is exceeded")],
            )
        there = self._scheduler.backfilled(schedule_id, instants)
        planned = (unplanned if asked.dry_run else plan)(
            lambda: [one.isoformat() for one in instants if (one in there) is asked.force]
        )  # of which there is one, and it runs again; else those of which there is none
        chosen = {at: planned[one] for at in instants if (one := at.isoformat()) in planned}
        existing = [one for at, one in there.items() if (at in chosen) is asked.force]
        made: list[str] = []
        if wanted := [] if asked.dry_run else instants if asked.force else list(chosen):
            force = chosen if asked.force else False
            made = self._scheduler.backfill_schedule(schedule_id, wanted, force=force)
        return BackfillOut(
            dry_run=asked.dry_run,
            matched=len(instants),
            instants=instants,
            created=[one for one in made if one not in existing],
            existing=existing,
        )

    def _changed(
        self,
        schedule_id: str,
        change: Callable[[], Schedule],
        is_changed: Callable[[Schedule], bool],
        plan: Plan,
    ) -> ScheduleOut:
        """Change it, unless a version has been so that came after the request was first sent.

        Then an earlier try has changed it, or it was changed alike: what others have made of it
        since is not undone.
        """
        get = self._scheduler.get_schedule
        [seen] = plan(lambda: [str(get(schedule_id).version)])
        there = get(schedule_id)
        if there.version > int(seen):  # else there is no later one to look for
            versions = self._scheduler.schedule_versions(schedule_id)
            if any(is_changed(one) for one in versions if one.version > int(seen)):
                return schedule_out(there)
        return schedule_out(change())


_NO_TRIGGER: Final = Fault("/trigger", "is missing")


def _trigger(
    stated: Mapping[str, Any] | None, cron: str | None, timezone: str | None
) -> Trigger | None:
    """The trigger that a request means; raises ``InvalidTrigger``."""
    if stated is not None and cron is not None:
        raise InvalidTrigger("trigger and cron say the same thing; give one of them")
    if cron is not None:
        return _cron(cron, timezone or "UTC")
    if stated is None:
        return None
    if stated.get("type") not in KINDS:
        raise InvalidTrigger(
            f"trigger: type={stated.get('type')!r} must be one of {', '.join(sorted(KINDS))}"
        )
    given = {"v": 1, **stated}
    if timezone is not None:
        given["timezone"] = timezone
    return trigger_from_json(given)


def _cron(text: str, timezone: str) -> Trigger:
    try:
        return CronTrigger(text, timezone=timezone)
    except InvalidTrigger as error:
        field = "/cron" if isinstance(error, InvalidCronExpression) else "/timezone"
        raise Problem(
            422, "invalid-value", str(error), faults=[Fault(field, str(error))]
        ) from error


def _policies(asked: ScheduleFields) -> dict[str, Any]:
    given: dict[str, Any] = {
        name: getattr(asked, name)
        for name in _POLICIES
        if name in asked.model_fields_set and getattr(asked, name) is not None
    }
    if asked.priority is not None:
        given["priority"] = priority_of(asked.priority)
    return given


def schedule_out(schedule: Schedule) -> ScheduleOut:
    """A row of a list."""
    return ScheduleOut(**_fields(schedule))


def etag_of(schedule: ScheduleOut | Schedule) -> str:
    """What ``If-Match`` takes."""
    return f'"v{schedule.version}"'


def _fields(schedule: Schedule) -> dict[str, Any]:
    try:
        words = describe(trigger_from_json(schedule.trigger))
    except ValueError as error:  # of a later release
        words = f"unknown: {error}"
    priority = schedule.priority
    return {
        "id": schedule.schedule_id,
        "name": schedule.name,
        "task_id": schedule.task_id,
        "status": schedule.state,
        "trigger": redacted(schedule.trigger),
        "words": words,
        "timezone": schedule.trigger.get("timezone"),
        "next_run": None if schedule.paused else schedule.next_fire_time,
        "last_run": schedule.last_fire_time,
        "version": schedule.version,
        "etag": etag_of(schedule),
        "args": redacted(schedule.args),
        "kwargs": redacted(schedule.kwargs),
        "priority": None if priority is None else priority_name(priority),
        "queue": schedule.queue,
        "timeout": schedule.timeout,
        "tags": list(schedule.tags),
        "metadata": redacted(schedule.metadata),
        "misfire": schedule.misfire.value,
        "max_catch_up": schedule.max_catch_up,
        "grace_seconds": schedule.grace_seconds,
        "overlap": schedule.overlap.value,
        "max_runs": schedule.max_runs,
        "run_count": schedule.run_count,
        "pause_on_failure": schedule.pause_on_failure,
        "event": schedule.event,
        "created_time": schedule.created_time,
        "changed_time": schedule.changed_time,
        "changelog": schedule.changelog,
    }


def _run(one: NextRun) -> RunOut:
    local = one.instant.strftime("%a %Y-%m-%d %H:%M:%S %Z")
    return RunOut(instant=one.instant.astimezone(UTC), local=local, note=one.note)


def tick_out(one: Explanation) -> TickOut:
    """An instant of the ledger."""
    return TickOut(
        instant=one.instant,
        outcome=None if one.outcome is None else one.outcome.value,
        reason=one.reason,
        execution_id=one.execution_id,
        status=None if one.status is None else one.status.value,
    )


def _version(old: Schedule | None, new: Schedule) -> VersionOut:
    names: Iterable[str] = (*DEFINITION, "trigger", "paused")
    changed = {
        name: [redacted(getattr(old, name)), redacted(getattr(new, name))]
        for name in names
        if old is not None and getattr(old, name) != getattr(new, name)
    }
    return VersionOut(
        version=new.version,
        changed_time=new.changed_time,
        changelog=new.changelog,
        paused=new.paused,
        changed=changed,
    )
