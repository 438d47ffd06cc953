// Dead letters, and how they are sent again.
import { $, busy, element, tell } from "./elements.js";
import { ask } from "./server.js";

export function replay(text, run) {
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
