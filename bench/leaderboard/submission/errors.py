"""Why something was not done, with the status that a server answers."""

from ....errors import UserError


class Refused(UserError):
    """A request that a board refuses.

    Attributes
    ----------
    status : int
        Of HTTP: 400 unfit, 401 not known, 403 not allowed, 404 not there, 409 in conflict with what is there.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status
