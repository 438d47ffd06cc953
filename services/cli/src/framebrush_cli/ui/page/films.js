// Where films come from: a file, a folder of pictures, an address.
import { $ } from "./elements.js";
import { take } from "./places.js";
import { ask, post, upload } from "./server.js";

// What is known of a film whose file is there.
async function opened(key, say) {
  say("opening it …");
  const film = await (await ask(`films/${key}`)).json();
  const facts = `${film.width} × ${film.height}, ${film.frames} frames, ${film.seconds.toFixed(1)} s`;
  return { key, facts, source: `films/${key}/tile.jpg` };
}

export function takeFilm(file) {
  $("#rate").hidden = true;
  return take("film", file.name, async say =>
    opened(await upload(file, {}, part => say(`${Math.round(100 * part)} % is there`, part)), say));
}

const SUFFIXES = $("#film input").accept.split(",").filter(each => /jp|png|webp|tif/.test(each));
const PICTURES = new RegExp(`\\.(${SUFFIXES.map(each => each.slice(1)).join("|")})$`, "i");

// The folder whose pictures are the film, by its key, so that another rate needs no second upload.
let folder = null;

export function takeFolder(name, files) {
  const pictures = files.filter(file => PICTURES.test(file.name) && !file.name.startsWith("."));
  folder = null;
  return take("film", name, async say => {
    if (!pictures.length) throw new Error(`${name} has no pictures: ${SUFFIXES.join(", ")}`);
    const made = await post("folders", { name });
    for (const [number, file] of pictures.entries()) {
      say(`${number} of ${pictures.length} pictures are there`, number / pictures.length);
      await upload(file, { folder: made }, () => {});
    }
    folder = { name, key: made };
    $("#rate").hidden = false;
    return filmOfFolder(say);
  });
}

async function filmOfFolder(say) {
  say("making a film of the pictures …");
  return opened(await post("films", { folder: folder.key, rate: $("#rate input").value.trim() }), say);
}

$("#rate input").addEventListener("change", () => take("film", folder.name, filmOfFolder));

// The downloads of this tab: how each says how far it is, by its ticket.
const downloads = new Map();

export function showDownloads(transfers) {
  for (const [ticket, { told, part }] of Object.entries(transfers)) downloads.get(ticket)?.(`downloading: ${told}`, part);
}

$("#web").addEventListener("submit", event => {
  event.preventDefault();
  const address = $("#address").value.trim();
  $("#rate").hidden = true;
  take("film", address.replace(/[?#].*/, "").split("/").at(-1) || "film", async say => {
    say("downloading it …");
    const ticket = crypto.randomUUID();
    downloads.set(ticket, say);
    const made = post("films", { address, ticket }).finally(() => downloads.delete(ticket));
    return opened(await made, say);
  });
});
