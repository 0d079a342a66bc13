"""Starting ranks, watching over them, and being one of them."""

from pyhpmp.launch.environment import is_launched
from pyhpmp.launch.mpiexec import LaunchError, command_line
from pyhpmp.launch.rank import RankContext, guard, rank_context
from pyhpmp.launch.status import STATUS_BYTES, open_status, read_status
from pyhpmp.launch.supervisor import run
from pyhpmp.launch.transport import MpiMismatchError, Transport, describe_mpi

__all__ = [
    "STATUS_BYTES",
    "LaunchError",
    "MpiMismatchError",
    "RankContext",
    "Transport",
    "command_line",
    "describe_mpi",
    "guard",
    "is_launched",
    "open_status",
    "rank_context",
    "read_status",
    "run",
]
