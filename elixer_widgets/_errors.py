"""What every room needs: the missing number, and the one error for bad input."""

from __future__ import annotations

NAN = float("nan")


class DataError(ValueError):
    """Something in the input is not as it must be; the message names the file, the value and the remedy."""
