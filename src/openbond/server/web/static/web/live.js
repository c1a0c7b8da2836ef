// Puts in what the server sends when something changed, and says when it sends no more.
"use strict";

(() => {
  const place = document.getElementById("live");
  if (!place) return;
  const mark = document.querySelector("[data-live-mark]");
  const source = new EventSource(place.dataset.events);

  source.addEventListener("open", () => { mark.hidden = false; });
  source.addEventListener("error", () => { mark.hidden = true; }); // it tries again by itself
  source.addEventListener(place.dataset.event ?? "dashboard", (event) => {
    const focused = document.activeElement?.id;
    htmx.swap(place, event.data, { swapStyle: "innerHTML" });
    if (focused) document.getElementById(focused)?.focus();
  });
  source.addEventListener("signed-out", () => {
    source.close();
    mark.hidden = true;
    document.querySelector("[data-signed-out]").hidden = false;
  });
  source.addEventListener("gone", () => {
    source.close();
    mark.hidden = true;
    document.querySelector("[data-gone]").hidden = false;
  });
  window.addEventListener("pagehide", () => source.close());
})();
