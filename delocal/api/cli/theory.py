"""Commands on the theories: list them, evaluate one, draw the figures of the papers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from delocal.api.cli import complete
from delocal.api.cli.base import (
    Json,
    Key,
    command,
    connected,
    err,
    json_of,
    named,
    out,
    plain_logs,
    print_table,
    say,
    tell_json,
)
from delocal.api.progress import bars
from delocal.service.request import read_content

if TYPE_CHECKING:
    from delocal.service.ledger import SweepRecord

PANEL = "Theories"


@command("delocal models", "delocal models scaling", "delocal models scaling --json", panel=PANEL)
def models(
    name: Annotated[str | None, typer.Argument(autocompletion=complete.models)] = None,
    as_json: Json = False,
) -> None:
    """List the models, or the parameters and variables of one."""
    from delocal.service.sweeps import describe_models, one_model

    if as_json:
        tell_json(one_model(name) if name else describe_models())
    elif name is None:
        print_table(describe_models(), ("name", "kind", "title"))
    else:
        model = one_model(name)
        out.print(f"[bold]{model['name']}[/] {model['version']}: {model['title']}")
        print_table(model["parameters"], ("name", "long_name", "units", "allowed", "default"))
        if model["options"]:
            rows = [
                {**o, "choices": ", ".join([*map(str, o["choices"]), *filter(None, [o["or"]])])}
                for o in model["options"]
            ]
            print_table(rows, ("name", "choices", "description"))
        print_table(model["variables"], ("name", "long_name", "units", "equation"))


@command(
    "delocal eval scaling d=2 alpha=3 beta=3 T=1e-4 W=1",
    "delocal eval scaling d=2 alpha=3 beta=3 T=1e-6,1e-4 W=1 --variables kappa_sd,kappa_ps",
    "delocal eval scba d=3 u='{geomspace: [0.1, 10, 3]}' --json",
    panel=PANEL,
    name="eval",
)
def evaluate(
    model: Annotated[str, typer.Argument(autocompletion=complete.models, help="not Monte Carlo")],
    parameters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE", help="a number, several (1,2), or an axis as in a request"
        ),
    ] = None,
    variables: Annotated[str | None, typer.Option(help="comma-separated; all if absent")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, a choice of the model")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="a service that evaluates it, in place of this process")
    ] = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Evaluate a theory at a few points, here and now."""
    from delocal.service.cells import told, walk
    from delocal.service.evaluation import EvaluationRequest, evaluate_here

    given = {n: _value(n, text) for n, text in named(parameters, "parameters").items()}
    options = {n: _value(n, text) for n, text in named(option, "--option").items()}
    wanted = variables.split(",") if variables else None
    if url is None:
        asked = {"parameters": given, "options": options, "variables": wanted}
        ds = evaluate_here(model, EvaluationRequest.parse(asked)).dataset
    else:
        with connected(url, key) as client:
            ds = client.evaluate(model, options=options, variables=wanted, **given)
    if as_json:
        tell_json(json_of(ds))
    elif ds.status.ndim:
        rows = list(walk(ds, None, wanted))
        print_table(rows, list(rows[0]), wrap=False)
    else:
        values = [{"name": n, "value": told(v), **v.attrs} for n, v in ds.items()]
        print_table(values, ("name", "value", "units", "long_name"))


def _value(name: str, text: str) -> Any:
    """Return a number, a list or an axis, of what was typed."""
    several = "," in text and text[0] not in "[{"
    return read_content(f"{name}: [{text}]" if several else f"{name}: {text}")[name]


@command(
    "delocal reproduce",
    "delocal reproduce gutman-fig3 -o reproduced",
    panel=PANEL,
)
def reproduce(
    name: Annotated[
        str | None,
        typer.Argument(
            help="one of the list; `all` for every one", autocompletion=complete.reproductions
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for what is made")] = Path(
        "reproduced"
    ),
    replicas: Annotated[
        int | None, typer.Option(min=2, help="of each Monte Carlo cell; fewer is a rougher look")
    ] = None,
    png: Annotated[bool, typer.Option("--png", help="a picture as well; needs Chromium")] = False,
    as_json: Json = False,
) -> None:
    """Draw a figure or table of the papers again, from sweeps; without NAME, list them."""
    from delocal.service.reproduce import one_reproduction, write_gallery
    from delocal.service.reproductions import load_reproductions

    if name is None:
        rows = [{k: getattr(r, k) for k in COLUMNS} for r in load_reproductions().values()]
        if as_json:
            tell_json(rows)
        else:
            print_table(rows, COLUMNS)
        return
    names = list(load_reproductions()) if name == "all" else [one_reproduction(name).name]
    made = _reproduce_all(names, output, replicas, ("html", "png") if png else ("html",), as_json)
    gallery = write_gallery(output, names).resolve() if name == "all" else None
    if as_json:
        tell_json(made)
    elif gallery:
        say(out, f"gallery  {gallery}")


COLUMNS = ("name", "source", "title")


def _reproduce_all(
    names: list[str],
    output: Path,
    replicas: int | None,
    formats: tuple[str, ...],
    as_json: bool,
) -> list[dict[str, Any]]:
    """Reproduce one after the other, and show each, or return what there is to say of them."""
    from delocal.service.reproduce import one_reproduction
    from delocal.service.reproduce import reproduce as make
    from delocal.service.settings import Service, Settings

    plain_logs()
    service = Service(Settings(data=output / "data"))
    made = []
    try:
        for one in names:
            with bars(err) as progress:
                task = progress.add_task(one, total=None)

                def update(label: str, record: SweepRecord) -> None:
                    progress.update(
                        task,  # noqa: B023
                        description=label,
                        total=record.blocks,
                        completed=record.blocks_done,
                    )

                drawn = make(
                    one, output, service, replicas=replicas, formats=formats, progress=update
                )
                progress.update(task, description=one, total=1, completed=1)
            rows = [dict(row) for row in drawn.table]
            files = sorted(str(path.resolve()) for path in output.glob(f"{one}.*"))
            made.append({"name": one, "caption": drawn.caption, "table": rows, "files": files})
            if as_json:
                continue
            say(out, one_reproduction(one).title)
            if rows:
                print_table(rows, tuple(rows[0]), wrap=False)
            say(out, f"{drawn.caption}\nwritten to {(output / one).resolve()}.*\n")
    finally:
        service.close()
    return made
