"""See ``chroniker.wording.states``; this name goes when all pages import that one."""

from chroniker.wording.states import *  # noqa: F403
