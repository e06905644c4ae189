"""What a person can put right."""


class Mendable(Exception):
    """Its text says, in a sentence, what is wrong and what to do; no traceback is needed."""
