# Arrays of other libraries, lent through DLPack for the time of a call.

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid


cdef class _Tensor:
    """Keeps a DLPack capsule for the time of a call; its own destructor releases it."""

    cdef object capsule
    cdef c.DLTensor* tensor

    def __cinit__(self, array, what):
        self.capsule = exported(array, what)
        cdef c.DLManagedTensorVersioned* versioned
        if PyCapsule_IsValid(self.capsule, "dltensor_versioned"):
            versioned = <c.DLManagedTensorVersioned*>PyCapsule_GetPointer(
                self.capsule, "dltensor_versioned")
            if versioned.version.major != 1:
                raise InvalidArgumentError(
                    f"{what}: DLPack version {versioned.version.major}; versions 0.8 and 1 are read")
            self.tensor = &versioned.dl_tensor
        elif PyCapsule_IsValid(self.capsule, "dltensor"):
            self.tensor = &(<c.DLManagedTensor*>PyCapsule_GetPointer(
                self.capsule, "dltensor")).dl_tensor
        else:
            raise InvalidArgumentError(f"{what}: its __dlpack__ gives no DLPack capsule")


def exported(array, what):
    """The DLPack capsule of an array. Errors: InvalidArgumentError naming `what`."""
    if not hasattr(array, "__dlpack__"):
        kind = type(array).__name__
        raise InvalidArgumentError(f"{what}: a {kind} is no DLPack array; pass a NumPy array")
    try:
        try:
            return array.__dlpack__(max_version=(1, 0))
        except TypeError:  # a producer from before DLPack 1.0
            return array.__dlpack__()
    except (BufferError, RuntimeError, TypeError) as error:
        raise InvalidArgumentError(f"{what}: cannot be shared: {error}") from error
