"""Vectors that every implementation must reproduce, and the Python that wrote them: `python -m golden`."""
