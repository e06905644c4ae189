"""The gateway: it runs the rounds, keeps what the ledger cannot, and answers questions about what the ledger says."""
