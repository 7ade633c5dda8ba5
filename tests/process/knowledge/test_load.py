"""Loading the knowledge, in a process of its own."""

import subprocess
import sys


def test_loading_needs_no_network_and_no_clock() -> None:
    code = (
        "import sys; from mappings.schema.load import load_knowledge; load_knowledge();"
        " sys.exit('httpx' in sys.modules or 'fhir' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
