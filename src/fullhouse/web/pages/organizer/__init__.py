"""Pages for who sells: an organization's codes. For members who are signed in, as far as their role goes."""

from collections.abc import Sequence

from fastapi import APIRouter

from fullhouse.web.pages.organizer import codes

ROUTERS: Sequence[APIRouter] = (codes.router,)
"""The routes of organizers, for the app to include at the root."""
