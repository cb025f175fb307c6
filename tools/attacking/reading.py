"""Requests for files that are nobody's business: by every way to write a path, and by methods other than GET."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote

from attacking.bench import LIBRARY, PAGE, Count, Target, Watch

SECRET = "not for the eyes of strangers"

PREFIXES = (
    "/", "/voila/files/", "/voila/static/", "/voila/templates/elixer/static/", "/voila/templates/lab/static/",
    "/voila/templates/", "/voila/labextensions/", "/voila/nbextensions/", "/voila/api/themes/", "/voila/render/",
    "/voila/query/", "/static/", "/files/", "/api/contents/", "/nbconvert/html/", "/view/", "/edit/", "/tree/", "/lab/",
    "/api/kernels/", "/api/sessions/", "/api/terminals/", "/kernelspecs/", "/custom/", "/metrics/", "/login/",
)  # fmt: skip
UPS = (
    "../" * 9, "..%2f" * 9, "%2e%2e/" * 9, "%2e%2e%2f" * 9, "..%252f" * 9, "..%5c" * 9, "..\\" * 9, "....//" * 9,
    "..;/" * 9, "%c0%ae%c0%ae/" * 9, "..%c0%af" * 9, "%u002e%u002e/" * 9, "/", "//",
    "file:///", "static/" + "../" * 9, "./.././" * 9,
)  # fmt: skip
ENDS = (
    "etc/passwd", "etc/passwd%00", "etc/passwd%00.png", "etc/shadow", "proc/self/environ", "proc/self/cmdline",
    "proc/1/environ", "proc/self/fd/3", "root/.ssh/id_rsa", "root/.bash_history", "etc/hostname",
)  # fmt: skip
OWN = (
    "ELiXer%20Widgets.ipynb", "secret.png", "door/secret.txt", "kernel.log", "runtime/", "index/detectid.npy",
    "jupyter/kernels/elixer/kernel.json", "jupyter/voila/templates/elixer/index.html.j2", "config/", ".git/config",
    "truth.ecsv", "x" * 5000, "%00", "%ff%fe", "%0d%0aX-Set:%20yes", "<script>alert(1)</script>", "{{7*7}}", "${7*7}",
    "a" * 300 + "/" * 300, "~root/", "*", "%25%32%65%25%32%65%25%32%66etc%2fpasswd",
)  # fmt: skip
QUERIES = (
    "?template=../../etc", "?theme=../../../etc/passwd", "?voila=1", "?detectid=../../etc/passwd", "?detectid=%00",
    "?detectid=%c2%b2", "?detectid=" + "9" * 19, "?detectid=" + quote("٣٣"), "?detectid=-1", "?detectid=1e9",
    "?detectid=9223372036854775808", "?z=nan", "?z=1e999", "?identity=<script>", "?off=" + "a" * 199,
    "?q=" + quote("../../../etc/passwd"), "?q=" + quote("'; drop table x; --"), "?order=__class__", "?p_from=inf",
    "?zoom=nan..nan", "?stretch=../../", "?token=x", "?token=x&token=y", "?kernel_name=python3", "?path=/etc/passwd",
    "?" + "&".join(["detectid=1"] * 60), "?detectid", "?=", "?&&&&", "?%", "?%zz=%zz", "?" + "a" * 9000, "#/etc/passwd",
)  # fmt: skip
METHODS = ("HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "GETS", "get")


def requests(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Method and path, without end; every kind comes early."""
    ids = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(4)] + ["0", "../x", "x" * 400, "%2e%2e"]
    kernels = [f"/api/kernels/{i}{rest}" for i in ids for rest in ("", "/channels", "/restart", "/interrupt")]
    kernels += [f"/voila/{what}/{i}" for i in ids for what in ("query", "api/shutdown")]
    plain = [*(("GET", f"/{query}") for query in QUERIES), *(("GET", path) for path in kernels)]
    plain += [("GET", prefix + end) for prefix, end in itertools.product(PREFIXES[:9], OWN)]
    plain += [(method, prefix) for method in METHODS for prefix in ("/", "/voila/files/secret.png", "/healthz", "/x")]
    climbing = [("GET", prefix + up + end) for prefix, up, end in itertools.product(PREFIXES, UPS, ENDS)]
    chance.shuffle(climbing)
    chance.shuffle(plain)
    yield from itertools.chain.from_iterable(zip(itertools.cycle(plain), climbing, strict=False))


def lay_baits(target: Target, elsewhere: Path) -> Path:
    """Links in the server's own folder to a secret that lies elsewhere; the server's folder."""
    folder = Path(f"/proc/{target.process}/cwd").resolve()
    (elsewhere / "secret.txt").write_text(SECRET)
    for name, leads in (("secret.png", elsewhere / "secret.txt"), ("door", elsewhere)):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(leads)
    return folder


def read(target: Target, number: int, elsewhere: Path, seed: int = 1) -> tuple[Count, str]:
    """So many requests; what was seen, in words."""
    count = Count()
    folder = lay_baits(target, elsewhere)
    with Watch(target) as watch:
        for method, path in itertools.islice(requests(random.Random(seed)), number):
            try:
                status, headers, text = target.ask(path, method)
            except (OSError, ValueError, HTTPException) as error:
                count.outcomes[f"no answer ({type(error).__name__})"] += 1
                continue
            count.outcomes[str(status)] += 1
            asked = f"{method} {path[:80]}"
            page = "kernelId" in text
            said = text + "".join(f"{name}: {value}\n" for name, value in headers.items())
            for bait in (SECRET, "root:x:", "import page", str(folder), str(elsewhere)):
                count.check(bait not in said, f"{asked}: {bait!r} is in the answer")
            known = (PAGE if page or status == 200 else LIBRARY).search(_without(said, path))
            count.check(known is None, f"{asked}: {known and known[0]!r} is in the answer, {status}")
            count.check("X-Set" not in headers, f"{asked}: a header of the visitor's")
            count.check(status < 500 or status == 503, f"{asked}: {status}")
            if page:
                kernel = text.split('"kernelId": "', 1)[1][:36]
                count.check("widget-view+json" in text, f"{asked}: a page without content")
                target.close(kernel)
        words = watch.judge(count)
    return count, words


def _without(text: str, path: str) -> str:
    """The answer without what was asked for, where it is repeated as an address to go to."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("Location: "))
