"use strict";
// What the page knows: the files that were dropped, by their keys. Everything else is asked for.
const chosen = { film: null, picture: null };
const there = kind => typeof chosen[kind] === "string" ? chosen[kind] : null; // while it comes there is no key
const $ = (selector, from = document) => from.querySelector(selector);

async function ask(path, method = "GET", body = undefined) {
  const answer = await fetch(path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) throw new Error(await reason(answer));
  return answer;
}

async function reason(answer) {
  const text = await answer.text();
  try { return JSON.parse(text).error; } catch { return text || `the server answers ${answer.status}`; }
}

function element(name, text = "", attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  if (text) made.textContent = text;
  return made;
}

function tell(text, wrong = false) {
  $("#told").textContent = text;
  $("#told").className = wrong ? "wrong" : "";
}

// Say what a button does while it does it; tell what went wrong.
async function busy(button, doing, work) {
  const before = button.textContent;
  button.disabled = true;
  button.textContent = doing;
  tell("");
  try { await work(); } catch (error) { tell(error.message, true); }
  button.textContent = before;
  button.disabled = false;
}

// --- Files ---------------------------------------------------------------------------------------------------------

function upload(file, query, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells no progress of what is sent
    request.open("PUT", `drops?${new URLSearchParams({ name: file.name, ...query })}`);
    request.upload.onprogress = event => progress(event.loaded / event.total);
    request.onerror = () => reject(new Error("the server does not answer: does `framebrush ui` still run?"));
    request.onload = () => {
      const told = JSON.parse(request.responseText);
      request.status === 200 ? resolve(told.key) : reject(new Error(told.error));
    };
    request.send(file);
  });
}

// Let a place show a name, and what becomes of it: `make` is told how to say how far it is, and returns the key. How far
// is a part in 0..1, null if something is done whose end is not known.
async function take(kind, name, make) {
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

function takePicture(file) {
  return take("picture", file.name, async say => ({
    key: await upload(file, {}, part => say(`${Math.round(100 * part)} % is there`, part)),
    facts: "the film will look like this",
    source: URL.createObjectURL(file),
  }));
}

// What is known of a film whose file is there.
async function opened(key, say) {
  say("opening it …");
  const film = await (await ask(`films/${key}`)).json();
  const facts = `${film.width} × ${film.height}, ${film.frames} frames, ${film.seconds.toFixed(1)} s`;
  return { key, facts, source: `films/${key}/tile.jpg` };
}

function takeFilm(file) {
  $("#rate").hidden = true;
  return take("film", file.name, async say =>
    opened(await upload(file, {}, part => say(`${Math.round(100 * part)} % is there`, part)), say));
}

async function post(path, body) {
  return (await (await ask(path, "POST", body)).json()).key;
}

// The folder whose pictures are the film, by its key, so that another rate needs no second upload.
let folder = null;

function takeFolder(name, files) {
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

// Several files are the pictures of a film, as those of a folder are.
function takeFiles(kind, files) {
  if (!files.length) return;
  if (kind === "picture") takePicture(files[0]);
  else if (files.length === 1) takeFilm(files[0]);
  else takeFolder("pictures", files);
}

const SUFFIXES = $("#film input").accept.split(",").filter(each => /jp|png|webp|tif/.test(each));
const PICTURES = new RegExp(`\\.(${SUFFIXES.map(each => each.slice(1)).join("|")})$`, "i");

// The files of a folder that was dropped; those of folders in it are not its pictures.
async function filesOf(entry) {
  const reader = entry.createReader(), files = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!some.length) return files;
    for (const each of some) if (each.isFile) files.push(await new Promise((resolve, reject) => each.file(resolve, reject)));
  }
}

for (const kind of ["film", "picture"]) {
  const drop = $(`#${kind}`);
  $("input", drop).addEventListener("change", event => takeFiles(kind, [...event.target.files]));
  for (const type of ["dragenter", "dragover"]) {
    drop.addEventListener(type, event => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", event => {
    event.preventDefault();
    drop.classList.remove("over");
    const entry = event.dataTransfer.items[0]?.webkitGetAsEntry();
    if (kind === "film" && entry?.isDirectory) {
      filesOf(entry).then(files => takeFolder(entry.name, files), error => tell(error.message, true));
    } else takeFiles(kind, [...event.dataTransfer.files]);
  });
}

$("#folder").addEventListener("change", event => {
  // The files of folders in it come, too; the paths begin with the name of the folder.
  const files = [...event.target.files].filter(file => file.webkitRelativePath.split("/").length === 2);
  if (event.target.files.length) takeFolder(event.target.files[0].webkitRelativePath.split("/")[0], files);
  event.target.value = ""; // so that the same folder may be chosen again
});

$("#rate input").addEventListener("change", () => take("film", folder.name, filmOfFolder));

// The downloads of this tab: how each says how far it is, by its ticket.
const downloads = new Map();

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
// A file that misses its place shall not take the page away.
for (const type of ["dragover", "drop"]) window.addEventListener(type, event => event.preventDefault());

// --- Styles --------------------------------------------------------------------------------------------------------

function newTile(name, title, box) {
  const tile = element("label", "", { className: "tile", title }), caption = element("span");
  caption.append(box, ` ${name}`);
  tile.append(element("img", "", { alt: "" }), caption);
  return tile;
}

async function listStyles() {
  for (const { name, title } of await (await ask("styles")).json()) {
    const box = element("input", "", { type: "checkbox", value: name, name: "style" });
    box.addEventListener("change", ready);
    $("#styles").append(newTile(name, title, box));
  }
}

// The painting that was dropped is a style, too.
function ownTile() {
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
async function tiles() {
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

function asked() {
  const styles = [...document.querySelectorAll("[name=style]:checked")].map(box => box.value);
  return {
    film: there("film"), picture: there("picture"), styles,
    strength: Number($("#strength").value), keep_colors: $("#keep").checked,
  };
}

async function ready() {
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

// --- Runs ----------------------------------------------------------------------------------------------------------

const STAGES = { split: "decoded", scored: "painted", encoded: "encoded" };

function minutes(seconds) {
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function line(run) {
  if (run.line) return run.line;
  if (!run.frames) return "is being planned";
  if (run.joining) return "all frames are encoded; they are being joined";
  return run.left === null ? "" : `about ${minutes(run.left)} left`;
}

function show(run) {
  const id = `run-${run.id}`, there = document.getElementById(id);
  const card = there ?? $("#run").content.firstElementChild.cloneNode(true);
  const told = JSON.stringify(run);
  if (card.dataset.told === told) return card;
  Object.assign(card, { id });
  card.dataset.told = told;
  $(".film", card).textContent = run.film;
  $(".film", card).title = run.id;
  // The name of a painting that was dropped ends in digits of its content.
  const pictures = run.pictures.map(name => name.replace(/-[0-9a-f]{16}(?=\.\w+$)/, "")).join(", ");
  $(".style", card).textContent = run.styles.map(name => name === "picture" ? `like ${pictures}` : name).join(", ");
  $(".state", card).textContent = run.state;
  $(".state", card).className = `state ${run.state}`;
  $(".line", card).textContent = line(run);
  const open = run.state === "planning" || run.state === "running";
  $(".bars", card).replaceChildren(...(open && run.frames ? Object.entries(STAGES).flatMap(([stage, name]) => [
    element("span", name),
    element("progress", "", { max: run.frames, value: run.done[stage], ariaLabel: name }),
    element("small", `${run.done[stage]} of ${run.frames}`),
  ]) : []));
  $(".notes", card).replaceChildren(...run.notes.map(note => element("li", note)));
  $(".buttons", card).replaceChildren(...buttons(run, card, open));
  if (!open) $(".styled", card).hidden = true;
  return card;
}

function buttons(run, card, open) {
  const path = `runs/${encodeURIComponent(run.id)}`;
  const button = (text, doing, work) => {
    const made = element("button", text);
    made.addEventListener("click", () => busy(made, doing, work));
    return made;
  };
  if (open) {
    const look = button("Look at it", "Looking …", async () => {
      const picture = await (await ask(`${path}/styled.png`)).blob();
      Object.assign($(".styled", card), { src: URL.createObjectURL(picture), hidden: false, alt: "What is painted so far" });
    });
    look.disabled = !run.done?.scored;
    return [look, button("Cancel", "Cancelling …", () => ask(`${path}/cancel`, "POST", {}))];
  }
  if (run.state === "failed") return [replay("Try again", run.id)];
  const report = element("a", "Report", { className: "button", href: `${path}/report`, target: "_blank" });
  const films = run.outputs.map((name, number) =>
    element("a", run.outputs.length > 1 ? name : "Download", { className: "button", href: `${path}/outputs/${number}` }));
  return run.outputs.length ? [report, ...films] : [];
}

function news(event) {
  const { runs, problem, transfers } = JSON.parse(event.data);
  if (transfers) {
    for (const [ticket, { told, part }] of Object.entries(transfers)) downloads.get(ticket)?.(`downloading: ${told}`, part);
    return;
  }
  $("#problem").textContent = problem ? `The installation does not answer: ${problem}` : "";
  $("#problem").hidden = !problem;
  if (runs) {
    $("#runs").replaceChildren(...(runs.length ? runs.map(show) : [element("p", "No runs yet.", { className: "quiet" })]));
  }
}

// A browser has six connections to a page for all of its tabs: one that nobody sees gives its own back.
let events = null;
function listen() {
  if (document.hidden) events?.close();
  else Object.assign(events = new EventSource("events"), { onmessage: news });
}
document.addEventListener("visibilitychange", listen);
listen();

// --- Dead letters --------------------------------------------------------------------------------------------------

function replay(text, run) {
  const made = element("button", text);
  made.addEventListener("click", () => busy(made, "Sending …", async () => {
    const { sent } = await (await ask("deadletters/replay", "POST", { run })).json();
    tell(`${sent} ${sent === 1 ? "message" : "messages"} sent again.`);
    if ($("#dead").childElementCount) await read();
  }));
  return made;
}

async function read() {
  const letters = await (await ask("deadletters")).json();
  const rows = letters.map(letter => {
    const card = element("article", "", { className: "run" });
    card.append(element("b", letter.run ?? "of no run"), element("p", `${letter.queue}: ${letter.reason}: ${letter.description}`));
    if (letter.run) card.append(replay("Replay", letter.run));
    return card;
  });
  $("#dead").replaceChildren(...(rows.length ? rows : [element("p", "There are none.", { className: "quiet" })]));
}

$("#read").addEventListener("click", event => busy(event.target, "Looking …", read));

listStyles().catch(error => tell(error.message, true));
