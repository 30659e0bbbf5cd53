"""The garbage collector told what stays."""

import gc


def settle() -> None:
    """What was loaded until now stays for good: the collector need not look through it again.

    A full collection stops everything for a tenth of a second with all our libraries loaded; afterwards it
    costs what has come since.
    """
    gc.collect()
    gc.freeze()
