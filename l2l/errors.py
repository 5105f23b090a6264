"""What a user can mend is told in one line: the file, what was found, what was expected, how to mend it."""


class BadInput(Exception):
    """Something given to l2l is not as it has to be; the message is one line and needs no traceback."""
