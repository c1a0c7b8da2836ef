"""Every resource of the site, in the order of the menu. Read it beside api/v3/urls.py."""

from openbond.server.web.objects.declaring import Sheet

from .bonds import BOND_SHEETS
from .measuring import MEASURING_SHEETS
from .network import NETWORK_SHEETS
from .people import PEOPLE_SHEETS
from .records import RECORD_SHEETS

SHEETS: dict[str, Sheet] = {
    sheet.key: sheet
    for sheet in (
        *BOND_SHEETS,
        *NETWORK_SHEETS,
        *MEASURING_SHEETS,
        *PEOPLE_SHEETS,
        *RECORD_SHEETS,
    )
}
BY_ROUTE: dict[str, Sheet] = {sheet.route: sheet for sheet in SHEETS.values()}

__all__ = ["BY_ROUTE", "SHEETS"]
