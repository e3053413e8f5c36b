-- Refunds that ended otherwise than by their provider, and how a case of money was closed.
ALTER TABLE refunds DROP CONSTRAINT refunds_status_check;
ALTER TABLE refunds ADD CONSTRAINT refunds_status_check
    CHECK (status IN ('requested', 'succeeded', 'failed', 'forfeited'));
ALTER TABLE refunds ADD COLUMN otherwise_reference text;
ALTER TABLE money_cases ADD COLUMN resolution text, ADD COLUMN reference text;
-- A refund that failed is owed until its case says how it ended, so cases that were closed without that are open again.
UPDATE money_cases SET closed_at = NULL
WHERE kind = 'refund_failed' AND closed_at IS NOT NULL AND EXISTS (
    SELECT FROM refunds r WHERE r.organization_id = money_cases.organization_id
      AND r.refund_id::text = money_cases.subject AND r.status = 'failed');
