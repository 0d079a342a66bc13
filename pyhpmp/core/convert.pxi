# Statuses to exceptions, names to enums, C strings and arrays to Python's.

from pyhpmp.errors import BY_STATUS, HpmpError


cdef int check(c.hpmp_status status) except -1 nogil:
    if status == 0:
        return 0
    with gil:
        message = c.hpmp_last_error().decode("utf-8", "replace")
        raise BY_STATUS.get(status, HpmpError)(message)


DTYPES = ("fp32", "bf16")  # in the order of hpmp_dtype


cdef c.hpmp_dtype dtype_named(str name) except *:
    if name not in DTYPES:
        raise InvalidArgumentError(f"unknown dtype '{name}'; use one of {', '.join(DTYPES)}")
    return <c.hpmp_dtype><int>DTYPES.index(name)


cdef str taken(char* text):
    """The string of a `char*` result, which is freed."""
    try:
        return text.decode("utf-8")
    finally:
        c.hpmp_free(text)


cdef object ints64(const int64_t* data, Py_ssize_t count):
    cdef Py_ssize_t i
    array = np.empty(count, np.int64)
    cdef int64_t[::1] view = array
    for i in range(count):
        view[i] = data[i]
    return array


cdef object ints32(const int32_t* data, Py_ssize_t count):
    cdef Py_ssize_t i
    array = np.empty(count, np.int32)
    cdef int32_t[::1] view = array
    for i in range(count):
        view[i] = data[i]
    return array
