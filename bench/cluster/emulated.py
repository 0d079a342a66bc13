"""K hosts on one Linux machine: network namespaces joined by the switch of switch.cpp.

With fewer cores than hosts everything takes `stretch` = hosts / cores times as long: a host gets
1 / stretch of a core (quota.py) and the network is made slower by the same factor, so that
computing and communicating keep their ratio. A time that is measured on the cluster, divided by the
stretch, is that of the cluster that is meant.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from cluster import ping, quota
from pyhpmp.launch.mpiexec import find_mpiexec, mpi_of_mpi4py
from pyhpmp.network import parse_network

HERE = Path(__file__).resolve().parent
STATES = Path("/run/hpmp-cluster")
SUBNET = "10.77.0"
MTU = 9000
DEFAULT_LATENCY = 50e-6
PRIORITY = 5  # of the switch, among real-time ones: it must not wait for a rank to stop computing
TICKS = os.sysconf("SC_CLK_TCK")


class ClusterError(Exception):
    """The cluster cannot be, with the reason and the cure."""

    exit_code = 2


@dataclass(frozen=True)
class State:
    """What another process must know to use the cluster. bytes_per_second, latency: stretched."""

    name: str
    hosts: int
    network: str
    stretch: float
    bytes_per_second: float
    latency_seconds: float
    pid: int

    @property
    def folder(self) -> Path:
        return STATES / self.name

    @property
    def namespaces(self) -> list[str]:
        return [f"{self.name}{host}" for host in range(self.hosts)]


class Cluster:
    """A cluster that is up; a context manager that takes it down.

    Args:
        hosts: at least 2. network: of every host's link, for instance `1Gbit/50us`.
        scale: stretch time where there are fewer cores than hosts.
        name: of the namespaces, with the host's number behind it.

    Raises:
        ClusterError: no root, no TUN, no compiler, no ip; or a name that is in use.
    """

    def __init__(self, hosts: int, network: str, *, scale: bool = True, name: str = "hpmp") -> None:
        check_possible()
        link = parse_network(network)
        cores = len(os.sched_getaffinity(0))
        stretch = max(1.0, hosts / cores) if scale else 1.0
        if hosts < 2 or hosts > 200:
            raise ClusterError(f"a cluster of {hosts} hosts cannot be; use 2 to 200")
        if (STATES / name).exists():
            raise ClusterError(f"cluster '{name}' is up; take it down, or use another --name")
        self.state = State(
            name,
            hosts,
            network,
            stretch,
            link["link_bytes_per_second"] / stretch,
            link.get("link_latency_seconds", DEFAULT_LATENCY) * stretch,
            pid=0,
        )
        self._switch: subprocess.Popen[bytes] | None = None
        try:
            self._start()
        except BaseException:
            self.down()
            raise

    @staticmethod
    def attached(name: str = "hpmp") -> Cluster:
        """The cluster that another process made, which stays up when this object is left."""
        path = STATES / name / "state.json"
        if not path.exists():
            raise ClusterError(f"no cluster '{name}' is up; make one with cluster.py up")
        cluster = Cluster.__new__(Cluster)
        cluster._switch = None
        cluster.state = State(**json.loads(path.read_text(encoding="utf-8")))
        return cluster

    def _start(self) -> None:
        state = self.state
        state.folder.mkdir(parents=True)
        self._write_state()  # so that `down` finds what is left of a start that was killed
        for namespace in state.namespaces:
            ip("netns", "add", namespace)
        self.set_delay(0.0)
        self._switch = start_switch(state)
        self.state = State(**asdict(state) | {"pid": self._switch.pid})
        self._write_state()
        await_switch(self._switch, state)
        for host, namespace in enumerate(state.namespaces):
            ip("-n", namespace, "link", "set", "lo", "up")
            ip("-n", namespace, "addr", "add", f"{address(host)}/24", "dev", "eth0")
            ip("-n", namespace, "link", "set", "eth0", "mtu", str(MTU), "up")
        if state.stretch > 1:
            self._limit()

    def _limit(self) -> None:
        """Every host to its share of the cores."""
        for namespace in self.state.namespaces:
            try:
                procs = quota.limit(namespace, 1 / self.state.stretch)
            except quota.QuotaError as error:
                print(
                    f"cluster: hosts that wait lend their core to others: {error}", file=sys.stderr
                )
                return
            (self.state.folder / f"{namespace}.group").write_text(f"{procs}\n", encoding="utf-8")

    def _write_state(self) -> None:
        text = json.dumps(asdict(self.state))
        (self.state.folder / "state.json").write_text(text, encoding="utf-8")

    def set_delay(self, seconds: float) -> None:
        """Of the switch alone; hosts and MPI add their own to it."""
        state = self.state
        words = struct.pack("=qq", round(1e12 / state.bytes_per_second), round(seconds * 1e9))
        path = state.folder / "settings"
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(words)

    def command(self, host: int, words: Sequence[str]) -> list[str]:
        """The command that runs `words` on a host."""
        return [str(HERE / "on_host"), self.state.namespaces[host], *words]

    def environment(self) -> dict[str, str]:
        """With which hpmp-run and our mpiexec start rank i on host i, over TCP alone."""
        mpi = mpi_of_mpi4py()
        if mpi.family != "mpich":
            raise ClusterError(f"the cluster starts ranks of MPICH; mpi4py's MPI is {mpi.version}")
        real = os.environ.get("CLUSTER_MPIEXEC") or str(find_mpiexec(mpi))
        return {
            **os.environ,
            "HPMP_MPIEXEC": str(HERE / "mpiexec"),
            "CLUSTER_MPIEXEC": real,
            "CLUSTER_NAME": self.state.name,
            "MPIR_CVAR_NOLOCAL": "1",  # the ranks share a machine, which MPICH must not see
            "MPIR_CVAR_CH4_NETMOD": "ofi",
            "FI_PROVIDER": "tcp",
            "FI_TCP_IFACE": "eth0",
            "GLOO_SOCKET_IFNAME": "eth0",
        }

    def sent_bytes(self) -> list[int]:
        """By every host since the cluster is up, headers included, from the interfaces' counters.

        A packet that the interface cuts into frames counts once, with one header.
        """
        counts = []
        for namespace in self.state.namespaces:
            (link,) = json.loads(ip("-n", namespace, "-j", "-s", "link", "show", "eth0"))
            counts.append(int(link["stats64"]["tx"]["bytes"]))
        return counts

    def switch_cpu_seconds(self) -> float:
        """Processor time that the switch used since the cluster is up."""
        stat = Path(f"/proc/{self.state.pid}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def down(self) -> None:
        """Ends the switch and removes the namespaces; what is not there is no error."""
        state = self.state
        if state.pid and Path(f"/proc/{state.pid}/exe").resolve() == state.folder / "switch":
            os.kill(state.pid, signal.SIGKILL)
        if self._switch is not None:
            self._switch.wait()
        for namespace in state.namespaces:
            with contextlib.suppress(ClusterError):
                ip("netns", "del", namespace)
            quota.remove(namespace)
        shutil.rmtree(state.folder, ignore_errors=True)


@contextlib.contextmanager
def calibrated(hosts: int, network: str, purpose: str) -> Iterator[tuple[Cluster, ping.Measured]]:
    """A cluster of this process's own with the delay that is wished, and what its link gives."""
    with Cluster(hosts, network, name=f"hpmp{purpose}{os.getpid() % 1000}x") as cluster:
        ping.calibrated(cluster)
        yield cluster, ping.measured(cluster)


def address(host: int) -> str:
    return f"{SUBNET}.{host + 1}"


def check_possible() -> None:
    """Raises ClusterError with what is missing."""
    if os.geteuid() != 0:
        raise ClusterError("an emulated cluster needs root, for network namespaces; run it as root")
    for program in ("ip", "unshare", compiler()):
        if not shutil.which(program):
            raise ClusterError(f"an emulated cluster needs the program '{program}'; install it")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise ClusterError("an emulated cluster needs /dev/net/tun; load the module tun")


def compiler() -> str:
    return os.environ.get("CXX", "c++")


def ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def start_switch(state: State) -> subprocess.Popen[bytes]:
    """Builds and starts the switch, which makes the hosts' interfaces."""
    program = state.folder / "switch"
    build = [compiler(), "-O2", "-std=c++17", "-o", str(program), str(HERE / "switch.cpp")]
    subprocess.run(build, check=True)
    spaces = [f"/run/netns/{namespace}" for namespace in state.namespaces]
    with (state.folder / "log").open("wb") as errors:
        return subprocess.Popen(
            [str(program), str(state.folder / "settings"), *spaces],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )


def await_switch(switch: subprocess.Popen[bytes], state: State) -> None:
    """Until the interfaces exist; from then on the switch waits for no rank."""
    assert switch.stdout is not None
    with switch.stdout as said:
        if said.readline() != b"ready\n":
            raise ClusterError((state.folder / "log").read_text(encoding="utf-8").strip())
    try:
        os.sched_setscheduler(switch.pid, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except PermissionError:
        print("cluster: no real-time priority; latencies will vary with the load", file=sys.stderr)
