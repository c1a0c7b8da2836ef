"""Who changes something: a user, or the server itself. What audit entries name."""


class Actor:
    """Somebody who writes. `origin` is where from: an address, or the words "command line".

    The server itself, and whoever runs its command line, may do and reach everything; a user is a
    Viewer (spaces/viewer.py) and may not.
    """

    def __init__(self, *, user_id: int | None, name: str, origin: str = "") -> None:
        self.user_id = user_id
        self.name = name
        self.origin = origin

    def can(self, code: str) -> bool:
        """Report whether a permission code is held."""
        return True

    def reaches(self, space_id: int) -> bool:
        """Report whether a space lies in the reach."""
        return True


SERVER = Actor(user_id=None, name="server")
COMMAND_LINE = Actor(user_id=None, name="command line", origin="command line")
