"""The page's parts: sections, cards, tables, keys to pictures, and the SQL behind the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from gaelp_sim.report.style import STYLE, content_policy
from gaelp_sim.report.svg import Line
from gaelp_sim.report.words import Known, Said
from gaelp_sim.store.answers import Answer

Cell = str | Markup
NOTHING = Markup("")


def page(title: str, body: Iterable[Markup]) -> str:
    """The whole file."""
    return str(
        Markup(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta http-equiv="Content-Security-Policy" content="{}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
            'content="light dark">'
            "<title>{}</title><style>{}</style></head>\n<body>\n{}\n</body></html>\n"
        ).format(Markup(content_policy()), title, Markup(STYLE), Markup("\n").join(body))
    )


def section(name: str, title: str, *body: Markup) -> Markup:
    """One section with an anchor."""
    return Markup('<section id="{}"><h2>{}</h2>\n{}</section>').format(name, title, Markup("\n").join(body))


def say(text: str, kind: str = "") -> Markup:
    """A paragraph."""
    return Markup("<p{}>{}</p>").format(Markup(' class="{}"').format(kind) if kind else "", text)


def card(name: str, figure: str, *lines: str) -> Markup:
    """A figure with its name above and what bounds or explains it below."""
    below = Markup("").join(Markup('<p class="muted">{}</p>').format(line) for line in lines if line)
    return Markup('<div class="card"><p>{}</p><div class="figure">{}</div>{}</div>').format(name, figure, below)


def cards(*each: Markup) -> Markup:
    """Cards in a grid."""
    return Markup('<div class="cards">{}</div>').format(Markup("").join(each))


def pair(*each: Markup) -> Markup:
    """Pictures side by side where there is room, below each other where not."""
    return Markup('<div class="pair">{}</div>').format(Markup("").join(each))


def panel(title: str, picture: Markup, *below: Markup) -> Markup:
    """A picture with its title, and its key."""
    return Markup('<div class="card"><h3>{}</h3>{}{}</div>').format(title, picture, Markup("").join(below))


def key(names: Sequence[tuple[str, int]]) -> Markup:
    """Which colour is what."""
    items = (Markup('<li><i class="k{}"></i>{}</li>').format(series, name) for name, series in names)
    return Markup('<ul class="key">{}</ul>').format(Markup("").join(items))


def key_of(lines: Sequence[Line]) -> Markup:
    """The key to a picture of lines."""
    return key([(f"{line.name} (dashed)" if line.dashed else line.name, line.series) for line in lines])


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]], words: int = 1, tail: int = 0) -> Markup:
    """A table; the first `words` and the last `tail` columns are text, the others numbers."""

    def kind(place: int) -> Markup:
        if place >= len(heads) - tail:
            return Markup(' class="w"')
        return Markup(' class="n"') if place >= words else NOTHING

    def line(tag: str, cells: Sequence[Cell]) -> Markup:
        return Markup("<tr>{}</tr>").format(
            NOTHING.join(Markup("<{}{}>{}</{}>").format(tag, kind(place), cell, tag) for place, cell in enumerate(cells))
        )

    told = Markup('<p class="muted">{}</p>').format(caption) if caption else NOTHING
    return Markup('{}<div class="wide"><table>\n{}\n{}</table></div>').format(
        told, line("th", heads), Markup("\n").join(line("td", row) for row in rows)
    )


def interval(known: Known, said: Said) -> str:
    """The 95 % interval in words; empty where it is not known."""
    if known.low is None or known.high is None:
        return ""
    return f"95 %: {said(known.low)} to {said(known.high)}"


def with_interval(known: Known, said: Said) -> str:
    """A figure and its interval."""
    bounds = interval(known, said)
    return f"{said(known.value)} ({bounds})" if bounds else said(known.value)


def command(run_id: str, asked: Answer) -> str:
    """What to paste into a shell to ask again: SQL within double quotes, in which it has nothing that a shell changes."""
    lines = asked.query.sql.strip().splitlines()
    indent = min((len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()), default=0)
    sql = "\n".join([lines[0], *(line[indent:] for line in lines[1:])])
    values = {**asked.query.defaults, **asked.parameters}
    given = "".join(f" -p {name}={value!s}" for name, value in values.items() if not isinstance(value, bytes))
    return f'gaelp query "{sql}" --run {run_id}{given}'


def asked_again(run_id: str, *answers: Answer) -> Markup:
    """The SQL behind the numbers above, folded."""
    return asked_of([(run_id, one) for one in answers])


def asked_of(asked: Sequence[tuple[str, Answer]]) -> Markup:
    """The same for several runs."""
    told = NOTHING.join(
        Markup("<p>{}</p><pre>{}</pre>").format(one.query.question, command(run_id, one)) for run_id, one in asked
    )
    return Markup("<details><summary>The SQL behind these numbers</summary>{}</details>").format(told)
