"""Errors whose message is one line for the person at the keyboard."""


class IbcError(Exception):
    """Something a person can mend: the message says what is wrong, where, and what to do.

    Every package of the stack derives its errors from this one, so that a command-line front end
    can print the message and exit non-zero without hiding real bugs behind the same handler.
    """


class ContractMismatch(IbcError):
    """Data or a model was made under another contract than the one in use."""


class StaleObservation(IbcError):
    """There is no camera frame fresh enough for a policy tick."""


class BadEpisode(IbcError):
    """A bag cannot be used: truncated, empty, or without a topic that the contract needs."""


class DamagedEpisode(BadEpisode):
    """A bag's files are truncated, damaged or gone: `ibc bags repair` saves what they hold."""


class RecordingFailed(IbcError):
    """An episode cannot be written on, for example because the disk is full."""
