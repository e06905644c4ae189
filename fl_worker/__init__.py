"""What runs where the data lives: `model`, `data`, `train`, and the wire that carries sealed updates to the gateway."""
