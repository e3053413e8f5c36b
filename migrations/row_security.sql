-- Row level security: the second wall between organizations, behind the WHERE of every statement.
-- Run in one transaction after the migrations, each time: what is as it should be is left alone and locks nothing.
--
-- Two roles of the whole server, which own nothing and do not sign in by themselves:
--   fullhouse_app     sees and writes the rows of the organization that fullhouse.organization_id names, else none;
--                     every request works as it, and every reaction to a message
--   fullhouse_worker  crosses organizations: relays, sweepers, and the operator's commands

SET LOCAL lock_timeout = '5s';
SELECT pg_advisory_xact_lock(hashtextextended('fullhouse row security', 0));

-- The roles, where this one may make them; else an administrator does (docs/how-to/separate-database-roles.md).
DO $$
DECLARE
    wanted text;
    may_become text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['fullhouse_app', 'fullhouse_worker'] LOOP
        -- Other databases of the server may be doing the same at this moment: whoever comes second finds it done.
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
           AND (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) AND NOT pg_has_role(current_user, wanted, may_become) THEN
            BEGIN
                EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
            EXCEPTION WHEN insufficient_privilege OR unique_violation OR internal_error THEN NULL;
            END;
        END IF;
    END LOOP;
END
$$;

-- Whose rows a table has. A table with organization_id needs no line here: it is guarded like all of them.
CREATE TEMPORARY TABLE wanted_rights ON COMMIT DROP AS
SELECT c.oid::regclass AS guarded, own.attnum IS NOT NULL AS is_organizations, rights.app, rights.worker
FROM pg_class c
LEFT JOIN pg_attribute own ON own.attrelid = c.oid AND own.attname = 'organization_id' AND NOT own.attisdropped
LEFT JOIN (VALUES
    -- Tables outside organizations.
    ('alembic_version', '{SELECT}'::text[], '{SELECT}'::text[]),
    ('queue_depths', '{SELECT}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('outbox_leases', '{}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('users', '{SELECT,INSERT,UPDATE,DELETE}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('token_families', '{SELECT,INSERT,UPDATE,DELETE}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('signing_keys', '{SELECT,INSERT,UPDATE,DELETE}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('account_mails', '{SELECT,INSERT,UPDATE,DELETE}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('link_requests', '{SELECT,INSERT,UPDATE,DELETE}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('link_tokens', '{SELECT,INSERT,UPDATE,DELETE}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('second_factors', '{SELECT,INSERT,UPDATE,DELETE}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('recovery_codes', '{SELECT,INSERT,UPDATE,DELETE}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('provider_attempts', '{SELECT,INSERT,UPDATE,DELETE}', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('user_identities', '{SELECT,INSERT,UPDATE,DELETE}', '{SELECT,INSERT,UPDATE,DELETE}'),
    -- Books that are only ever added to.
    ('ledger_entries', '{SELECT,INSERT}', '{SELECT,INSERT}'),
    ('receipts', '{SELECT,INSERT}', '{SELECT,INSERT}'),
    ('admissions', '{SELECT,INSERT}', '{SELECT,INSERT}'),
    ('audit_entries', '{SELECT,INSERT}', '{SELECT,INSERT}'),
    ('audit_links', '{SELECT,INSERT}', '{SELECT,INSERT}')
) AS listed(name, app, worker) ON listed.name = c.relname
CROSS JOIN LATERAL (
    SELECT coalesce(listed.app, CASE WHEN own.attnum IS NOT NULL THEN '{SELECT,INSERT,UPDATE,DELETE}'::text[] END) AS app,
           coalesce(listed.worker, CASE WHEN own.attnum IS NOT NULL THEN '{SELECT,INSERT,UPDATE,DELETE}'::text[] END)
               AS worker
) AS rights
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND rights.app IS NOT NULL;

-- What a policy says beside: who else sees a row, and may not change it.
CREATE TEMPORARY TABLE wanted_policies ON COMMIT DROP AS
SELECT to_regclass(name) AS guarded, policy, condition FROM (VALUES
    -- Whoever knows an id may learn whose it is: that is what the directory is for.
    ('directory', 'anybody', 'true'),
    -- The list of events on sale crosses organizations, for who names none.
    ('events', 'published_to_anybody',
     $$status = 'published' AND coalesce(current_setting('fullhouse.organization_id', true), '') = ''$$),
    -- Who asks for the orders of a mail address does not know whose they are; it takes the keyed hash to find one.
    ('order_emails', 'found_by_anybody',
     $$coalesce(current_setting('fullhouse.organization_id', true), '') = ''$$),
    ('members', 'own_memberships',
     $$user_id = nullif(current_setting('fullhouse.user_id', true), '')::uuid$$),
    ('organizations', 'own_memberships',
     $$organization_id IN (
         SELECT m.organization_id FROM members m
         WHERE m.user_id = nullif(current_setting('fullhouse.user_id', true), '')::uuid
     )$$)
) AS listed(name, policy, condition)
WHERE to_regclass(name) IS NOT NULL;

DO $$
DECLARE
    -- Without the roles whoever runs this works for all organizations: the program serves, and the wall is down.
    crosses regrole := coalesce(to_regrole('fullhouse_worker'), current_user::regrole);
    own_rows text := $own$organization_id = nullif(current_setting('fullhouse.organization_id', true), '')::uuid$own$;
    place record;
    crossing record;
BEGIN
    FOR place IN SELECT * FROM wanted_rights JOIN pg_class c ON c.oid = guarded WHERE is_organizations LOOP
        IF NOT (place.relrowsecurity AND place.relforcerowsecurity) THEN
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', place.guarded);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = place.guarded AND polname = 'own_organization') THEN
            EXECUTE format('CREATE POLICY own_organization ON %s USING (%s)', place.guarded, own_rows);
        END IF;
        SELECT * INTO crossing FROM pg_policy WHERE polrelid = place.guarded AND polname = 'every_organization';
        IF NOT FOUND THEN
            EXECUTE format('CREATE POLICY every_organization ON %s TO %s USING (true)', place.guarded, crosses);
        ELSIF crossing.polroles <> ARRAY[crosses::oid] THEN
            EXECUTE format('ALTER POLICY every_organization ON %s TO %s', place.guarded, crosses);
        END IF;
    END LOOP;
    FOR place IN SELECT * FROM wanted_policies LOOP
        IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = place.guarded AND polname = place.policy) THEN
            EXECUTE format('CREATE POLICY %I ON %s FOR SELECT USING (%s)', place.policy, place.guarded, place.condition);
        END IF;
    END LOOP;
END
$$;

DO $$
DECLARE
    line record;
BEGIN
    FOR line IN
        SELECT guarded, role_name, allowed, privilege = ANY (rights) AS is_wanted
        FROM wanted_rights
        CROSS JOIN LATERAL (VALUES ('fullhouse_app', app), ('fullhouse_worker', worker)) AS of_role(role_name, rights)
        CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p(privilege)
        CROSS JOIN LATERAL (SELECT privilege AS allowed) AS named
        WHERE to_regrole(role_name) IS NOT NULL
          AND has_table_privilege(role_name, guarded, privilege) <> (privilege = ANY (rights))
    LOOP
        EXECUTE format(CASE WHEN line.is_wanted THEN 'GRANT %s ON %s TO %I' ELSE 'REVOKE %s ON %s FROM %I' END,
                       line.allowed, line.guarded, line.role_name);
    END LOOP;
    FOR line IN
        SELECT role_name FROM unnest(ARRAY['fullhouse_app', 'fullhouse_worker']) AS r(role_name)
        WHERE to_regrole(role_name) IS NOT NULL AND NOT has_schema_privilege(role_name, current_schema(), 'USAGE')
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), line.role_name);
    END LOOP;
    -- For dumps.
    FOR line IN
        SELECT c.oid::regclass AS numbers FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND to_regrole('fullhouse_worker') IS NOT NULL
          AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege('fullhouse_worker', c.oid, 'SELECT') END
    LOOP
        EXECUTE format('GRANT SELECT ON SEQUENCE %s TO fullhouse_worker', line.numbers);
    END LOOP;
END
$$;
