"""The colour of a space as a style sheet: the page itself holds no style (ADR 0013)."""

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from .assets import FOR_EVER

COLOUR = re.compile(r"#([0-9a-fA-F]{6})")

# Text on the colour is black or white, whichever can be read; links on dark pages get lighter.
SHEET = """:root {{
  --tblr-primary: #{colour};
  --tblr-primary-rgb: {red}, {green}, {blue};
  --tblr-primary-fg: {text};
  --tblr-primary-darken: color-mix(in srgb, #{colour} 85%, black);
  --tblr-link-color: color-mix(in srgb, #{colour} {share}%, black);
}}
.btn-primary {{
  --tblr-btn-color: {text};
  --tblr-btn-hover-color: {text};
  --tblr-btn-active-color: {text};
}}
[data-bs-theme="dark"] {{ --tblr-link-color: color-mix(in srgb, #{colour} 55%, white); }}
@media (prefers-color-scheme: dark) {{
  :root:not([data-bs-theme]) {{ --tblr-link-color: color-mix(in srgb, #{colour} 55%, white); }}
}}
"""


@require_safe
def serve(request: HttpRequest, colour: str) -> HttpResponse:
    """Answer with the style sheet of a colour, given as six small hexadecimal digits."""
    if not COLOUR.fullmatch(f"#{colour}") or colour != colour.lower():
        raise Http404
    red, green, blue = (int(colour[place : place + 2], 16) for place in (0, 2, 4))
    bright = _luminance(red, green, blue)
    sheet = SHEET.format(
        colour=colour,
        red=red,
        green=green,
        blue=blue,
        text="#ffffff" if bright < 0.18 else "#000000",  # 4.5 to 1, WCAG 2.2
        share=100 if bright < 0.18 else 60,
    )
    return HttpResponse(sheet, content_type="text/css", headers={"Cache-Control": FOR_EVER})


def _luminance(*parts: int) -> float:
    """Return the relative luminance of red, green and blue (WCAG 2.2): 0 is black, 1 white."""
    linear = [
        part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
