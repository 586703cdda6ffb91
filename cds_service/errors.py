"""The errors a caller or an operator can meet.

    ServiceError
    ├── BadRequest            400  the request says something that cannot be read or is not allowed
    ├── Forbidden             403  from a web page of another origin, or for another host
    ├── Unauthorized          401  the caller could not be verified (one body for every reason)
    ├── NotFound              404  no such service or page
    ├── MethodNotAllowed      405
    ├── PreconditionFailed    412  no data that any rule needs could be obtained
    ├── RequestTimeout        408  the body did not arrive in time
    ├── TooLarge              413  body, or number of entries, over the limit
    ├── UnsupportedMediaType  415
    ├── TooManyRequests       429  this client has too many calls in progress; try again
    ├── Unavailable           503  the database is unavailable; try again
    └── StartupError               the program refuses to start: settings, rules, client lists

Each says what happened (``what``), what to do about it (``fix``) and, where it
helps, the place in the request (``where``, a dotted path such as
``context.draftOrders.entry[2]``). None ever carries patient data or a token.
"""

from __future__ import annotations


class ServiceError(Exception):
    """Something that ends a call, with its HTTP status and FHIR issue type code."""

    status = 500
    code = "exception"

    def __init__(self, what: str, fix: str = "", where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.where = where

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        fix = f" {self.fix}" if self.fix else ""
        return f"{place}{self.what}{fix}"


class BadRequest(ServiceError):
    """The request cannot be read, or asks for something that is not allowed."""

    status = 400
    code = "invalid"


class Unauthorized(ServiceError):
    """The caller could not be verified. ``what`` goes to the log, never to the caller."""

    status = 401
    code = "login"


class NotFound(ServiceError):
    """No such service, page or feedback address."""

    status = 404
    code = "not-found"


class MethodNotAllowed(ServiceError):
    """The address exists, the HTTP method does not."""

    status = 405
    code = "not-supported"


class PreconditionFailed(ServiceError):
    """No rule could answer: neither prefetch nor the FHIR server gave anything."""

    status = 412
    code = "processing"


class TooLarge(ServiceError):
    """The body, or the number of entries in it, is over the limit."""

    status = 413
    code = "too-costly"


class Forbidden(ServiceError):
    """A web page of another origin, or a host name that is not this service's."""

    status = 403
    code = "forbidden"


class RequestTimeout(ServiceError):
    """The body did not arrive in time."""

    status = 408
    code = "timeout"


class TooManyRequests(ServiceError):
    """One client has more calls in progress than it may; the same call may be made again."""

    status = 429
    code = "throttled"


class UnsupportedMediaType(ServiceError):
    """The body is not declared as JSON."""

    status = 415
    code = "not-supported"


class Unavailable(ServiceError):
    """The database cannot be reached now; the same call may be made again."""

    status = 503
    code = "transient"


class StartupError(ServiceError):
    """The program refuses to start, and says which setting or file to correct."""
