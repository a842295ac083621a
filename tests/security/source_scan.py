"""What no module may do, where ruff's rules do not see it: a scan of the syntax tree.

Ruff refuses calls of pickle, marshal, shelve and dill, `yaml.load`, `shell=True`, `os.system`, `eval` and `exec`. Not
seen by it, and found here: the import of such a module, the other unsafe names of PyYAML, `torch.load`, NumPy's
`allow_pickle`, a shell that a variable asks for, and a remark that silences ruff about any of these.
"""

import ast
import re

UNPICKLERS = {"_pickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
UNSAFE_YAML = {
    f"yaml.{name}"
    for name in (
        *("load", "load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all"),
        *("Loader", "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader", "CUnsafeLoader"),
    )
}
# Keywords that may only have one value, written out.
ONLY = {"allow_pickle": False, "shell": False, "weights_only": True}
SILENCED = ("S102", "S301", "S302", "S307", "S506", "S602", "S604", "S605")
_NOQA = re.compile(r"#\s*noqa(?P<codes>:[\sA-Z0-9,]+)?", re.IGNORECASE)


def findings(source):
    """Return what a module's source does that none may do, as "line: what"."""
    tree = ast.parse(source)
    names = imported_names(tree)
    found = [*silenced(source), *unpicklers(tree), *keywords(tree)]
    careful = {id(call.func) for call in ast.walk(tree) if isinstance(call, ast.Call) and weights_only(call)}
    for node in ast.walk(tree):
        name = dotted(node, names)
        if name in UNSAFE_YAML or name == "asyncio.create_subprocess_shell":
            found.append((node.lineno, name))
        if name == "torch.load" and id(node) not in careful:
            found.append((node.lineno, "torch.load without weights_only=True"))
    return [f"{line}: {what}" for line, what in sorted(found)]


def imported_names(tree):
    """Return what each imported name of a module stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.split(".")[0]
                names[alias.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def dotted(node, names):
    """Return what a name or attribute stands for, as "package.name", or None."""
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, names)
        return owner and f"{owner}.{node.attr}"
    return names.get(node.id) if isinstance(node, ast.Name) else None


def weights_only(call):
    return any(
        keyword.arg == "weights_only"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in call.keywords
    )


def unpicklers(tree):
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            if module.split(".")[0] in UNPICKLERS:
                yield node.lineno, f"import of {module}"


def keywords(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ONLY:
            only = ONLY[node.arg]
            if not (isinstance(node.value, ast.Constant) and node.value.value is only):
                yield node.value.lineno, f"{node.arg} other than {only}"


def silenced(source):
    for number, line in enumerate(source.splitlines(), start=1):
        if remark := _NOQA.search(line):
            codes = re.findall(r"[A-Z]+\d*", remark["codes"] or "", re.IGNORECASE)
            if not codes or any(code.upper() in SILENCED or code.upper() == "S" for code in codes):
                yield number, "ruff silenced"
