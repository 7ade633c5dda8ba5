"""``tandem knowledge``: what a site adds to the knowledge that ships with the product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fhir_plugin.errors import BadInput
from mappings.schema.medications import FOLDER, load_medications
from mappings.schema.medications.rxnorm import extend_products, import_rxnorm

app = typer.Typer(help="Extend the knowledge of this installation.")


@app.callback()
def knowledge() -> None:
    """Extend the knowledge of this installation."""


@app.command("import-rxnorm")
def import_rxnorm_files(
    folder: Annotated[Path, typer.Argument(help="Folder with RXNCONSO.RRF, RXNREL.RRF and RXNSAT.RRF.")],
    into: Annotated[Path, typer.Option(help="Folder of the medication tables to extend.")] = FOLDER,
) -> None:
    """Add the products of an RxNorm download to the product table, for known ingredients."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder: give the folder with the RRF files")
    rows = import_rxnorm(folder, load_medications(into))
    table = into / "products.csv"
    try:
        added = extend_products(table, rows)
    except OSError as fault:
        raise BadInput(f"{table}: cannot be written: {fault.strerror}") from fault
    load_medications(into)
    typer.echo(f"{len(rows)} products read, {added} added to {table}")
