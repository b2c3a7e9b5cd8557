"""The changes that make a mutant: one expression or statement inside a function is replaced by a similar one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
#: Without one of their keyword arguments, these select or write something else.
QUERIES = {"filter", "exclude", "get", "update", "Q"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Site:
    """A place in a syntax tree that can be changed."""

    line: int
    change: str
    apply: Callable[[], None]


#: A function: the absolute path of its file, its qualified name and its first line, as in compiled code.
Place = tuple[str, str, int]


@dataclass(frozen=True)
class Mutant:
    """A changed function. ``key`` stays the same while other lines of the file change."""

    path: Path
    function: str
    first_line: int
    last_line: int
    number: int
    line: int
    change: str

    @property
    def key(self) -> str:
        return f"{self.path.as_posix()}::{self.function}: {self.change}"

    @property
    def place(self) -> Place:
        return str(self.path.resolve()), self.function, self.first_line

    def code(self) -> CodeType:
        """The compiled code of the changed function."""
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        function = next(each for name, each in functions(tree) if self.is_function(name, first_line(each)))
        list(sites(function))[self.number].apply()
        ast.fix_missing_locations(tree)
        module = compile(tree, str(self.path.resolve()), "exec", dont_inherit=True)
        return next(code for code in codes(module) if self.is_function(code.co_qualname, code.co_firstlineno))

    def is_function(self, name: str, line: int) -> bool:
        return (name, line) == (self.function, self.first_line)


def first_line(function: ast.FunctionDef) -> int:
    """As in the compiled code: that of the first decorator, if there is one."""
    return min([function.lineno, *(each.lineno for each in function.decorator_list)])


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def mutants(path: Path) -> Iterator[Mutant]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name, function in functions(tree):
        for number, site in enumerate(sites(function)):
            last_line = function.end_lineno or site.line
            yield Mutant(path, name, first_line(function), last_line, number, site.line, site.change)


def functions(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods; a function inside a function belongs to the outer one."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")


def sites(function: ast.FunctionDef) -> Iterator[Site]:
    for statement in function.body:
        for node in _executed(statement):
            for change, apply in _changes(node):
                yield Site(node.lineno, change, apply)


def _executed(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Statements and expressions, without annotations and f-strings."""
    if isinstance(node, ast.stmt | ast.expr):
        yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list"} or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _executed(child)


Change = tuple[str, Callable[[], None]]


def _changes(node: ast.expr | ast.stmt) -> Iterator[Change]:
    before = ast.unparse(node).splitlines()[0]

    def changed(text: str, field: str, value: object) -> Change:
        return f"{before} -> {text}", lambda: setattr(node, field, value)

    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
            other = COMPARISONS[type(op)]
            yield changed(other.__name__, "ops", [other()])
        case ast.BoolOp(op=op):
            other_op = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield changed(type(other_op).__name__, "op", other_op)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield changed("without not", "operand", ast.UnaryOp(ast.Not(), operand))
        case ast.BinOp(op=op) if type(op) in ARITHMETIC:
            other_arithmetic = ARITHMETIC[type(op)]
            yield changed(other_arithmetic.__name__, "op", other_arithmetic())
        case ast.Constant(value=bool() as flag):
            yield changed(str(not flag), "value", not flag)
        case ast.Constant(value=int() as number):
            yield changed(str(number + 1), "value", number + 1)
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test) if not isinstance(test, ast.Compare):
            yield changed("negated", "test", ast.UnaryOp(ast.Not(), test))
        case ast.Expr(value=ast.Call()):
            yield changed("removed", "value", ast.Constant(None))
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), keywords=keywords) if name in QUERIES:
            for keyword in keywords:
                rest = [each for each in keywords if each is not keyword]
                yield changed(f"without {keyword.arg}", "keywords", rest)
