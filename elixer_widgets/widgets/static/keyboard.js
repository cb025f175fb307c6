// Which key of the table a person means, whatever the keyboard's layout. What is typed wins where it is a Latin letter or
// a sign that the table has; otherwise the key's place counts, named as on an American keyboard.
const BOARD_SIGNS = {
  Backquote: "`~", Minus: "-_", Equal: "=+", BracketLeft: "[{", BracketRight: "]}", Backslash: "\\|", Semicolon: ";:",
  Quote: "'\"", Comma: ",<", Period: ".>", Slash: "/?",
};
const BOARD_STRANGE = /^[\p{L}\p{M}]+$/u; // letters, and the vowel signs that some keyboards have on letter keys
const BOARD_LATIN = /\p{Script=Latin}/u;

// what an American keyboard has at the place of a key; "" for a place without a character
function onBoard(code, shift) {
  const [, letter] = /^Key([A-Z])$/.exec(code) || [];
  if (letter) return shift ? letter : letter.toLowerCase();
  const [, digit] = /^(?:Digit|Numpad)(\d)$/.exec(code) || [];
  return digit || BOARD_SIGNS[code]?.[shift ? 1 : 0] || "";
}

// a function of keydown events that gives what the table would call the key, or null where the key must not act: while
// characters are composed, and with Alt. `bound` says whether the table has a key here
function keyboard() {
  let strange = false; // whether the last letter was not Latin: then signs on letter keys stand for letters as well
  return (event, bound) => {
    const state = (name) => Boolean(event.getModifierState?.(name));
    let { key } = event;
    if (event.isComposing || event.keyCode === 229 || !key) return null;
    if (["Dead", "Process", "Compose", "Unidentified"].includes(key)) return null;
    if (state("AltGraph")) {
      // the only way to some signs on some keyboards; Windows says that Ctrl and Alt are held as well
      return key.length === 1 && !/[\p{L}\p{N}]/u.test(key) && bound(key) ? key : null;
    }
    if (event.altKey) return null;
    const named = key.length > 1 && /^[\x20-\x7e]+$/.test(key);
    if (named || key === " ") return key;
    const wide = key.charCodeAt(0) - 0xfee0; // full-width forms, as Japanese input has them
    if (key.length === 1 && wide > 0x20 && wide < 0x7f) key = String.fromCharCode(wide);
    const place = onBoard(event.code || "", event.shiftKey);
    if (BOARD_STRANGE.test(key) && !BOARD_LATIN.test(key)) {
      strange = true;
      return place || null;
    }
    if (/^[A-Za-z]$/.test(key)) {
      strange = false;
      if (!state("CapsLock")) return key;
      return event.shiftKey ? key.toUpperCase() : key.toLowerCase();
    }
    if (/^[0-9]$/.test(key)) return key;
    if (/^\p{N}$/u.test(key)) return place || null; // digits of other scripts
    if (strange && /^Key/.test(event.code || "")) return place;
    const rowOfDigits = /^Digit/.test(event.code || "") && !event.shiftKey;
    return rowOfDigits && !bound(key) ? place : key;
  };
}
