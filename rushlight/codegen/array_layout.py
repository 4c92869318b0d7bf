"""Where machine code finds what it reads of NumPy's array objects: the documented `PyArrayObject_fields`.

https://numpy.org/doc/stable/reference/c-api/types-and-structures.html#c.PyArrayObject
"""

from __future__ import annotations

import ctypes

import numpy as np

TYPE, DATA, STRIDES, FLAGS = 8, 16, 40, 64  # offsets on 64-bit machines
C_CONTIGUOUS, ALIGNED = 1, 0x100
DTYPE, NUMBER = 56, 28  # where an array object says its dtype, and a dtype its number (`PyArray_Descr.type_num`)


def check() -> None:
    """Refuses a Python or NumPy whose array objects are built otherwise.

    Raises:
        NotImplementedError: they are.
    """
    array = np.empty(3, np.float32)
    found = [ctypes.c_void_p.from_address(id(array) + DATA).value]
    found.append(ctypes.c_int32.from_address(id(array) + FLAGS).value & C_CONTIGUOUS)
    if found != [array.ctypes.data, C_CONTIGUOUS] or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise NotImplementedError("the compiler does not know this interpreter's array objects")
