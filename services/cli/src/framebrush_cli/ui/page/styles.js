// The styles, each with a tile; what a run in the chosen ones costs, and the buttons that start one.
import { asked, chosen, there } from "./choice.js";
import { $, busy, element, tell } from "./elements.js";
import { ask } from "./server.js";

function newTile(name, title, box) {
  const tile = element("label", "", { className: "tile", title }), caption = element("span");
  caption.append(box, ` ${name}`);
  tile.append(element("img", "", { alt: "" }), caption);
  return tile;
}

export async function listStyles() {
  for (const { name, title } of await (await ask("styles")).json()) {
    const box = element("input", "", { type: "checkbox", value: name, name: "style" });
    box.addEventListener("change", ready);
    $("#styles").append(newTile(name, title, box));
  }
}

// The painting that was dropped is a style, too.
export function ownTile() {
  $("#own")?.remove();
  if (!there("picture")) return;
  const box = element("input", "", { type: "checkbox", checked: true });
  box.addEventListener("change", forgetPicture);
  $("#styles").prepend(Object.assign(newTile("your painting", "", box), { id: "own" }));
}

function forgetPicture() {
  const drop = $("#picture");
  chosen.picture = null;
  $("b", drop).textContent = "Drop a painting here";
  $("small", drop).textContent = "if the film shall look like it";
  $("img", drop).hidden = true;
  $("input", drop).value = "";
  ownTile();
  ready();
}

// Each tile shows the film in its style; one after the other, since they are painted here.
export async function tiles() {
  const film = there("film");
  if (!film) return;
  for (const tile of document.querySelectorAll(".tile")) {
    const image = $("img", tile);
    const painted = tile.id === "own" ? `picture=${chosen.picture}` : `style=${encodeURIComponent($("input", tile).value)}`;
    const source = `films/${film}/tile.jpg?${painted}`;
    if (chosen.film !== film) return; // another film was dropped meanwhile
    if (image.getAttribute("src") === source) continue;
    await new Promise(done => {
      image.onload = image.onerror = done;
      image.src = source;
    });
  }
}

export async function ready() {
  const question = asked(), enough = question.film && (question.picture || question.styles.length);
  $("#look").disabled = $("#start").disabled = !enough;
  $("#price").textContent = "";
  if (enough) {
    const { price } = await (await ask("prices", "POST", question)).json().catch(() => ({}));
    if (JSON.stringify(asked()) === JSON.stringify(question)) $("#price").textContent = price ? `A run: ${price}` : "";
  }
}

$("#strength").addEventListener("input", event => {
  event.target.nextElementSibling.textContent = `${Math.round(100 * event.target.value)} %`;
});

$("#look").addEventListener("click", event => busy(event.target, "Painting …", async () => {
  const answer = await ask("previews", "POST", asked());
  const { price } = JSON.parse(answer.headers.get("X-Facts"));
  $("#sheet img").src = URL.createObjectURL(await answer.blob());
  $("#sheet").hidden = false;
  if (price) $("#price").textContent = `A run: ${price}`;
}));

$("#start").addEventListener("click", event => busy(event.target, "Uploading …", async () => {
  const { id, created } = await (await ask("runs", "POST", asked())).json();
  tell(created ? `${id} is on its way.` : `${id} exists already: it has the same film and the same options.`);
}));
