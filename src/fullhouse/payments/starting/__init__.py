"""Starting payments: the row first, then the provider, for many buyers together or for one."""
