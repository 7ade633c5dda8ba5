"""``python -m docs.generator pages FOLDER`` writes the pages; ``... check FOLDER`` checks the site built from them."""

from __future__ import annotations

import sys
from pathlib import Path

from docs.generator.links import faults
from docs.generator.site import write_site
from mappings.schema.load import load_knowledge


def main(step: str, folder: Path) -> int:
    """The exit status of one step."""
    if step == "pages":
        write_site(load_knowledge(), folder)
        return 0
    found = list(faults(folder / "site"))
    sys.stderr.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
