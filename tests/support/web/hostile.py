"""Strings that want to be more than text: at least five hundred, each with a mark of its own."""

from __future__ import annotations

from itertools import product

HIT = "window.hit=1"
AWAY = "https://away.example"

_TAGS = (
    "img src=x", "svg", "body", "video src=x", "audio src=x", "input autofocus", "details open", "marquee", "iframe",
    "object data=x", "embed src=x", "select autofocus", "textarea autofocus", "a href=x", "button autofocus",
)  # fmt: skip
_EVENTS = ("onerror", "onload", "onfocus", "ontoggle", "onmouseover", "onstart")
_OPENINGS = ("", '"', "'", "`", "-->", "]]>", "</code>", "</textarea>")
_WHOLE = (
    f"<script>{HIT}</script>",
    f"<SCRIPT SRC={AWAY}/x.js></SCRIPT>",
    f"<scr<script>ipt>{HIT}</scr</script>ipt>",
    f"<img src={AWAY}/pixel.png>",
    f"<img srcset='{AWAY}/a 1x'>",
    f"<link rel=stylesheet href={AWAY}/x.css>",
    f"<style>@import '{AWAY}/x.css'</style>",
    f"<meta http-equiv=refresh content='0;url={AWAY}'>",
    f"<base href={AWAY}>",
    f"<form action={AWAY}><button>go</button></form>",
    f"<iframe srcdoc='<script>parent.{HIT}</script>'></iframe>",
    f"<iframe src='javascript:{HIT}'></iframe>",
    f"<a href='javascript:{HIT}'>x</a>",
    f"<svg><use href='{AWAY}/x.svg#a'/></svg>",
    f"<math><mi xlink:href='javascript:{HIT}'>x</mi></math>",
    f"<object data='{AWAY}/x.swf'></object>",
    f"![pixel]({AWAY}/p.png)",
    f"[x](javascript:{HIT})",
    f"[x](JaVaScRiPt:{HIT})",
    f"[x]( javascript:{HIT} )",
    f"[x](data:text/html,<script>{HIT}</script>)",
    f"<javascript:{HIT}>",
    f"[x]: javascript:{HIT}\n[x]",
    f"{AWAY}",
    f"| a |\n| --- |\n| <img src={AWAY}/t.png> |",
    f"```\n</code></pre><script>{HIT}</script>\n```",
    "{{ 7 * 7 }}",
    "{% raw %}{{ config }}{% endraw %}",
    "${7*7}",
    "<%= 7 * 7 %>",
    "#{7*7}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "\u202egnp.elif\u202c",
    "zero\u200bwidth",
    "'; DROP TABLE patients; --",
    "../../../../etc/passwd",
    "%00%0d%0aSet-Cookie: a=b",
    "\r\n\r\n<script>",
    "javascript:/*--></title></style></textarea></script><svg onload=window.hit=1>",
)


def hostile_strings() -> list[str]:
    """All of them, each beginning with its number."""
    events = [f"{opening}><{tag} {event}={HIT}>" for opening, tag, event in product(_OPENINGS[:6], _TAGS, _EVENTS)]
    whole = [f"{opening}{text}" for opening, text in product(_OPENINGS, _WHOLE)]
    return [f"n{number} {text}" for number, text in enumerate(whole + events)]
