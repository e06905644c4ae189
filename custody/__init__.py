"""The `custody` command and the typed client of the gateway's API."""
