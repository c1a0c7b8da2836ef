"""Self: what the project's own web site asks of the caller; private (08-system.md, 10)."""

from importlib.metadata import version

from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api.view import Door
from openbond.server.spaces.selectors import (
    inherited_looks,
    spaces_visible_to,
    users_visible_to,
)

from .spaces import Spaces
from .users import Users


class Self(Door):
    """The caller, his permissions and his space."""

    def retrieve(self, request: Request, **path: object) -> Response:
        viewer = self.viewer
        users = users_visible_to(viewer).filter(pk=viewer.user.pk)
        spaces = spaces_visible_to(viewer).filter(pk=viewer.space_id)
        looks = inherited_looks(viewer.space_id)
        return Response(
            {
                "user": self.lent_to(Users).present(users)[0],
                "permissions": sorted(viewer.codes),
                "space": self.lent_to(Spaces).present(spaces)[0],
                "branding": looks.branding,
                "support": looks.support,
                "version": version("openbond"),
            }
        )
