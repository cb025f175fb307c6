"""Images from the web, against a server on this computer that answers as the services do, on good and bad days."""

from __future__ import annotations

import bz2
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy.io import fits

from elixer_widgets.catalogs import CatalogLibrary
from elixer_widgets.detection import DataError
from elixer_widgets.imaging import SURVEYS, web
from elixer_widgets.imaging.registry import Survey
from elixer_widgets.imaging.surveys import Library
from elixer_widgets.imaging.web import (
    LegacyService,
    NotReachable,
    PanStarrsService,
    Patience,
    SdssService,
    WebClient,
    check_fits,
)
from tests.imaging.sky import DEC, RA, gaussian, wcs

Answer = tuple[int, bytes]

QUICK = Patience(connect=0.5, read=0.4, total=3.0, tries=3, pause=0.01)


@dataclass
class Server:
    """What was asked, and what is answered: path to a function of the query and of the number of this request."""

    answers: dict[str, Callable[[dict[str, list[str]], int], Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    drip: float = 0.0
    cut: bool = False


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if not any(parts.path.startswith(path) for path in state.answers):
                state.asked.append(self.path)
                self.send_error(404)
                return
            state.asked.append(self.path)
            (path,) = [path for path in state.answers if parts.path.startswith(path)]
            code, body = state.answers[path](parse_qs(parts.query), len(state.asked))
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.cut:
                body = body[: len(body) // 2]
            for start in range(0, len(body), 500 if state.drip else len(body) or 1):
                try:
                    self.wfile.write(body[start : start + (500 if state.drip else len(body))])
                except OSError:
                    return
                time.sleep(state.drip)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        state.url = f"http://127.0.0.1:{made.server_address[1]}"
        yield state
        made.shutdown()


def image(zero_point: float, pixels: int = 90, scale: float = 0.25, mag: float = 21.0, **keywords: float) -> bytes:
    """A FITS file with one source of known magnitude at the position."""
    data = gaussian((pixels, pixels), (pixels - 1) / 2, (pixels - 1) / 2, 5.0, 10 ** (0.4 * (zero_point - mag)))
    data += np.random.default_rng(2).normal(0, data.max() * 1e-4, data.shape)
    header = wcs(RA, DEC, data.shape, scale).to_header()
    header.update(keywords)
    file = io.BytesIO()
    fits.PrimaryHDU(data.astype(np.float32), header).writeto(file)
    return file.getvalue()


def survey(name: str, service: object) -> Survey:
    (one,) = [survey for survey in SURVEYS if survey.name == name]
    return replace(one, web=service)  # type: ignore[arg-type]


def all_surveys(server: Server) -> list[Survey]:
    return [
        survey("DECaLS", LegacyService(server.url)),
        survey("Pan-STARRS", PanStarrsService(server.url)),
        survey("SDSS", SdssService(server.url + "/dr17", server.url + "/frames")),
    ]


NAMES = "projcell subcell ra dec filter mjd type filename shortname badflag\n"


def all_services(server: Server) -> None:
    """Legacy has g r z, Pan-STARRS g r i z y, SDSS u g r i z."""

    def legacy(query: dict[str, list[str]], n: int) -> Answer:
        assert query["layer"] == ["ls-dr10"] and len(query["bands"][0]) == 1
        if query["bands"] == ["i"]:  # no data: the service answers with zeros
            empty = io.BytesIO()
            fits.PrimaryHDU(np.zeros((90, 90), np.float32), wcs(RA, DEC, (90, 90), 0.262).to_header()).writeto(empty)
            return 200, empty.getvalue()
        return 200, image(22.5, scale=0.262)

    def names(query: dict[str, list[str]], n: int) -> Answer:
        band = query["filters"][0]
        row = f"2294 47 {RA} {DEC} {band} 0 stack /rings.v3.skycell/x.stk.{band}.unconv.fits x.fits 0\n"
        return 200, (NAMES + row).encode()

    def fitscut(query: dict[str, list[str]], n: int) -> Answer:
        assert query["format"] == ["fits"] and query["red"][0].endswith(".unconv.fits")
        return 200, image(25.0 + 2.5 * np.log10(500.0), EXPTIME=500.0)

    def sql(query: dict[str, list[str]], n: int) -> Answer:
        assert "raMin" in query["cmd"][0]
        return 200, b"#Table1\nrun,camcol,field\n3704,3,91\n"

    server.answers = {
        "/viewer/fits-cutout": legacy,
        "/cgi-bin/ps1filenames.py": names,
        "/cgi-bin/fitscut.cgi": fitscut,
        "/dr17/SkyServerWS/SearchTools/SqlSearch": sql,
        "/frames/3704/3/frame-": lambda query, n: (200, bz2.compress(image(22.5, scale=0.396))),
    }


def total(cutout: object) -> float:
    return float(cutout.zero_point - 2.5 * np.log10(cutout.data.sum()))  # type: ignore[attr-defined]


def test_each_band_from_the_first_survey_that_has_it(server: Server, tmp_path: Path) -> None:
    all_services(server)
    library = Library(None, all_surveys(server), web=True, client=WebClient(tmp_path, QUICK))
    imaging = library.imaging(RA, DEC, size=20.0)
    assert [(c.survey, c.band) for c in imaging.cutouts] == [
        ("SDSS", "u"),
        ("DECaLS", "g"),
        ("DECaLS", "r"),
        ("Pan-STARRS", "i"),
        ("DECaLS", "z"),
        ("Pan-STARRS", "y"),
    ]
    for cutout in imaging.cutouts:
        # SDSS's u is not AB but 0.04 mag fainter.
        assert total(cutout) == pytest.approx(20.96 if cutout.band == "u" else 21.0, abs=0.005), cutout.survey
    assert any(note.startswith("DECaLS i: blank") for note in imaging.notes)
    asked = len(server.asked)
    again = library.imaging(RA, DEC, size=20.0)
    assert len(server.asked) == asked and len(again.cutouts) == 6  # all from the cache


def test_nothing_is_asked_unless_somebody_wants_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_services(server)
    monkeypatch.delenv("ELIXER_WIDGETS_WEB", raising=False)
    library = Library(None, all_surveys(server), client=WebClient(tmp_path, QUICK))
    assert library.imaging(RA, DEC).cutouts == () and server.asked == []
    assert library.imaging(RA, DEC, web=True).cutouts and server.asked
    monkeypatch.setenv("ELIXER_WIDGETS_WEB", "1")
    allowed = Library(None, all_surveys(server), client=WebClient(tmp_path, QUICK))
    assert allowed.web and not Library(None, (), web=False).web
    asked = len(server.asked)
    assert allowed.imaging(RA, DEC, web=False).cutouts == () and len(server.asked) == asked


def test_only_bands_that_are_not_on_disk_are_asked(server: Server, tmp_path: Path) -> None:
    all_services(server)
    folder = tmp_path / "imaging" / "decals"
    folder.mkdir(parents=True)
    (folder / "legacysurvey-2145p522-image-g.fits").write_bytes(image(22.5, scale=0.262))
    library = Library(folder, all_surveys(server)[:1], web=True, client=WebClient(tmp_path / "web", QUICK))
    imaging = library.imaging(RA, DEC, size=20.0)
    assert {c.band for c in imaging.cutouts} == {"g", "r", "z"}
    assert not any("bands=g" in path for path in server.asked)


def test_the_catalogs_interface_asks_the_web_where_allowed(server: Server, tmp_path: Path) -> None:
    all_services(server)
    (tmp_path / "imaging").mkdir()
    library = CatalogLibrary(path=tmp_path)
    library.library = Library(tmp_path, all_surveys(server), client=WebClient(tmp_path / "web", QUICK))
    assert library.get_cutouts((RA, DEC)) == [] and server.asked == []
    found = library.get_cutouts((RA, DEC), allow_web=True, catalogs=["SDSS"], filter=["r", "g"], side=10.0)
    assert [entry["filter"] for entry in found] == ["r", "g"]
    assert all(entry["instrument"] == "SDSS" for entry in found)


@pytest.fixture
def legacy(server: Server, tmp_path: Path) -> Callable[..., list[str]]:
    """What the notes say of a g image when the server answers so."""

    def ask(answer: Callable[[dict[str, list[str]], int], Answer], patience: Patience = QUICK) -> list[str]:
        server.answers = {"/viewer/fits-cutout": answer}
        client = WebClient(tmp_path / "web", patience)
        one = replace(survey("DECaLS", LegacyService(server.url)), bands=("g",))
        imaging = Library(None, [one], web=True, client=client).imaging(RA, DEC, size=9.0)
        if imaging.cutouts:
            return ["found"]
        assert not list((tmp_path / "web").glob("*")), "a bad answer was kept"
        return list(imaging.notes)

    return ask


GOOD = image(22.5)


@pytest.mark.parametrize(
    ("answer", "tries", "expected"),
    [
        (lambda q, n: (404, b""), 1, "answers 404"),
        (lambda q, n: (403, b""), 1, "answers 403"),
        (lambda q, n: (503, b"busy"), 3, "answers 503"),
        (lambda q, n: (429, b""), 3, "answers 429"),
        (lambda q, n: (200, b"<html>Sorry</html>"), 3, "a web page"),
        (lambda q, n: (200, b"\xff\xd8\xff\xe0 JFIF"), 1, "not a FITS image"),
        (lambda q, n: (200, b""), 1, "not a FITS image"),
        (lambda q, n: (200, GOOD[:5000]), 3, "broken or cut short"),
        (lambda q, n: (200, GOOD[: len(GOOD) // 2]), 3, "broken or cut short"),
        (lambda q, n: (200, bz2.compress(GOOD)[:-500]), 3, "broken or cut short"),
        (lambda q, n: (200, fits.PrimaryHDU().header.tostring().encode()), 1, "holds no image"),
    ],
)
def test_bad_answers_are_said_and_tried_again_if_that_may_help(
    server: Server,
    legacy: Callable[..., list[str]],
    answer: Callable[[dict[str, list[str]], int], Answer],
    tries: int,
    expected: str,
) -> None:
    notes = legacy(answer)
    assert any(expected in note and "127.0.0.1" in note for note in notes), notes
    assert len(server.asked) == tries


def test_an_answer_elsewhere_on_the_sky_is_not_taken(server: Server, tmp_path: Path) -> None:
    file = io.BytesIO()
    fits.PrimaryHDU(np.ones((50, 50), np.float32), wcs(RA + 1, DEC, (50, 50), 0.262).to_header()).writeto(file)
    server.answers = {"/viewer/fits-cutout": lambda q, n: (200, file.getvalue())}
    one = replace(survey("DECaLS", LegacyService(server.url)), bands=("g",))
    imaging = Library(None, [one], web=True, client=WebClient(tmp_path, QUICK)).imaging(RA, DEC, size=9.0)
    assert imaging.cutouts == () and any("lies outside this image" in note for note in imaging.notes)


def test_a_passing_fault_passes(server: Server, legacy: Callable[..., list[str]]) -> None:
    assert legacy(lambda q, n: (200, GOOD) if n == 3 else (502, b"")) == ["found"]
    assert len(server.asked) == 3


def test_cut_connections_are_noticed(server: Server, legacy: Callable[..., list[str]]) -> None:
    server.cut = True
    (note,) = [note for note in legacy(lambda q, n: (200, GOOD)) if note.startswith("DECaLS")]
    assert "cut short" in note or "IncompleteRead" in note or "timed out" in note
    assert "3 tries" in note


@pytest.mark.parametrize("drip", [0.05, 2.0])
def test_a_slow_server_does_not_hang_anybody(server: Server, legacy: Callable[..., list[str]], drip: float) -> None:
    server.drip = drip  # 500 bytes at a time: the image would take 3 s, or minutes
    start = time.monotonic()
    notes = legacy(lambda q, n: (200, GOOD), replace(QUICK, total=1.0))
    assert time.monotonic() - start < 3.0
    assert any("too slow" in note or "timed out" in note for note in notes), notes


def test_too_much_is_refused(server: Server, legacy: Callable[..., list[str]]) -> None:
    notes = legacy(lambda q, n: (200, GOOD), replace(QUICK, largest=1000))
    assert any("over 1000 bytes" in note for note in notes) and len(server.asked) == 1


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_no_network_is_said_at_once_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = closed_port()
    client = WebClient(tmp_path, replace(QUICK, remember=300.0))
    library = Library(None, [survey("DECaLS", LegacyService(f"http://127.0.0.1:{port}"))], web=True, client=client)
    start = time.monotonic()
    notes = library.imaging(RA, DEC).notes
    assert time.monotonic() - start < 1.0
    assert any(n.startswith("DECaLS: not reachable: 127.0.0.1") and "5 minutes" in n for n in notes), notes
    tried: list[object] = []
    monkeypatch.setattr(web, "_connect", lambda place, seconds: tried.append(place) or "refused")
    library.imaging(RA, DEC)
    assert tried == []
    now = time.monotonic()
    monkeypatch.setattr(web.time, "monotonic", lambda: now + 301.0)
    library.imaging(RA, DEC)
    assert tried == [("127.0.0.1", port)]


def test_a_name_that_takes_forever_to_look_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*args: object, **more: object) -> list[object]:
        time.sleep(3.0)
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    client = WebClient(tmp_path, replace(QUICK, connect=0.3))
    library = Library(
        None,
        [
            survey(n, s("http://nowhere.invalid"))
            for n, s in (("DECaLS", LegacyService), ("Pan-STARRS", PanStarrsService))
        ],
        web=True,
        client=client,
    )
    start = time.monotonic()
    notes = library.imaging(RA, DEC).notes
    assert time.monotonic() - start < 1.5
    assert sum("not reachable: nowhere.invalid (no answer within 0.3 s)" in note for note in notes) == 2


def test_through_a_proxy_it_is_the_proxy_that_must_answer(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers = {"http://far.invalid/": lambda q, n: (200, GOOD), "/": lambda q, n: (200, GOOD)}
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    client = WebClient(tmp_path, QUICK)
    assert client.reachable("http://far.invalid/x") == ""
    assert web._place("http://far.invalid/x") == ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (b"<html>oops</html>", "not a table of files"),
        (b"", "not a table of files"),
        (NAMES.encode() + b"2294 47 214 52 g 0 stack /rings", "cut short"),
        ("ÅÅ".encode(), "not a table of files"),
    ],
)
def test_panstarrs_tables_are_read_strictly(server: Server, tmp_path: Path, table: bytes, expected: str) -> None:
    server.answers = {"/cgi-bin/ps1filenames.py": lambda q, n: (200, table)}
    with pytest.raises(DataError, match=expected):
        list(PanStarrsService(server.url).fetch(WebClient(tmp_path, QUICK), "g", RA, DEC, 9.0))


@pytest.mark.parametrize(
    "table",
    [
        b"<html>",
        b"#Table1\nrun,camcol\n1,2\n",
        b"run,camcol,field\nx,1,2\n",
        b"run,camcol,field\n1,9,2\n",
        b"run,camcol,field\n../../etc,1,2\n",
    ],
)
def test_sdss_tables_are_read_strictly(server: Server, tmp_path: Path, table: bytes) -> None:
    server.answers = {"/SkyServerWS/SearchTools/SqlSearch": lambda q, n: (200, table)}
    with pytest.raises(DataError, match="table of fields"):
        list(SdssService(server.url, server.url).fetch(WebClient(tmp_path, QUICK), "g", RA, DEC, 9.0))


def test_a_position_outside_sdss_has_no_image(server: Server, tmp_path: Path) -> None:
    server.answers = {"/SkyServerWS/SearchTools/SqlSearch": lambda q, n: (200, b"#Table1\nrun,camcol,field\n")}
    assert list(SdssService(server.url, server.url).fetch(WebClient(tmp_path, QUICK), "g", RA, DEC, 9.0)) == []


def test_stacks_in_asinh_units_are_made_linear(server: Server, tmp_path: Path) -> None:
    # v = a asinh((flux - BOFFSET) / (2 BSOFTEN)), a = 2.5 lg e
    flux = np.random.default_rng(5).normal(0.0, 50.0, (60, 60))
    flux[30, 30] = 1e5
    stored = 2.5 * np.log10(np.e) * np.arcsinh((flux - 3.0) / (2 * 20.0))
    header = wcs(RA, DEC, flux.shape, 0.25).to_header()
    header.update({"BSOFTEN": 20.0, "BOFFSET": 3.0, "EXPTIME": 500.0})
    path = tmp_path / "rings.v3.skycell.2294.047.stk.g.unconv.fits"
    fits.PrimaryHDU(stored.astype(np.float32), header).writeto(path)
    (cutout,) = Library(tmp_path, [survey("Pan-STARRS", None)]).imaging(RA, DEC, size=10.0).cutouts
    np.testing.assert_allclose(cutout.data, flux[10:50, 10:50], rtol=1e-5, atol=1e-3)


def test_the_cache_stays_small(server: Server, tmp_path: Path) -> None:
    server.answers = {"/": lambda q, n: (200, GOOD)}
    client = WebClient(tmp_path / "web", replace(QUICK, cache=2 * len(GOOD) + 100))
    paths = []
    for i in range(4):
        paths.append(client.get(f"{server.url}/{i}", check_fits, ".fits"))
        time.sleep(0.02)
    assert [path.is_file() for path in paths] == [False, False, True, True]


def test_a_cache_that_cannot_be_written_is_said(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    server.answers = {"/": lambda q, n: (200, GOOD)}
    with pytest.raises(DataError, match="ELIXER_WIDGETS_CACHE"):
        WebClient(tmp_path / "file" / "web", QUICK).get(f"{server.url}/x", check_fits)


def test_certificates_and_hosts_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotReachable, match=r"not reachable: 127\.0\.0\.1"):
        WebClient(tmp_path, QUICK).get(f"https://127.0.0.1:{closed_port()}/x", check_fits)
