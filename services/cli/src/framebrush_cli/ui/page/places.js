// The two places on the page: one for a film, one for a painting.
import { chosen } from "./choice.js";
import { $, tell } from "./elements.js";
import { upload } from "./server.js";
import { ownTile, ready, tiles } from "./styles.js";

// Let a place show a name, and what becomes of it: `make` is told how to say how far it is, and returns the key. How far
// is a part in 0..1, null if something is done whose end is not known.
export async function take(kind, name, make) {
  const drop = $(`#${kind}`), note = $("small", drop), image = $("img", drop), bar = $("progress", drop), mine = {};
  const say = (text, part = null) => {
    if (chosen[kind] !== mine) return;
    note.textContent = text;
    if (part === null) bar.removeAttribute("value");
    else bar.value = part;
  };
  chosen[kind] = mine; // until there is a key
  ready();
  $("b", drop).textContent = name;
  image.hidden = true;
  bar.hidden = false;
  tell("");
  try {
    const { key, facts, source } = await make(say);
    if (chosen[kind] !== mine) return; // another one came meanwhile
    say(facts);
    image.src = source;
    image.hidden = false;
    chosen[kind] = key;
    tell(`${name}: ${facts}`);
    ownTile();
    tiles();
  } catch (error) {
    if (chosen[kind] !== mine) return;
    say("was not taken");
    chosen[kind] = null;
    tell(error.message, true);
  }
  bar.hidden = true;
  ready();
}

export function takePicture(file) {
  return take("picture", file.name, async say => ({
    key: await upload(file, {}, part => say(`${Math.round(100 * part)} % is there`, part)),
    facts: "the film will look like this",
    source: URL.createObjectURL(file),
  }));
}
