"""Write the pages that are made from the program itself: `python docs/pages.py` (or `make docs`).

`docs/commands.md` is what `--help` says, `docs/sql.md` every view with the meaning of its columns and every worked query. A
test makes them anew and compares, so neither can say what the program doesn't.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from gaelp_sim.cli.tree import gaelp
from gaelp_sim.store.named_queries import END_OF_TIME_S, NAMED_QUERIES, NamedQuery
from gaelp_sim.store.views import SYNONYMS, VIEWS

HERE = Path(__file__).parent
MADE = "<!-- made by docs/pages.py from the program itself: change that, then run `make docs` -->"
COLUMNS = 100
COMMANDS_INTRO = """\
What `--help` says, command by command. What runs answer to, and what exit codes mean, stands in the [README](../README.md).
"""
SQL_INTRO = """\
`gaelp query` reads these views, and nothing else, of the newest run (`--run RUN` another, `--all` every run). They are the
same on SQLite and PostgreSQL, so any SQL client shows them, too; a client sees every run's rows, told apart by `run_id`.

```console
$ gaelp query "SELECT channel, SUM(spend_usd) AS spend_usd FROM channel_daily GROUP BY channel"
$ gaelp query cac_by_channel --as-of 2025-09-20
$ gaelp query --views
```

Views that begin with `observed_` hold what an advertiser can see. Views that begin with `truth_` hold what no advertiser
ever sees. Times ending in `_s` are seconds since 1970 in UTC, those ending in `_at` their ISO text; money ends in `_usd`,
or in `_micros` where it is whole (1 USD = 1,000,000). Names of columns are a promise (see the
[changelog](../CHANGELOG.md)); new ones may come at the end, so name those that you read.
"""


def commands_page() -> str:
    """Every command's help, in the order of `gaelp --help`."""
    parts = [MADE, "# Commands", COMMANDS_INTRO.rstrip()]
    settings = gaelp.context_settings | {"terminal_width": COLUMNS, "max_content_width": COLUMNS}
    context = click.Context(gaelp, info_name="gaelp", **settings)
    for path, command, inside in _leaves(gaelp, context):
        told = click.Context(command, parent=inside, info_name=path.split()[-1], terminal_width=COLUMNS,
                             max_content_width=COLUMNS)
        parts += [f"## gaelp {path}", f"```text\n{command.get_help(told).rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def _leaves(
    group: click.Group, context: click.Context, path: str = ""
) -> Iterator[tuple[str, click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        full = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            inside = click.Context(command, parent=context, info_name=name, terminal_width=COLUMNS)
            yield from _leaves(command, inside, full)
        else:
            yield full, command, context


def sql_page() -> str:
    """Every view and column with its meaning, then every worked query."""
    parts = [MADE, "# The views, column by column", SQL_INTRO.rstrip()]
    parts += [", ".join(f"[{name}](#{name})" for name in VIEWS)]
    for name, view in VIEWS.items():
        others = [other for other, of in SYNONYMS.items() if of == name]
        also = f" Also called `{'`, `'.join(others)}`." if others else ""
        rows = "\n".join(f"| `{column.name}` | {column.meaning} |" for column in view.columns)
        parts += [f"## {name}", f"{view.meaning}{also}", f"| column | meaning |\n|---|---|\n{rows}"]
    parts += ["# Worked queries", "`gaelp query NAME` runs one; `-p NAME=VALUE` changes a parameter."]
    parts += [part for query in NAMED_QUERIES.values() for part in _worked(query)]
    return "\n\n".join(parts) + "\n"


def _worked(query: NamedQuery) -> Iterator[str]:
    yield f"## {query.name}"
    told = ", ".join(f"`{name}` ({_default(value)})" for name, value in query.defaults.items())
    yield query.question + (f" Parameters, with their defaults: {told}." if told else "")
    yield f"```sql\n{textwrap.dedent(query.sql).strip()}\n```"


def _default(value: object) -> str:
    return "the end of time" if value == END_OF_TIME_S else str(value)


PAGES = {"commands.md": commands_page, "sql.md": sql_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
