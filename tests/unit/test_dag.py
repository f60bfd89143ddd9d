"""The graph between tasks: edges, placeholders, and cycles that are refused by name."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_scheduler.dag import TaskDependencyGraph
from advanced_scheduler.errors import CircularDependency, InvalidTask
from advanced_scheduler.models import TaskDependency


def graph_of(**tasks: Iterable[str]) -> TaskDependencyGraph:
    graph = TaskDependencyGraph()
    for task_id, dependencies in tasks.items():
        graph.add_task(task_id, dependencies)
    return graph


def picture(graph: TaskDependencyGraph) -> tuple[Any, ...]:
    """All that can be seen of a graph, with the orders in it."""
    return (
        list(graph.graph.nodes),
        list(graph.graph.edges),
        {one: graph.get_dependencies(one) for one in graph.graph},
        {one: graph.get_dependents(one) for one in graph.graph},
        graph.missing(),
    )


def is_valid_order(order: Sequence[str], graph: TaskDependencyGraph) -> bool:
    place = {one: index for index, one in enumerate(order)}
    return len(place) == len(order) == len(graph.graph) and all(
        place[dependency] < place[dependent] for dependency, dependent in graph.graph.edges
    )


# --- edges ------------------------------------------------------------------------------------


def test_an_edge_leads_from_the_dependency_to_the_dependent() -> None:
    graph = graph_of(fetch=[], clean=["fetch"], report=["clean", "fetch"])
    assert set(graph.graph.edges) == {
        ("fetch", "clean"),
        ("fetch", "report"),
        ("clean", "report"),
    }
    assert graph.get_dependencies("report") == ["clean", "fetch"]
    assert graph.get_dependents("fetch") == ["clean", "report"]


def test_dependencies_may_be_objects_or_ids_and_count_once() -> None:
    graph = TaskDependencyGraph()
    graph.add_task("b", [TaskDependency("a", "success"), "a", TaskDependency("a", "failure")])
    assert graph.get_dependencies("b") == ["a"]


def test_an_unknown_task_has_no_neighbours() -> None:
    graph = TaskDependencyGraph()
    assert (graph.get_dependencies("x"), graph.get_dependents("x")) == ([], [])
    assert not graph.is_known("x")
    assert "x" not in graph.graph


def test_adding_a_task_again_replaces_its_dependencies_and_keeps_its_dependents() -> None:
    graph = graph_of(a=[], b=[], c=["a"], d=["c"])
    graph.add_task("c", ["b"])
    assert graph.get_dependencies("c") == ["b"]
    assert graph.get_dependents("c") == ["d"]
    assert graph.get_dependents("a") == []


@pytest.mark.parametrize("dependencies", [[""], [None], [1], [["a"]], [TaskDependency("")]])
def test_what_is_no_dependency_is_refused_and_changes_nothing(dependencies: Any) -> None:
    graph = graph_of(a=["b"])
    before = picture(graph)
    with pytest.raises(InvalidTask, match="neither a TaskDependency nor a task id"):
        graph.add_task("a", ["c", *dependencies])
    assert picture(graph) == before


def test_one_text_in_the_place_of_a_list_is_refused() -> None:
    with pytest.raises(InvalidTask, match="dependencies='abc' of task 't' is one text"):
        TaskDependencyGraph().add_task("t", "abc")


# --- placeholders -------------------------------------------------------------------------------


def test_a_dependency_that_nobody_added_is_a_placeholder_until_somebody_does() -> None:
    graph = graph_of(b=["a"])
    assert graph.missing() == ["a"]
    assert not graph.is_known("a")
    graph.add_task("a", [])
    assert graph.missing() == []
    assert graph.is_known("a")
    assert graph.get_dependents("a") == ["b"]


def test_a_removed_task_stays_as_a_placeholder_while_others_need_it() -> None:
    graph = graph_of(a=[], b=["a"], c=["b"])
    assert graph.remove_task("b")
    assert graph.missing() == ["b"]
    assert graph.get_dependencies("b") == []
    assert graph.get_dependencies("c") == ["b"]
    assert graph.get_dependents("a") == []


def test_placeholders_that_nobody_needs_any_more_are_forgotten() -> None:
    graph = graph_of(b=["a"], c=["b", "x"])
    graph.add_task("c", ["b"])
    assert "x" not in graph.graph
    graph.remove_task("c")
    graph.remove_task("b")
    assert len(graph.graph) == 0


@pytest.mark.parametrize("task_id", ["a", "nobody"])
def test_removing_what_was_never_added_answers_no(task_id: str) -> None:
    graph = graph_of(b=["a"])
    before = picture(graph)
    assert not graph.remove_task(task_id)
    assert picture(graph) == before


# --- cycles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["ABC", "ACB", "BAC", "BCA", "CAB", "CBA"])
def test_a_cycle_of_three_is_named_the_same_whichever_task_closes_it(order: str) -> None:
    needs = {"A": ["B"], "B": ["C"], "C": ["A"]}
    first, second, last = list(order)
    graph = TaskDependencyGraph()
    graph.add_task(first, needs[first])
    graph.add_task(second, needs[second])
    before = picture(graph)
    with pytest.raises(CircularDependency, match="circular dependency: A -> B -> C -> A;"):
        graph.add_task(last, needs[last])
    assert picture(graph) == before
    assert not graph.has_cycle()


def test_a_task_cannot_need_itself() -> None:
    graph = TaskDependencyGraph()
    with pytest.raises(ValueError, match="circular dependency: a -> a;"):
        graph.add_task("a", ["b", "a"])
    assert len(graph.graph) == 0


def test_new_dependencies_of_a_known_task_that_close_a_cycle_leave_the_old_ones() -> None:
    graph = graph_of(a=["z"], b=["a"], c=["b", "y"])
    before = picture(graph)
    with pytest.raises(CircularDependency, match="a -> c -> b -> a;"):
        graph.add_task("a", ["q", "c"])
    assert picture(graph) == before


def test_a_cycle_through_a_placeholder_is_found() -> None:
    graph = graph_of(a=[], b=["a"], c=["b"])
    graph.remove_task("a")
    with pytest.raises(CircularDependency, match="a -> c -> b -> a;"):
        graph.add_task("a", ["c"])


def test_the_replaced_dependencies_do_not_count_for_a_cycle() -> None:
    graph = graph_of(a=["b"])
    graph.add_task("a", ["c"])
    graph.add_task("b", ["a"])
    assert graph.topological_sort() == ["c", "a", "b"]


def test_a_cycle_put_in_by_hand_is_seen_and_named() -> None:
    graph = graph_of(a=[], b=["a"], c=["b"])
    assert not graph.has_cycle()
    graph.graph.add_edge("c", "a")
    assert graph.has_cycle()
    with pytest.raises(CircularDependency, match="circular dependency: a -> c -> b -> a;"):
        graph.topological_sort()


NAMES = st.sampled_from("abcdefg")
VERBS = st.one_of(
    st.tuples(NAMES, st.lists(NAMES, max_size=3)),
    st.tuples(NAMES, st.none()),
)


@given(st.lists(VERBS, max_size=30))
def test_any_sequence_of_verbs_agrees_with_a_graph_built_anew(
    verbs: list[tuple[str, list[str] | None]],
) -> None:
    graph = TaskDependencyGraph()
    needs: dict[str, list[str]] = {}
    for task_id, dependencies in verbs:
        if dependencies is None:
            assert graph.remove_task(task_id) == (needs.pop(task_id, None) is not None)
            continue
        attempt = needs | {task_id: dependencies}
        edges = [(one, dependent) for dependent, those in attempt.items() for one in those]
        if nx.is_directed_acyclic_graph(nx.DiGraph(edges)):
            graph.add_task(task_id, dependencies)
            needs = attempt
            continue
        before = picture(graph)
        with pytest.raises(CircularDependency) as refusal:
            graph.add_task(task_id, dependencies)
        path = str(refusal.value).removeprefix("circular dependency: ").split(";")[0].split(" -> ")
        assert path[0] == path[-1] == min(path)
        assert len(set(path)) == len(path) - 1
        assert all(two in attempt[one] for one, two in pairwise(path))
        assert picture(graph) == before
    mentioned = {one for those in needs.values() for one in those}
    assert set(graph.graph) == needs.keys() | mentioned
    assert set(graph.missing()) == mentioned - needs.keys()
    assert {one: graph.get_dependencies(one) for one in needs} == {
        one: list(dict.fromkeys(those)) for one, those in needs.items()
    }
    assert is_valid_order(graph.topological_sort(), graph)


# --- order and size -------------------------------------------------------------------------------


def test_the_order_has_dependencies_first_and_then_follows_registration() -> None:
    graph = graph_of(z=[], report=["clean"], m=[], clean=["fetch"], fetch=[], a=[])
    order = graph.topological_sort()
    assert is_valid_order(order, graph)
    assert [one for one in order if one in "zma"] == ["z", "m", "a"]
    assert order == graph.topological_sort()


@pytest.mark.parametrize(("length", "shuffled"), [(100_000, False), (20_000, True)])
def test_a_long_chain_needs_no_recursion(length: int, shuffled: bool) -> None:
    numbers = list(range(length))
    if shuffled:
        random.Random(41).shuffle(numbers)
    graph = TaskDependencyGraph()
    for n in numbers:
        graph.add_task(f"t{n}", [f"t{n - 1}"] if n else [])
    assert graph.topological_sort() == [f"t{n}" for n in range(length)]
    assert not graph.has_cycle()
    with pytest.raises(CircularDependency, match=f"t0 -> t{length - 1} -> t{length - 2} -> "):
        graph.add_task("t0", [f"t{length - 1}"])


def test_a_fan_in_of_2_000_is_one_step() -> None:
    graph = TaskDependencyGraph()
    parts = [f"part{n}" for n in range(2_000)]
    graph.add_task("join", parts)
    for one in parts:
        graph.add_task(one, ["seed"])
    order = graph.topological_sort()
    assert is_valid_order(order, graph)
    assert (order[0], order[-1]) == ("seed", "join")
    with pytest.raises(CircularDependency, match="join -> part0 -> seed -> join;"):
        graph.add_task("seed", ["join"])


class CountedLookups(dict[str, Any]):
    """A dict of nodes that counts how often somebody asks it for neighbours."""

    asked = 0

    def __getitem__(self, key: str) -> Any:
        type(self).asked += 1
        return super().__getitem__(key)


class CountingGraph(nx.DiGraph):  # type: ignore[type-arg] # not generic at run time
    """A graph whose nodes know how often they were looked at."""

    adjlist_outer_dict_factory = CountedLookups


def test_the_search_for_a_cycle_is_as_short_as_its_shorter_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nx, "DiGraph", CountingGraph)
    graph = TaskDependencyGraph()
    for n in range(1_000):
        graph.add_task(f"t{n}", [f"t{n - 1}"] if n else [])
    CountedLookups.asked = 0
    graph.add_task("t1000", ["t999"])  # needs all of them, and nothing needs it
    graph.add_task("t0", ["new"])  # all of them need it, but it needs one that needs nothing
    assert 0 < CountedLookups.asked < 50
    with pytest.raises(CircularDependency):
        graph.add_task("t0", ["t1000"])
    assert CountedLookups.asked > 1_000
