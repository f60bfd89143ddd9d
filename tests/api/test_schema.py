"""Every call that the description allows, and calls that it does not, against the service."""

from __future__ import annotations

from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from advanced_scheduler import AdvancedTaskScheduler, ManualClock
from advanced_scheduler.api import Principal, Scope, create_app
from tests.support.definitions import define

from .rest import NOW, add, fail

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    unsupported_method,
]


# Of two faults either may be told: a stale version (412) or a long body (413) beside a wrong field.
REJECTED: Final = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422]
CONFIG: Final = schemathesis.Config.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": REJECTED}}}
)


def _service() -> schemathesis.BaseSchema:
    scheduler = AdvancedTaskScheduler(store="memory://", clock=ManualClock(NOW), name="here")
    scheduler.register_task(define(add, task_id="add"))
    scheduler.register_task(define(fail, task_id="fail"))
    boss = Principal(name="boss", scopes=frozenset(Scope))
    app = create_app(scheduler, authenticate=lambda _: boss, run=False)
    return schemathesis.openapi.from_asgi("/api/v1/scheduler/openapi.json", app, config=CONFIG)


# The stream of events never ends, so nobody can wait for its answer.
schema = _service().exclude(path="/api/v1/scheduler/events")


@schema.parametrize()
@settings(
    max_examples=5,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_service_does_what_its_description_says(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(checks=CHECKS)
