"""What can go wrong between the gateway and a PBX."""


class PbxError(Exception):
    """Base class."""


class ActionTimeout(PbxError):  # noqa: N818 - named for what happened
    """No complete answer arrived in time; whether the PBX acted is unknown."""


class ConnectionLost(PbxError):  # noqa: N818 - named for what happened
    """The connection was lost before the answer arrived; the action is not sent again."""


class ActionRefused(PbxError):  # noqa: N818 - named for what happened
    """The PBX answered with an error."""


class LoginRefused(PbxError):  # noqa: N818 - named for what happened
    """The PBX rejected our credentials: a configuration problem, not a network problem."""
