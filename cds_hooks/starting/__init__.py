"""What has to be right before the service listens: the same checks for ``tandem serve`` and ``tandem check-config``."""
