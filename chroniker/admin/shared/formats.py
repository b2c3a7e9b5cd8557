"""See ``chroniker.wording.formats``; this name goes when all pages import that one."""

from chroniker.wording.formats import *  # noqa: F403
