// The runs, each with its progress, its outputs and its buttons.
import { replay } from "./deadletters.js";
import { $, busy, element } from "./elements.js";
import { ask } from "./server.js";

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
    look.disabled = !run.painted;
    return [look, button("Cancel", "Cancelling …", () => ask(`${path}/cancel`, "POST", {}))];
  }
  if (run.state === "failed") return [replay("Try again", run.id)];
  const report = element("a", "Report", { className: "button", href: `${path}/report`, target: "_blank" });
  const films = run.outputs.map((name, number) =>
    element("a", run.outputs.length > 1 ? name : "Download", { className: "button", href: `${path}/outputs/${number}` }));
  return run.outputs.length ? [report, ...films] : [];
}

export function showRuns(runs) {
  $("#runs").replaceChildren(...(runs.length ? runs.map(show) : [element("p", "No runs yet.", { className: "quiet" })]));
}
