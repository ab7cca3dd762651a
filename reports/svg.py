"""A matplotlib figure as inline SVG that takes its colours and its font from the page.

The page forbids inline styles, so every `style` becomes presentation attributes. Colours are drawn
as placeholders and come out as CSS variables, which is what makes one picture fit light and dark.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import msgspec
from markupsafe import Markup

from reports.figures import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"

# what is drawn -> what the page's style sheet calls it
INK, MUTED, LINE, SURFACE = "#0a0101", "#0a0102", "#0a0103", "#0a0104"
SERIES = ("#0a0201", "#0a0202", "#0a0203", "#0a0204", "#0a0205", "#0a0206")
_VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", SURFACE: "surface"} | {
    color: f"series-{number}" for number, color in enumerate(SERIES, 1)
}

STYLE: dict[str, Any] = {
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "font.size": 9,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "boardmark",
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a dollar sign
    "xtick.color": MUTED,
    "xtick.labelsize": 8.5,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One drawing and the words that go with it."""

    markup: Markup
    caption: str


def inline(figure: Figure, name: str, description: str) -> Markup:
    """Return `figure` as an `svg` element; `name` (letters, digits, hyphens) keeps its ids its own.

    `description` is what somebody who does not see the picture is told.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    root = ET.fromstring(buffer.getvalue())  # noqa: S314  matplotlib wrote it a line ago
    _drop(root)
    for element in root.iter():
        _restyle(element)
        _rename(element, name)
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", plain(description, 1000))
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704  a serialiser escaped it


def _drop(root: ET.Element) -> None:
    """Remove the metadata and the style sheet that matplotlib adds."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)


def _restyle(element: ET.Element) -> None:
    """Turn the element's style into attributes, and placeholder colours into variables."""
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = declaration.partition(":")
        if key.strip() == "font":
            _set_font(element, value)
        elif value:
            element.set(key.strip(), value.strip())
    for key, value in element.attrib.items():
        if value in _VARIABLES:
            element.set(key, f"var(--{_VARIABLES[value]})")


def _set_font(element: ET.Element, shorthand: str) -> None:
    """Keep size and weight of a font shorthand; the family is the page's."""
    size = re.search(r"([\d.]+)px", shorthand)
    if size:
        element.set("font-size", size.group(1))
    if re.search(r"\b(bold|[6-9]00)\b", shorthand):
        element.set("font-weight", "600")


def _rename(element: ET.Element, name: str) -> None:
    """Prefix ids and the references to them, so that two pictures can share one page."""
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key in ("href", f"{{{_XLINK}}}href") and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        elif value.startswith("url(#"):
            element.set(key, f"url(#{name}-{value[5:]}")
