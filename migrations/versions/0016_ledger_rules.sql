-- The ledger is only ever added to, and what is added sums to zero: the database says so, not only the program.
CREATE INDEX ledger_entries_by_time ON ledger_entries (organization_id, entered_at, entry_id, line);
CREATE INDEX ledger_entries_of_session ON ledger_entries (organization_id, session_id, entered_at);
CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What is added at once sums to zero, entry by entry.
CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added GROUP BY organization_id, entry_id, currency HAVING sum(amount_minor) <> 0) THEN
        RAISE EXCEPTION 'each entry of % sums to zero', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER ledger_entries_balance AFTER INSERT ON ledger_entries REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced();
