"""A site's own codings for the orders that cards suggest (``CDS_ORDER_CODES``).

Some EHRs accept an order only under a code of their own, such as a preference list item.
"""

from __future__ import annotations

import json
from pathlib import Path

from cds_service.calls import shapes
from cds_service.engine.orderables import Orderables, with_site_codes
from cds_service.errors import BadRequest, StartupError
from cds_service.terminology.codes import Coding


def with_codes_of(
    path: str | None, orderables: Orderables, setting: str = "CDS_ORDER_CODES"
) -> Orderables:
    """The orderables with the codings of the site's file in front.

    ``setting`` is what names the file, for error messages. Raises StartupError naming the place
    in the file and how to correct it.
    """
    if path is None:
        return orderables
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise StartupError(
            f"{setting}: {path} cannot be read: {error.strerror}.", "Name a JSON file."
        ) from None
    except ValueError as error:
        raise StartupError(f"{setting}: {path} is not JSON: {error}.", "Correct it.") from None
    try:
        shapes.check("order-codes", content)
    except BadRequest as error:
        raise StartupError(f"{setting}: {path}: {error}") from None
    for key in content:
        if key not in orderables:
            raise StartupError(
                f"{setting}: {path}: no order is called {key}.",
                f"The orders are {', '.join(sorted(orderables))}.",
            )
    return with_site_codes(
        orderables,
        {
            key: [
                Coding(coding["system"], coding["code"], coding.get("display", ""))
                for coding in codings
            ]
            for key, codings in content.items()
        },
    )
