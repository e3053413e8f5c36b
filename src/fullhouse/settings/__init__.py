"""Every setting of the product. Only the roots read it; features get values.

A setting is an environment variable: the field's name in capitals after ``FULLHOUSE_``. A file ``.env`` in the current
folder is read too; the environment wins. ``FULLHOUSE_TEST_…`` belongs to the test suite and is passed over.
"""

from fullhouse.settings.budgets import BY_ADDRESS, BY_IDENTITY
from fullhouse.settings.environment import environment_of, read_settings, variable, written
from fullhouse.settings.fields import (
    PREFIX,
    SECRET,
    SECRET_KEY_BYTES_MIN,
    URL_WITH_PASSWORD,
    Settings,
    SettingsError,
    default_public_url,
)

__all__ = [
    "BY_ADDRESS",
    "BY_IDENTITY",
    "PREFIX",
    "SECRET",
    "SECRET_KEY_BYTES_MIN",
    "URL_WITH_PASSWORD",
    "Settings",
    "SettingsError",
    "default_public_url",
    "environment_of",
    "read_settings",
    "variable",
    "written",
]
