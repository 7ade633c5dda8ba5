"""Courses and sessions of ketamine, esketamine, TMS and ECT."""
