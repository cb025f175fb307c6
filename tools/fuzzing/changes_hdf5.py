"""Changes of HDF5 files: links, types, columns, shapes, bombs."""

from __future__ import annotations

import random
from typing import Any

import h5py
import numpy as np

from fuzzing.changes import ANY_FILE
from fuzzing.harness import Case, Change, NotApplicable


def _items(file: h5py.File, kind: type) -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, kind) else None)
    if not found:
        raise NotApplicable
    # The tables themselves more often than the parts of their indexes.
    return [name for name in found if "_i_" not in name] * 3 + found


def _dataset(file: h5py.File, rng: random.Random) -> str:
    return rng.choice(_items(file, h5py.Dataset))


def _external(case: Case, rng: random.Random) -> str:
    with h5py.File(case.path, "r+") as file:
        name = rng.choice(_items(file, h5py.Dataset) + _items(file, h5py.Group)) if len(file) else ""
        del file[name]
        target = rng.choice((str(case.outside / case.path.name), f"{case.outside}/missing.h5"))
        file[name] = h5py.ExternalLink(target, "/" + name)
    return f"{name} an external link to {target.rsplit('/', 1)[-1]}"


def _soft(case: Case, rng: random.Random) -> str:
    with h5py.File(case.path, "r+") as file:
        name = _dataset(file, rng)
        others = ["/" + name, "/nowhere", "/"] + ["/" + other for other in _items(file, h5py.Dataset) if other != name]
        target = rng.choice(others[:3] if rng.random() < 0.6 else others)
        del file[name]
        file[name] = h5py.SoftLink(target)
    return f"{name} a soft link to {target}"


def _circle(case: Case, rng: random.Random) -> str:
    with h5py.File(case.path, "r+") as file:
        groups = [name for name in _items(file, h5py.Group)] if any(
            isinstance(item, h5py.Group) for item in file.values()) else [""]  # fmt: skip
        where = rng.choice(groups)
        holder = file[where] if where else file
        holder["again"] = file["/"] if rng.random() < 0.5 else h5py.SoftLink("/" + where)
        holder["more"] = h5py.SoftLink(f"/{where}/more" if where else "/more")
    return f"circle in /{where}"


def _raw_outside(case: Case, rng: random.Random) -> str:
    """The numbers of a dataset lie in another file: HDF5 would read them."""
    with h5py.File(case.path, "r+") as file:
        name = _dataset(file, rng)
        old = file[name]
        kind, shape, size = old.dtype, old.shape, max(old.size * old.dtype.itemsize, 1)
        attributes = dict(old.attrs)
        del file[name]
        outside = str(case.outside / case.path.name)
        if rng.random() < 0.5 or not shape:
            made = file.create_dataset(name, shape, kind, external=[(outside, 0, size)])
        else:
            layout = h5py.VirtualLayout(shape, kind)
            layout[...] = h5py.VirtualSource(outside, "/" + name, shape, kind)
            made = file.create_virtual_dataset(name, layout)
        made.attrs.update(attributes)
    return f"{name} stored in another file"


def _rewrite(file: h5py.File, name: str, data: Any, **how: Any) -> None:
    attributes = dict(file[name].attrs)
    del file[name]
    made = file.create_dataset(name, data=data, **how) if data is not None else file.create_dataset(name, **how)
    for key, value in attributes.items():
        made.attrs[key] = value


def _type(case: Case, rng: random.Random) -> str:
    return _typed(case, rng, whole=True)


def _smaller_type(case: Case, rng: random.Random) -> str:
    return _typed(case, rng, whole=False)


def _typed(case: Case, rng: random.Random, whole: bool) -> str:
    """A column or dataset of another type, which holds its values as they are (`whole`) or does not."""
    with h5py.File(case.path, "r+") as file:
        name = _dataset(file, rng)
        data = file[name][...]
        column = rng.choice(data.dtype.names) if data.dtype.names else ""
        kinds = (
            ">f8",
            "<f2",
            "<i4",
            "S8",
            "u1",
            "<f4",
            "<c16",
            *(("(3,)<f4",) if column else ("text", "empty", "scalar")),
        )
        kind = rng.choice(kinds)
        where = f"{name}.{column}" if column else name
        if kind in ("text", "empty", "scalar"):
            made = {"text": ["many", "words"], "empty": h5py.Empty("f4"), "scalar": 1.0}[kind]
            if whole:
                _rewrite(file, name, made, **({"dtype": h5py.string_dtype()} if kind == "text" else {}))
                return f"{where} as {kind}"
            raise NotApplicable
        old = data[column] if column else data
        if old.dtype.kind not in "fiu":
            raise NotApplicable
        with np.errstate(all="ignore"):
            part = np.stack([old] * 3, -1).astype("<f4") if kind.startswith("(") else old.astype(kind)
        if whole != _held(old, part):
            raise NotApplicable
        if column:
            types = {one: data.dtype[one] for one in data.dtype.names} | {column: (part.dtype, part.shape[data.ndim :])}
            made = np.zeros(data.shape, [(one, np.dtype(form)) for one, form in types.items()])
            for one in data.dtype.names:
                made[one] = part if one == column else data[one]
            _rewrite(file, name, made)
        else:
            _rewrite(file, name, part)
    return f"{where} as {kind}"


def _held(old: np.ndarray, new: np.ndarray) -> bool:
    """Whether numbers of another type are what they were; as text or as several they are none any more."""
    if new.shape != old.shape or new.dtype.kind == "S":
        return True
    return bool(np.allclose(old.astype(float), new.real.astype(float), rtol=1e-6, atol=0.0, equal_nan=True))


def _gone(case: Case, rng: random.Random) -> str:
    with h5py.File(case.path, "r+") as file:
        name = rng.choice(_items(file, h5py.Dataset))
        if rng.random() < 0.3 and "/" in name:
            name = name.rpartition("/")[0]
            alike = {frozenset(item) for item in file.values() if isinstance(item, h5py.Group)}
            if len(alike) == 1 and len(file) > 1:  # one record of several: the file then holds the others
                raise NotApplicable
        del file[name]
    return f"{name} removed"


def _column(case: Case, rng: random.Random) -> str:
    """A column gone, columns in another order, or one renamed."""
    with h5py.File(case.path, "r+") as file:
        name = _dataset(file, rng)
        data = file[name][...]
        names = list(data.dtype.names or ())
        if len(names) < 2:
            raise NotApplicable
        what = rng.choice(("gone", "gone", "order", "renamed"))
        if what == "order":
            order = rng.sample(names, len(names))
            made = np.zeros(data.shape, [(one, data.dtype[one]) for one in order])
            for one in order:
                made[one] = data[one]
        else:
            column = rng.choice(names)
            new = {column: column.upper() + "_"} if what == "renamed" else {}
            kept = [one for one in names if one != column or what == "renamed"]
            made = np.zeros(data.shape, [(new.get(one, one), data.dtype[one]) for one in kept])
            for one in kept:
                made[new.get(one, one)] = data[one]
            what = f"{column} {what}"
        _rewrite(file, name, made)
    return f"{name}: {what}"


def _shape(case: Case, rng: random.Random) -> str:
    with h5py.File(case.path, "r+") as file:
        name = _dataset(file, rng)
        data = file[name][...]
        if not data.ndim or not data.size:
            raise NotApplicable
        what = rng.choice(("one row less", "no rows", "a dimension more", "twice"))
        made = {"one row less": data[:-1], "no rows": data[:0], "a dimension more": data[None],
                "twice": np.concatenate((data, data))}[what]  # fmt: skip
        _rewrite(file, name, made)
    return f"{name}: {what}"


def _numbers(case: Case, rng: random.Random) -> str:
    with h5py.File(case.path, "r+") as file:
        name = _dataset(file, rng)
        data = file[name][...]
        column = rng.choice(data.dtype.names) if data.dtype.names else None
        part = data[column] if column else data
        if part.dtype.kind not in "fiu" or not part.size:
            raise NotApplicable
        value = rng.choice((np.nan, np.inf, 1e30, -1e30, 0.0, -1.0, 2.0**31 - 1, -(2.0**31)))
        with np.errstate(all="ignore"):
            flat = np.array(part).reshape(-1)
            some = slice(None) if rng.random() < 0.5 else slice(0, max(1, flat.size // 3))
            if part.dtype.kind != "f" and not np.isfinite(value):
                value = 0.0
            flat[some] = np.array(value).astype(part.dtype)
        if column:
            data[column] = flat.reshape(part.shape)
        else:
            data = flat.reshape(part.shape)
        file[name][...] = data
    return f"{name}{'.' + column if column else ''} = {value}"


def _bomb(case: Case, rng: random.Random) -> str:
    """A dataset of a few bytes on disk and of terabytes when read."""
    with h5py.File(case.path, "r+") as file:
        name = _dataset(file, rng)
        old = file[name]
        size = rng.choice((10**8, 10**9, 10**11))
        kind, shape = old.dtype, old.shape
        if rng.random() < 0.5:
            shape = (size, *shape[1:]) if shape else (size,)
            _rewrite(file, name, None, shape=shape, dtype=kind, chunks=(1000, *shape[1:]), compression="gzip")
            return f"{name}: {size} rows that were never written"
        rows = 2**29 // max(1, kind.itemsize * int(np.prod(shape[1:], dtype=int)))
        if rows < 1:
            raise NotApplicable
        shape = (rows, *shape[1:])
        _rewrite(file, name, None, shape=shape, dtype=kind, chunks=shape, compression="gzip", shuffle=True)
        file[name][...] = np.zeros(shape, kind)
    return f"{name}: 500 MB of zeros, packed"


def _attribute(case: Case, rng: random.Random) -> str:
    with h5py.File(case.path, "r+") as file:
        name = rng.choice([*_items(file, h5py.Dataset), "/"])
        item = file[name]
        if isinstance(item, h5py.Dataset) and "/" in name and not item.attrs:
            item = item.parent
        key = rng.choice([*item.attrs, "calib", "unit"])
        value = rng.choice((np.arange(5), np.bytes_(b"\xff\xfe"), "", np.nan, h5py.Empty("f4"), "x" * 60_000, -1, "Jy"))
        try:
            item.attrs[key] = value
        except (OSError, ValueError, TypeError) as error:
            raise NotApplicable from error
    return f"{item.name}@{key} = {str(value)[:20]!r}"


def _odd_neighbour(case: Case, rng: random.Random) -> str:
    """Something beside the data that nobody asked for."""
    with h5py.File(case.path, "r+") as file:
        what = rng.choice(("empty group", "deep", "many", "odd name", "named type"))
        if what == "empty group":
            file.create_group("odd")
        elif what == "deep":
            file.create_group("/".join(["a"] * 300))
        elif what == "many":
            for number in range(3000):
                file.create_group(f"g{number}")
        elif what == "odd name":
            file.create_group("sp\N{LATIN SMALL LETTER A WITH RING ABOVE} \n x")
            h5py.h5g.create(file.id, b"\xff\xfe")
        else:
            file["kind"] = np.dtype("f8")
    return what


ANY_HDF5 = (
    *ANY_FILE,
    Change("external link", _external),
    Change("soft link", _soft),
    Change("links in circles", _circle),
    Change("stored elsewhere", _raw_outside),
    Change("another type", _type),
    Change("a smaller type", _smaller_type, of_data=True),
    Change("something missing", _gone),
    Change("columns", _column),
    Change("columns", _column),
    Change("shape", _shape, of_data=True),
    Change("odd numbers", _numbers, of_data=True),
    Change("bomb", _bomb, of_data=True),
    Change("attribute", _attribute, of_data=True),
    Change("odd neighbour", _odd_neighbour),
)
