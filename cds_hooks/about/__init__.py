"""The content of ``/about``: the applied rules and their sources."""
