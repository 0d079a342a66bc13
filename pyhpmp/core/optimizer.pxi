# Optimizers: their names, what they keep, and their settings for a step.


def _names():
    names = []
    while c.hpmp_optimizer_name(len(names)) != NULL:
        names.append(c.hpmp_optimizer_name(len(names)).decode())
    return tuple(names)


OPTIMIZERS = _names()  # in the order of hpmp_optimizer_kind


cdef c.hpmp_optimizer_kind optimizer_named(str name) except *:
    if name not in OPTIMIZERS:
        raise InvalidArgumentError(
            f"unknown optimizer '{name}'; use one of {', '.join(OPTIMIZERS)}")
    return <c.hpmp_optimizer_kind><int>OPTIMIZERS.index(name)


def optimizer_states(str name not None):
    """Names of the arrays that an optimizer keeps beside every trained parameter."""
    cdef int32_t kind = optimizer_named(name), state = 0
    names = []
    while c.hpmp_optimizer_state_name(kind, state) != NULL:
        names.append(c.hpmp_optimizer_state_name(kind, state).decode())
        state += 1
    return tuple(names)
