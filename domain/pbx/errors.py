"""What can go wrong between us and a PBX."""


class PbxError(Exception):
    """Base."""


class ActionTimeout(PbxError):  # noqa: N818 - named for what happened
    """No (complete) answer in time; whether the PBX acted is unknown."""


class ConnectionLost(PbxError):  # noqa: N818 - named for what happened
    """The connection went before the answer came; the action is not sent again."""


class ActionRefused(PbxError):  # noqa: N818 - named for what happened
    """The PBX answered with an error."""


class LoginRefused(PbxError):  # noqa: N818 - named for what happened
    """The PBX knows us not: a matter of configuration, not of the network."""
