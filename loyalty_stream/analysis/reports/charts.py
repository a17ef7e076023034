"""Charts as inline SVG: bars, lines and intervals, each drawn for a wide page and again for a phone.

Text stays text, so that a browser shows it in its own fonts, Chinese too. It must not know what a figure means.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

BLUE, TEAL, AMBER, RED, SLATE, VIOLET = "#2563eb", "#0d9488", "#d97706", "#dc2626", "#94a3b8", "#7c3aed"
PALETTE: Final = (BLUE, AMBER, TEAL, RED, VIOLET, SLATE)
INK: Final = "#475569"

_WIDE_INCHES: Final = (7.6, 2.6)
_NARROW_INCHES: Final = (3.7, 2.7)
_TICKS: Final = {True: 6, False: 14}
"""The most labels on an axis of a narrow chart and of a wide one."""
_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "font.size": 8,
    "axes.edgecolor": "#cbd5e1",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e2e8f0",
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.major.size": 0,
    "xtick.major.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.constrained_layout.use": True,
}

_LEGEND_CHARACTERS: Final = {True: 40, False: 88}
"""The room for a line of the legend, the keys counted as five."""
_MARKED: Final = 24
"""The most spots that are marked, besides the line."""

Format = Callable[[float], str]


class Chart(NamedTuple):
    """A chart twice, and what it shows in words for who cannot see it."""

    wide: str
    narrow: str
    says: str


class Series(NamedTuple):
    """Values along the axis; None leaves a gap."""

    name: str
    values: Sequence[float | None]
    color: str = ""
    dashed: bool = False
    band: Sequence[tuple[float, float]] = ()
    """The interval of each value."""


class Interval(NamedTuple):
    """A value with its interval."""

    name: str
    value: float
    low: float
    high: float
    color: str = BLUE


def bars(
    says: str,
    labels: Sequence[str],
    series: Sequence[Series],
    written: Format,
    *,
    stacked: bool = False,
    colors: Sequence[str] = (),
) -> Chart:
    """Bars by label: those of several series side by side or stacked. `colors` are those of single bars."""

    def draw(axes: Axes, *, narrow: bool) -> None:
        width = 0.8 if stacked else 0.8 / len(series)
        base = [0.0] * len(labels)
        for place, each in enumerate(series):
            values = [value or 0.0 for value in each.values]
            shift = 0.0 if stacked else (place - (len(series) - 1) / 2) * width
            axes.bar(
                [spot + shift for spot in range(len(labels))],
                values,
                width,
                bottom=base if stacked else None,
                color=list(colors) or each.color or PALETTE[place % len(PALETTE)],
                label=each.name,
            )
            if stacked:
                base = [below + value for below, value in zip(base, values, strict=True)]
        _label(axes, labels, narrow=narrow)
        _finish(axes, written, legend=len(series) > 1, narrow=narrow)

    return _chart(says, draw)


def lines(
    says: str,
    labels: Sequence[str],
    series: Sequence[Series],
    written: Format,
    *,
    top: float | None = None,
    bottom: float | None = None,
) -> Chart:
    """Lines along the labels. A series with a name that was there before stands in the legend once."""

    def draw(axes: Axes, *, narrow: bool) -> None:
        for place, each in enumerate(series):
            color = each.color or PALETTE[place % len(PALETTE)]
            spots = [spot for spot, value in enumerate(each.values) if value is not None]
            values = [value for value in each.values if value is not None]
            axes.plot(
                spots,
                values,
                color=color,
                label=each.name,
                linestyle="--" if each.dashed else "-",
                marker="o" if len(labels) <= _MARKED else None,
                markersize=2.5,
            )
            if each.band:
                low, high = zip(*each.band, strict=True)
                axes.fill_between(spots, low, high, color=color, alpha=0.15, linewidth=0)
        _label(axes, labels, narrow=narrow)
        _finish(axes, written, legend=len(series) > 1, narrow=narrow)
        if top is not None or bottom is not None:
            axes.set_ylim(bottom, top)

    return _chart(says, draw)


def across(says: str, labels: Sequence[str], values: Sequence[float], written: Format) -> Chart:
    """Bars that lie, the first on top, each with its value: for names too long to stand below one."""

    def draw(axes: Axes, *, narrow: bool) -> None:
        spots = range(len(labels))
        axes.barh(spots, values, 0.66, color=BLUE)
        for spot, value in zip(spots, values, strict=True):
            axes.annotate(written(value), (value, spot), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(list(spots), list(labels))
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        axes.set_xlim(0, max([*values, 1]) * (1.28 if narrow else 1.15))

    return _chart(says, draw, lanes=len(labels))


def intervals(says: str, rows: Sequence[Interval], written: Format) -> Chart:
    """Values with their intervals, one above the other, and a line at nothing."""

    def draw(axes: Axes, *, narrow: bool) -> None:
        del narrow
        for spot, each in enumerate(rows):
            axes.plot([each.low, each.high], [spot, spot], color=each.color, linewidth=3, alpha=0.45)
            axes.plot([each.value], [spot], "o", color=each.color, markersize=6)
            axes.annotate(
                written(each.value),
                (each.value, spot),
                (0, 8),
                textcoords="offset points",
                ha="center",
                fontweight="bold",
            )
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(rows)), [each.name for each in rows])
        axes.set_ylim(len(rows) - 0.5, -0.7)
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))

    return _chart(says, draw, lanes=len(rows) + 1)


def shades(count: int) -> list[str]:
    """So many colours from light to dark, for series that follow each other."""
    steps = [place / max(1, count - 1) for place in range(count)]
    return [mpl.colors.to_hex(mpl.colormaps["viridis_r"](0.1 + 0.9 * step)) for step in steps]


# -- drawing --------------------------------------------------------------------------------------------


def _chart(says: str, draw: Callable[..., None], lanes: int = 0) -> Chart:
    """Draw it in both widths; with `lanes`, as high as they need."""
    drawn = []
    for narrow, (width, height) in ((False, _WIDE_INCHES), (True, _NARROW_INCHES)):
        named = {
            "svg.hashsalt": f"{says} {narrow}"
        }  # so that a run makes the same bytes, and charts no equal names
        style: Any = _STYLE | named
        with mpl.rc_context(style), warnings.catch_warnings():
            # Chinese is measured in a font without it; the browser has one.
            warnings.filterwarnings("ignore", message="Glyph")
            figure = Figure(figsize=(width, 0.4 + 0.3 * lanes if lanes else height))
            draw(figure.add_subplot(), narrow=narrow)
            out = StringIO()
            figure.savefig(
                out,
                format="svg",
                transparent=True,
                metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
            )
        drawn.append(_inline(out.getvalue()))
    return Chart(drawn[0], drawn[1], says)


def _label(axes: Axes, labels: Sequence[str], *, narrow: bool) -> None:
    """Label every so-manieth spot, so that they do not touch."""
    step = -(-len(labels) // _TICKS[narrow])
    spots = range(0, len(labels), step)
    axes.set_xticks(list(spots), [labels[spot] for spot in spots])
    axes.set_xlim(-0.6, len(labels) - 0.4)


def _finish(axes: Axes, written: Format, *, legend: bool, narrow: bool) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))
    if axes.get_ylim()[0] < 0:
        axes.axhline(0, color=INK, linewidth=0.8)
    if legend:
        handles, names = axes.get_legend_handles_labels()
        once = {name: handle for handle, name in reversed(list(zip(handles, names, strict=True)))}
        names = [name for name in dict.fromkeys(names) if name]
        axes.legend(
            [once[name] for name in names],
            names,
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=max(1, _LEGEND_CHARACTERS[narrow] // (5 + max(map(_width, names)))),
            handlelength=1.2,
            columnspacing=1.2,
            borderaxespad=0.2,
        )


def _width(name: str) -> int:
    """Characters that a name takes: Chinese ones are as wide as two others."""
    return sum(1 if ord(character) < 0x2E80 else 2 for character in name)


_PROLOGUE: Final = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA: Final = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACE: Final = re.compile(r'\s+xmlns(?::\w+)?="[^"]*"')
_SIZE: Final = re.compile(r'(<svg)\s+width="[^"]*"\s+height="[^"]*"')
_FONT: Final = re.compile(r"font: (?:(bold|\d{3}) )?([\d.]+px) [^;\"]*")
_FAMILY: Final = re.compile(r"font-family: [^;\"]*;? ?")
_STYLE_SHEET: Final = re.compile(r"\s*<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_GROUP_ID: Final = re.compile(r'(<g) id="[^"]*"')
_COMMENT: Final = re.compile(r"\s*<!--.*?-->", re.DOTALL)


def _inline(svg: str) -> str:
    """The SVG as HTML takes it: scales with the page, in its font, with no name that another chart has too."""
    svg = _PROLOGUE.sub("", svg)
    for pattern, instead in (
        (_METADATA, ""),
        (_NAMESPACE, ""),
        (_COMMENT, ""),
        (_STYLE_SHEET, ""),
        (_FAMILY, ""),
        (_SIZE, r"\1"),
        (_GROUP_ID, r"\1"),
    ):
        svg = pattern.sub(instead, svg)
    svg = _FONT.sub(lambda found: f"font-size: {found[2]}" + ("; font-weight: bold" if found[1] else ""), svg)
    return svg.strip()
