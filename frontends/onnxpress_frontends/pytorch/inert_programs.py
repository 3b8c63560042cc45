"""The graph of an exported program, before PyTorch reads it: no text in it may become Python.

PyTorch looks operators up in its own modules (``torch.os.system`` is one more function to it), gives size expressions
to sympy, which evaluates them, compiles guards, and writes names into generated source.  So operators must be tensor
operators, expressions must be arithmetic, names must be names, and guards and notes on the source are left out.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from onnxpress.errors import InvalidModel, UnsupportedModel

_DROPPED = {"guards_code": list, "metadata": dict}
_FREE = ("as_string", "as_strings")
"""Text that PyTorch writes into source as a literal."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES = ("name", "as_name", "forward_arg_names")
_NAMED = ("tensor_values", "sym_int_values", "sym_float_values", "sym_bool_values", "custom_obj_values")
_PLAIN = re.compile(r"[\w.,:;/+*<>\- ]*")

_TENSOR_OPS = re.compile(
    r"torch\.ops\.(aten|prims|higher_order|torchvision|quantized_decomposed)"
    r"\.(?!from_file|save|load)(_?[A-Za-z]\w*|__(and|or|xor|lshift|rshift)__)(\.[A-Za-z]\w*)?"
)
_SIZE_OPS = re.compile(
    r"torch\._?sym_[a-z_]+|math\.[a-z]+[0-9]?|"
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|not_|lshift|rshift|getitem)"
)
_FUNCTION = re.compile(
    "Symbol|Integer|Float|Rational|Add|Mul|Pow|Max|Min|Abs|And|Or|Not|floor|ceiling|Piecewise|ExprCondPair|Tuple|"
    "Equality|Unequality|StrictLessThan|LessThan|StrictGreaterThan|GreaterThan|"
    "FloorDiv|ModularIndexing|Where|PythonMod|Mod|CleanDiv|CeilToInt|FloorToInt|CeilDiv|LShift|RShift|PowByNatural|"
    "FloatPow|FloatTrueDiv|IntTrueDiv|IsNonOverlappingAndDenseIndicator|TruncToFloat|TruncToInt|RoundToInt|"
    "RoundDecimal|ToFloat|Identity"
)
"""What sympy's ``srepr`` writes of sizes, and the functions that PyTorch adds."""

_CONSTANTS = frozenset(("true", "false", "oo", "int_oo"))
_TEXT = re.compile(r"[a-z]+_?\d+|-?\d+(\.\d*)?(e[+-]?\d+)?")
"""The name of a symbol, or the digits of a number."""


def inert(program: Any, title: str) -> Any:
    """A copy of the JSON of a program, without guards and notes.

    Args:
        program: What the file holds, as `json.loads` gives it.
        title: What messages call the file.

    Raises:
        UnsupportedModel: Some text in it could be run as Python.
    """
    return _inert(program, "", title)


def _inert(item: Any, key: str, title: str) -> Any:
    if key in _DROPPED:
        return _DROPPED[key]()
    if isinstance(item, dict):
        for name in item:
            _check(name, "name" if key in _NAMED else "", title)
        return {name: _inert(value, name, title) for name, value in item.items()}
    if isinstance(item, list):
        return [_inert(value, key, title) for value in item]
    if isinstance(item, str) and key not in _FREE:
        _check(item, key, title)
    return item


def _check(text: str, key: str, title: str) -> None:
    """Refuse `text`, found under `key`, unless it is of the harmless form that belongs there."""
    if key in ("target", "as_operator"):
        sound, kind = bool(_TENSOR_OPS.fullmatch(text) or _SIZE_OPS.fullmatch(text)), "operator"
    elif key == "expr_str":
        sound, kind = _is_arithmetic(text), "size"
    elif key in ("in_spec", "out_spec"):
        sound, kind = _is_plain_tree(_tree(text, title)), "structure"
    elif key in _NAMES:
        sound, kind = bool(_NAME.fullmatch(text)), "name"
    else:
        sound, kind = bool(_PLAIN.fullmatch(text)), "text"
    if not sound:
        raise UnsupportedModel(
            f"{title} holds the {kind} {text[:80]!r}, which PyTorch could run as code; such a program is not loaded"
        )


def _is_arithmetic(text: str) -> bool:
    try:
        return _computes(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _computes(node: ast.expr) -> bool:
    """Whether an expression only calls known functions with numbers, names of symbols and such expressions."""
    match node:
        case ast.Constant(value=bool() | int() | float()):
            return True
        case ast.Constant(value=str() as text):
            return bool(_TEXT.fullmatch(text))
        case ast.Name(id=name):
            return name in _CONSTANTS
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _computes(operand)
        case ast.Call(func=ast.Name(id=name), args=values, keywords=options):
            values = [*values, *(option.value for option in options)]
            return bool(_FUNCTION.fullmatch(name)) and all(map(_computes, values))
        case _:
            return False


def _tree(text: str, title: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidModel(f"{title}: the structure of the inputs or outputs is corrupt") from error


def _is_plain_tree(item: Any) -> bool:
    """Whether every text in it is plain; a context is JSON once more.  An ``__enum__`` would import a module."""
    if isinstance(item, dict):
        return "__enum__" not in item and all(map(_is_plain_tree, (*item.keys(), *item.values())))
    if isinstance(item, list):
        return all(map(_is_plain_tree, item))
    if isinstance(item, str) and not _PLAIN.fullmatch(item):
        try:
            inner = json.loads(item)
        except ValueError:
            return False
        return not isinstance(inner, str) and _is_plain_tree(inner)
    return True
