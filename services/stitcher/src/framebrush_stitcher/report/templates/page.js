for (const box of document.querySelectorAll("[data-player]")) {
  const [before, after] = box.querySelectorAll("video"), player = box.querySelector(".player");
  const range = box.querySelector("input"), button = box.querySelector("button");
  const move = (at) => {
    range.value = Math.max(0, Math.min(100, at));
    player.style.setProperty("--at", range.value + "%");
  };
  range.addEventListener("input", () => move(Number(range.value)));
  const drag = (event) => {
    const area = player.getBoundingClientRect();
    move(((event.clientX - area.left) / area.width) * 100);
  };
  player.addEventListener("pointerdown", (event) => { player.setPointerCapture(event.pointerId); drag(event); });
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
