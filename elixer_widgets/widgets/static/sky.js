// Sees to it that the sky view shows what it was sent: nothing is taken before Aladin Lite has its base layer and a size,
// an image is put on again until it is there and on top, and the aim is renewed where a change of size moved it. It tells
// Python how far it is. `__tend` becomes a part of ipyaladin's module (aladin.py).
const __tended = new Map();
const __camel = (options) =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [name.replace(/_(\w)/g, (_, c) => c.toUpperCase()), value]));
function __tend(aladin, model) {
  const TRIES = 3, SLOW = 20000, LOST = 60000; // ms
  const { view, aladinDiv: div } = aladin;
  let wanted = null;
  let image = null;
  let ready = false;
  let moved = false; // by a hand: then the aim is the person's
  let size = "";
  let told = "";
  const say = (event, why = "") => {
    if (told === event + why) return;
    told = event + why;
    div.dataset.sky = event;
    model.send({ event_type: event, why });
  };
  const aim = () => {
    if (!wanted) return;
    aladin.gotoRaDec(wanted.ra, wanted.dec);
    aladin.setFoV(wanted.fov);
    moved = false;
  };
  const put = () => {
    const mine = image;
    mine.tries += 1;
    mine.since = Date.now();
    mine.state = "loading";
    const url = URL.createObjectURL(new Blob([mine.bytes], { type: "application/octet-stream" }));
    const came = () => {
      URL.revokeObjectURL(url);
      if (image !== mine) return;
      mine.state = "there";
      aim();
    };
    const failed = (error) => {
      URL.revokeObjectURL(url);
      if (image === mine) Object.assign(mine, { state: "failed", why: String(error?.message || error || "") });
    };
    try {
      aladin.setOverlayImageLayer(aladin.createImageFITS(url, { ...mine.options }, came, failed), "image");
    } catch (error) {
      failed(error);
    }
  };
  const tick = () => {
    const now = `${div.clientWidth} ${div.clientHeight}`;
    if (div.clientWidth < 2 || div.clientHeight < 2) return; // in a tab that is not shown
    if (!ready) {
      if (!view.overlayLayers.length || view.promises.length) return;
      ready = true;
      size = now;
      say("drawn");
      return;
    }
    if (size !== now) {
      size = now;
      view.fixLayoutDimensions();
      if (!moved) aim();
    }
    if (!image) return;
    const { state } = image;
    const waited = Date.now() - image.since;
    if (state === "new") {
      say("image loading");
      put();
    } else if (state === "failed" || (state === "loading" && waited > LOST)) {
      if (image.tries < TRIES) put();
      else if (state === "failed") say("image failed", image.why);
      else say("image slow");
    } else if (state === "loading" && waited > SLOW) say("image slow");
    else if (state === "there" && view.overlayLayers.includes("image")) {
      const top = view.overlayLayers.at(-1);
      if (top !== "image") view.swapLayers("image", top); // a background that came late covers it
      say("shown");
    }
  };
  const hand = () => (moved = true);
  div.addEventListener("pointerdown", hand);
  div.addEventListener("wheel", hand);
  const timer = setInterval(tick, 200);
  __tended.set(aladin, {
    aim: ({ ra, dec, fov }) => {
      wanted = { ra, dec, fov };
      aim();
    },
    image: ({ options }, buffers) => {
      if (view.overlayLayers.includes("image") && !buffers?.length) aladin.removeImageLayer("image");
      image = buffers?.length ? { options: __camel(options), bytes: buffers[0], tries: 0, since: 0, state: "new" } : null;
      told = "";
    },
  });
  return () => {
    clearInterval(timer);
    div.removeEventListener("pointerdown", hand);
    div.removeEventListener("wheel", hand);
    __tended.delete(aladin);
  };
}
