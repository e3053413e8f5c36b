"""Receipts of sales and credit notes of refunds: numbered without gaps, for each organization and year."""
