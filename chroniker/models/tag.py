"""Tags of jobs: words by which the list of jobs is filtered. People and declarations write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.escaping import shortened
from chroniker.models.base import UniqueNameManager

#: A job has at most this many tags.
MAX_TAGS_PER_JOB = 20
TAG_PATTERN = r"^[a-z0-9][a-z0-9_.:-]{0,49}\Z"
_TAG_RULE_TEXT = _("A tag has at most 50 of these characters: a-z 0-9 _ . : -, and begins with a letter or digit.")


class TagManager(UniqueNameManager["Tag"]):
    def get_or_create_tags(self, names: Collection[str]) -> list[Tag]:
        """The tags with these names; those that do not exist are created. Two statements.

        They are created in the order of names, so that two transactions that create the same tags do not deadlock.
        """
        if not names:
            return []
        self.bulk_create([Tag(name=name) for name in sorted(names)], ignore_conflicts=True)
        return list(self.filter(name__in=names))


class Tag(models.Model):
    """One tag. It stays when no job has it any more, but then no list offers it."""

    name = models.CharField(
        _("name"), max_length=50, unique=True, validators=[RegexValidator(TAG_PATTERN, _TAG_RULE_TEXT)]
    )

    objects = TagManager()

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ("name",)
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        return (self.name,)


def validate_tags(words: Iterable[str]) -> tuple[str, ...]:
    """These words as names of tags, in lower case, sorted, each once. Raises ``ValidationError``."""
    names = tuple(sorted({word.lower() for word in words}))
    if wrong := [name for name in names if not re.match(TAG_PATTERN, name)]:
        raise ValidationError(
            _("“%(tag)s” is not a valid tag. %(rule)s"), params={"tag": shortened(wrong[0]), "rule": _TAG_RULE_TEXT}
        )
    if len(names) > MAX_TAGS_PER_JOB:
        raise ValidationError(_("A job can have at most %(most)d tags."), params={"most": MAX_TAGS_PER_JOB})
    return names


def split_tags(text: str) -> tuple[str, ...]:
    """The tags in a text, with spaces or commas between them. Raises ``ValidationError``."""
    return validate_tags(text.replace(",", " ").split())
