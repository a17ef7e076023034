"""The root of all errors that an operator can mend; the command line shows their message and no traceback."""


class MendableError(Exception):
    """What was asked, or what is there, is not fit. The message says what, where, and what to do."""
