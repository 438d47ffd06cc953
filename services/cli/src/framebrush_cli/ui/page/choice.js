// What a run is asked for with: files that were dropped, by their keys, and what is set on the page.
import { $ } from "./elements.js";

export const chosen = { film: null, picture: null };
export const there = kind => typeof chosen[kind] === "string" ? chosen[kind] : null; // while it comes there is no key

export function asked() {
  const styles = [...document.querySelectorAll("[name=style]:checked")].map(box => box.value);
  return {
    film: there("film"), picture: there("picture"), styles,
    strength: Number($("#strength").value), keep_colors: $("#keep").checked,
  };
}
