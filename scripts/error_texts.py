"""Every error that a user can fix, collected from the code: where it comes from, what it says and what to do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "scangen_bundle"
SHORTEST = 12  # characters of fixed text that a message needs to be recognised by


@dataclass(frozen=True)
class ErrorText:
    """One `InputError` of the code; what is known only at run time is an ellipsis.

    Attributes:
        room: folder of the package.
        problem: what the message says.
        remedy: what it advises.
    """

    room: str
    problem: str
    remedy: str


def error_texts(package: Path = PACKAGE) -> list[ErrorText]:
    """All of them, sorted by room and text, each once."""
    texts = set()
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        texts.update(_of_module(ast.parse(path.read_text("utf-8")), room))
    return sorted(texts, key=lambda text: (text.room, text.problem, text.remedy))


def _of_module(module: ast.Module, room: str) -> Iterator[ErrorText]:
    for scope in ast.walk(module):
        if not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        values = _assigned(scope)
        for call in ast.walk(scope):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "InputError" and len(call.args) >= 2:
                problem = _text(call.args[1], values)
                remedy = _text(call.args[2], values) if len(call.args) > 2 else ""
                if len(problem.replace("…", "")) >= SHORTEST:
                    yield ErrorText(room, problem, remedy)


def _assigned(scope: ast.AST) -> dict[str, ast.expr]:
    """What the function's variables are set to; the last one counts."""
    values = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values[node.targets[0].id] = node.value
    return values


def _text(node: ast.expr, values: dict[str, ast.expr], depth: int = 0) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, values, depth) + _text(node.right, values, depth)
    if isinstance(node, ast.IfExp):
        return _text(node.body, values, depth)
    if isinstance(node, ast.Name) and node.id in values and depth < 3:
        return _text(values[node.id], values, depth + 1)
    return "…"


def as_markdown(texts: list[ErrorText]) -> str:
    """A heading per room, an entry per message."""
    lines, room = [], ""
    for text in texts:
        if text.room != room:
            room = text.room
            lines += [f"\n### {room}\n"]
        lines.append(f"- {_code(text.problem)}" + (f"  \n  **Do:** {_code(text.remedy)}" if text.remedy else ""))
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    """As code, so that signs of Markdown stay what they are."""
    words = " ".join(text.split())
    return f"`` {words} ``" if "`" in words else f"`{words}`"


if __name__ == "__main__":
    print(as_markdown(error_texts()))
