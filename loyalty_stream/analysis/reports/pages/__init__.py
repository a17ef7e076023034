"""Reports as pages to read: `render` makes one self-contained HTML file of a page in one language."""

from loyalty_stream.analysis.reports.pages.page import Page, render

__all__ = ["Page", "render"]
