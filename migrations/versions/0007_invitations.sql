-- organizations: members come by invitation -----------------------------------------------------------

-- Offers of a role to whoever proves to own an address; the secret in the mail is derived, and stands nowhere.
CREATE TABLE invitations (
    organization_id uuid NOT NULL REFERENCES organizations,
    invitation_id uuid NOT NULL,
    email text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'manager', 'box_office', 'scanner')),
    secret_hash bytea NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'revoked')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    mailed_at timestamptz,
    PRIMARY KEY (organization_id, invitation_id)
);
CREATE UNIQUE INDEX invitations_one_open ON invitations (organization_id, lower(email)) WHERE status = 'open';
