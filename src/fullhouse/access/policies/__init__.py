"""What depends on a state beside the role: one file for each thing, pure functions that decide or refuse.

============ =====================================================================================================
event        drafts are seen by members alone; what was ever sold or held is cancelled and not deleted
seat         who blocks may also sell what is blocked, and so may who has the allocation's key
reservation  the token opens it, and nothing else does
order        its secret opens it, or a membership of its organization
ticket       a scanner admits at the sessions and gates that its key is bound to
refund       above the organization's limit it needs an owner
role         nobody gives or takes what they have not
============ =====================================================================================================

What a role may at all is asked before: ``access/rules.py``.
States that a constraint or a lock decides (a seat that is taken, money that is left) are decided where they are locked.
"""
