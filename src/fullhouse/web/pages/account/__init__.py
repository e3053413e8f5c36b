"""Pages behind the links in mails about accounts: confirming an address, and setting a password."""
