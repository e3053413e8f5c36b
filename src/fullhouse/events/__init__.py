"""Events and their sessions as data: dates, price categories, ticket types, prices."""
