"""Ranks are started, watched and ended; a failure is one line that names its cause."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starting import HERE, RunRanks, StartRanks, outside_environment

from pyhpmp.launch import channel


def shared_memory() -> set[str]:
    return {path.name for path in Path("/dev/shm").glob("mpich_shm_*")}


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_ranks_form_one_job_and_write_to_our_stdout(run_ranks: RunRanks, ranks: int) -> None:
    run = run_ranks("agree", ranks)
    total = ranks * (ranks + 1) // 2
    expected = [f"rank {rank} of {ranks}: {total}" for rank in range(ranks)]
    assert (run.returncode, sorted(run.stdout.splitlines()), run.stderr) == (0, expected, "")


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_killed_rank_is_named_with_its_instruction_within_10_s(
    run_ranks: RunRanks, ranks: int
) -> None:
    start = time.monotonic()
    run = run_ranks("die", ranks)
    assert time.monotonic() - start < 10
    last = ranks - 1
    assert run.returncode == 1
    assert re.fullmatch(
        rf"hpmp-run: rank {last} \(host \S+, pid \d+\) was killed by signal 9 in instruction "
        rf"'BWD layer3.conv2 shard {last}'; if nobody did that, .*\n",
        run.stderr,
    )


def test_a_death_is_seen_at_the_lifeline_before_anything_else_that_it_closes(
    tmp_path: Path,
) -> None:
    """Or a launcher that sees its socket close kills other ranks before we know whose it was."""
    with channel.listen(tmp_path, 1) as server, select.epoll() as epoll:
        sees, held = os.pipe()
        launchers = fcntl.fcntl(held, fcntl.F_DUPFD, 200)
        os.close(held)
        program = "from pyhpmp.launch import channel\nrank = channel.Channel()\ninput()"
        environ = outside_environment() | {"HPMP_STATUS_DIR": str(tmp_path)}
        with subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            env=environ,
            stdin=subprocess.PIPE,
            pass_fds=[launchers],
        ) as rank:
            os.close(launchers)
            connection, lifeline = channel.accept(server)
            while not select.select([connection], [], [], 10)[0]:
                pass
            epoll.register(sees, select.EPOLLIN)
            epoll.register(lifeline, select.EPOLLIN)
            rank.kill()
            rank.wait()
            assert [fd for fd, _ in epoll.poll(10)] == [lifeline, sees]
        connection.close()
        for fd in (sees, lifeline):
            os.close(fd)


def test_a_rank_killed_from_outside_is_named(start_ranks: StartRanks) -> None:
    with start_ranks("pids", 3) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        pids = dict(process.stdout.readline().split()[1:] for _ in range(3))  # by rank
        subprocess.run(["kill", "-9", pids["1"]], check=True)
        message = process.stderr.read()
        assert process.wait(10) == 1
    assert re.match(
        rf"hpmp-run: rank 1 \(host \S+, pid {pids['1']}\) was killed by signal 9", message
    )


def test_a_crash_is_named_with_its_signal(run_ranks: RunRanks) -> None:
    run = run_ranks("segfault", 4)
    assert run.returncode == 1
    assert "rank 3 (" in run.stderr
    assert "was killed by signal 11 in instruction 'FWD conv1 shard 0'" in run.stderr


def test_a_users_mistake_on_one_rank_is_one_line_and_code_2(run_ranks: RunRanks) -> None:
    run = run_ranks("mistake", 3)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "hpmp-run: batch 7 is not divisible by 2 shards\n"


def test_of_ranks_that_all_fail_one_speaks(run_ranks: RunRanks) -> None:
    run = run_ranks("bug", 3)
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.startswith("hpmp-run: internal error: KeyError: 'rank ")


def test_debug_shows_the_traceback(run_ranks: RunRanks) -> None:
    run = run_ranks("bug", 2, "--debug")
    assert run.returncode == 1
    assert "Traceback" in run.stderr


@pytest.mark.parametrize("program", ["sleep", "stubborn"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_even_stubborn_ranks_and_leaves_nothing(
    start_ranks: StartRanks, program: str, number: signal.Signals
) -> None:
    before = shared_memory()
    with start_ranks(program, 2) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["sleeping\n"] * 2
        process.send_signal(number)
        assert process.wait(10) == 128 + number
        assert process.stderr is not None
        assert process.stderr.read() == f"hpmp-run: ended by {number.name}\n"
    assert shared_memory() <= before


def test_one_rank_needs_no_launcher_and_no_mpi() -> None:
    run = subprocess.run(
        [sys.executable, "-P", str(HERE / "ranks.py"), "size"],
        env=outside_environment(),
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "0 1 True True\n", "")


def test_a_launch_of_another_size_is_refused(run_ranks: RunRanks) -> None:
    run = run_ranks("wrong_size", 2)
    assert run.returncode == 1
    assert "3 ranks were started but MPI counts 2" in run.stderr


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_the_mpi_table_carries_messages_in_order(run_ranks: RunRanks, ranks: int) -> None:
    run = run_ranks("ring", ranks)
    assert (run.returncode, run.stderr) == (0, "")
    assert sorted(run.stdout.split()) == sorted(["ok"] * ranks)
