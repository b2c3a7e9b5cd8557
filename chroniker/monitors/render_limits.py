"""Limits the work of rendering a template: the number of steps, and the characters that tags and filters produce."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from django.template import Context, TemplateSyntaxError
from django.template.base import Node, NodeList
from django.template.defaulttags import ForNode
from django.utils.translation import gettext as _

#: Rendered nodes and loop iterations.
MAX_RENDER_STEPS = 20_000
#: Characters of all filter results and of all output.
MAX_RENDERED_CHARACTERS = 500_000


class _RenderBudget:
    def __init__(self) -> None:
        self.steps = MAX_RENDER_STEPS
        self.characters = MAX_RENDERED_CHARACTERS

    def spend(self, steps: int = 0, characters: int = 0) -> None:
        self.steps -= steps
        self.characters -= characters
        if self.steps < 0 or self.characters < 0:
            raise TemplateSyntaxError(_("it produces too much text, or its loops have too many iterations."))


_current_budget: ContextVar[_RenderBudget] = ContextVar("chroniker_render_budget")


@contextmanager
def limit_rendering() -> Iterator[None]:
    token = _current_budget.set(_RenderBudget())
    try:
        yield
    finally:
        _current_budget.reset(token)


def apply_budget_to_nodes(nodes: NodeList) -> None:
    """Make all nodes of a compiled template spend from the budget."""
    for node in nodes.get_nodes_by_type(Node):
        if isinstance(node, ForNode):
            node.nodelist_loop.insert(0, _IterationCounterNode())  # type: ignore[arg-type]  # a NodeList is a list of nodes
        has_children = any(getattr(node, name, None) for name in node.child_nodelists)
        setattr(node, "render_annotated", _make_budgeted_render(node.render_annotated, has_children))  # noqa: B010


def _make_budgeted_render(render: Callable[[Context], Any], has_children: bool) -> Callable[[Context], Any]:
    def render_annotated(context: Context) -> Any:
        _current_budget.get().spend(steps=1)
        text = render(context)
        if not has_children:
            _current_budget.get().spend(characters=len(text))
        return text

    return render_annotated


class _IterationCounterNode(Node):
    def render(self, context: Context) -> str:
        _current_budget.get().spend(steps=1)
        return ""


def apply_budget_to_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose result spends characters."""

    @wraps(function)
    def apply(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if isinstance(result, str):
            _current_budget.get().spend(characters=len(result))
        return result

    return apply
