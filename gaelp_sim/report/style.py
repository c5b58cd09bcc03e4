"""The page's one style sheet, and the policy that lets the page load nothing else."""

from __future__ import annotations

import base64
import hashlib

from gaelp_sim.report.palette import DARK, LIGHT, SERIES, variables

_SERIES = "".join(
    f".f{n}{{fill:var(--s{n})}}.l{n}{{stroke:var(--s{n})}}.k{n}{{background:var(--s{n})}}" for n in range(SERIES)
)
STYLE = (
    f":root{{color-scheme:light dark;{variables(LIGHT)}}}"
    f"@media(prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}"
    """
*{box-sizing:border-box}
body{margin:0 auto;max-width:1140px;padding:16px;background:var(--ground);color:var(--text);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:.4em 0}h2{font-size:1.25rem;margin:2em 0 .5em}h3{font-size:1rem;margin:0 0 .4em}
p{margin:.4em 0;max-width:75ch}a{color:var(--s0)}.muted{color:var(--muted)}.good{color:var(--good)}.bad{color:var(--bad)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(165px,100%),1fr));gap:10px;margin:.6em 0}
.pair{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(420px,100%),1fr));gap:12px;margin:.6em 0}
.card{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px;min-width:0}
.figure{font-size:1.35rem;font-weight:600;overflow-wrap:anywhere}.card p{margin:.1em 0;font-size:.9rem}
.answers{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:4px 16px;margin:.8em 0}
dt{font-weight:600;margin-top:.5em}dd{margin:0 0 .5em}
.wide{overflow-x:auto;margin:.6em 0}table{border-collapse:collapse;font-size:.9rem}
th,td{text-align:left;padding:4px 12px 4px 0;border-bottom:1px solid var(--rule);vertical-align:top}
th.n,td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
th.w,td.w{min-width:17em;overflow-wrap:anywhere}
svg{display:block;width:100%;max-width:540px;height:auto}
svg text{fill:var(--text);font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
svg .m{fill:var(--muted)}svg .r{stroke:var(--rule);stroke-width:1}svg .l{fill:none;stroke-width:2}
svg .e{stroke:var(--text);stroke-width:1.5}svg .b{fill-opacity:.35}
svg .h{paint-order:stroke;stroke:var(--card);stroke-width:3px;stroke-linejoin:round}
.spark{width:160px;min-width:120px}
.key{list-style:none;padding:0;margin:.4em 0 0;display:flex;flex-wrap:wrap;gap:2px 14px;font-size:.85rem}
.key i{display:inline-block;width:12px;height:12px;border-radius:2px;margin-right:5px}
details{margin:.4em 0;font-size:.85rem}summary{cursor:pointer;color:var(--muted)}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--card);border:1px solid var(--rule);border-radius:6px;
padding:8px;font-size:.8rem;margin:.4em 0}
ol.story{padding-left:1.4em;margin:.4em 0;font-size:.9rem}footer{margin-top:3em;color:var(--muted);font-size:.85rem}
"""
    f"{_SERIES}@media print{{:root{{{variables(LIGHT)}color-scheme:light}}body{{font-size:11pt;max-width:none;padding:0}}"
    "details{display:none}.card,table,svg,ol.story{break-inside:avoid}h2,h3{break-after:avoid}"
    ".pair{grid-template-columns:1fr 1fr}.wide{overflow:visible}}"
)
"""What the page is drawn with; no style attribute stands in the page, so its hash is all that need be allowed."""


def content_policy() -> str:
    """The Content-Security-Policy of the page: this style sheet, by its hash, and nothing else at all."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
