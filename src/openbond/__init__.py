"""openbond: the open platform for bonded internet."""

__version__ = "0.1.0"
