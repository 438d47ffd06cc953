// Elements of the page, and what it tells.

export const $ = (selector, from = document) => from.querySelector(selector);

export function element(name, text = "", attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  if (text) made.textContent = text;
  return made;
}

export function tell(text, wrong = false) {
  $("#told").textContent = text;
  $("#told").className = wrong ? "wrong" : "";
}

// Say what a button does while it does it; tell what went wrong.
export async function busy(button, doing, work) {
  const before = button.textContent;
  button.disabled = true;
  button.textContent = doing;
  tell("");
  try { await work(); } catch (error) { tell(error.message, true); }
  button.textContent = before;
  button.disabled = false;
}
