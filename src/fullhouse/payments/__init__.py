"""Taking money and giving it back: payments, notices, refunds, the ledger."""
