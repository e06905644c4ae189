"""Decisions about versions and runs, as pure functions: no database, no clock, no settings."""
