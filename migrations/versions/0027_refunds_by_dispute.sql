-- Several refunds that one lost dispute has paid: all of them bear its name at the provider.
ALTER TABLE refunds ADD COLUMN dispute_id uuid;
UPDATE refunds r SET dispute_id = d.dispute_id FROM disputes d
WHERE d.organization_id = r.organization_id AND d.payment_id = r.payment_id
  AND d.provider_reference = r.provider_reference;
DROP INDEX refunds_reference_once;
CREATE UNIQUE INDEX refunds_reference_once ON refunds (organization_id, payment_id, provider_reference)
    WHERE provider_reference IS NOT NULL AND dispute_id IS NULL;
