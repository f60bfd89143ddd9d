"""That the simulation behind the sizing guide keeps the laws of queues, and its own promises."""

from __future__ import annotations

import random
import statistics

import pytest

from tests.benchmarks.sizing import tables
from tests.benchmarks.sizing.cluster import Cluster, Deployment, Load, Outcome
from tests.benchmarks.sizing.costs import OPERATIONS, Cost, Costs, load
from tests.benchmarks.sizing.events import Alarm, Command, Cores, Disk, Mutex, Process, Simulation
from tests.benchmarks.sizing.meter import Sample, fit

CALL = Cost(server=200, server_row=40, client=300, client_row=40, trips=4)
COSTS = Costs(
    calls=dict.fromkeys(OPERATIONS, CALL),
    run=40,
    plan=50,
    refused=10,
    commit=200,
    hop=50,
    told=30,
    hear=20,
)


def simulated(load: Load, *, seed: int = 1, **deployment: float) -> tuple[Cluster, Outcome]:
    options = {"nodes": 3, **deployment}
    cluster = Cluster(Deployment(costs=COSTS, **options), load, seed=seed)  # type: ignore[arg-type]
    return cluster, cluster.run()


def test_a_line_before_one_core_waits_as_theory_says() -> None:
    """M/D/1: the wait is rho / (2 mu (1 - rho)), Pollaczek and Khinchine."""
    simulation, chance, service, rate = Simulation(), random.Random(1), 1.0, 0.7
    core, waits = Cores(simulation), list[float]()

    def customer() -> Process:
        arrived = simulation.now
        yield core.use(service)
        waits.append(simulation.now - arrived - service)

    def customers() -> Process:
        while True:
            yield chance.expovariate(rate)
            simulation.spawn(customer())

    simulation.spawn(customers())
    simulation.run(100_000)
    theory = rate * service**2 / (2 * (1 - rate * service))
    assert statistics.fmean(waits) == pytest.approx(theory, rel=0.03)
    assert core.busy / simulation.now == pytest.approx(rate * service, rel=0.01)


def test_what_comes_first_is_served_first_by_as_many_as_there_are() -> None:
    simulation, order = Simulation(), list[tuple[float, str]]()
    cores = Cores(simulation, 2)

    def work(name: str, seconds: float) -> Process:
        yield cores.use(seconds)
        order.append((simulation.now, name))

    for name, seconds in (("a", 3.0), ("b", 1.0), ("c", 1.0), ("d", 5.0)):
        simulation.spawn(work(name, seconds))
    simulation.run(10)
    assert order == [(1.0, "b"), (2.0, "c"), (3.0, "a"), (7.0, "d")]
    assert cores.busy == 10


def test_commits_that_come_during_a_write_share_the_next_one() -> None:
    simulation, written = Simulation(), list[float]()
    disk = Disk(simulation, 1.0)

    def commit(at: float) -> Process:
        yield at
        yield disk.commit
        written.append(simulation.now)

    for at in (0.0, 0.1, 0.2, 0.9, 5.0):
        simulation.spawn(commit(at))
    simulation.run(10)
    assert written == [1.0, 2.0, 2.0, 2.0, 6.0]
    assert disk.busy == 3.0


def test_a_mutex_is_held_by_one_at_a_time_in_turn() -> None:
    simulation, held = Simulation(), list[tuple[float, str]]()
    mutex = Mutex(simulation)

    def hold(name: str) -> Process:
        yield mutex.take
        held.append((simulation.now, name))
        yield 2.0
        mutex.release()

    for name in "abc":
        simulation.spawn(hold(name))
    simulation.run(10)
    assert held == [(0.0, "a"), (2.0, "b"), (4.0, "c")]
    assert mutex.busy == 6.0


@pytest.mark.parametrize(("woken_at", "seen"), [(0.5, 1.0), (2.0, 2.0), (9.0, 4.0)])
def test_an_alarm_rings_when_woken_before_or_during_the_wait_or_in_time(
    woken_at: float, seen: float
) -> None:
    simulation, times = Simulation(), list[float]()
    alarm = Alarm(simulation)

    def sleeper() -> Process:
        yield 1.0
        yield alarm.wait(3.0)
        times.append(simulation.now)

    simulation.spawn(sleeper())
    simulation.after(woken_at, alarm.wake)
    simulation.run(10)
    assert times == [seen]


def test_an_old_wait_does_not_end_a_later_one() -> None:
    simulation, times = Simulation(), list[float]()
    alarm = Alarm(simulation)

    def sleeper() -> Process:
        for _ in range(2):
            alarm.woken = False
            yield alarm.wait(3.0)
            times.append(simulation.now)

    simulation.spawn(sleeper())
    simulation.after(1.0, alarm.wake)
    simulation.run(10)
    assert times == [1.0, 4.0]


@pytest.mark.parametrize("serial", [False, True])
@pytest.mark.parametrize(
    "load",
    [
        Load(backlog=5000, seconds=5, warm=0),
        Load(rate=200, batch=3, seconds=5, warm=0),
        Load(rate=50, duration=0.3, seconds=5, warm=0),
        Load(schedules=50_000, interval=100, spike=2000, at=1, seconds=5, warm=0),
    ],
    ids=["backlog", "calls", "long functions", "schedules"],
)
def test_every_execution_runs_once_and_nothing_is_busier_than_it_can_be(
    load: Load, serial: bool
) -> None:
    cluster, outcome = simulated(load, serial=serial)
    store = cluster.store
    on_the_way = store.arriving + len(store.pending) + store.claiming + store.held
    assert store.ended > 0
    assert outcome.arrived == store.ended + on_the_way
    assert outcome.started <= outcome.arrived
    assert all(0 <= used <= 1 + 1e-9 for used in outcome.used.values())
    assert min(outcome.waits) >= 0


def test_all_of_a_backlog_has_ended_when_there_was_time_for_it() -> None:
    _, outcome = simulated(Load(backlog=3000, seconds=20, warm=0))
    assert outcome.ended == outcome.started == outcome.arrived == 3000


def test_as_many_wait_as_come_while_one_waits() -> None:
    """Little's law: how many wait is how many come, times how long each waits."""
    load = Load(rate=300, seconds=14, warm=2)
    cluster = Cluster(Deployment(costs=COSTS, nodes=3), load)
    waiting = list[int]()

    def look() -> Process:
        yield load.warm
        while True:
            waiting.append(cluster.arrived - cluster.outcome.started)
            yield 0.01

    cluster.simulation.spawn(look())
    outcome = cluster.run()
    rate = len(outcome.waits) / (load.seconds - load.warm)
    expected = rate * statistics.fmean(outcome.waits)
    assert statistics.fmean(waiting) == pytest.approx(expected, rel=0.05)


def test_the_same_seed_is_the_same_run_and_another_is_not() -> None:
    load = Load(rate=100, seconds=5)
    first, again, other = (simulated(load, seed=seed)[1] for seed in (1, 1, 2))
    assert first.waits == again.waits
    assert first.calls == again.calls
    assert first.waits != other.waits


def test_nodes_with_nothing_to_do_ask_five_times_a_poll() -> None:
    _, outcome = simulated(Load(seconds=30, warm=10), nodes=10, poll=1.0)
    assert sum(outcome.calls.values()) == pytest.approx(10 * (5 + 0.1), rel=0.05)
    _, slower = simulated(Load(seconds=60, warm=10), nodes=10, poll=5.0)
    assert sum(slower.calls.values()) == pytest.approx(10 * (1 + 0.1), rel=0.1)


def test_more_nodes_carry_more_until_the_server_is_full() -> None:
    load = Load(backlog=1_000_000, seconds=3, warm=1)
    rates = {}
    for nodes in (1, 2, 64):
        _, outcome = simulated(load, nodes=nodes, cores=1)
        rates[nodes] = outcome.per_second
    assert rates[2] == pytest.approx(2 * rates[1], rel=0.1)
    assert rates[64] < 64 * rates[1] / 4
    assert outcome.fullest == "server"
    assert outcome.used["server"] > 0.95


def test_a_schedule_that_several_nodes_see_is_fired_by_one() -> None:
    load = Load(schedules=3000, spike=3000, at=1, seconds=10, warm=0)
    cluster, outcome = simulated(load, nodes=5)
    assert cluster.store.fired == outcome.ended == 3000
    assert outcome.calls["fire"] * load.seconds > 3000 / 500  # some were late, and fired nothing


def test_nodes_on_shared_cores_are_slower_than_on_their_own() -> None:
    load = Load(backlog=1_000_000, seconds=3, warm=1)
    _, apart = simulated(load, nodes=4, cores=2)
    _, shared = simulated(load, nodes=4, shared=2)
    assert shared.per_second < apart.per_second
    assert shared.used["server"] > 0.95  # the cores, which are all there is


def test_the_costs_that_were_measured_name_every_call() -> None:
    for store, costs in load().items():
        assert costs.calls.keys() == OPERATIONS.keys(), store
        assert costs.run > 0
        assert all(cost.client > 0 for cost in costs.calls.values())


def test_a_command_is_what_a_process_may_yield() -> None:
    simulation, resumed = Simulation(), list[float]()
    command: Command = Cores(simulation).use(2.0)
    command(lambda: resumed.append(simulation.now))
    simulation.run(5)
    assert resumed == [2.0]


def test_a_straight_line_is_found_again() -> None:
    samples = [Sample(n, 100 + 5 * n, 200 + 3 * n, 4, 1000) for n in (1, 10, 50, 100)]
    found = fit(samples)
    figures = [found.server, found.server_row, found.client, found.client_row, found.trips]
    assert figures == pytest.approx([100, 5, 200, 3, 4])


def test_a_fixed_part_is_never_below_nothing() -> None:
    samples = [Sample(n, 5 * n - 4, 7, 1, 1000) for n in (1, 10, 50, 100)]
    found = fit(samples)
    assert found.server == 0
    assert 0 < found.server_row < 5
    assert (found.client, found.client_row) == (7, 0)


def test_the_guide_has_a_place_for_every_table() -> None:
    guide = tables.GUIDE.read_text(encoding="utf-8")
    new = {name: f"a table of {name}" for name in tables.TABLES}
    once = tables.written(guide, new)
    assert all(once.count(text) == 1 for text in new.values())
    assert tables.written(once, new) == once
    assert once.count(tables.END) == guide.count(tables.END) == len(new)


def test_a_table_is_markdown() -> None:
    rows = iter([("store", "nodes"), ("Redis", 4)])
    assert tables.table(rows) == "| store | nodes |\n| --- | --- |\n| Redis | 4 |"
