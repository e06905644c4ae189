"""Offline verification of evidence: formats and arithmetic are shared with the rest of Custody, answers are not."""
