"""The exceptions of hpmp: one class per error code of the C interface."""

from __future__ import annotations

USER_MISTAKE = 2
OUR_FAULT = 1


class HpmpError(Exception):
    """Base of all errors of hpmp; `exit_code` is what the commands end with."""

    exit_code = OUR_FAULT


class ModelError(HpmpError):
    """The model file or graph is not valid."""

    exit_code = USER_MISTAKE


class UnsupportedOpError(HpmpError):
    """The model needs an operator, or a form of one, that hpmp does not have."""

    exit_code = USER_MISTAKE


class InvalidArgumentError(HpmpError, ValueError):
    """An option or an array is not what the call needs."""

    exit_code = USER_MISTAKE


class InfeasiblePlanError(HpmpError):
    """No plan fulfils the wishes: too many ranks, too little memory, a batch that does not cut."""

    exit_code = USER_MISTAKE


class InvalidPlanError(HpmpError):
    """A plan is broken, or was made for something else."""

    exit_code = USER_MISTAKE


class OutOfMemoryError(HpmpError, MemoryError):
    """The machine has no memory left."""


class DeviceError(HpmpError):
    """A compute device failed."""


class CommError(HpmpError):
    """A message between ranks failed or did not arrive in time."""

    may_be_anothers = True  # the end of the other rank may be the cause


class InternalError(HpmpError):
    """A fault of hpmp itself."""


class DivergenceError(HpmpError):
    """Training left the range of numbers: the loss is not finite."""

    exit_code = USER_MISTAKE


class DataError(HpmpError):
    """A data set is missing, malformed or does not fit the model."""

    exit_code = USER_MISTAKE


# hpmp_status of native/include/hpmp.h.
BY_STATUS: dict[int, type[HpmpError]] = {
    1: ModelError,
    2: UnsupportedOpError,
    3: InvalidArgumentError,
    4: InfeasiblePlanError,
    5: InvalidPlanError,
    6: OutOfMemoryError,
    7: DeviceError,
    8: CommError,
    9: InternalError,
}
