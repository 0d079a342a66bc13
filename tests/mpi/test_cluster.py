"""The emulated cluster: ranks on hosts of their own, whose messages take the switch's wire.

Where there is no root, no TUN or no compiler the cluster says so, and its tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import wire
from cluster import emulated, ping
from cluster.cluster import main
from cluster.emulated import Cluster, ClusterError
from cluster.steps import Wanted

NAME = f"hpmptest{os.getpid() % 1000}"  # an interface's namespace may be up in another test run
SIZE, REPEATS = 2**20, 20
HOSTS = """
import json, socket
from pyhpmp import world
names = world.current().gather(socket.gethostname())
if world.current().is_root:
    print(json.dumps(names))
"""
BUSY = """
import time
begin = time.perf_counter()
while time.perf_counter() - begin < 1:
    pass
print(time.process_time() / (time.perf_counter() - begin))
"""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    try:
        emulated.check_possible()
    except ClusterError as error:
        pytest.skip(str(error))
    with Cluster(2, "1Gbit/100us", name=NAME) as made:
        yield made


@pytest.fixture
def one_core() -> Iterator[None]:
    """This process and its children have one core; a cluster of two hosts has too few, then."""
    try:
        emulated.check_possible()
    except ClusterError as error:
        pytest.skip(str(error))
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


def test_rank_i_runs_on_host_i(cluster: Cluster) -> None:
    environ = cluster.environment()
    command = [environ["HPMP_MPIEXEC"], "-n", "2", sys.executable, "-P", "-c", HOSTS]
    said = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    assert json.loads(said.stdout) == [f"{NAME}0", f"{NAME}1"]


def test_messages_are_on_the_wire_and_no_faster_than_it(cluster: Cluster) -> None:
    cluster.set_delay(1e-3)
    before = cluster.sent_bytes()
    (seconds,) = ping.ping(cluster, SIZE, REPEATS)
    sent = [after - start for after, start in zip(cluster.sent_bytes(), before, strict=True)]
    assert len(seconds) == REPEATS
    assert min(seconds) >= SIZE / cluster.state.bytes_per_second + 1e-3
    assert all(count > SIZE * REPEATS for count in sent)


def test_what_a_plan_predicts_is_on_the_wire_but_for_headers(cluster: Cluster) -> None:
    strategies = ["data", "hypergraph"]
    what = Wanted("vgg16", 32, 8, strategies, "10Gbit/50us", None, repeats=2, plan_seconds=0.5)
    rows = wire.measured(cluster, what)
    assert [row["strategy"] for row in rows] == strategies
    for row in rows:
        assert row["counted_bytes"] == row["predicted_bytes"]
        assert 1.0 < row["wire_bytes"] / row["predicted_bytes"] < 1.03


def test_only_steps_that_are_predicted_to_differ_have_an_order() -> None:
    def row(predicted: float, measured: float) -> wire.Row:
        return {"predicted_seconds": predicted, "seconds": measured}

    assert wire.in_order([row(1.0, 2.0), row(1.05, 1.0)]) == (0, 0)
    assert wire.in_order([row(3.0, 2.5), row(1.0, 2.0), row(2.0, 4.0)]) == (2, 3)


def test_a_host_that_is_alone_busy_gets_no_more_than_its_share(one_core: None) -> None:
    with Cluster(2, "1Gbit/100us", name=f"{NAME}s") as made:
        if not list(made.state.folder.glob("*.group")):
            pytest.skip("no control groups for processor time here")
        said = subprocess.run(
            made.command(0, [sys.executable, "-c", BUSY]), stdout=subprocess.PIPE, check=True
        )
    assert made.state.stretch == 2
    assert float(said.stdout) <= 0.55


def test_a_cluster_that_is_down_leaves_nothing_behind(cluster: Cluster) -> None:
    spaces, pid = cluster.state.namespaces, cluster.state.pid
    assert set(spaces) <= set(os.listdir("/run/netns"))
    cluster.down()
    assert not set(spaces) & set(os.listdir("/run/netns"))
    assert not cluster.state.folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def dying(state: emulated.State) -> None:
    raise KeyboardInterrupt


def test_down_removes_what_is_left_of_a_start_that_was_killed(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster
) -> None:
    killed = f"{NAME}k"
    monkeypatch.setattr(Cluster, "down", lambda self: None)
    monkeypatch.setattr(emulated, "start_switch", dying)
    with pytest.raises(KeyboardInterrupt):
        Cluster(2, "1Gbit/50us", name=killed)
    monkeypatch.undo()
    assert {f"{killed}0", f"{killed}1"} <= set(os.listdir("/run/netns"))
    assert main(["--name", killed, "down"]) == 0
    assert not {f"{killed}0", f"{killed}1"} & set(os.listdir("/run/netns"))


def test_a_user_who_is_not_root_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["--name", NAME, "up"]) == 2
    assert "needs root" in capsys.readouterr().err


def test_a_cluster_that_is_not_up_is_no_place_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--name", NAME, "run", "true"]) == 2
    assert "cluster.py up" in capsys.readouterr().err
