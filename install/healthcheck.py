"""The container's health check, without curl: exit status 0 if the service in this container is ready."""

from __future__ import annotations

import os
import sys
from urllib.error import URLError
from urllib.request import urlopen

SECONDS = 4


def main() -> int:
    """0 ready, 1 not."""
    address = f"http://127.0.0.1:{os.environ.get('TANDEM_PORT', '8000')}/readyz"
    try:
        with urlopen(address, timeout=SECONDS) as response:
            print(response.read().decode())
    except (URLError, OSError) as fault:
        print(f"{address}: {fault}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
