"""The sub-commands of ``tandem``, one module each."""
