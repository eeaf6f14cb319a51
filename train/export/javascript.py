"""Jinja2 templates -> a JavaScript module, so that a page without a server fills the same templates.

Where JavaScript differs from Jinja2 and Python, static/filling.js makes up for it. A template that uses more of Jinja2
than this knows raises NotImplementedError, which names it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

from jinja2 import Environment, nodes
from jinja2.visitor import NodeVisitor

HEAD = """import {Html, contains, each, escaped, filters, globals, truthy} from "./filling.js";

export const templates = {};
const macros = {};
"""
# What static/filling.js has besides.
FILTERS = ("percent", "grouped", "capitalize", "length", "items", "format")
COMPARED = {"eq": "===", "ne": "!==", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}


def javascript(environment: Environment, names: Iterable[str]) -> str:
    """A module whose `templates` has a function for each template: from the values in it to HTML.

    A template comes after those that it imports macros from.
    """
    return HEAD + "".join(_Template(environment, name).module() for name in names)


class _Template(NodeVisitor):
    """Turns nodes into JavaScript; names that a template sets itself have a dollar in front, others come from `c`."""

    def __init__(self, environment: Environment, name: str):
        source, _, _ = environment.loader.get_source(environment, name)
        self.name, self.tree, self.locals = name, environment.parse(source, name), set()

    def module(self) -> str:
        macros = list(self.tree.find_all(nodes.Macro))
        made = "".join(f"macros.{macro.name} = {self._macro(macro)};\n" for macro in macros)
        body = self._block([node for node in self.tree.body if node not in macros])
        filled = f'(given) => {{ const c = {{...globals, ...given}}; let o = ""; {body}return o; }}'
        return f"{made}templates[{json.dumps(self.name)}] = {filled};\n"

    def _macro(self, macro: nodes.Macro) -> str:
        self._refuse(macro, "a default", macro.defaults)
        names = [argument.name for argument in macro.args]
        body = self._block(macro.body, names)
        return f'({self._variables(names)}) => {{ const c = globals; let o = ""; {body}return new Html(o); }}'

    def _block(self, body: Sequence[nodes.Node], names: Iterable[str] = ()) -> str:
        """Statements in which `names` are known, after a declaration of what is set in them."""
        before, own = self.locals, sorted({name for node in body for name in _set_in(node)})
        self.locals = before | {*names, *own}
        statements = "".join(map(self.visit, body))
        self.locals = before
        return (f"let {self._variables(own)}; " if own else "") + statements

    def _variables(self, names: Iterable[str]) -> str:
        return ", ".join(f"${name}" for name in names)

    def _list(self, items: Iterable[nodes.Node]) -> str:
        return ", ".join(map(self.visit, items))

    def _refuse(self, node: nodes.Node, what: str, found: object) -> None:
        """Raise NotImplementedError if a part that would be left out was found."""
        if found:
            raise NotImplementedError(f"{self.name}, line {node.lineno}: {what} is not for JavaScript")

    def generic_visit(self, node: nodes.Node) -> str:
        self._refuse(node, type(node).__name__, node)

    def visit_Output(self, node: nodes.Output) -> str:
        parts = (
            json.dumps(part.data) if isinstance(part, nodes.TemplateData) else f"escaped({self.visit(part)})"
            for part in node.nodes
        )
        return "".join(f"o += {part}; " for part in parts)

    def visit_FromImport(self, node: nodes.FromImport) -> str:
        self._refuse(node, "another name", [name for name in node.names if not isinstance(name, str)])
        return "".join(f"${name} = macros.{name}; " for name in node.names)

    def visit_Include(self, node: nodes.Include) -> str:
        names = node.template.items if isinstance(node.template, nodes.List) else [node.template]
        known = ", ".join(f"{name}: ${name}" for name in sorted(self.locals))
        return f"o += templates[[{self._list(names)}].find((name) => name in templates)]({{...c, {known}}}); "

    def visit_Assign(self, node: nodes.Assign) -> str:
        return f"{self.visit(node.target)} = {self.visit(node.node)}; "

    def visit_If(self, node: nodes.If) -> str:
        branches = [(node.test, node.body), *((other.test, other.body) for other in node.elif_)]
        tests = [f"if ({self._truth(test)}) {{ {''.join(map(self.visit, body))}}}" for test, body in branches]
        return f"{' else '.join(tests)} else {{ {''.join(map(self.visit, node.else_))}}} "

    def visit_For(self, node: nodes.For) -> str:
        self._refuse(node, "a condition, else or recursion in a loop", node.test or node.else_ or node.recursive)
        is_pair = isinstance(node.target, nodes.Tuple)
        names = [name.name for name in (node.target.items if is_pair else [node.target])]
        variables = f"[{self._variables(names)}]" if is_pair else self._variables(names)
        body = self._block(node.body, [*names, "loop"])
        return f"each({self.visit(node.iter)}, ({variables}, $loop) => {{ {body}}}); "

    def visit_Const(self, node: nodes.Const) -> str:
        return json.dumps(node.value)

    def visit_Name(self, node: nodes.Name) -> str:
        return f"${node.name}" if node.name in self.locals else f"c.{node.name}"

    def visit_Getattr(self, node: nodes.Getattr) -> str:
        return f"{self.visit(node.node)}.{node.attr}"

    def visit_Getitem(self, node: nodes.Getitem) -> str:
        return f"{self.visit(node.node)}[{self.visit(node.arg)}]"

    def visit_Call(self, node: nodes.Call) -> str:
        self._refuse(node, "an argument with a name or a star", node.kwargs or node.dyn_args or node.dyn_kwargs)
        return f"{self.visit(node.node)}({self._list(node.args)})"

    def visit_Filter(self, node: nodes.Filter) -> str:
        self._refuse(node, "an argument with a name or a star", node.kwargs or node.dyn_args or node.dyn_kwargs)
        self._refuse(node, f"the filter {node.name}", node.name not in FILTERS)
        return f"filters.{node.name}({self._list([node.node, *node.args])})"

    def visit_CondExpr(self, node: nodes.CondExpr) -> str:
        otherwise = self.visit(node.expr2) if node.expr2 else '""'
        return f"({self._truth(node.test)} ? {self.visit(node.expr1)} : {otherwise})"

    def visit_Compare(self, node: nodes.Compare) -> str:
        self._refuse(node, "a chain of comparisons", node.ops[1:])
        (other,) = node.ops
        self._refuse(node, other.op, other.op not in ("in", *COMPARED))
        left, right = self.visit(node.expr), self.visit(other.expr)
        return f"contains({right}, {left})" if other.op == "in" else f"({left} {COMPARED[other.op]} {right})"

    def visit_Not(self, node: nodes.Not) -> str:
        return f"!{self._truth(node.node)}"

    def visit_And(self, node: nodes.And) -> str:
        return f"({self._truth(node.left)} ? {self.visit(node.right)} : {self.visit(node.left)})"

    def visit_Or(self, node: nodes.Or) -> str:
        return f"({self._truth(node.left)} ? {self.visit(node.left)} : {self.visit(node.right)})"

    def visit_Concat(self, node: nodes.Concat) -> str:
        return f"[{self._list(node.nodes)}].join('')"

    def visit_Mul(self, node: nodes.Mul) -> str:
        return f"({self.visit(node.left)} * {self.visit(node.right)})"

    def _truth(self, node: nodes.Node) -> str:
        return f"truthy({self.visit(node)})"


def _set_in(node: nodes.Node) -> Iterator[str]:
    """The names that a statement sets for those after it."""
    match node:
        case nodes.Assign():
            yield node.target.name
        case nodes.FromImport():
            yield from node.names
        case nodes.If():
            for child in (*node.body, *node.elif_, *node.else_):
                yield from _set_in(child)
