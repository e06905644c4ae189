"""How the gateway's tables came to be; run by `Database.migrate`."""
