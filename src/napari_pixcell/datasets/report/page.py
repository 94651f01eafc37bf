"""The page around a report: its looks on a screen, light or dark, and on paper."""

from __future__ import annotations

from napari_pixcell.datasets.report.markup import Markup, element

# Nothing may be fetched, and nothing runs.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1f; --paper: #fff; --soft: #6a6a70; --line: #d5d5da;
  --warn: #fff3d6; --warn-ink: #5c3d00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ea; --paper: #17181a; --soft: #a0a0a8;
  --line: #3a3b40; --warn: #423312; --warn-ink: #ffe2a6; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 860px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 28px; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 40px 0 8px; border-bottom: 1px solid var(--line); }
h3 { font-size: 16px; margin: 28px 0 4px; }
h3 code { font-weight: normal; color: var(--soft); margin-left: 6px; }
h3 + p { margin: 0; }
.mark { background: var(--warn); color: var(--warn-ink); padding: 10px 14px; border-radius: 6px;
  font-weight: 600; }
.soft, figcaption { color: var(--soft); font-size: 13px; }
table { border-collapse: collapse; margin: 8px 0; width: 100%; }
th, td { text-align: left; padding: 3px 12px 3px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.facts th { width: 34%; font-weight: normal; color: var(--soft); }
svg { width: 100%; height: auto; display: block; margin: 6px 0; }
.examples { display: flex; flex-wrap: wrap; gap: 12px; }
figure { margin: 0; flex: 1 1 200px; max-width: 256px; }
figure img { width: 100%; height: auto; border-radius: 4px; display: block; }
.gone { border: 1px dashed var(--line); padding: 40px 12px; margin: 0; text-align: center; }
code, pre { font-family: ui-monospace, monospace; font-size: 13px; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #444;
  --line: #bbb; --warn: #fff; --warn-ink: #000; } body { max-width: none; padding: 0; }
  .mark { border: 2px solid #000; } h2, h3 { break-after: avoid; }
  svg, figure, tr, .score { break-inside: avoid; } @page { margin: 15mm; } }
"""


def page(title: str, *sections: str) -> str:
    """Give a whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    whole = element("html", head, element("body", element("main", *sections)), lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"
