"""What a record and an update *are*: formats and arithmetic that worker, gateway and verifier share."""
