"""Courses and sessions of ketamine, esketamine, TMS and ECT. May know scores; no antidepressant and no criterion."""
