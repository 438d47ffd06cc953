// The page: its styles, and what the server tells of runs and downloads.
import "./drops.js";
import { $, tell } from "./elements.js";
import { showDownloads } from "./films.js";
import { showRuns } from "./runs.js";
import { listStyles } from "./styles.js";

function news(event) {
  const { runs, problem, transfers } = JSON.parse(event.data);
  if (transfers) return showDownloads(transfers);
  $("#problem").textContent = problem ? `The installation does not answer: ${problem}` : "";
  $("#problem").hidden = !problem;
  if (runs) showRuns(runs);
}

// A browser has six connections to a page for all of its tabs: one that nobody sees gives its own back.
let events = null;
function listen() {
  if (document.hidden) events?.close();
  else Object.assign(events = new EventSource("events"), { onmessage: news });
}
document.addEventListener("visibilitychange", listen);
listen();

listStyles().catch(error => tell(error.message, true));
