"""What the door itself refuses, before the domain is asked (00-general.md, 9)."""

from rest_framework import status
from rest_framework.exceptions import APIException, PermissionDenied


class BadRequest(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "bad_request"
    default_detail = "The request was not understood."


class CsrfFailed(PermissionDenied):
    default_code = "csrf_failed"
    default_detail = "Send header X-CSRFToken with the value of cookie csrftoken."


class TokenReadOnly(PermissionDenied):
    default_code = "token_read_only"
    default_detail = "This token may only read; use GET, HEAD or OPTIONS."


class InvalidPage(APIException):
    status_code = status.HTTP_404_NOT_FOUND
    default_code = "invalid_page"
    default_detail = "Invalid page."


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = "The body is larger than 1 MiB."
