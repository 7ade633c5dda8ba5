"""Tests of what an operator sees: starts, settings, log, metrics."""
