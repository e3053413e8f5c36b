-- What became of a mail that was sent. A check that no old row breaks is added without reading them all under a lock.
ALTER TABLE mail_deliveries
    ADD COLUMN problem text CHECK (problem IN ('refused', 'bounced', 'complained')),
    ADD COLUMN problem_is_permanent boolean,
    ADD COLUMN problem_reason text,
    ADD COLUMN problem_at timestamptz;
ALTER TABLE mail_deliveries ADD CONSTRAINT mail_deliveries_problem
    CHECK (num_nulls(problem, problem_is_permanent, problem_reason, problem_at) IN (0, 4)) NOT VALID;
ALTER TABLE mail_deliveries VALIDATE CONSTRAINT mail_deliveries_problem;
CREATE INDEX mail_deliveries_problems ON mail_deliveries (problem_at) WHERE problem IS NOT NULL;
