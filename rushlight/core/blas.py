"""NumPy's BLAS lets its threads sleep soon.

OpenBLAS's threads watch for the next product for some 20 ms after each, on a core that the compiler or our own threads
could have.  The variable is read when NumPy is imported, so this module comes before it; a user's own choice stands,
and a NumPy that was there first is left as it is.
"""

import os

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "18")  # 2 ** 18 cycles: some 70 microseconds
