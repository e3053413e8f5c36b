"""Pages for who sells: an organization's codes, and tickets given away. For members, as far as their role goes."""

from collections.abc import Sequence

from fastapi import APIRouter

from fullhouse.web.pages.organizer import codes, gifts

ROUTERS: Sequence[APIRouter] = (codes.router, gifts.router)
"""The routes of organizers, for the app to include at the root."""
