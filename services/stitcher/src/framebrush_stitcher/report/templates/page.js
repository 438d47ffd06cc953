for (const box of document.querySelectorAll("[data-player]")) {
  const [before, after] = box.querySelectorAll("video"), player = box.querySelector(".player");
  const divider = box.querySelector(".divider"), button = box.querySelector("button");
  let place = 50;
  const move = (at) => {
    place = Math.max(0, Math.min(100, Math.round(at)));
    player.style.setProperty("--at", place + "%");
    divider.setAttribute("aria-valuenow", place);
    divider.setAttribute("aria-valuetext", `${place} % before, ${100 - place} % after`);
  };
  const keys = { ArrowLeft: () => place - 1, ArrowDown: () => place - 1, ArrowRight: () => place + 1, ArrowUp: () => place + 1,
    PageDown: () => place - 10, PageUp: () => place + 10, Home: () => 0, End: () => 100 };
  divider.addEventListener("keydown", (event) => {
    if (event.key in keys) { move(keys[event.key]()); event.preventDefault(); }
  });
  const drag = (event) => {
    const area = player.getBoundingClientRect();
    move(((event.clientX - area.left) / area.width) * 100);
  };
  player.addEventListener("pointerdown", (event) => { player.setPointerCapture(event.pointerId); divider.focus({ preventScroll: true }); drag(event); });
  player.addEventListener("pointermove", (event) => { if (event.buttons) drag(event); });
  const show = () => { button.textContent = before.paused ? "Play" : "Pause"; };
  button.addEventListener("click", () => {
    if (before.paused) {
      after.currentTime = before.currentTime;
      Promise.all([before.play(), after.play()]).catch(() => {}).then(show);
    } else { before.pause(); after.pause(); }
  });
  before.addEventListener("timeupdate", () => {
    if (Math.abs(before.currentTime - after.currentTime) > 0.1) after.currentTime = before.currentTime;
  });
  before.addEventListener("ended", () => {
    before.currentTime = after.currentTime = 0;
    Promise.all([before.play(), after.play()]).catch(() => {}).then(show);
  });
  before.addEventListener("play", show);
  before.addEventListener("pause", show);
}
