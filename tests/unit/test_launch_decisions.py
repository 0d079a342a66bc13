"""What is decided before and after a launch, without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhpmp.launch import mpiexec, transport, verdict
from pyhpmp.launch.environment import is_launched, launched_rank
from pyhpmp.launch.status import STATUS_BYTES, open_status, read_status

HYDRA = """
===================================================================================
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   PID 7405 RUNNING AT vm
=   EXIT CODE: 9
=   CLEANING UP REMAINING PROCESSES
===================================================================================
YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)
"""
OPENMPI_4 = """--------------------------------------------------------------------------
Primary job  terminated normally, but 1 process returned
a non-zero exit code. Per user-direction, the job has been aborted.
mpirun noticed that process rank 1 with PID 7405 on node vm exited on signal 11 (Segmentation
fault).
"""
OPENMPI_5 = """prterun noticed that process rank 1 with PID 7405 on node vm exited on
signal 9 (Killed).
"""


@pytest.mark.parametrize(
    ("environ", "launched"),
    [
        ({}, False),
        ({"PMI_RANK": "3"}, True),
        ({"OMPI_COMM_WORLD_RANK": "0"}, True),
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"}, False),
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "4"}, True),
    ],
)
def test_an_allocation_is_not_a_launch(environ: dict[str, str], launched: bool) -> None:
    assert is_launched(environ) is launched


def test_the_rank_is_known_before_mpi_is() -> None:
    assert launched_rank({"PMI_RANK": "3"}) == 3
    assert launched_rank({}) == 0


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("MPICH Version:      5.0.2", "mpich"),
        ("HYDRA build details:", "mpich"),
        ("Open MPI v4.1.4, package: Debian OpenMPI", "openmpi"),
        ("mpiexec (OpenRTE) 4.1.4", "openmpi"),
        ("Intel(R) MPI Library 2021.19 for Linux* OS", "intel"),
        ("something else", "unknown"),
    ],
)
def test_families_are_told_by_their_words(text: str, family: str) -> None:
    assert mpiexec.family_of(text) == family


@pytest.mark.parametrize(
    ("output", "expected"),
    [(HYDRA, (7405, 9)), (OPENMPI_4, (7405, 11)), (OPENMPI_5, (7405, 9)), ("", (0, 0))],
)
def test_launchers_say_who_was_killed(output: str, expected: tuple[int, int]) -> None:
    assert verdict.killed_process(output) == expected


def test_the_first_death_is_the_cause_whomever_the_launcher_names(tmp_path: Path) -> None:
    first = verdict.Member(rank=1, host="vm", pid=7404)
    line, code = verdict.judge(first, 0, 9, HYDRA, tmp_path)
    assert code == 1
    assert line.startswith("rank 1 (host vm, pid 7404) was killed by signal 9 before its first")


def test_a_crash_report_tells_the_signal(tmp_path: Path) -> None:
    (tmp_path / "crash1").write_text("Fatal Python error: Segmentation fault\n\nThread ...")
    line, _ = verdict.judge(verdict.Member(rank=1, host="vm"), 0, 9, HYDRA, tmp_path)
    assert "was killed by signal 11" in line


def test_a_launcher_that_fails_is_quoted(tmp_path: Path) -> None:
    line, code = verdict.judge(None, 0, 127, "no such host\n", tmp_path)
    assert (line, code) == ("mpiexec ended with code 127 and said: no such host", 1)


def test_a_status_survives_in_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPMP_STATUS_DIR", str(tmp_path))
    status = open_status(2)
    assert len(status) == STATUS_BYTES
    status[:6] = b"FWD a\0"
    assert read_status(tmp_path, 2) == "FWD a"
    assert read_status(tmp_path, 3) == ""


def test_a_named_mpiexec_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPMP_MPIEXEC", "/nowhere/mpiexec")
    with pytest.raises(mpiexec.LaunchError, match="/nowhere/mpiexec names no program"):
        mpiexec.find_mpiexec(mpiexec.Mpi("mpich", "", Path("/lib/libmpi.so")))


class FakeTable:
    """libhpmp_mpi.so as the check sees it."""

    def __init__(self, family: str, version: str, path: str) -> None:
        self.hpmp_mpi_built_family = family.encode
        self.hpmp_mpi_built_with = b"/usr/bin/mpicc".strip
        self.hpmp_mpi_library_version = version.encode
        self.hpmp_mpi_library_path = path.encode

    def hpmp_mpi_initialized(self) -> int:
        return 0


MPICH = "/env/lib/libmpi.so.12"
OPENMPI = "/usr/lib/libmpi.so.40"


@pytest.mark.parametrize(
    ("mapped", "table", "initialized", "message"),
    [
        (
            [MPICH, OPENMPI],
            FakeTable("openmpi", "Open MPI v4.1", OPENMPI),
            True,
            rf"two MPI libraries are loaded: mpi4py uses {MPICH}, hpmp's core uses {OPENMPI}; "
            rf"rebuild hpmp .* MPI4PY_LIBMPI={OPENMPI}",
        ),
        (
            [MPICH],
            FakeTable("openmpi", "MPICH Version: 5.0", MPICH),
            True,
            r"built for the openmpi family \(with /usr/bin/mpicc\) but .* is mpich",
        ),
        ([MPICH], FakeTable("mpich", "MPICH Version: 5.0", MPICH), True, "has initialised its MPI"),
    ],
)
def test_a_mismatch_names_both_libraries_and_both_cures(
    monkeypatch: pytest.MonkeyPatch,
    mapped: list[str],
    table: FakeTable,
    initialized: bool,
    message: str,
) -> None:
    monkeypatch.setattr(transport, "mapped_mpi_libraries", lambda: mapped)
    with pytest.raises(transport.MpiMismatchError, match=message):
        transport._check(table, MPICH, initialized)


def test_intel_mpi_is_of_mpichs_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "mapped_mpi_libraries", lambda: [MPICH])
    transport._check(FakeTable("mpich", "Intel(R) MPI Library 2021.19", MPICH), MPICH, False)


def test_mpi_libraries_are_found_in_a_memory_map() -> None:
    maps = (
        "7f00-7f01 r--p 00000000 fe:00 1   /env/lib/libmpi.so.12\n"
        "7f01-7f02 r-xp 00001000 fe:00 1   /env/lib/libmpi.so.12\n"
        "7f03-7f04 r-xp 00001000 fe:00 2   /env/lib/libmpicxx.so.12\n"
        "7f05-7f06 rw-p 00000000 00:00 0\n"
    )
    assert transport.mpi_libraries(maps) == [MPICH]
