// What is wrong with how the page stands in the window: text that is cut off, texts that lie over each other, and boxes
// that one would have to scroll. Evaluated in a browser by tools/screenshots.py and by the tests; gives sentences.
() => {
  const page = document.querySelector(".ew-page");
  const SLACK = 1.5; // px; a glyph's box is a little larger than its ink
  const found = [];
  const name = (element) => {
    const panel = element.closest(".ew-panel");
    const area = [...(panel?.classList || [])].find((each) => /^ew-(?!panel)/.test(each)) || "page";
    return `${area} .${(element.getAttribute("class") || element.tagName).split(" ").slice(0, 3).join(".")}`;
  };
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const texts = [];
  const walker = document.createTreeWalker(page, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || element.closest("style, script, title, select, option") || !shown(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    // a line of the text at a time
    for (const box of range.getClientRects()) {
      if (box.width >= 1 && box.height >= 1) texts.push({ element, box, words: node.textContent.trim().slice(0, 50) });
    }
  }
  // the part of a box that its ancestors show
  const visible = (element, box) => {
    const left = { left: box.left, right: box.right, top: box.top, bottom: box.bottom };
    for (let above = element; above && above !== document.body; above = above.parentElement) {
      const style = getComputedStyle(above);
      const inline = above instanceof HTMLElement && style.display === "inline";
      if ((style.overflowX === "visible" && style.overflowY === "visible") || inline) continue;
      const edge = above.getBoundingClientRect();
      left.left = Math.max(left.left, edge.left);
      left.right = Math.min(left.right, edge.right);
      left.top = Math.max(left.top, edge.top);
      left.bottom = Math.min(left.bottom, edge.bottom);
    }
    return left;
  };
  for (const text of texts) {
    const { box } = text;
    const part = visible(text.element, box);
    text.part = part;
    const cut = Math.max(part.left - box.left, box.right - part.right);
    const low = Math.max(part.top - box.top, box.bottom - part.bottom);
    // labels of an axis that is not shown lie wholly beyond the edge; line boxes are higher than their letters
    if (text.element instanceof SVGElement && (part.right <= part.left || part.bottom <= part.top)) continue;
    if (cut > SLACK || low > Math.max(SLACK, 0.22 * box.height)) {
      found.push(`cut off in ${name(text.element)}: "${text.words}" (${cut.toFixed(0)}, ${low.toFixed(0)} px)`);
    }
  }
  for (let i = 0; i < texts.length; i += 1) {
    for (let k = i + 1; k < texts.length; k += 1) {
      const [a, b] = [texts[i].part, texts[k].part];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      const least = Math.min(a.bottom - a.top, b.bottom - b.top);
      if (texts[i].element !== texts[k].element && wide > SLACK && high > 0.3 * least && least > 0) {
        found.push(`overlap in ${name(texts[i].element)}: "${texts[i].words}" and "${texts[k].words}" (${wide.toFixed(0)} px)`);
      }
    }
  }
  for (const box of page.querySelectorAll("*")) {
    const style = getComputedStyle(box);
    const [down, across] = [box.scrollHeight - box.clientHeight, box.scrollWidth - box.clientWidth];
    if (/auto|scroll/.test(style.overflowY) && down > SLACK && shown(box)) found.push(`scrolls ${name(box)}: ${down} px down`);
    if (/auto|scroll/.test(style.overflowX) && across > SLACK && shown(box)) found.push(`scrolls ${name(box)}: ${across} px across`);
  }
  // a box that one chooses from shows its choice whole
  for (const select of page.querySelectorAll("select")) {
    if (!shown(select) || !select.selectedOptions.length) continue;
    const style = getComputedStyle(select);
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `${style.fontSize} ${style.fontFamily}`;
    const room = select.clientWidth - parseFloat(style.paddingLeft) - Math.max(parseFloat(style.paddingRight), 16);
    const wanted = pen.measureText(select.selectedOptions[0].textContent).width;
    if (wanted > room + SLACK) found.push(`cut off in ${name(select)}: choice "${select.selectedOptions[0].textContent}" (${(wanted - room).toFixed(0)} px)`);
  }
  const root = document.documentElement;
  if (root.scrollHeight > innerHeight || root.scrollWidth > innerWidth) found.push("the window scrolls");
  return found;
}
