-- How many places of all of its sessions one buyer may have, by mail address; null: any number.
ALTER TABLE events ADD COLUMN per_buyer_max integer CHECK (per_buyer_max BETWEEN 1 AND 1000);

-- Addresses of one mailbox are one buyer: no letters are large, and nothing from a plus to the at sign counts.
CREATE INDEX order_contacts_of_buyer
    ON order_contacts (organization_id, lower(regexp_replace(email, '[+][^@]*@', '@')));
