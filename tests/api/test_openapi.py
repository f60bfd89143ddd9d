"""The description of REST that is committed, and what it promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from advanced_scheduler.api import openapi

from .rest import Rest

COMMITTED: Final = Path(__file__).parents[2] / "backend" / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return openapi()


def calls(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Every call as (method, path, operation)."""
    return [
        (method, path, call)
        for path, methods in described["paths"].items()
        for method, call in methods.items()
    ]


def test_the_committed_description_is_that_of_the_code(described: dict[str, Any]) -> None:
    committed = json.loads(COMMITTED.read_text("utf-8"))
    assert committed == described, (
        "REST has changed; renew it: advanced-scheduler openapi > backend/docs/openapi.json"
    )


def test_it_is_of_openapi_3_1_and_every_name_in_it_leads_somewhere(
    described: dict[str, Any],
) -> None:
    assert described["openapi"].startswith("3.1")
    text = json.dumps(described)
    wanted = {part.partition('"')[0] for part in text.split('"$ref": "#/')[1:]}
    for name in wanted:
        found: Any = described
        for step in name.split("/"):
            found = found[step]
        Draft202012Validator.check_schema(found)


def test_every_call_has_a_name_a_tag_and_who_may(described: dict[str, Any]) -> None:
    names = [call["operationId"] for _, _, call in calls(described)]
    assert len(names) == len(set(names))
    known = {tag["name"] for tag in described["tags"]}
    for method, path, call in calls(described):
        assert call["operationId"].isidentifier(), path
        assert set(call["tags"]) <= known, path
        assert call["description"], path
        public = (method, path) == ("post", "/api/v1/scheduler/session")
        assert bool(call["security"]) is not public, path


def test_every_error_is_a_problem_and_every_answer_has_a_schema(described: dict[str, Any]) -> None:
    for _, path, call in calls(described):
        for code, response in call["responses"].items():
            if code >= "400":
                assert response == {"$ref": f"#/components/responses/Problem{code}"}, path
            elif "application/json" in response.get("content", {}):
                assert response["content"]["application/json"]["schema"] not in ({}, True), path


def test_a_problem_is_what_its_schema_says(rest: Rest, described: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/Problem", "components": described["components"]}
    found = rest.post("/schedules", {"task_id": "add", "colour": "red"}, 422)
    Draft202012Validator(schema).validate(found)
    assert found["errors"][0]["pointer"] == "/colour"
