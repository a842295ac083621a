"""The one exception that stands for a user's mistake: its message names the file or key and the remedy."""


class UserError(Exception):
    """A problem that the user can mend; the command line prints the message without a traceback."""
