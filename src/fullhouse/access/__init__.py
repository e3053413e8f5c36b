"""Who may do what, in three layers, each on one screen; a request passes them in this order.

1. ``rules.py``, its table: which role has which permission (RBAC).
2. ``ownership.py``: whose a thing is, and who the asker is in that organization (ACL).
3. ``policies/``: what depends on a state beside, one file of pure functions for each thing.

``http.py`` lets routes declare what they ask for; a route that declares nothing stops the start of the app.
"""
