-- The taxes of each receipt and credit note, by rate: name, rate in millionths, net amount, tax.
ALTER TABLE receipts ADD COLUMN taxes jsonb NOT NULL DEFAULT '[]';
